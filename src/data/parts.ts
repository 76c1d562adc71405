/** From files or recordings to the three parts of a data set. */
import { Type } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { key, object } from '../core/schema.ts';
import type { Split } from './dataset.ts';
import type { ClassFile, PartName } from './class-folders.ts';
import type { Contents } from './contents.ts';
import { numberContents } from './contents.ts';
import type { Division } from './divide.ts';
import { divide } from './divide.ts';
import { groupReader, separateNamed } from './named-groups.ts';
import type { GuessedSettings } from './sources/define.ts';
import type { Inputs } from './inputs.ts';
import type { GivenParts, PartExamples, SplitConfig } from './part-examples.ts';
import { pick } from './split.ts';
import type { Turn } from './turn.ts';

const shares = {
  test: Type.Number({
    ...key('Examples for testing, unless the data set has a part of its own: a fraction below 1, or a number'),
    minimum: 0,
    default: 0.2,
  }),
  validation: Type.Number({
    ...key('Examples for validation, unless the data set has a part of its own: a fraction below 1, or a number'),
    minimum: 0,
    default: 0,
  }),
};

/** A share, or the names of groups. */
const shareOrGroups = ({ description, ...share }: (typeof shares)['test']) =>
  Type.Unsafe<number | readonly string[]>({
    ...share,
    description: `${description ?? ''}; or the groups to take, by name`,
    type: ['number', 'array'],
    items: { type: 'string', minLength: 1 },
    minItems: 1,
    uniqueItems: true,
  });

const seed = Type.Integer({
  ...key('Random seed of the division; independent of the seed of the pipeline'),
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  default: 1,
});

const splitOptions = {
  ...key('How the examples are divided: by class, so that each part has the same mixture'),
  default: {},
};

/** `split:` of sources that divide their examples themselves. */
export const splitField = object(
  {
    test: shareOrGroups(shares.test),
    validation: shareOrGroups(shares.validation),
    group: Type.Optional(
      Type.String({
        ...key(
          'Regular expression on the name of a file below `path`; files for which its first group gives the same text stay in one part',
        ),
        minLength: 1,
        examples: ['_([a-z]+)_'],
      }),
    ),
    seed,
  },
  splitOptions,
);

/** The same for examples that are not in files of their own. */
export const ungroupedSplitField = object({ ...shares, seed }, splitOptions);

/** `split:` for a data set of which these parts are known. */
export function guessedSplit(given: { readonly [P in PartName | 'all']?: unknown }): GuessedSettings['lines'] {
  const shares = [
    ...(given.test === undefined ? ['test: 0.2'] : []),
    ...(given.validation === undefined ? ['validation: 0.1'] : []),
  ];
  if (shares.length === 0) return [];
  const comment =
    "fractions of the examples; add `group: '_([a-z]+)_'` to keep files with the same speaker or place in their name in one part";
  return [{ yaml: `split: { ${shares.join(', ')} }`, comment }];
}

export interface Parts {
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
  readonly notes: readonly string[];
}

/** Of files that are an example each. */
export function fileExamples(files: readonly ClassFile[], inputs: Inputs): PartExamples {
  return {
    split: { count: files.length, inputs, labels: Uint16Array.from(files, ({ label }) => label), targets: null },
    nameOf: (index) => files[index]?.name ?? internal(`no file ${index}`),
    recordings: null,
  };
}

/** Numbers for words, the same for equal ones: such as `recordings`. */
export function numbered(words: readonly string[]): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(words, (word) => {
    const number = numbers.get(word) ?? numbers.size;
    numbers.set(word, number);
    return number;
  });
}

/**
 * Divides what the data set does not divide itself: all of it, or the training part. Equal examples, those of one
 * recording and those of one group stay together.
 *
 * @param had what the data set has: `all`, or `train` with or without the others
 */
export async function makeParts(had: GivenParts, config: SplitConfig, turn: Turn): Promise<Parts> {
  const given = separateNamed(had, config);
  const source = given.all ?? given.train;
  if (source === undefined) return internal('no training examples');
  const others = (['validation', 'test'] as const).flatMap((part) => {
    const examples = given[part];
    return examples === undefined ? [] : [{ part, examples }];
  });
  const all = [source, ...others.map(({ examples }) => examples)];
  const contents = await numberContents(
    all.map(({ split }) => split.inputs),
    turn,
  );
  const shareOf = (part: 'test' | 'validation'): number => {
    const share = config[part];
    // Groups that are named are given by now.
    return given[part] !== undefined || typeof share !== 'number' ? 0 : share;
  };
  const shares = { test: shareOf('test'), validation: shareOf('validation'), seed: config.seed };
  // Groups have examples of many classes, so that classes cannot be divided alike.
  const labels = config.group === undefined ? source.split.labels : null;
  const belonging = {
    units: unitsOf(source, contents, config),
    strata: labels ?? new Uint8Array(source.split.count),
  };
  const division = divide(belonging, shares, labels === null ? () => '' : String);
  const part = (indices: Uint32Array): Split => pick(source.split, indices);
  return {
    train: part(division.train),
    validation: given.validation?.split ?? part(division.validation),
    test:
      given.test === undefined
        ? withNames(part(division.test), source, division.test)
        : withNames(given.test.split, given.test),
    // What was divided just now has equal examples in one part.
    notes: others.length === 0 ? [] : leaks(source, division, others, contents),
  };
}

