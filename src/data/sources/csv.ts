/** Tables of numbers: recordings in folders that name their class, or one table with a row an example. */
import { basename } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { choice, key, object } from '../../core/schema.ts';
import type { ColumnReference, CsvColumns, CsvShape } from '../../formats/csv.ts';
import { readCsv, readCsvShape } from '../../formats/csv.ts';
import { naturalOrder } from '../../formats/natural-order.ts';
import { classFolders, partNamed } from '../class-folders.ts';
import type { ClassFile, PartName } from '../class-folders.ts';
import type { DataContent, DecodedData, Split } from '../dataset.ts';
import type { Decoding, ReadFile } from '../decoding/decoding.ts';
import type { Inputs } from '../inputs.ts';
import { inputsOf, pickInputs } from '../inputs.ts';
import { collectMistakes, ignoredNotes } from '../mistakes.ts';
import type { PartExamples, Parts } from '../parts.ts';
import { guessedSplit, makeParts, numbered, splitField } from '../parts.ts';
import { standardize, standardizeTargets } from '../reals.ts';
import type { Turn } from '../turn.ts';
import { defineSource, sourceFields } from './define.ts';
import type { GuessedSettings } from './define.ts';
import { missingFolder, pathToData, seriesAugmentField } from './fields.ts';

const reference = (description: string) =>
  Type.Unsafe<ColumnReference>({
    type: ['string', 'integer'],
    minimum: 1,
    minLength: 1,
    ...key(`${description}: its name in the header, or its number from 1`),
  });
const references = (description: string) =>
  Type.Array(reference(description), { ...key(`${description}: names in the header, or numbers from 1`), minItems: 1 });

const windowField = object(
  {
    length: Type.Integer({ ...key('Rows of an example'), minimum: 1 }),
    stride: Type.Integer({ ...key('Rows from the start of one example to that of the next'), minimum: 1 }),
  },
  key('Cuts recordings into examples of equal length; left out, recordings must have the same number of rows'),
);

const schema = sourceFields('csv', 'CSV files: recordings in class folders, or a table with a row for each example', {
  path: pathToData(
    'Folder, .zip or .tar of recordings, `<class>/<file>` or `train/<class>/<file>` and `test/…`; or of `train.csv` and `test.csv`; or one table',
  ),
  columns: object(
    {
      inputs: Type.Optional(references('Columns that the network sees; default: all other columns of numbers')),
      class: Type.Optional(reference('Column of the class, in a table')),
      targets: Type.Optional(references('Columns of the numbers that a network with `task: regress` is to give')),
      labels: Type.Optional(
        references('Columns of 0 and 1, the labels that a network with `task: multi_label` is to give'),
      ),
      group: Type.Optional(reference('Column whose equal values keep rows in one part, in a table')),
    },
    { ...key('What the columns are'), default: {} },
  ),
  window: Type.Optional(windowField),
  split: splitField,
  augment: seriesAugmentField,
  delimiter: Type.Optional(
    choice(['comma', 'semicolon', 'tab', 'whitespace'], key('What is between two cells; default: found out')),
  ),
  header: Type.Optional(Type.Boolean(key('Whether the first row names the columns; default: found out'))),
  broken: choice(['refuse', 'skip'], {
    ...key('What to do with rows that have a missing or wrong cell'),
    default: 'refuse',
  }),
});

type Fields = 'path' | 'columns' | 'window' | 'split' | 'delimiter' | 'header' | 'broken';
export type CsvSource = { readonly kind: 'csv' } & Pick<Static<typeof schema>, Fields>;

const isCsv = (name: string): boolean => /\.(csv|tsv)$/.test(name.toLowerCase());

export const csv = defineSource({
  kind: 'csv',
  schema,
  from: ({ source: _source, augment: _augment, ...fields }): CsvSource => ({ kind: 'csv', ...fields }),
  // A table, or a folder or archive of them.
  tree: ({ path }) => (isCsv(path) ? null : path),
  files: ({ path }) => (isCsv(path) ? [{ name: basename(path), path }] : []),
  unreadable: 'make the file readable, or take it out of the folder',
  missing: { kind: 'together', field: 'path', hint: missingFolder },
  knownSize: () => null,
  // Plain JSON by construction; where the files lie does not matter.
  recipe: ({ path: _path, ...fields }) => fields as unknown as JsonObject,
  guess: { what: 'CSV files of recordings in class folders, or tables', accepts: isCsv, settings: guessSettings },
  decode: (source, contents, decoding) =>
    isTable(source) ? decodeTables(source, contents, decoding) : decodeRecordings(source, contents, decoding),
  readFile: recordingReader,
});

