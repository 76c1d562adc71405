/** Which examples are equal. */
import { createHash } from 'node:crypto';
import type { Inputs } from './inputs.ts';
import { eachInput } from './inputs.ts';
import type { Turn } from './turn.ts';

/** Numbers for the inputs of examples: equal inputs have the same one. Of each example 4 bytes, of each number some 50. */
export interface Contents {
  /** By example; from 0, in the order in which contents first occur. */
  readonly numbers: Int32Array;
  /** How many different ones there are. */
  readonly count: number;
  /** The order of the digests of two contents, by their numbers: negative where `a` comes first. */
  readonly compare: (a: number, b: number) => number;
}

const digestBytes = 32;

/** @param parts counted through from the first example of the first to the last of the last */
export async function numberContents(parts: readonly Inputs[], turn: Turn): Promise<Contents> {
  const examples = parts.reduce((sum, { count }) => sum + count, 0);
  const numbers = new Int32Array(examples);
  const table = digestTable(examples);
  let at = 0;
  for (const inputs of parts) {
    await eachInput(inputs, turn, ({ buffer, byteOffset, byteLength }) => {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      numbers[at++] = table.number(createHash('sha256').update(bytes).digest());
    });
  }
  return { numbers, count: table.count(), compare: table.compare };
}

/** Numbers digests in the order in which they come; a table with open addressing, since digests spread evenly. */
function digestTable(most: number) {
  const digests = Buffer.alloc(most * digestBytes);
  const digestOf = (number: number): Buffer => digests.subarray(number * digestBytes, (number + 1) * digestBytes);
  let slots = 16;
  while (slots < 2 * most) slots *= 2;
  // 0 for an empty slot, else the number and 1.
  const taken = new Int32Array(slots);
  let count = 0;
  return {
    number(digest: Buffer): number {
      for (let slot = digest.readUInt32LE(0) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
        const number = taken[slot]! - 1;
        if (number >= 0 && !digestOf(number).equals(digest)) continue;
        if (number >= 0) return number;
        digest.copy(digests, count * digestBytes);
        taken[slot] = ++count;
        return count - 1;
      }
    },
    count: () => count,
    compare: (a: number, b: number) => Buffer.compare(digestOf(a), digestOf(b)),
  };
}
