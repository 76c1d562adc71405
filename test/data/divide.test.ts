import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { numberContents } from '../../src/data/contents.ts';
import type { Shares } from '../../src/data/divide.ts';
import { divide as divideUnits } from '../../src/data/divide.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { createTurn } from '../../src/data/turn.ts';

interface Example {
  readonly unit: string;
  readonly stratum: string;
}

/** Units have numbers in the order of their names. */
function divide(examples: readonly Example[], shares: Shares) {
  const numbers = (words: readonly string[]): Int32Array => {
    const order = new Map([...new Set(words)].sort().map((word, number) => [word, number]));
    return Int32Array.from(words, (word) => order.get(word) ?? -1);
  };
  const strata = examples.map(({ stratum }) => stratum);
  const names = [...new Set(strata)].sort();
  const units = numbers(examples.map(({ unit }) => unit));
  return divideUnits({ units, strata: numbers(strata) }, shares, (stratum) => names[stratum] ?? '');
}

/** `counts[label]` examples of each class, every one its own unit. */
const singles = (...counts: number[]) =>
  counts.flatMap((count, label) =>
    Array.from({ length: count }, (_, index) => ({ unit: `${label}/${index}`, stratum: String(label) })),
  );
const sizes = ({ train, validation, test }: ReturnType<typeof divide>) => [
  train.length,
  validation.length,
  test.length,
];

describe('a division', () => {
  it('loses no example and gives none twice', () => {
    const { train, validation, test } = divide(singles(50, 30, 20), { test: 0.2, validation: 0.1, seed: 1 });
    expect([...train, ...validation, ...test].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('has every class in the same fractions', () => {
    const examples = singles(500, 300, 20);
    const { test, validation } = divide(examples, { test: 0.2, validation: 0.1, seed: 1 });
    const of = (part: Uint32Array) =>
      ['0', '1', '2'].map((label) => Array.from(part).filter((index) => examples[index]?.stratum === label).length);
    expect(of(test)).toEqual([100, 60, 4]);
    expect(of(validation)).toEqual([50, 30, 2]);
  });

  it('has the number that is asked for, also where classes are too small for a fraction each', () => {
    // 0.1 of 3 is less than half an example in each of 100 classes.
    expect(sizes(divide(singles(...new Array<number>(100).fill(3)), { test: 0.1, validation: 0, seed: 1 }))).toEqual([
      270, 0, 30,
    ]);
    expect(sizes(divide(singles(60, 40), { test: 25, validation: 10, seed: 1 }))).toEqual([65, 10, 25]);
  });

  it('goes through more examples than a call takes arguments, alone and in one unit', () => {
    expect(sizes(divide(singles(260_000), { test: 0.5, validation: 0, seed: 1 }))).toEqual([130_000, 0, 130_000]);
    const large = Array.from({ length: 260_000 }, (_, index) => ({ unit: `speaker ${index % 2}`, stratum: '' }));
    expect(sizes(divide(large, { test: 0.5, validation: 0, seed: 1 }))).toEqual([130_000, 0, 130_000]);
  });

  it('keeps units whole', () => {
    const examples = Array.from({ length: 120 }, (_, index) => ({ unit: `speaker ${index % 6}`, stratum: '' }));
    const { train, test } = divide(examples, { test: 0.3, validation: 0, seed: 2 });
    const units = (part: Uint32Array) => new Set(Array.from(part, (index) => examples[index]?.unit));
    expect(test.length).toBe(40);
    expect([...units(train)].filter((unit) => units(test).has(unit))).toEqual([]);
  });

  it('leaves a class that has one unit to training', () => {
    const { train, test } = divide(singles(1, 10), { test: 0.5, validation: 0, seed: 1 });
    expect(train).toContain(0);
    expect(test).not.toContain(0);
  });

  it('depends on the seed, and not on the order of the examples', () => {
    const examples = singles(30, 30);
    const shares = { test: 0.5, validation: 0, seed: 4 };
    const chosen = (list: typeof examples, seed: number) =>
      Array.from(divide(list, { ...shares, seed }).test, (index) => list[index]?.unit).sort();
    expect(chosen([...examples].reverse(), 4)).toEqual(chosen(examples, 4));
    expect(chosen(examples, 5)).not.toEqual(chosen(examples, 4));
  });
});

describe('numbers of contents', () => {
  it('are equal for equal inputs only, and in the order of their digests', async () => {
    const parts = [inputsOf(Float32Array.of(1, 2, 1, 3), 2), inputsOf(Float32Array.of(1, 2), 2)];
    const { numbers, count, compare } = await numberContents(parts, createTurn());
    expect([[...numbers], count]).toEqual([[0, 1, 0], 2]);
    const [a = '', b = ''] = [Float32Array.of(1, 2), Float32Array.of(1, 3)].map((values) =>
      createHash('sha256').update(values).digest('hex'),
    );
    expect(compare(0, 1) < 0).toBe(a < b);
  });

  it('are found again among many', async () => {
    const values = Float32Array.from({ length: 30_000 }, (_, index) => index % 7000);
    const { numbers, count } = await numberContents([inputsOf(values, 1)], createTurn());
    expect(count).toBe(7000);
    expect([...numbers]).toEqual([...values]);
  });
});
