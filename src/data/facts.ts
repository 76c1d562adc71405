/** What the files of a data set have that its examples no longer show: sizes, rates, lengths. */
import type { ClassFolders } from './class-folders.ts';

export interface SourceFacts {
  /** Up to three files of each class, by label; left out where no file is of one class. */
  readonly exampleFiles?: readonly (readonly string[])[];
  readonly tallies?: readonly Tally[];
  readonly spreads?: readonly Spread[];
  /** Sentences. */
  readonly notes?: readonly string[];
}

/** How often a property of files has each of its values, for example how many images have which size. */
export interface Tally {
  readonly property: string;
  /** The most frequent first. `names` of files are there for values that at most 1 % of the files have. */
  readonly values: readonly { readonly value: string; readonly files: number; readonly names: readonly string[] }[];
}

/** How a measured property of files is spread. */
export interface Spread {
  readonly property: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** How many files have more than four times the median, or less than a quarter of it. */
  readonly odd: number;
  /** Some of them, the farthest first. */
  readonly names: readonly { readonly name: string; readonly value: number }[];
}

const rareShare = 0.01;
const oddFactor = 4;
const mostNamed = 5;
const numExamples = 3;

/** @param values of each file */
export function tally(property: string, values: readonly { readonly name: string; readonly value: string }[]): Tally {
  const namesOf = new Map<string, string[]>();
  for (const { name, value } of values) {
    const names = namesOf.get(value);
    if (names === undefined) namesOf.set(value, [name]);
    else names.push(name);
  }
  const most = Math.max(1, rareShare * values.length);
  const rows = Array.from(namesOf, ([value, names]) => ({
    ...{ value, files: names.length },
    names: namesOf.size > 1 && names.length <= most ? names.slice(0, mostNamed) : [],
  }));
  // The sort is stable: equally frequent values stay in the order of the files.
  return { property, values: rows.sort((a, b) => b.files - a.files) };
}

/** @param values of each file, above 0; at least one */
export function spread(
  property: string,
  unit: string,
  values: readonly { readonly name: string; readonly value: number }[],
): Spread {
  const sorted = values.map(({ value }) => value).sort((a, b) => a - b);
  const median = medianOf(sorted);
  const distance = (value: number): number => Math.abs(Math.log(value / median));
  const odd = values
    .filter(({ value }) => distance(value) > Math.log(oddFactor))
    .sort((a, b) => distance(b.value) - distance(a.value));
  const [min = 0, max = 0] = [sorted[0], sorted.at(-1)];
  return { property, unit, min, median, max, odd: odd.length, names: odd.slice(0, mostNamed) };
}

/** @param sorted ascending; of an even number the lower of the middle two */
export function medianOf(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** The first files of each class. */
export function examplesOfClasses({ classNames, files }: ClassFolders): string[][] {
  const examples: string[][] = classNames.map(() => []);
  for (const { name, label } of Object.values(files).flat()) {
    const names = examples[label];
    if (names !== undefined && names.length < numExamples) names.push(name);
  }
  return examples;
}
