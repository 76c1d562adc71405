/** Which examples are for training, for validation and for testing. */
import { createRandom } from '../core/random.ts';

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

/** How examples belong together. In typed arrays, since there may be many millions. */
export interface Belonging {
  /**
   * By example: the number of its unit, from 0. Examples of one unit stay together: those of one recording or person, and
   * equal ones. The numbers must not depend on the order of the examples, since units are drawn by them.
   */
  readonly units: Int32Array;
  /** By example: every stratum is divided by the same fractions. That of a unit is that of its first example. */
  readonly strata: ArrayLike<number>;
}

/**
 * Divides examples by whole units. Units are drawn by the seed, in each stratum until its part of the wanted number is
 * reached as nearly as units allow; a stratum that has only one unit keeps it for training. The order of the examples
 * does not matter, only which units there are.
 *
 * @param nameOf a stratum; names decide the order of the strata, and what is drawn in each
 */
export function divide(
  { units, strata }: Belonging,
  { test, validation, seed }: Shares,
  nameOf: (stratum: number) => string = String,
): Division {
  const count = units.length;
  const members = membersOf(units);
  const fraction = (share: number): number => (share < 1 ? share : share / count);
  const parts = new Uint8Array(count).fill(partCodes.train);
  // What rounding took from one stratum is given to the next, so that the whole has the wanted number.
  const owed = { test: 0, validation: 0 };
  for (const [name, own] of unitsOfStrata(members, strata, nameOf)) {
    const order = createRandom(seed, 'data-split', name).permutation(own.length);
    const drawn = order.map((index) => own[index]!);
    const size = drawn.reduce((sum, unit) => sum + members.sizeOf(unit), 0);
    let rest = drawn;
    for (const [part, share] of [['test', test] as const, ['validation', validation] as const]) {
      const wanted = fraction(share) * size + owed[part];
      const { units: taken, examples } = take(rest, members.sizeOf, wanted);
      for (const unit of rest.subarray(0, taken)) members.each(unit, (example) => (parts[example] = partCodes[part]));
      owed[part] = wanted - examples;
      rest = rest.subarray(taken);
    }
  }
  const of = (code: number): Uint32Array => {
    const indices = new Uint32Array(parts.reduce((sum, part) => sum + (part === code ? 1 : 0), 0));
    let to = 0;
    for (let example = 0; example < count; example++) if (parts[example] === code) indices[to++] = example;
    return indices;
  };
  return { train: of(partCodes.train), validation: of(partCodes.validation), test: of(partCodes.test) };
}

const partCodes = { train: 0, validation: 1, test: 2 } as const;

interface Members {
  readonly count: number;
  readonly first: (unit: number) => number;
  readonly sizeOf: (unit: number) => number;
  /** In ascending order. */
  readonly each: (unit: number, visit: (example: number) => void) => void;
}

/** The examples of each unit, sorted by counting. */
function membersOf(units: Int32Array): Members {
  const count = units.reduce((most, unit) => Math.max(most, unit + 1), 0);
  const starts = new Uint32Array(count + 1);
  for (const unit of units) starts[unit + 1]!++;
  for (let unit = 0; unit < count; unit++) starts[unit + 1]! += starts[unit]!;
  const next = starts.slice();
  const sorted = new Uint32Array(units.length);
  for (const [example, unit] of units.entries()) sorted[next[unit]!++] = example;
  return {
    count,
    first: (unit) => sorted[starts[unit]!]!,
    sizeOf: (unit) => starts[unit + 1]! - starts[unit]!,
    each(unit, visit) {
      for (let at = starts[unit]!; at < starts[unit + 1]!; at++) visit(sorted[at]!);
    },
  };
}

/** The units of each stratum in ascending order, by the name of the stratum. */
function unitsOfStrata(
  { count, first }: Members,
  strata: ArrayLike<number>,
  nameOf: (stratum: number) => string,
): [string, Uint32Array][] {
  const stratumOf = Uint32Array.from({ length: count }, (_, unit) => strata[first(unit)]!);
  const sizes = new Map<number, number>();
  for (const stratum of stratumOf) sizes.set(stratum, (sizes.get(stratum) ?? 0) + 1);
  const lists = new Map(Array.from(sizes, ([stratum, size]) => [stratum, { units: new Uint32Array(size), filled: 0 }]));
  for (const [unit, stratum] of stratumOf.entries()) {
    const list = lists.get(stratum);
    if (list !== undefined) list.units[list.filled++] = unit;
  }
  return Array.from(lists, ([stratum, { units }]): [string, Uint32Array] => [nameOf(stratum), units]).sort(byKey);
}

/** Whole units from the front while they bring the number nearer to the wanted one; one is always left. */
function take(
  units: Uint32Array,
  sizeOf: (unit: number) => number,
  wanted: number,
): { readonly units: number; readonly examples: number } {
  let [taken, examples] = [0, 0];
  for (const unit of units) {
    const size = sizeOf(unit);
    if (taken === units.length - 1 || examples + size / 2 > wanted) break;
    taken++;
    examples += size;
  }
  return { units: taken, examples };
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;
