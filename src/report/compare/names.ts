/** What the runs of a comparison are called: A to Z, then AA and so on. */
export function nameOf(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : `${nameOf(Math.floor(index / 26) - 1)}${letter}`;
}
