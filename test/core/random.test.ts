import { describe, expect, it } from 'vitest';
import { createRandom, xoshiro128 } from '../../src/core/random.ts';

function take(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}

describe('xoshiro128', () => {
  // The authors' xoshiro128starstar.c 1.1 from state 1, 2, 3, 4; the same vector is in Rust's rand_xoshiro.
  it('gives the published numbers', () => {
    expect(take(10, xoshiro128(Uint32Array.of(1, 2, 3, 4)))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });
});

describe('createRandom', () => {
  // python3: h = sha256(b'[7,"weights"]').digest(); struct.unpack('<4I', h[:16])
  it('starts from the first 16 bytes of the SHA-256 of seed and labels as JSON', () => {
    const state = Uint32Array.of(1170312779, 3450147408, 1110057572, 1334000394);
    expect(take(5, createRandom(7, 'weights').uint32)).toEqual(take(5, xoshiro128(state)));
  });

  it('gives words many at once as one after the other', () => {
    const [one, many] = [createRandom(7, 'weights'), createRandom(7, 'weights')];
    for (const length of [3, 0, 1000]) {
      const words = new Uint32Array(length);
      many.words(words);
      expect([...words]).toEqual(take(length, one.uint32));
    }
    expect(many.uint32()).toBe(one.uint32());
  });

  it('gives other numbers for another seed, another label, and labels cut elsewhere', () => {
    const firsts = [
      createRandom(7, 'ab', 'c'),
      createRandom(7, 'a', 'bc'),
      createRandom(7, 'abc'),
      createRandom(8, 'abc'),
      createRandom(7),
    ].map((random) => random.uint32());
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  it('splits by label, whatever was drawn before', () => {
    const random = createRandom(7, 'qat');
    take(3, random.uint32);
    expect(take(4, random.split('epoch 2').uint32)).toEqual(take(4, createRandom(7, 'qat', 'epoch 2').uint32));
  });

  it('refuses a seed that is not a non-negative integer', () => {
    expect(() => createRandom(-1)).toThrow('internal');
    expect(() => createRandom(0.5)).toThrow('internal');
  });

  it('draws floats in [0, 1) that float32 holds exactly, with mean one half', () => {
    const values = take(10_000, createRandom(1).float);
    expect(values.every((value) => value >= 0 && value < 1 && Math.fround(value) === value)).toBe(true);
    // The mean of 10,000 uniform numbers has standard deviation 0.0029.
    expect(values.reduce((sum, value) => sum + value) / values.length).toBeCloseTo(0.5, 1);
  });

  it('draws every number below a bound about equally often', () => {
    const random = createRandom(2);
    const counts = new Array<number>(7).fill(0);
    for (let draw = 0; draw < 7000; draw++) counts[random.below(7)]!++;
    // Six standard deviations of a count are 176.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(176);
  });

  // Taking 32 bits modulo 3 * 2^30 would give the lowest third twice as often: half of all draws.
  it('is unbiased for bounds that do not divide 2^32', () => {
    const random = createRandom(3);
    const numLow = take(6000, () => random.below(3 * 2 ** 30)).filter((value) => value < 2 ** 30).length;
    expect(Math.abs(numLow - 2000)).toBeLessThan(220);
  });

  it('permutes: every index once, each position equally likely', () => {
    expect([...createRandom(4).permutation(1000)].sort((a, b) => a - b)).toEqual(take(1000, counter()));
    expect(createRandom(4).permutation(0)).toHaveLength(0);
    const orders = new Map<string, number>();
    const random = createRandom(5);
    for (let draw = 0; draw < 6000; draw++) {
      const order = random.permutation(3).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(175);
  });
});

function counter(): () => number {
  let next = 0;
  return () => next++;
}
