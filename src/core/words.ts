/** `1 image`, `2 images`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const mostListed = 8;

/** `a, b and c`; of many the first, and how many more. */
export function listText(words: readonly string[]): string {
  const more = words.length > mostListed ? words.length - mostListed + 1 : 0;
  const shown = more === 0 ? words : [...words.slice(0, mostListed - 1), `${more} more`];
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1) ?? ''}`;
}
