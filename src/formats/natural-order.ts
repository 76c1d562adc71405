const slash = 0x2f;
const zero = 0x30;

const isDigit = (code: number): boolean => code >= zero && code <= 0x39;

/**
 * The order of file names, the same on every machine: `image2` before `image10`.
 *
 * Runs of the digits 0 to 9 compare as whole numbers of any length, everything else by UTF-16 code unit, with `/` before
 * all others, so that the files of a folder stay together. Names that differ in leading zeros only: at the first such
 * run, fewer zeros first.
 *
 * @returns negative where `a` comes first, 0 for equal names only
 */
export function naturalOrder(a: string, b: string): number {
  let [i, j] = [0, 0];
  let fewerZeros = 0;
  while (i < a.length && j < b.length) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(j)];
    if (isDigit(left) && isDigit(right)) {
      const [leftStart, rightStart] = [skip(a, i, isZero), skip(b, j, isZero)];
      const [leftEnd, rightEnd] = [skip(a, leftStart, isDigit), skip(b, rightStart, isDigit)];
      const longer = leftEnd - leftStart - (rightEnd - rightStart);
      if (longer !== 0) return longer;
      for (let digit = 0; leftStart + digit < leftEnd; digit++) {
        const difference = a.charCodeAt(leftStart + digit) - b.charCodeAt(rightStart + digit);
        if (difference !== 0) return difference;
      }
      if (fewerZeros === 0) fewerZeros = leftStart - i - (rightStart - j);
      [i, j] = [leftEnd, rightEnd];
    } else if (left === right) {
      i++;
      j++;
    } else {
      return (left === slash ? -1 : left) - (right === slash ? -1 : right);
    }
  }
  const rest = a.length - i - (b.length - j);
  return rest === 0 ? fewerZeros : rest;
}

const isZero = (code: number): boolean => code === zero;

function skip(text: string, start: number, isSkipped: (code: number) => boolean): number {
  let end = start;
  while (end < text.length && isSkipped(text.charCodeAt(end))) end++;
  return end;
}