/** Whether rows say what they are, and not the folder of their file. */
const isTable = ({ columns }: CsvSource): boolean =>
  columns.class !== undefined || columns.targets !== undefined || columns.labels !== undefined;

function options({ delimiter, header, broken }: CsvSource) {
  return {
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(header === undefined ? {} : { hasHeader: header }),
    broken,
  };
}

/** The columns that a network sees: those that are named, or all of numbers that are not named otherwise. */
function inputColumns(source: CsvSource, { bytes, path }: DataContent): readonly ColumnReference[] {
  const { inputs, class: className, targets = [], labels = [], group } = source.columns;
  if (inputs !== undefined) return inputs;
  const { names, isNumeric } = readCsvShape(bytes, path, options(source));
  const others = new Set([className, group, ...targets, ...labels]);
  const found = names.flatMap((name, column) =>
    isNumeric[column] === true && !others.has(name) && !others.has(column + 1) ? [column + 1] : [],
  );
  if (found.length > 0) return found;
  throw userError(path, 'no-inputs', 'no other column has numbers', 'name the columns with `columns.inputs`');
}

/** Names for the report: those of the header, or numbers. */
function columnNames(columns: readonly ColumnReference[], { names }: Pick<CsvColumns, 'names'>): string[] {
  return columns.map((column) => (typeof column === 'number' ? (names[column - 1] ?? String(column)) : column));
}

// Recordings

/** What a thread has to know to read a recording. */
interface RecordingForm {
  readonly columns: readonly ColumnReference[];
  /** Rows of an example. */
  readonly length: number;
  readonly stride: number;
}

/** What is said of one. */
interface RecordingFact {
  readonly examples: number;
  readonly skippedRows: number;
}

async function decodeRecordings(
  source: CsvSource,
  contents: ReadonlyMap<string, DataContent>,
  decoding: Decoding,
): Promise<DecodedData> {
  const { path, split } = source;
  const { classNames, files, ignored } = classFolders(path, contents, isCsv);
  const all = Object.entries(files).flatMap(([part, list]) => list.map((file) => ({ ...file, part })));
  const [first] = all;
  if (first === undefined) throw userError(path, 'no-recordings', 'there is no recording', missingFolder);
  const columns = inputColumns(source, first.content);
  const table = firstReadable(source, columns, all);
  const length = source.window?.length ?? table?.rows ?? 1;
  const form: RecordingForm = { columns, length, stride: source.window?.stride ?? length };
  const collector = decoding.collector('reals', length * columns.length);
  const windows = collectWindows();
  const mistakes = collectMistakes();
  const broken = { ...mistakes, attempt: <T>(_file: string, read: () => T): T | null => mistakes.attempt(read) };
  let skipped = 0;
  await decoding.readFiles(all, { ...form }, broken, (file, { values, fact }) => {
    const { examples, skippedRows } = fact as unknown as RecordingFact; // of `recordingReader`
    collector.add(values);
    windows.add(file, examples, form.stride);
    skipped += skippedRows;
  });
  mistakes.check();
  const parts = await makeParts(windows.examples(collector.finish()), split, decoding.turn);
  const found: Found = {
    classNames,
    image: { height: 1, width: length, channels: columns.length },
    notes: [...ignoredNotes(ignored), ...skippedNotes(skipped)],
    names: columnNames(columns, table ?? { names: [] }),
  };
  return finish(path, parts, found, decoding.turn);
}

/** The first recording without a mistake, which says how long all are; null where there is none. */
function firstReadable(
  source: CsvSource,
  columns: readonly ColumnReference[],
  files: readonly ClassFile[],
): CsvColumns | null {
  for (const { content } of files) {
    const table = collectMistakes().attempt(() => readRecording(source, columns, content));
    if (table !== null) return table;
  }
  return null;
}

