/** A curve in one line of text. */

const heights = '▁▂▃▄▅▆▇█';

/**
 * @param values in their order; what is not finite is left out
 * @param columns at most that many, each the mean of its part of the values
 * @param scale `logarithmic` shows the end of a loss that falls by orders; values that are not above 0 make it linear
 * @returns empty for fewer than two values
 */
export function sparkline(
  values: readonly number[],
  columns: number,
  scale: 'linear' | 'logarithmic' = 'linear',
): string {
  const finite = values.filter(Number.isFinite);
  const count = Math.min(columns, finite.length);
  if (count < 2) return '';
  const means = Array.from({ length: count }, (_, column) => {
    const part = finite.slice(
      Math.floor((column * finite.length) / count),
      Math.floor(((column + 1) * finite.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const isLogarithmic = scale === 'logarithmic' && means.every((value) => value > 0);
  const shown = isLogarithmic ? means.map(Math.log) : means;
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const top = heights.length - 1;
  const heightOf = (value: number): number => (high > low ? Math.round((top * (value - low)) / (high - low)) : 3);
  return shown.map((value) => heights.charAt(heightOf(value))).join('');
}
