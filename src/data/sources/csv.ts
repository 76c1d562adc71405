/** Tables of numbers: recordings in folders that name their class, or one table with a row an example. */
import { basename } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { UserError, userError } from '../../core/diagnostic.ts';
import type { JsonObject } from '../../core/json.ts';
import { choice, key, object } from '../../core/schema.ts';
import type { ColumnReference, CsvColumns, CsvShape } from '../../formats/csv.ts';
import { readCsv, readCsvShape } from '../../formats/csv.ts';
import { naturalOrder } from '../../formats/natural-order.ts';
import { classFolders, partNamed } from '../class-folders.ts';
import type { ClassFile, PartName } from '../class-folders.ts';
import type { DataContent, DecodedData, Split } from '../dataset.ts';
import { inputsOf } from '../inputs.ts';
import type { Mistakes } from '../mistakes.ts';
import { collectMistakes, ignoredNotes } from '../mistakes.ts';
import type { Origin, PartExamples, Parts } from '../parts.ts';
import { guessedSplit, makeParts, splitField } from '../parts.ts';
import { standardize, standardizeTargets } from '../reals.ts';
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
  decode: (source, contents) => (isTable(source) ? decodeTables(source, contents) : decodeRecordings(source, contents)),
});

/** Whether rows say what they are, and not the folder of their file. */
const isTable = ({ columns }: CsvSource): boolean => columns.class !== undefined || columns.targets !== undefined;

function options({ delimiter, header, broken }: CsvSource) {
  return {
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(header === undefined ? {} : { hasHeader: header }),
    broken,
  };
}

/** The columns that a network sees: those that are named, or all of numbers that are not named otherwise. */
function inputColumns(source: CsvSource, { bytes, path }: DataContent): readonly ColumnReference[] {
  const { inputs, class: className, targets = [], group } = source.columns;
  if (inputs !== undefined) return inputs;
  const { names, isNumeric } = readCsvShape(bytes, path, options(source));
  const others = new Set([className, group, ...targets]);
  const found = names.flatMap((name, column) =>
    isNumeric[column] === true && !others.has(name) && !others.has(column + 1) ? [column + 1] : [],
  );
  if (found.length > 0) return found;
  throw userError(path, 'no-inputs', 'no other column has numbers', 'name the columns with `columns.inputs`');
}

/** Names for the report: those of the header, or numbers. */
function columnNames(columns: readonly ColumnReference[], { names }: CsvColumns): string[] {
  return columns.map((column) => (typeof column === 'number' ? (names[column - 1] ?? String(column)) : column));
}

// Recordings

interface Recording {
  readonly file: ClassFile;
  readonly table: CsvColumns;
}

function decodeRecordings(source: CsvSource, contents: ReadonlyMap<string, DataContent>): DecodedData {
  const { path, split } = source;
  const { classNames, files, ignored } = classFolders(path, contents, isCsv);
  const [first] = Object.values(files).flat();
  if (first === undefined) throw userError(path, 'no-recordings', 'there is no recording', missingFolder);
  const columns = inputColumns(source, first.content);
  const mistakes = collectMistakes();
  const read = (list: readonly ClassFile[]): Recording[] =>
    list.flatMap((file) => {
      const table = mistakes.attempt(() =>
        readCsv(file.content.bytes, file.content.path, { ...options(source), numbers: columns }),
      );
      return table === null ? [] : [{ file, table }];
    });
  const recordings = Object.entries(files).map(([part, list]) => [part, read(list)] as const);
  const all = recordings.flatMap(([, list]) => list);
  const window = windowOf(source, all, mistakes);
  mistakes.check();
  const given = Object.fromEntries(recordings.map(([part, list]) => [part, cut(list, columns.length, window)]));
  const parts = makeParts(given, split);
  const names = columnNames(columns, all[0]!.table);
  return finish(path, parts, {
    classNames,
    image: { height: 1, width: window.length, channels: columns.length },
    notes: [...ignoredNotes(ignored), ...skippedNotes(all.map(({ table }) => table))],
    names,
  });
}