const readRecording = (source: CsvSource, columns: readonly ColumnReference[], { bytes, path }: DataContent) =>
  readCsv(bytes, path, { ...options(source), numbers: columns });

/** Cuts one recording into examples. */
function recordingReader(source: CsvSource, how: Json): ReadFile {
  const { columns, length, stride } = how as unknown as RecordingForm; // of `decodeRecordings`
  return (content) => {
    const { rows, numbers, skipped } = readRecording(source, columns, content);
    if (source.window === undefined ? rows !== length : rows < length) {
      throw wrongLength(content.path, rows, length, source.window !== undefined);
    }
    const examples = 1 + Math.floor((rows - length) / stride);
    const values = new Float32Array(examples * length * columns.length);
    let to = 0;
    for (let example = 0; example < examples; example++) {
      for (let row = example * stride; row < example * stride + length; row++) {
        for (const column of numbers) values[to++] = column[row]!;
      }
    }
    const fact: RecordingFact = { examples, skippedRows: skipped.rows };
    return { values, fact: { ...fact } };
  };
}

function wrongLength(path: string, rows: number, length: number, hasWindow: boolean): UserError {
  const expected = hasWindow ? `${length} at least, a window` : `${length}, as in the first`;
  return userError(
    path,
    'recording-length',
    `the recording has ${rows} rows; expected ${expected}`,
    hasWindow ? 'set a shorter window, or leave the file out' : 'set `window: { length, stride }`',
  );
}

/** Which windows are of which recording, in the order in which they are read. */
function collectWindows() {
  interface Recording {
    readonly name: string;
    readonly label: number;
    readonly stride: number;
    /** Where its first example is at the collector, and how many it has. */
    readonly first: number;
    readonly examples: number;
  }
  const byPart = new Map<string, Recording[]>();
  let count = 0;
  return {
    add({ name, label, part }: ClassFile & { readonly part: string }, examples: number, stride: number): void {
      const recordings = byPart.get(part) ?? [];
      byPart.set(part, recordings);
      recordings.push({ name, label, stride, first: count, examples });
      count += examples;
    },
    examples: (inputs: Inputs): { readonly [P in PartName | 'all']?: PartExamples } =>
      Object.fromEntries(
        Array.from(byPart, ([part, list]): [string, PartExamples] => {
          const all = list.reduce((sum, { examples }) => sum + examples, 0);
          const [rows, labels, recordings] = [new Uint32Array(all), new Uint16Array(all), new Int32Array(all)];
          const starts = new Uint32Array(list.length);
          let to = 0;
          for (const [number, { label, first, examples }] of list.entries()) {
            starts[number] = to;
            for (let example = 0; example < examples; example++, to++) {
              rows[to] = first + example;
              labels[to] = label;
              recordings[to] = number;
            }
          }
          const nameOf = (index: number): string => {
            const number = recordings[index]!;
            const { name = '', stride = 1 } = list[number] ?? {};
            return `${name} row ${(index - starts[number]!) * stride + 1}`;
          };
          const split: Split = { count: all, inputs: pickInputs(inputs, rows), labels, targets: null };
          return [part, { split, nameOf, recordings }];
        }),
      ),
  };
}

// Tables

function tablesOf(source: CsvSource, contents: ReadonlyMap<string, DataContent>): [PartName | 'all', DataContent][] {
  const tables = [...contents].filter(([name]) => isCsv(name));
  const named = tables.flatMap(([name, content]): [PartName, DataContent][] => {
    const part = partNamed(name.replace(/\.[a-z]+$/i, '').toLowerCase());
    return part === undefined ? [] : [[part, content]];
  });
  const [only, ...more] = tables;
  if (only !== undefined && more.length === 0) return [['all', only[1]]];
  if (named.some(([part]) => part === 'train')) return named;
  const message = `there are ${tables.length} tables; expected one, or train.csv and test.csv`;
  throw userError(source.path, 'unclear-tables', message, 'let `path` lead to one table, or rename the files');
}

