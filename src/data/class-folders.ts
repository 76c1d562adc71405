/** Data sets in which every file is an example or a recording, and its folder names its class. */
import { UserError } from '../core/diagnostic.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { DataContent } from './dataset.ts';
import { naturalOrder } from '../formats/natural-order.ts';

export type PartName = 'train' | 'validation' | 'test';

export interface ClassFile {
  /** Below the folder of the set, with `/`. */
  readonly name: string;
  readonly content: DataContent;
  /** Index into the class names. */
  readonly label: number;
  /** `all` where no folder says what the file is for. */
  readonly part: PartName | 'all';
}

export interface ClassFolders {
  readonly classNames: readonly string[];
  /** `all` where no folder says what a file is for; its files are to be divided. */
  readonly files: { readonly [P in PartName | 'all']?: readonly ClassFile[] };
  /** Files that are no examples, by name. */
  readonly ignored: readonly string[];
}

/** The names of the parts, as tools write them. A map, since a folder may be named `constructor`. */
const partNames = new Map<string, PartName>([
  ['train', 'train'],
  ['training', 'train'],
  ['validation', 'validation'],
  ['valid', 'validation'],
  ['val', 'validation'],
  ['test', 'test'],
  ['testing', 'test'],
]);

/** The part that a folder or a table of this name is for; undefined for any other name. */
export const partNamed = (name: string): PartName | undefined => partNames.get(name);

const partOrder = ['all', 'train', 'validation', 'test'] as const satisfies readonly (PartName | 'all')[];

const labelsFile = 'labels.txt';

/**
 * Sorts the files of a set by part and class: `<class>/…` or `<part>/<class>/…`. Classes are in natural order, or in
 * the order of `labels.txt`, one name a line, beside the folders. Files beside the class folders, and those that begin
 * with a dot, are no examples.
 *
 * @param folder of the set, for errors
 * @param contents by name below the folder
 * @param accepts whether a file may be an example, by its name in lower case
 * @throws UserError for a set with fewer than two classes, an empty class, or a class that only testing has
 */
export function classFolders(
  folder: string,
  contents: ReadonlyMap<string, DataContent>,
  accepts: (name: string) => boolean,
): ClassFolders {
  const names = new Set([...contents.keys()].filter((name) => !name.split('/').some((part) => part.startsWith('.'))));
  const tops = new Set([...names].flatMap((name) => (name.includes('/') ? [name.slice(0, name.indexOf('/'))] : [])));
  const hasParts = tops.has('train') || tops.has('training');
  const found: { part: PartName | 'all'; className: string; name: string; content: DataContent }[] = [];
  const ignored: string[] = [];
  for (const [name, content] of contents) {
    const path = name.split('/');
    const part = hasParts ? partNamed(path[0] ?? '') : 'all';
    const [className, ...rest] = hasParts ? path.slice(1) : path;
    const isExample = part !== undefined && className !== undefined && rest.length > 0 && accepts(name.toLowerCase());
    if (isExample && names.has(name)) found.push({ part, className, name, content });
    // Notes and licences beside the folders are usual.
    else if (rest.length > 0 || accepts(name.toLowerCase())) ignored.push(name);
  }
  const classNames = orderedClasses(folder, contents, new Set(found.map(({ className }) => className)));
  const labels = new Map(classNames.map((name, label) => [name, label]));
  const sorted: { [P in PartName | 'all']?: ClassFile[] } = {};
  for (const { part, className, name, content } of found.sort((a, b) => naturalOrder(a.name, b.name))) {
    const label = labels.get(className);
    // A class that labels.txt leaves out.
    if (label === undefined) ignored.push(name);
    else (sorted[part] ??= []).push({ name, content, label, part });
  }
  // Training first, for those that look at the first example.
  const files = Object.fromEntries(
    partOrder.flatMap((part) => (sorted[part] === undefined ? [] : [[part, sorted[part]]])),
  ) as typeof sorted;
  const problems = classProblems(folder, classNames, files);
  if (problems.length > 0) throw new UserError(problems);
  return { classNames, files, ignored: ignored.sort(naturalOrder) };
}

function orderedClasses(
  folder: string,
  contents: ReadonlyMap<string, DataContent>,
  found: ReadonlySet<string>,
): readonly string[] {
  const listed = contents.get(labelsFile);
  if (listed === undefined) return [...found].sort(naturalOrder);
  const lines = new TextDecoder()
    .decode(listed.bytes)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const unknown = lines.filter((line) => !found.has(line));
  const twice = lines.filter((line, index) => lines.indexOf(line) !== index);
  const problem = (name: string, message: string): Diagnostic => ({
    ...{ code: 'wrong-labels-file', place: { file: listed.path }, message: `"${name}" ${message}` },
    hint: `write each class folder of ${folder} on a line of its own, in the order of the outputs`,
  });
  const problems = [
    ...unknown.map((name) => problem(name, 'is no class folder with examples')),
    ...twice.map((name) => problem(name, 'is there twice')),
  ];
  if (problems.length > 0) throw new UserError(problems);
  return lines;
}

function classProblems(folder: string, classNames: readonly string[], files: ClassFolders['files']): Diagnostic[] {
  const diagnostic = (code: string, message: string, hint: string): Diagnostic[] => [
    { code, place: { file: folder }, message, hint },
  ];
  if (classNames.length < 2) {
    const what = classNames.length === 0 ? 'no class folder with examples' : `one class only, ${classNames[0] ?? ''}`;
    return diagnostic(
      'too-few-classes',
      `there is ${what}; expected at least two`,
      'put the examples of each class into a folder named after it: <class>/<file>, or train/<class>/<file> and test/<class>/<file>',
    );
  }
  return classNames.flatMap((name, label) => {
    const has = (part: PartName | 'all'): boolean => files[part]?.some((file) => file.label === label) ?? false;
    if (has('train') || has('all')) return [];
    return diagnostic(
      'untrained-class',
      `class ${name} has no training examples`,
      `add some, or list the other classes in ${labelsFile}`,
    );
  });
}

/**
 * @throws UserError for a class of which no training file could be decoded, and for a part of which none could
 */
export function checkKept(folder: string, classNames: readonly string[], kept: ClassFolders['files']): void {
  const problem = (what: string): Diagnostic => ({
    ...{ code: 'all-broken', place: { file: folder }, message: `none of the files of ${what} can be decoded` },
    hint: '`broken: refuse` says what is wrong with them',
  });
  const trained = new Set([...(kept.all ?? []), ...(kept.train ?? [])].map(({ label }) => label));
  const problems = [
    ...classNames.flatMap((name, label) => (trained.has(label) ? [] : [problem(`class ${name}`)])),
    ...(['validation', 'test'] as const).flatMap((part) => (kept[part]?.length === 0 ? [problem(part)] : [])),
  ];
  if (problems.length > 0) throw new UserError(problems);
}
