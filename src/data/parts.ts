/** From files or recordings to the three parts of a data set. */
import { Type } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { key, object } from '../core/schema.ts';
import type { Split } from './dataset.ts';
import type { ClassFile, PartName } from './class-folders.ts';
import { contentNames, divide } from './divide.ts';
import type { GuessedSettings } from './sources/define.ts';
import type { Inputs } from './inputs.ts';
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
    ...shares,
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

export interface SplitConfig {
  readonly test: number;
  readonly validation: number;
  readonly group?: string;
  readonly seed: number;
}

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

/** Where each example comes from. */
export interface Origin {
  readonly name: string;
  /** Examples of one recording stay together. */
  readonly recording: string;
}

export interface Parts {
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
  readonly notes: readonly string[];
}

/** Examples of one part, or of all. */
export interface PartExamples {
  readonly split: Split;
  readonly origins: readonly Origin[];
}

/** Of files that are an example each. */
export function fileExamples(files: readonly ClassFile[], inputs: Inputs): PartExamples {
  return {
    split: { count: files.length, inputs, labels: Uint16Array.from(files, ({ label }) => label), targets: null },
    origins: files.map(({ name }) => ({ name, recording: name })),
  };
}

/**
 * Divides what the data set does not divide itself: all of it, or the training part. Equal examples, those of one
 * recording and those of one group stay together.
 *
 * @param given what the data set has: `all`, or `train` with or without the others
 */
export async function makeParts(
  given: { readonly [P in PartName | 'all']?: PartExamples },
  config: SplitConfig,
  turn: Turn,
): Promise<Parts> {
  const source = given.all ?? given.train;
  if (source === undefined) return internal('no training examples');
  const all = await named(source, turn);
  const division = divide(belongings(all, config), {
    test: given.test === undefined ? config.test : 0,
    validation: given.validation === undefined ? config.validation : 0,
    seed: config.seed,
  });
  const part = (indices: Uint32Array): NamedExamples => ({
    split: pick(source.split, indices),
    origins: Array.from(indices, (index) => all.origins[index]!),
    contents: Array.from(indices, (index) => all.contents[index]!),
  });
  const train = part(division.train);
  const validation = given.validation === undefined ? part(division.validation) : await named(given.validation, turn);
  const test = given.test === undefined ? part(division.test) : await named(given.test, turn);
  return {
    ...{ train: train.split, validation: validation.split, test: test.split },
    notes: leaks({ train, validation, test }),
  };
}

/** With a name for the content of each example. */
type NamedExamples = PartExamples & { readonly contents: readonly string[] };

const named = async (examples: PartExamples, turn: Turn): Promise<NamedExamples> => ({
  ...examples,
  contents: await contentNames(examples.split, turn),
});

function belongings({ split, origins, contents }: NamedExamples, { group }: SplitConfig) {
  const pattern = group === undefined ? null : new RegExp(group, 'u');
  // Units that share an example are one: by the smallest name that leads to them.
  const parents = new Map<string, string>();
  const root = (name: string): string => {
    let top = name;
    for (let parent = parents.get(top); parent !== undefined && parent !== top; parent = parents.get(top)) top = parent;
    // The next look is short, however many examples are equal.
    for (let at = name; at !== top;) {
      const next = parents.get(at) ?? top;
      parents.set(at, top);
      at = next;
    }
    return top;
  };
  const join = (a: string, b: string): void => {
    const [x, y] = [root(a), root(b)].sort();
    parents.set(y!, x!);
  };
  const recordings = origins.map(({ recording }) => `recording ${recording}`);
  if (pattern !== null && !origins.some(({ name }) => pattern.exec(name)?.[1] !== undefined)) {
    throw userError(
      'data.split.group',
      'no-group',
      `the expression fits none of the names, such as ${origins[0]?.name ?? ''}`,
      'write one whose first group, in parentheses, is the part of a name that must stay together',
    );
  }
  for (const [index, recording] of recordings.entries()) {
    join(recording, `content ${contents[index]!}`);
    const groupName = pattern?.exec(origins[index]!.name)?.[1];
    if (groupName !== undefined) join(recording, `group ${groupName}`);
  }
  return recordings.map((recording, index) => ({
    unit: root(recording),
    // Groups have examples of many classes, so that classes cannot be divided alike.
    stratum: pattern === null ? String(split.labels?.[index] ?? '') : '',
  }));
}

/** Equal examples in two parts, in sentences: the network has seen what it is tested on. */
function leaks(parts: { readonly [P in PartName]: NamedExamples }): string[] {
  const seen = new Map<string, { part: PartName; name: string }>();
  const notes: string[] = [];
  for (const part of ['train', 'validation', 'test'] as const) {
    const { origins, contents } = parts[part];
    const equal = new Map<PartName, { names: string; count: number }>();
    for (const [index, content] of contents.entries()) {
      const name = origins[index]!.name;
      const other = seen.get(content);
      if (other === undefined) seen.set(content, { part, name });
      else if (other.part !== part) {
        const { names = `${name} and ${other.name}`, count = 0 } = equal.get(other.part) ?? {};
        equal.set(other.part, { names, count: count + 1 });
      }
    }
    for (const [other, { names, count }] of equal) {
      const examples = count === 1 ? 'example is' : 'examples are';
      notes.push(`${count} ${part} ${examples} equal to ${other} examples, such as ${names}`);
    }
  }
  return notes;
}
