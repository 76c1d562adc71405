/**
 * The order in which people count: runs of digits by their value, everything else by code unit. It does not depend on
 * a language, so that classes have the same order everywhere: `2`, `10`, `a2`, `a10`.
 */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(/(\d+)/));
  for (const [index, part] of (left ?? []).entries()) {
    const other = right?.[index];
    if (other === undefined) return 1;
    // Every second part is a run of digits.
    const difference = index % 2 === 1 ? compareNumbers(part, other) : compare(part, other);
    if (difference !== 0) return difference;
  }
  // Equal but for leading zeros, or a beginning of the other.
  return (left?.length ?? 0) - (right?.length ?? 0) || compare(a, b);
}

/** Digits without a limit of length: the longer is larger, leading zeros aside. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || compare(x, y);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