/** The window that is set, or the length that all recordings have. */
function windowOf({ window }: CsvSource, recordings: readonly Recording[], mistakes: Mistakes) {
  const length = window?.length ?? recordings[0]?.table.rows ?? 1;
  for (const { file, table } of recordings) {
    mistakes.attempt(() => {
      if (window === undefined ? table.rows === length : table.rows >= length) return;
      const expected = window === undefined ? `${length}, as in the first` : `${length} at least, a window`;
      throw userError(
        file.content.path,
        'recording-length',
        `the recording has ${table.rows} rows; expected ${expected}`,
        window === undefined ? 'set `window: { length, stride }`' : 'set a shorter window, or leave the file out',
      );
    });
  }
  return { length, stride: window?.stride ?? length };
}

function cut(
  recordings: readonly Recording[],
  channels: number,
  window: { length: number; stride: number },
): PartExamples {
  const starts = recordings.map(({ table }) => 1 + Math.floor((table.rows - window.length) / window.stride));
  const count = starts.reduce((sum, windows) => sum + windows, 0);
  const inputs = new Float32Array(count * window.length * channels);
  const labels = new Uint16Array(count);
  const origins: Origin[] = [];
  for (const [index, { file, table }] of recordings.entries()) {
    for (let start = 0; start < starts[index]!; start++) {
      const example = origins.length;
      labels[example] = file.label;
      origins.push({ name: `${file.name} row ${start * window.stride + 1}`, recording: file.name });
      for (let row = 0; row < window.length; row++) {
        for (let channel = 0; channel < channels; channel++) {
          const to = (example * window.length + row) * channels + channel;
          inputs[to] = table.numbers[channel]![start * window.stride + row]!;
        }
      }
    }
  }
  return { split: { count, inputs: inputsOf(inputs, window.length * channels), labels, targets: null }, origins };
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

function decodeTables(source: CsvSource, contents: ReadonlyMap<string, DataContent>): DecodedData {
  const { path, split, columns } = source;
  const tables = tablesOf(source, contents);
  const inputs = inputColumns(source, tables[0]![1]);
  const targets = columns.targets ?? [];
  const texts = [columns.class, columns.group].filter((column) => column !== undefined);
  const mistakes = collectMistakes();
  const read = tables.flatMap(([part, { bytes, path: file }]) => {
    const request = { ...options(source), numbers: [...inputs, ...targets], texts };
    const table = mistakes.attempt(() => readCsv(bytes, file, request));
    return table === null ? [] : [{ part, table, file }];
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
  return finish(path, makeParts(given, split), {
    classNames,
    image: { height: 1, width: 1, channels: inputs.length },
    notes: skippedNotes(read.map(({ table }) => table)),
    names: columnNames(inputs, first),
    targetNames: columnNames(targets, first),
  });
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
  const origins = Array.from({ length: count }, (_, row) => {
    const name = `line ${lines[row] ?? 0}`;
    return { name, recording: groups === null ? name : `group ${groups[row] ?? ''}` };
  });
  return { split, origins };
}

// Both

function skippedNotes(tables: readonly CsvColumns[]): string[] {
  const rows = tables.reduce((sum, { skipped }) => sum + skipped.rows, 0);
  return rows === 0 ? [] : [`${rows} ${rows === 1 ? 'row is' : 'rows are'} left out because of missing or wrong cells`];
}

interface Found {
  readonly classNames: readonly string[];
  readonly image: DecodedData['image'];
  readonly notes: readonly string[];
  readonly names: readonly string[];
  readonly targetNames?: readonly string[];
}

/** Measures on the training part what the network is to see, and changes all parts. */
function finish(path: string, { notes, ...parts }: Parts, found: Found): DecodedData {
  const { classNames, image, names, targetNames = [] } = found;
  const others = [parts.validation, parts.test];
  return {
    ...{ name: path, classNames, image },
    notes: [...found.notes, ...notes],
    ...standardize(names, parts),
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
