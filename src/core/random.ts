import { hash as hashOf } from 'node:crypto';
import { internal } from './assert.ts';

/** A stream of random numbers. The same seed and labels give the same numbers on every machine. */
export interface Random {
  /** Uniform in 0 .. 2^32 - 1. */
  readonly uint32: () => number;
  /** Writes what as many calls of `uint32` would give, several times as fast. */
  readonly words: (out: Uint32Array) => void;
  /** Uniform in [0, 1), a multiple of 2^-24, so exact in float32. */
  readonly float: () => number;
  /** Uniform in 0 .. bound - 1 without bias; bound 1 .. 2^32. */
  readonly below: (bound: number) => number;
  /** The numbers 0 .. count - 1 in random order. */
  readonly permutation: (count: number) => Uint32Array;
  /** The stream with further labels. It depends on seed and labels alone, not on what was drawn before. */
  readonly split: (...labels: string[]) => Random;
}

/**
 * The stream that belongs to a seed and to labels saying what it is for, for example `('order', 'epoch 3')`.
 * Different labels give independent streams: the generator's state is the SHA-256 of all of them.
 *
 * @param seed a non-negative safe integer
 */
export function createRandom(seed: number, ...labels: string[]): Random {
  if (!Number.isSafeInteger(seed) || seed < 0) internal(`seed ${seed} is not a non-negative safe integer`);
  const hash = hashOf('sha256', JSON.stringify([seed, ...labels]), 'buffer');
  const { next: uint32, fill } = generator(Uint32Array.from({ length: 4 }, (_, word) => hash.readUInt32LE(4 * word)));

  function below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) internal(`random numbers below ${bound}`);
    const fair = 2 ** 32 - (2 ** 32 % bound);
    let drawn = uint32();
    while (drawn >= fair) drawn = uint32();
    return drawn % bound;
  }

  return {
    uint32,
    words: fill,
    float: () => (uint32() >>> 8) * 2 ** -24,
    below,
    permutation: (count) => {
      const order = Uint32Array.from({ length: count }, (_, index) => index);
      for (let last = count - 1; last > 0; last--) {
        const other = below(last + 1);
        const moved = order[last]!;
        order[last] = order[other]!;
        order[other] = moved;
      }
      return order;
    },
    split: (...more) => createRandom(seed, ...labels, ...more),
  };
}

/**
 * The generator itself, from a state of four words that are not all zero; the state is copied.
 *
 * @see https://prng.di.unimi.it/xoshiro128starstar.c, version 1.1
 */
export const xoshiro128 = (state: Uint32Array): (() => number) => generator(state).next;

interface Generator {
  readonly next: () => number;
  /** As many as there is room for. */
  readonly fill: (out: Uint32Array) => void;
}

function generator(state: Uint32Array): Generator {
  let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
  return {
    next: () => {
      const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = rotateLeft(d, 11);
      return result;
    },
    fill: (out) => {
      // In variables of this call, which stay in registers.
      let [w, x, y, z] = [a | 0, b | 0, c | 0, d | 0];
      for (let at = 0; at < out.length; at++) {
        out[at] = Math.imul(rotateLeft(Math.imul(x, 5), 7), 9);
        const shifted = x << 9;
        y ^= w;
        z ^= x;
        x ^= y;
        w ^= z;
        y ^= shifted;
        z = rotateLeft(z, 11);
      }
      [a, b, c, d] = [w, x, y, z];
    },
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/**
 * Spreads every bit of a word over all bits of the result, one to one: the finalizer of MurmurHash3. Gives random
 * numbers by position instead of by order: the word is the position.
 *
 * @param word its low 32 bits count
 * @returns 0 .. 2^32 - 1
 * @see https://github.com/aappleby/smhasher src/MurmurHash3.cpp, fmix32
 */
export function mixBits(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
