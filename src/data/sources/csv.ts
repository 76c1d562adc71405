/** Tables of numbers: recordings in folders that name their class, or one table with a row an example. */
import { basename } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { choice, key, object } from '../../core/schema.ts';
import type { ColumnReference, CsvColumns, CsvShape, DecimalSign } from '../../formats/csv.ts';
import { readCsv, readCsvShape } from '../../formats/csv.ts';
import { naturalOrder } from '../../formats/natural-order.ts';
import { classFolders, partNamed } from '../class-folders.ts';
import type { ClassFile, PartName } from '../class-folders.ts';
import type { DataContent, DecodedData, Split } from '../dataset.ts';
import type { Decoding, ReadFile } from '../decoding/decoding.ts';
import type { Inputs } from '../inputs.ts';
import { inputsOf, pickInputs } from '../inputs.ts';
import { collectMistakes, ignoredNotes } from '../mistakes.ts';
import type { GivenParts, PartExamples } from '../part-examples.ts';
import type { Parts } from '../parts.ts';
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
      recording: Type.Optional(
        reference('Column whose equal values are the rows of one recording, in a table; `window` cuts each of them'),
      ),
      units: Type.Optional(
        Type.Unsafe<Readonly<Record<string, string>>>({
          type: 'object',
          additionalProperties: { type: 'string', minLength: 1 },
          ...key('What columns of numbers are measured in, by name; it stands behind the name wherever that is shown'),
          examples: [{ pressure: 'hPa' }],
        }),
      ),
    },
    { ...key('What the columns are'), default: {} },
  ),
  window: Type.Optional(windowField),
  split: splitField,
  augment: seriesAugmentField,
  delimiter: Type.Optional(
    choice(['comma', 'semicolon', 'tab', 'whitespace'], key('What is between two cells; default: found out')),
  ),
  decimal: Type.Optional(
    choice(
      ['point', 'comma'],
      key(
        'How numbers are written: 1234.5, or 1234,5 and 1.234,5; default: with a point, and nothing between thousands',
      ),
    ),
  ),
  header: Type.Optional(Type.Boolean(key('Whether the first row names the columns; default: found out'))),
  broken: choice(['refuse', 'skip'], {
    ...key('What to do with rows that have a missing or wrong cell'),
    default: 'refuse',
  }),
});

type Fields = 'path' | 'columns' | 'window' | 'split' | 'delimiter' | 'decimal' | 'header' | 'broken';
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
  [columns.class, columns.targets, columns.labels, columns.recording].some((column) => column !== undefined);

function options({ delimiter, decimal, header, broken }: CsvSource) {
  return {
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(decimal === undefined ? {} : { decimal }),
    ...(header === undefined ? {} : { hasHeader: header }),
    broken,
  };
}

/** The columns that a network sees: those that are named, or all of numbers that are not named otherwise. */
function inputColumns(source: CsvSource, { bytes, path }: DataContent): readonly ColumnReference[] {
  const { inputs, class: className, targets = [], labels = [], group, recording } = source.columns;
  if (inputs !== undefined) return inputs;
  const { names, isNumeric } = readCsvShape(bytes, path, options(source));
  const others = new Set([className, group, recording, ...targets, ...labels]);
  const found = names.flatMap((name, column) =>
    isNumeric[column] === true && !others.has(name) && !others.has(column + 1) ? [column + 1] : [],
  );
  if (found.length > 0) return found;
  throw userError(path, 'no-inputs', 'no other column has numbers', 'name the columns with `columns.inputs`');
}

/** Names for the report: those of the header, or numbers, each with its unit. */
function columnNames(
  columns: readonly ColumnReference[],
  { names }: Pick<CsvColumns, 'names'>,
  { units = {} }: CsvSource['columns'],
): string[] {
  return columns.map((column) => {
    const name = typeof column === 'number' ? (names[column - 1] ?? String(column)) : column;
    return Object.hasOwn(units, name) ? `${name} [${units[name] ?? ''}]` : name;
  });
}

