/** Which examples are for training, for validation and for testing. */
import { createHash } from 'node:crypto';
import { createRandom } from '../core/random.ts';
import type { Split } from './dataset.ts';
import { eachInput } from './inputs.ts';
import type { Turn } from './turn.ts';

/** Below 1 a fraction of the examples, from 1 on their number; 0 for none. */
export interface Shares {
  readonly test: number;
  readonly validation: number;
  readonly seed: number;
}

/** Indices into the examples, ascending. */
export interface Division {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
}

/** Of one example. */
export interface Belonging {
  /** Examples of one unit stay together: those of one recording or person, and equal ones. */
  readonly unit: string;
  /** Every stratum is divided by the same fractions. */
  readonly stratum: string;
}

/**
 * Divides examples by whole units. Units are drawn by the seed, in each stratum until its part of the wanted number is
 * reached as nearly as units allow; a stratum that has only one unit keeps it for training. The order of the examples
 * does not matter, only which units there are.
 */
export function divide(examples: readonly Belonging[], { test, validation, seed }: Shares): Division {
  const members = new Map<string, number[]>();
  for (const [index, { unit }] of examples.entries()) listAt(members, unit).push(index);
  const strata = new Map<string, string[]>();
  for (const [unit, [first = 0]] of members) {
    const stratum = examples[first]?.stratum ?? '';
    listAt(strata, stratum).push(unit);
  }
  const fraction = (share: number): number => (share < 1 ? share : share / examples.length);
  // Lists of lists: there may be more examples than a call takes arguments.
  const parts = { train: [] as number[][], validation: [] as number[][], test: [] as number[][] };
  // What rounding took from one stratum is given to the next, so that the whole has the wanted number.
  const owed = { test: 0, validation: 0 };
  for (const [stratum, units] of [...strata].sort(byKey)) {
    const drawn = shuffled(units.toSorted(), seed, stratum).map((unit) => members.get(unit) ?? []);
    const count = drawn.reduce((sum, { length }) => sum + length, 0);
    let rest: readonly (readonly number[])[] = drawn;
    for (const [part, share] of [['test', test] as const, ['validation', validation] as const]) {
      const wanted = fraction(share) * count + owed[part];
      const { taken, left } = take(rest, wanted);
      owed[part] = wanted - taken.length;
      parts[part].push(taken);
      rest = left;
    }
    parts.train.push(rest.flat());
  }
  const ascending = (indices: readonly number[][]): Uint32Array => Uint32Array.from(indices.flat()).sort();
  return { train: ascending(parts.train), validation: ascending(parts.validation), test: ascending(parts.test) };
}

/** Whole units from the front while they bring the number nearer to the wanted one; one is always left. */
function take(
  units: readonly (readonly number[])[],
  wanted: number,
): { taken: number[]; left: readonly (readonly number[])[] } {
  let [taken, count] = [0, 0];
  for (const unit of units) {
    if (taken === units.length - 1 || count + unit.length / 2 > wanted) break;
    taken++;
    count += unit.length;
  }
  return { taken: units.slice(0, taken).flat(), left: units.slice(taken) };
}

/** The list of a key, which begins empty. */
function listAt<T>(lists: Map<string, T[]>, name: string): T[] {
  const found = lists.get(name) ?? [];
  lists.set(name, found);
  return found;
}

function shuffled(units: readonly string[], seed: number, stratum: string): string[] {
  const order = createRandom(seed, 'data-split', stratum).permutation(units.length);
  return Array.from(order, (index) => units[index] ?? '');
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** A name for the content of each example's input: equal examples have equal names. */
export async function contentNames({ inputs }: Pick<Split, 'inputs'>, turn: Turn): Promise<string[]> {
  const names: string[] = [];
  await eachInput(inputs, turn, ({ buffer, byteOffset, byteLength }) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    names.push(createHash('sha256').update(bytes).digest('hex'));
  });
  return names;
}