async function decodeTables(
  source: CsvSource,
  contents: ReadonlyMap<string, DataContent>,
  { turn }: Decoding,
): Promise<DecodedData> {
  const { path, split, columns } = source;
  const tables = tablesOf(source, contents);
  const inputs = inputColumns(source, tables[0]![1]);
  // Labels are answers of yes and no, with nothing to standardize.
  const targets = columns.labels ?? columns.targets ?? [];
  const texts = [columns.class, columns.group].filter((column) => column !== undefined);
  const mistakes = collectMistakes();
  const read = tables.flatMap(([part, { bytes, path: file }]) => {
    const request = { ...options(source), numbers: [...inputs, ...targets], texts };
    const table = mistakes.attempt(() => readCsv(bytes, file, request));
    if (table === null) return [];
    const answers = columns.labels === undefined ? [] : table.numbers.slice(inputs.length);
    mistakes.attempt(() => checkLabels(answers, columnNames(targets, table), file, table.lines));
    return [{ part, table, file }];
  });
  mistakes.check();
  const classesOf = (table: CsvColumns) => (columns.class === undefined ? null : (table.texts[0] ?? []));
  const trained = read.filter(({ part }) => part === 'train' || part === 'all');
  const classNames = [...new Set(trained.flatMap(({ table }) => classesOf(table) ?? []))].sort(naturalOrder);
  for (const { table, file } of read) refuseUntrained(classesOf(table), classNames, file, table.lines);
  const given = Object.fromEntries(
    read.map(({ part, table }) => {
      const sizes = { inputs: inputs.length, targets: targets.length };
      const groups = columns.group === undefined ? null : (table.texts.at(-1) ?? null);
      return [part, rowExamples(table, sizes, classesOf(table), classNames, groups)];
    }),
  );
  const first = read[0]!.table;
  const skipped = read.reduce((sum, { table }) => sum + table.skipped.rows, 0);
  const found: Found = {
    classNames,
    image: { height: 1, width: 1, channels: inputs.length },
    notes: skippedNotes(skipped),
    names: columnNames(inputs, first),
    [columns.labels === undefined ? 'targetNames' : 'tags']: columnNames(targets, first),
  };
  return finish(path, await makeParts(given, split, turn), found, turn);
}

/** Labels are 0 or 1. */
function checkLabels(
  columns: readonly ArrayLike<number>[],
  names: readonly string[],
  file: string,
  lines: Int32Array,
): void {
  for (const [at, column] of columns.entries()) {
    const row = Array.from(column).findIndex((value) => value !== 0 && value !== 1);
    if (row < 0) continue;
    throw new UserError([
      {
        code: 'wrong-labels',
        place: { file, line: lines[row] ?? 1 },
        message: `column ${names[at] ?? ''} is ${column[row]}; expected 0 or 1`,
        hint: 'numbers to learn are `targets`, one class for each example is `class`',
      },
    ]);
  }
}

function refuseUntrained(
  classes: readonly string[] | null,
  classNames: readonly string[],
  file: string,
  lines: Int32Array,
): void {
  const row = classes?.findIndex((name) => !classNames.includes(name)) ?? -1;
  if (row < 0) return;
  throw new UserError([
    {
      code: 'untrained-class',
      place: { file, line: lines[row] ?? 1 },
      message: `class ${classes?.[row] ?? ''} has no training examples`,
      hint: 'add some, or leave these rows out',
    },
  ]);
}

function rowExamples(
  table: CsvColumns,
  sizes: { readonly inputs: number; readonly targets: number },
  classes: readonly string[] | null,
  classNames: readonly string[],
  groups: readonly string[] | null,
): PartExamples {
  const { rows: count, numbers, lines } = table;
  const columns = (first: number, size: number): Float32Array =>
    Float32Array.from({ length: count * size }, (_, at) => numbers[first + (at % size)]![Math.floor(at / size)]!);
  const split: Split = {
    count,
    inputs: inputsOf(columns(0, sizes.inputs), sizes.inputs),
    labels: classes === null ? null : Uint16Array.from(classes, (name) => classNames.indexOf(name)),
    targets: sizes.targets === 0 ? null : columns(sizes.inputs, sizes.targets),
  };
  const nameOf = (row: number): string => `line ${lines[row] ?? 0}`;
  return { split, nameOf, recordings: groups && numbered(groups) };
}

