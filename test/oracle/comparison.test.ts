/** The tests that `compare` makes of the same examples, against SciPy's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import { contrastInt8, flippedExamples } from '../../src/report/compare/contrast.ts';
import type { Tested } from '../../src/report/compare/tested.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';

const nothing = { float: null, qat_float: null, fake_quant: null, int8_litert: null };

function tested(kind: Tested['kind'], outcomes: Float32Array): Tested {
  const n = outcomes.length;
  const value = outcomes.reduce((sum, one) => sum + one, 0) / n;
  return {
    ...{ name: 'test', stage: 'test', output: null, kind, measure: kind, outcomes, examples: 'the same', layers: [] },
    values: { ...nothing, int8: { value, interval: { low: value, high: value }, n } },
    model: { bytes: 1, sha256: '' },
  };
}

/** Numbers between 0 and 1 that look drawn, the same each time. */
const drawn = (index: number, seed: number): number =>
  Math.abs(Math.sin(index * 12.9898 + seed * 78.233) * 43758.5453) % 1;
const values = (n: number, value: (index: number) => number): Float32Array =>
  Float32Array.from({ length: n }, (_, index) => value(index));

describe.skipIf(!hasRuntimes)('comparisons, against SciPy', () => {
  let oracle: Oracle;
  beforeAll(() => {
    oracle = openOracle('runtimes');
  });
  afterAll(() => oracle.close());

  it.each([
    [50, 0.9, 0.8],
    [1000, 0.95, 0.94],
    [5000, 0.9, 0.85],
  ])('of %d examples, right with %f and %f', async (n, first, second) => {
    const [a, b] = [values(n, (i) => Number(drawn(i, 1) < first)), values(n, (i) => Number(drawn(i, 2) < second))];
    const said = await oracle.evaluate('comparisons.right_or_wrong(first, second)', {
      ...{ first: tensor('float32', [n], a), second: tensor('float32', [n], b) },
    });
    const [x, y] = [tested('accuracy', a), tested('accuracy', b)];
    const flips = flippedExamples(x, y);
    expect(said).toEqual({
      only_first: flips?.onlyFirst,
      only_second: flips?.onlyThis,
      p: expect.closeTo(contrastInt8(x, y)?.p ?? NaN, 9) as unknown,
    });
  });

  it.each([
    [9, 0.1],
    [200, 0.02],
    [3001, 0.005],
  ])('of %d errors that differ by %f', async (n, shift) => {
    const a = values(n, (i) => 1 + drawn(i, 3));
    const b = values(n, (i) => (a[i] ?? 0) + 0.2 * (drawn(i, 4) - 0.5) - shift);
    const said = await oracle.evaluate('comparisons.errors(first, second)', {
      ...{ first: tensor('float32', [n], a), second: tensor('float32', [n], b) },
    });
    const p = contrastInt8(tested('error', a), tested('error', b))?.p ?? NaN;
    expect(said).toEqual({ p: expect.closeTo(p, 6) as unknown });
  });
});