/** Units of columns that there are not. */
function refuseUnknownUnits({ columns, path }: CsvSource, { names }: Pick<CsvColumns, 'names'>): void {
  const unknown = Object.keys(columns.units ?? {}).filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  const message = `\`columns.units\` names ${unknown.join(', ')}; the columns are ${names.join(', ')}`;
  throw userError(path, 'unknown-column', message, 'name one of them');
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
  const all = Object.values(files).flat();
  const [first] = all;
  if (first === undefined) throw userError(path, 'no-recordings', 'there is no recording', missingFolder);
  const columns = inputColumns(source, first.content);
  const table = firstReadable(source, columns, all);
  const length = source.window?.length ?? table?.rows ?? 1;
  const form: RecordingForm = { columns, length, stride: source.window?.stride ?? length };
  const collector = decoding.collector('reals', length * columns.length);
  const windows = collectWindows();
  if (table !== null) refuseUnknownUnits(source, table);
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
    names: columnNames(columns, table ?? { names: [] }, source.columns),
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
    add({ name, label, part }: ClassFile, examples: number, stride: number): void {
      const recordings = byPart.get(part) ?? [];
      byPart.set(part, recordings);
      recordings.push({ name, label, stride, first: count, examples });
      count += examples;
    },
    examples: (inputs: Inputs): GivenParts =>
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

/** A table as it was read. */
interface ReadTable {
  readonly part: PartName | 'all';
  readonly file: string;
  readonly table: CsvColumns;
  /** By row; null where no column is named for it. */
  readonly texts: { readonly [T in TextColumn]: readonly string[] | null };
}

const textColumns = ['class', 'group', 'recording'] as const;
type TextColumn = (typeof textColumns)[number];

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
  const read = readTables(source, tables, [...inputs, ...targets]);
  const { table: first } = read[0]!;
  refuseUnknownUnits(source, first);
  const trained = read.filter(({ part }) => part === 'train' || part === 'all');
  const classNames = [...new Set(trained.flatMap(({ texts }) => texts.class ?? []))].sort(naturalOrder);
  for (const { table, texts, file } of read) refuseUntrained(texts.class, classNames, file, table.lines);
  const form = { inputs: inputs.length, targets: targets.length, classNames, window: windowOf(source, trained[0]!) };
  const made = read.map((one) => [one.part, tableExamples(one, form)] as const);
  const skipped = read.reduce((sum, { table }) => sum + table.skipped.rows, 0);
  const left = made.reduce((sum, [, { left: rows }]) => sum + rows, 0);
  const found: Found = {
    classNames,
    image: { height: 1, width: form.window?.length ?? 1, channels: inputs.length },
    notes: [...skippedNotes(skipped), ...leftNotes(left)],
    names: columnNames(inputs, first, columns),
    [columns.labels === undefined ? 'targetNames' : 'tags']: columnNames(targets, first, columns),
  };
  const given = Object.fromEntries(made.map(([part, { examples }]) => [part, examples]));
  return finish(path, await makeParts(given, split, turn), found, turn);
}

