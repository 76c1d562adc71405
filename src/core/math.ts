/**
 * Transcendental functions whose bytes do not depend on the JavaScript engine: only +, -, *, / and powers of two,
 * which IEEE 754 fixes. `Math.exp` and friends may differ in the last bit from one engine to the next.
 */

const LN2_HIGH = 0.69314718036912381649;
const LN2_LOW = 1.90821492927058770002e-10;

/** e^x in float64, within 2 units in the last place; 0 below -745, Infinity above 709.78. */
export function exp(x: number): number {
  if (!(x > -745.2)) return x !== x ? NaN : 0;
  if (x > 709.78) return Infinity;
  // x = k ln 2 + r with |r| <= ln 2 / 2, then a Taylor series: |r|^17 / 17! is below 2^-77.
  const k = Math.floor(x / Math.LN2 + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let series = 1;
  for (let term = 16; term >= 1; term--) series = 1 + (r * series) / term;
  // Two factors, so that subnormal results are reached without an intermediate overflow of 2^k.
  const half = Math.trunc(k / 2);
  return series * 2 ** half * 2 ** (k - half);
}

/** Natural logarithm in float64, within 2 units in the last place; -Infinity at 0, NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let fraction = x;
  let exponent = 0;
  while (fraction >= Math.SQRT2) {
    fraction /= 2;
    exponent++;
  }
  while (fraction < Math.SQRT1_2) {
    fraction *= 2;
    exponent--;
  }
  // ln f = 2 atanh((f-1)/(f+1)); |s| <= 0.1716, so s^23 / 23 is below 2^-62 of the result.
  const s = (fraction - 1) / (fraction + 1);
  const square = s * s;
  let series = 0;
  for (let term = 23; term >= 1; term -= 2) series = 1 / term + square * series;
  return exponent * LN2_HIGH + (2 * s * series + exponent * LN2_LOW);
}

/** Cosine of `turns` half-turns: cos(pi * halfTurns), for halfTurns in [0, 1]. Used by the cosine schedule. */
export function cosinePi(halfTurns: number): number {
  // Reflect to [0, 1/2], where the Taylor series converges fast.
  if (halfTurns > 0.5) return -cosinePi(1 - halfTurns);
  const square = (Math.PI * halfTurns) ** 2;
  let series = 1;
  for (let term = 20; term >= 2; term -= 2) series = 1 - (square * series) / (term * (term - 1));
  return series;
}

/** base^exponent for a whole exponent >= 0, by repeated squaring in float64. */
export function integerPower(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** Hyperbolic tangent in float64, with relative error below 1e-8: more precise than float32. */
export function tanh(x: number): number {
  // Near 0 the difference below has no digits left; the next term of the series is below 2e-17 of the result.
  if (Math.abs(x) < 1e-4) return x - (x * x * x) / 3;
  return 1 - 2 / (exp(2 * x) + 1);
}