/** Only those that are tested are shown to people. */
function withNames(split: Split, { nameOf }: PartExamples, indices?: Uint32Array): Split {
  return { ...split, names: Array.from({ length: split.count }, (_, at) => nameOf(indices?.[at] ?? at)) };
}

/** Numbers of units in the order of the digests of their contents, whatever the order and the names of the files. */
function unitsOf(
  examples: PartExamples,
  { numbers, count: numContents, compare }: Contents,
  { group }: SplitConfig,
): Int32Array {
  const { recordings } = examples;
  const { count } = examples.split;
  const same = unionOf(count);
  const joinEqual = (words: Int32Array): void => {
    const first = new Int32Array(words.reduce((most, word) => Math.max(most, word + 1), 0)).fill(-1);
    for (let example = 0; example < count; example++) {
      const word = words[example]!;
      if (first[word] === -1) first[word] = example;
      else same.join(first[word]!, example);
    }
  };
  joinEqual(numbers.subarray(0, count));
  if (recordings !== null) joinEqual(recordings);
  if (group !== undefined) joinGroups(examples, group, same.join);
  // Of each unit the content whose digest is the smallest.
  const least = new Int32Array(count).fill(numContents);
  for (let example = 0; example < count; example++) {
    const root = same.rootOf(example);
    const number = numbers[example]!;
    if (least[root] === numContents || compare(number, least[root]!) < 0) least[root] = number;
  }
  const roots = Uint32Array.from({ length: count }, (_, example) => example).filter(
    (example) => same.rootOf(example) === example,
  );
  roots.sort((a, b) => compare(least[a]!, least[b]!));
  const rank = new Int32Array(count);
  for (const [order, root] of roots.entries()) rank[root] = order;
  return Int32Array.from({ length: count }, (_, example) => rank[same.rootOf(example)]!);
}

/** Sets of numbers that are the same: each is found by the number at its root. */
function unionOf(count: number) {
  const parents = Int32Array.from({ length: count }, (_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) root = parents[root]!;
    // The next look is short, however many are the same.
    for (let at = index; at !== root;) {
      const next = parents[at]!;
      parents[at] = root;
      at = next;
    }
    return root;
  };
  return {
    rootOf,
    join: (a: number, b: number): void => {
      const [x, y] = [rootOf(a), rootOf(b)];
      parents[Math.max(x, y)] = Math.min(x, y);
    },
  };
}

function joinGroups(examples: PartExamples, group: string, join: (a: number, b: number) => void): void {
  const { nameOf } = examples;
  const { count } = examples.split;
  const groupOf = groupReader(examples, group);
  const first = new Map<string, number>();
  for (let example = 0; example < count; example++) {
    const name = groupOf?.(example);
    if (name === undefined) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, example);
    else join(other, example);
  }
  if (first.size > 0) return;
  throw userError(
    'data.split.group',
    'no-group',
    `the expression fits none of the names, such as ${count > 0 ? nameOf(0) : ''}`,
    'write one whose first group, in parentheses, is the part of a name that must stay together',
  );
}

/** Equal examples in two parts, in sentences: the network has seen what it is tested on. */
function leaks(
  source: PartExamples,
  division: Division,
  others: readonly { readonly part: PartName; readonly examples: PartExamples }[],
  { numbers, count }: Contents,
): string[] {
  const offsets = new Map<PartName, number>();
  let offset = source.split.count;
  for (const { part, examples } of others) {
    offsets.set(part, offset);
    offset += examples.split.count;
  }
  // Of each content the part of its first example, counted from 1, and which one it is there.
  const firstPart = new Uint8Array(count);
  const firstIndex = new Uint32Array(count);
  const namesOf: ((index: number) => string)[] = [];
  const notes: string[] = [];
  for (const [code, part] of partOrder.entries()) {
    const given = others.find((other) => other.part === part)?.examples;
    const indices = given === undefined ? division[part] : Uint32Array.from({ length: given.split.count }, (_, i) => i);
    const { nameOf } = given ?? source;
    namesOf.push(nameOf);
    const equal = new Map<number, { names: string; count: number }>();
    for (const index of indices) {
      const number = numbers[(offsets.get(part) ?? 0) + index]!;
      const other = firstPart[number]! - 1;
      if (other < 0) {
        firstPart[number] = code + 1;
        firstIndex[number] = index;
      } else if (other !== code) {
        const { names = `${nameOf(index)} and ${namesOf[other]?.(firstIndex[number]!) ?? ''}`, count: before = 0 } =
          equal.get(other) ?? {};
        equal.set(other, { names, count: before + 1 });
      }
    }
    for (const [other, { names, count: examples }] of equal) {
      const are = examples === 1 ? 'example is' : 'examples are';
      notes.push(`${examples} ${part} ${are} equal to ${partOrder[other] ?? ''} examples, such as ${names}`);
    }
  }
  return notes;
}

const partOrder = ['train', 'validation', 'test'] as const satisfies readonly PartName[];