/** @throws UserError with the mistakes of all tables */
function readTables(
  source: CsvSource,
  tables: readonly (readonly [PartName | 'all', DataContent])[],
  numbers: readonly ColumnReference[],
): ReadTable[] {
  const { columns } = source;
  const asked = textColumns.filter((text) => columns[text] !== undefined);
  const request = { ...options(source), numbers, texts: asked.flatMap((text) => columns[text] ?? []) };
  const mistakes = collectMistakes();
  const read = tables.flatMap(([part, { bytes, path: file }]): ReadTable[] => {
    const table = mistakes.attempt(() => readCsv(bytes, file, request));
    if (table === null) return [];
    const { labels = [] } = columns;
    const answers = labels.length === 0 ? [] : table.numbers.slice(numbers.length - labels.length);
    mistakes.attempt(() => checkLabels(answers, columnNames(labels, table, columns), file, table.lines));
    const textOf = (text: TextColumn) => table.texts[asked.indexOf(text)] ?? null;
    const texts = { class: textOf('class'), group: textOf('group'), recording: textOf('recording') };
    return [{ part, file, table, texts }];
  });
  mistakes.check();
  return read;
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

interface TableForm {
  /** How many columns. */
  readonly inputs: number;
  readonly targets: number;
  readonly classNames: readonly string[];
  /** Null where a row is an example. */
  readonly window: Window | null;
}

interface Window {
  readonly length: number;
  readonly stride: number;
  /** Whether it is all of a recording, so that recordings must be as long. */
  readonly isWhole: boolean;
}

/** Rows of one recording in their order, as far as they have one class. */
interface Run {
  readonly rows: number[];
  readonly className: string | undefined;
  /** What stays in one part. */
  readonly unit: string;
}

function runsOf({ table, texts }: ReadTable): Run[] {
  const runs: Run[] = [];
  const latest = new Map<string, Run>();
  for (let row = 0; row < table.rows; row++) {
    const [group, recording, className] = [texts.group?.[row], texts.recording?.[row], texts.class?.[row]];
    const name = JSON.stringify([group, recording]);
    let run = latest.get(name);
    if (run === undefined || run.className !== className) {
      run = { rows: [], className, unit: group ?? name };
      runs.push(run);
      latest.set(name, run);
    }
    run.rows.push(row);
  }
  return runs;
}

/** How a table is cut; recordings without `window` are an example each. */
function windowOf({ path, columns, window }: CsvSource, first: ReadTable): Window | null {
  if (columns.recording !== undefined || (window !== undefined && columns.group !== undefined)) {
    const length = window?.length ?? runsOf(first)[0]?.rows.length ?? 1;
    return { length, stride: window?.stride ?? length, isWhole: window === undefined };
  }
  if (window === undefined) return null;
  const message = '`window` cuts recordings, and nothing says which rows of the table are one';
  throw userError(path, 'no-recording', message, 'name the column that says it: `columns: { recording: … }`');
}

/** Examples of a table, and how many rows are in none because a window is longer. */
function tableExamples(read: ReadTable, form: TableForm): { readonly examples: PartExamples; readonly left: number } {
  const { table, texts } = read;
  const { window } = form;
  if (window === null) {
    const rows = Array.from({ length: table.rows }, (_, row) => [row]);
    return { examples: examplesOf(read, form, rows, texts.group), left: 0 };
  }
  const runs = runsOf(read);
  const misfit = runs.find(({ rows }) => (window.isWhole ? rows.length !== window.length : false));
  if (misfit !== undefined) throw wrongLength(read.file, misfit.rows.length, window.length, false);
  const long = runs.filter(({ rows }) => rows.length >= window.length);
  if (long.length === 0) {
    const longest = runs.reduce((most, { rows }) => Math.max(most, rows.length), 0);
    throw wrongLength(read.file, longest, window.length, true);
  }
  const windows = long.flatMap(({ rows, unit }) =>
    Array.from({ length: 1 + Math.floor((rows.length - window.length) / window.stride) }, (_, at) => ({
      rows: rows.slice(at * window.stride, at * window.stride + window.length),
      unit,
    })),
  );
  const cut = windows.map(({ rows }) => rows);
  const units = windows.map(({ unit }) => unit);
  const left = runs.reduce((sum, { rows }) => sum + (rows.length < window.length ? rows.length : 0), 0);
  return { examples: examplesOf(read, form, cut, units), left };
}

/**
 * Examples of so many rows each; of class, targets and labels they have those of their last row.
 *
 * @param units by example: those with the same stay together; null where none do
 */
function examplesOf(
  { table: { numbers, lines }, texts: { class: classes, group: groups } }: ReadTable,
  { inputs, targets, classNames }: TableForm,
  examples: readonly (readonly number[])[],
  units: readonly string[] | null,
): PartExamples {
  const labelOf = new Map(classNames.map((name, label) => [name, label]));
  const last = examples.map((rows) => rows.at(-1) ?? 0);
  const columns = (rows: readonly number[], first: number, size: number): Float32Array =>
    Float32Array.from(
      { length: rows.length * size },
      (_, at) => numbers[first + (at % size)]![rows[Math.floor(at / size)]!]!,
    );
  const split: Split = {
    count: examples.length,
    inputs: inputsOf(columns(examples.flat(), 0, inputs), (examples[0]?.length ?? 1) * inputs),
    labels: classes === null ? null : Uint16Array.from(last, (row) => labelOf.get(classes[row] ?? '') ?? 0),
    targets: targets === 0 ? null : columns(last, inputs, targets),
  };
  const nameOf = (example: number): string => `line ${lines[examples[example]?.[0] ?? 0] ?? 0}`;
  const groupOf = groups && ((example: number): string | undefined => groups[last[example] ?? 0]);
  return { split, nameOf, recordings: units && numbered(units), groupOf };
}

// Both

function skippedNotes(rows: number): string[] {
  return rows === 0 ? [] : [`${rows} ${rows === 1 ? 'row is' : 'rows are'} left out because of missing or wrong cells`];
}

function leftNotes(rows: number): string[] {
  return rows === 0 ? [] : [`${rows} ${rows === 1 ? 'row is' : 'rows are'} left out because a window is longer`];
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
  const [name, { bytes, path: file }] = named;
  const points = readCsvShape(bytes, file);
  const commas = readCsvShape(bytes, file, { decimal: 'comma' });
  // Where columns have numbers only if a comma may be in them.
  const count = ({ isNumeric }: CsvShape): number => isNumeric.filter(Boolean).length;
  const decimal = points.delimiter !== 'comma' && count(commas) > count(points) ? 'comma' : 'point';
  const shape = decimal === 'comma' ? commas : points;
  const guessed = name.includes('/') ? guessRecordings(path, contents, shape, decimal) : guessTable(shape);
  const lines = decimal === 'comma' ? [{ yaml: 'decimal: comma', comment: 'numbers are written as 1234,5' }] : [];
  return { ...guessed, lines: [...lines, ...guessed.lines] };
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');

function guessRecordings(
  path: string,
  contents: ReadonlyMap<string, DataContent>,
  { names, isNumeric, hasHeader }: CsvShape,
  decimal: DecimalSign,
): GuessedSettings {
  const { files } = classFolders(path, contents, isCsv);
  const inputs = names.filter((name, column) => isNumeric[column] === true && !timeColumn.test(name));
  const left = names.filter((name, column) => isNumeric[column] === true && timeColumn.test(name));
  const mistakes = collectMistakes();
  const rows = Object.values(files)
    .flat()
    .flatMap(
      ({ content }) =>
        mistakes.attempt(() => readCsv(content.bytes, content.path, { numbers: [1], decimal }).rows) ?? [],
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