// Both

function skippedNotes(rows: number): string[] {
  return rows === 0 ? [] : [`${rows} ${rows === 1 ? 'row is' : 'rows are'} left out because of missing or wrong cells`];
}

interface Found {
  readonly classNames: readonly string[];
  readonly image: DecodedData['image'];
  readonly notes: readonly string[];
  readonly names: readonly string[];
  readonly targetNames?: readonly string[];
  readonly tags?: readonly string[];
}

/** Measures on the training part what the network is to see, and changes all parts. */
async function finish(path: string, { notes, ...parts }: Parts, found: Found, turn: Turn): Promise<DecodedData> {
  const { classNames, image, names, tags, targetNames = [] } = found;
  const others = [parts.validation, parts.test];
  return {
    ...{ name: path, classNames, image },
    notes: [...found.notes, ...notes],
    ...(await standardize(names, parts, turn)),
    ...(tags && { tags }),
    ...(targetNames.length > 0 && { targets: standardizeTargets(targetNames, parts.train, others) }),
  };
}

// Guesses

/** Names of columns that count the rows and say nothing about the class. */
const timeColumn = /^(time|timestamp|t|date|index|id|row|sample|ms)$/i;
const longestWindow = 128;

function guessSettings(path: string, contents: ReadonlyMap<string, DataContent>): GuessedSettings {
  const tables = [...contents].filter(([name]) => isCsv(name));
  const named = tables.find(([name]) => name.includes('/')) ?? tables[0];
  if (named === undefined) throw userError(path, 'no-recordings', 'there is no recording', missingFolder);
  const shape = readCsvShape(named[1].bytes, named[1].path);
  return named[0].includes('/') ? guessRecordings(path, contents, shape) : guessTable(shape);
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');

function guessRecordings(
  path: string,
  contents: ReadonlyMap<string, DataContent>,
  { names, isNumeric, hasHeader }: CsvShape,
): GuessedSettings {
  const { files } = classFolders(path, contents, isCsv);
  const inputs = names.filter((name, column) => isNumeric[column] === true && !timeColumn.test(name));
  const left = names.filter((name, column) => isNumeric[column] === true && timeColumn.test(name));
  const mistakes = collectMistakes();
  const rows = Object.values(files)
    .flat()
    .flatMap(
      ({ content }) => mistakes.attempt(() => readCsv(content.bytes, content.path, { numbers: [1] }).rows) ?? [],
    );
  mistakes.check();
  const [shortest, longest] = [Math.min(...rows), Math.max(...rows)];
  const length = Math.min(shortest, longestWindow);
  const stride = Math.max(1, Math.floor(length / 2));
  return {
    found: [
      shortest === longest ? `each recording has ${longest} rows` : `recordings have ${shortest} to ${longest} rows`,
      ...(left.length === 0 ? [] : [`column ${left.join(', ')} counts the rows, so the network does not see it`]),
    ],
    lines: [
      ...(hasHeader && left.length > 0
        ? [{ yaml: `columns: { inputs: [${quoted(inputs)}] }`, comment: 'columns that the network sees' }]
        : []),
      ...(shortest === longest && longest <= longestWindow
        ? []
        : [
            {
              yaml: `window: { length: ${length}, stride: ${stride} }`,
              comment: 'rows of an example, and to the next',
            },
          ]),
      ...guessedSplit(files),
    ],
  };
}

/** The last column is what tables usually ask for: a word is a class, a number is a target. */
function guessTable({ names, isNumeric, hasHeader }: CsvShape): GuessedSettings {
  const last = names.length - 1;
  const column = hasHeader ? JSON.stringify(names[last]) : String(last + 1);
  const isTarget = isNumeric[last] === true;
  return {
    found: [`column ${column}, the last, is taken for ${isTarget ? 'the number to give' : 'the class'}`],
    lines: [
      {
        yaml: isTarget ? `columns: { targets: [${column}] }` : `columns: { class: ${column} }`,
        comment: 'all other columns of numbers are inputs; `group` keeps the rows of one person in one part',
      },
      { yaml: 'split: { test: 0.2, validation: 0.1 }', comment: 'fractions of the rows, where there is no test.csv' },
    ],
  };
}
