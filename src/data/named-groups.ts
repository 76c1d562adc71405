/** Parts that `split` gives by the names of their groups, such as the people to test with. */
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { PartName } from './class-folders.ts';
import type { GivenParts, PartExamples, SplitConfig } from './part-examples.ts';
import { pick } from './split.ts';

/** Gives the name of the group that an example is of; undefined where it is of none. */
type GroupOf = (example: number) => string | undefined;

/** By the expression, or else by the column of a table; null where nothing says it. */
export function groupReader({ nameOf, groupOf = null }: PartExamples, group: string | undefined): GroupOf | null {
  if (group === undefined) return groupOf;
  const pattern = new RegExp(group, 'u');
  return (example) => pattern.exec(nameOf(example))?.[1];
}

/**
 * Makes a part of its own of the groups that `split.test` and `split.validation` name, as if they were in a folder of
 * that name. A part that the data set has stays as it is, whatever is named for it.
 *
 * @throws UserError with all names that are wrong
 */
export function separateNamed(given: GivenParts, config: SplitConfig): GivenParts {
  const source = given.all ?? given.train;
  const wanted = (['test', 'validation'] as const).flatMap((part) => {
    const names = config[part];
    return typeof names === 'number' || given[part] !== undefined ? [] : [{ part, names }];
  });
  if (source === undefined || wanted.length === 0) return given;
  const groupOf = groupReader(source, config.group);
  if (groupOf === null) throw new UserError(wanted.map(({ part }) => ungrouped(part)));
  const partOf = new Map(wanted.flatMap(({ part, names }) => names.map((name) => [name, part] as const)));
  const members: { readonly [P in PartName]: number[] } = { train: [], validation: [], test: [] };
  const found = new Set<string>();
  for (let example = 0; example < source.split.count; example++) {
    const group = groupOf(example);
    if (group !== undefined) found.add(group);
    members[partOf.get(group ?? '') ?? 'train'].push(example);
  }
  const mistakes = wanted.flatMap(({ part, names }) => [
    ...names.filter((name) => !found.has(name)).map((name) => unknown(part, name, found)),
    ...names.filter((name) => partOf.get(name) !== part).map((name) => repeated(part, name)),
  ]);
  if (mistakes.length === 0 && members.train.length === 0) mistakes.push(nothingLeft());
  if (mistakes.length > 0) throw new UserError(mistakes);
  const { all: _all, ...parts } = given;
  const named = Object.fromEntries(wanted.map(({ part }) => [part, only(source, members[part])]));
  return { ...parts, train: only(source, members.train), ...named };
}

/** The examples at the indices. */
function only({ split, nameOf, recordings, groupOf = null }: PartExamples, indices: readonly number[]): PartExamples {
  const at = (index: number): number => indices[index] ?? -1;
  return {
    split: pick(split, Uint32Array.from(indices)),
    nameOf: (index) => nameOf(at(index)),
    recordings: recordings && Int32Array.from(indices, (index) => recordings[index]!),
    groupOf: groupOf && ((index) => groupOf(at(index))),
  };
}

const placeOf = (part: PartName): Diagnostic['place'] => ({ file: `data.split.${part}` });

function ungrouped(part: PartName): Diagnostic {
  return {
    code: 'ungrouped-names',
    place: placeOf(part),
    message: 'it names groups, and nothing says which group an example is of',
    hint: 'set `data.split.group` to an expression on file names, or `data.columns.group` to a column of a table',
  };
}

const mostShown = 12;

function unknown(part: PartName, name: string, found: ReadonlySet<string>): Diagnostic {
  const groups = [...found].sort();
  const more = groups.length > mostShown ? `, and ${groups.length - mostShown} more` : '';
  return {
    code: 'unknown-group',
    place: placeOf(part),
    message: `no example is of the group ${JSON.stringify(name)}`,
    hint: `groups are ${groups.slice(0, mostShown).join(', ')}${more}`,
  };
}

function repeated(part: PartName, name: string): Diagnostic {
  return {
    code: 'repeated-group',
    place: placeOf(part),
    message: `the group ${JSON.stringify(name)} is named for testing and for validation`,
    hint: 'leave it out of one of the two',
  };
}

function nothingLeft(): Diagnostic {
  return {
    code: 'no-training-groups',
    place: placeOf('test'),
    message: 'all groups are named for testing or validation, and none is left to train on',
    hint: 'leave some of them out',
  };
}
