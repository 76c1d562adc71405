/** Damage to files, of the kinds that disks, transfers, other tools and adversaries do. */
import type { Random } from '../../src/core/random.ts';

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const mutations: readonly Mutation[] = [
  function truncate(bytes, random) {
    return bytes.slice(0, random.below(bytes.length + 1));
  },
  function flipBit(bytes, random) {
    return changed(bytes, (copy) => {
      const at = place(bytes, random);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    });
  },
  function replaceByte(bytes, random) {
    return changed(bytes, (copy) => {
      copy[place(bytes, random)] = pick([0, 1, 127, 128, 255, random.below(256), random.below(12)], random);
    });
  },
  function replaceInt32(bytes, random) {
    return changed(bytes, (copy) => {
      const at = Math.min(place(bytes, random) & ~3, copy.length - 4);
      if (at < 0) return;
      const extremes = [0, 1, -1, 2, 255, 65535, 0x7fffffff, -0x80000000, 1 << 30, copy.length, -copy.length];
      // Offsets that lead backwards or to themselves make cycles.
      const value = pick(
        [...extremes, random.uint32(), -at, random.below(copy.length), random.below(12), random.below(12)],
        random,
      );
      new DataView(copy.buffer).setUint32(at, value >>> 0, true);
    });
  },
  function splice(bytes, random) {
    const [start, end] = block(bytes, random);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  function duplicate(bytes, random) {
    const [start, end] = block(bytes, random);
    return joined(bytes.subarray(0, end), bytes.subarray(start));
  },
  function copyOver(bytes, random) {
    return changed(bytes, (copy) => {
      const [start, end] = block(bytes, random);
      copy.copyWithin(random.below(bytes.length), start, end);
    });
  },
];

/** 1 to 8 mutations, one after the other; often only one, since every further one is likelier to be refused early. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes;
  const gentle = mutations.slice(1, 4);
  // Most files keep their length, so that faults lie behind the first checks.
  const kinds = random.below(4) > 0 ? gentle : mutations;
  for (let left = 1 + random.below(pick([1, 1, 2, 8], random)); left > 0 && result.length > 0; left--) {
    result = pick(kinds, random)(result, random);
  }
  return result;
}

function changed(bytes: Uint8Array, change: (copy: Uint8Array<ArrayBuffer>) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(copy);
  return copy;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function pick<T>(choices: readonly T[], random: Random): T {
  return choices[random.below(choices.length)]!;
}

function block({ length }: Uint8Array, random: Random): readonly [start: number, end: number] {
  const start = random.below(length);
  return [start, Math.min(length, start + 1 + random.below(64))];
}

/** Any byte, or rather one that looks like a small number or an offset: most bytes are weights, which never matter. */
function place(bytes: Uint8Array, random: Random): number {
  const any = random.below(bytes.length);
  if (random.below(4) === 0) return any;
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  for (let tries = 0; tries < 32; tries++) {
    const at = random.below(length) & ~3;
    if (at + 4 <= length && view.getUint32(at, true) < length) return at + random.below(4);
  }
  return any;
}
