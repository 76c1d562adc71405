import { dirname } from 'node:path';
import { counted } from '../core/words.ts';
import type { Moments } from '../data/describe.ts';
import type { Spread, Tally } from '../data/facts.ts';
import { visible } from '../core/source-line.ts';
import { significant } from '../report/format.ts';
import type { Paint, TextColumn } from '../report/text-table.ts';
import { textTable, wrap } from '../report/text-table.ts';
import type { PipelineData } from './data.ts';

const parts = ['train', 'validation', 'test'] as const;

/** Rows of a table that are shown; the JSON form has all. */
const mostClasses = 50;
const mostValues = 8;

/**
 * A description for people: tables under headings that are sentences.
 *
 * @param columns of the terminal; Infinity breaks no line
 * @param dim paints the heads of tables
 */
export function dataText(data: PipelineData, columns: number, dim: (text: string) => string): string {
  const paint: Paint = (text, row) => (row < 0 ? dim(text) : text);
  const table = (heads: readonly TextColumn[], rows: readonly string[][]): string[] =>
    textTable(
      heads,
      rows.map((row) => row.map(visible)),
      columns,
      paint,
    );
  const blocks: readonly (readonly string[])[] = [
    [...wrap(visible(placeText(data)), columns), ...wrap(countsText(data), columns)],
    classTable(data, table),
    tagTable(data, table),
    [...wrap(elementText(data), columns), ...channelTable(data, table)],
    targetTable(data, table),
    ...data.tallies.map((one) => tallyTable(one, table)),
    ...data.spreads.map((one) => spreadTable(one, table)),
    [equalText(data), ...data.notes].flatMap((note) => bullet(note, columns)),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

type MakeTable = (heads: readonly TextColumn[], rows: readonly string[][]) => string[];

const words = (head: string): TextColumn => ({ head, kind: 'words' });
const numbers = (head: string): TextColumn => ({ head, kind: 'numbers' });
/** A minus that every terminal has. */
const number = (value: number): string => significant(value).replaceAll('\u2212', '-');

function placeText({ source, paths }: PipelineData): string {
  const [first] = paths;
  if (first === undefined) return `${source}, generated`;
  if (paths.length === 1) return `${source} ${first}`;
  const folders = new Set(paths.map((path) => dirname(path)));
  return folders.size === 1
    ? `${source}, ${paths.length} files in ${dirname(first)}`
    : `${source}, files ${paths.join(', ')}`;
}

function countsText({ counts, classes, classesCount, tags }: PipelineData): string {
  const total = counts.train + counts.validation + counts.test;
  const inClasses =
    tags.length > 0
      ? ` with ${counted(tags.length, 'label')}`
      : classes.length === 0
        ? ''
        : ` ${classesCount === 'pixels' ? 'with pixels of' : 'in'} ${counted(classes.length, 'class', 'classes')}`;
  const { train, validation, test } = counts;
  return `${counted(total, 'example')}${inClasses}: ${train} for training, ${validation} for validation, ${test} for testing`;
}

function classTable({ classes, classesCount }: PipelineData, table: MakeTable): string[] {
  if (classes.length === 0) return [];
  const hasFiles = classes.some(({ files }) => files.length > 0);
  const rows = classes
    .slice(0, mostClasses)
    .map(({ name, train, validation, test, files }) => [
      ...[name, String(train), String(validation), String(test)],
      ...(hasFiles ? [files.join(', ')] : []),
    ]);
  const heads = [
    words(classesCount === 'pixels' ? 'pixels of class' : 'class'),
    ...parts.map(numbers),
    ...(hasFiles ? [words('such as')] : []),
  ];
  const more = classes.length - rows.length;
  return [...table(heads, rows), ...(more > 0 ? [`and ${counted(more, 'more class', 'more classes')}`] : [])];
}

function tagTable({ tags }: PipelineData, table: MakeTable): string[] {
  if (tags.length === 0) return [];
  const rows = tags
    .slice(0, mostClasses)
    .map(({ name, train, validation, test }) => [name, String(train), String(validation), String(test)]);
  const more = tags.length - rows.length;
  return [
    ...table([words('label'), ...parts.map(numbers)], rows),
    ...(more > 0 ? [`and ${counted(more, 'more label')}`] : []),
  ];
}

function elementText({ shape, element: { normalize, pixels, range } }: PipelineData): string {
  const [height, width, channels] = shape;
  const size = `${height} x ${width} x ${channels}`;
  const from = `${number(range.min)} to ${number(range.max)}`;
  if (normalize === null) {
    return `an example is ${size} real values; the network reads (value - mean) / deviation, from ${from}`;
  }
  if (pixels !== undefined) {
    const channels = pixels.map(
      ({ name, mean, deviation }) => `${name} (pixel - ${number(mean)}) / ${number(deviation)}`,
    );
    return `an example is ${size} pixels; the network reads ${channels.join(', ')}, with raw pixels as codes of its input`;
  }
  const { scale, mean } = normalize;
  const pixel = mean === 0 ? 'pixel' : `(pixel - ${mean})`;
  return `an example is ${size} pixels; the network reads ${number(scale)} * ${pixel}, from ${from}`;
}

function channelTable({ channels, element: { normalize } }: PipelineData, table: MakeTable): string[] {
  const isReal = normalize === null;
  const heads = [...momentHeads('channel'), numbers('codes per deviation'), ...(isReal ? [numbers('clipped')] : [])];
  const rows = channels.map((channel) => [
    ...momentCells(channel),
    channel.codesPerDeviation.toFixed(1),
    ...(isReal ? [percent(channel.clipped)] : []),
  ]);
  return table(heads, rows);
}

const momentHeads = (what: string): TextColumn[] => [
  words(what),
  ...['minimum', 'maximum', 'mean', 'deviation'].map(numbers),
];

function momentCells({ name, min, max, mean, deviation }: Moments): string[] {
  return [name, ...[min, max, mean, deviation].map(number)];
}

function percent(share: number): string {
  const text = (100 * share).toFixed(2);
  return share > 0 && Number(text) === 0 ? '< 0.01 %' : `${text} %`;
}

function targetTable({ targets }: PipelineData, table: MakeTable): string[] {
  return targets.length === 0 ? [] : table(momentHeads('target'), targets.map(momentCells));
}

function tallyTable({ property, values }: Tally, table: MakeTable): string[] {
  const shown = values.slice(0, mostValues);
  const rest = values.slice(mostValues);
  const rows = shown.map(({ value, files, names }) => [value, String(files), namesText(names, files)]);
  const others = rest.reduce((sum, { files }) => sum + files, 0);
  if (rest.length > 0) rows.push([`${rest.length} others`, String(others), '']);
  const hasNames = rows.some(([, , names]) => names !== '');
  return hasNames
    ? table([words(property), numbers('files'), words('which')], rows)
    : table(
        [words(property), numbers('files')],
        rows.map((row) => row.slice(0, 2)),
      );
}

function namesText(names: readonly string[], files: number): string {
  const more = files - names.length;
  return names.length > 0 && more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

function spreadTable({ property, unit, min, median, max, odd, names }: Spread, table: MakeTable): string[] {
  const heads = [words(property), ...['minimum', 'median', 'maximum'].map(numbers), words('far from the median')];
  const far = names.map(({ name, value }) => `${name} (${number(value)})`);
  return table(heads, [[unit, ...[min, median, max].map(number), odd === 0 ? 'none' : namesText(far, odd)]]);
}

function equalText({ equal: { within, between, ofOtherClass } }: PipelineData): string {
  const all = [
    ...parts.flatMap((part) => (within[part] > 0 ? [`${within[part]} within ${part}`] : [])),
    ...between.map(({ part, other, examples }) => `${examples} of ${part} that ${other} has too`),
  ];
  if (all.length === 0) return 'no two examples are equal';
  const classes =
    ofOtherClass === 0 ? '' : `; ${ofOtherClass} ${ofOtherClass === 1 ? 'has' : 'have'} an equal one of another class`;
  return `equal examples: ${all.join(', ')}${classes}`;
}

const mark = '- ';

function bullet(text: string, columns: number): string[] {
  return wrap(visible(text), columns - mark.length).map((line, index) => `${index === 0 ? mark : '  '}${line}`);
}
