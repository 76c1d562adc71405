import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsOf, targetsOf } from '../../../src/data/dataset.ts';
import type { Dataset, Split } from '../../../src/data/dataset.ts';
import { guessSource } from '../../../src/data/guess.ts';
import { loadDataset } from '../../../src/data/load.ts';
import type { CsvSource } from '../../../src/data/sources/csv.ts';
import { diagnosticsOf, putFiles } from './files.ts';
import { realsIn } from '../examples.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-csv-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const put = (files: Readonly<Record<string, string>>) => putFiles(folder, files);

const source = (change: Partial<CsvSource> = {}): CsvSource => ({
  ...{ kind: 'csv', path: folder, columns: {}, broken: 'refuse' },
  split: { test: 0.5, validation: 0, seed: 1 },
  ...change,
});
const load = (change: Partial<CsvSource> = {}): Promise<Dataset> => loadDataset(source(change), { count: 0, seed: 0 });

async function mistakes(change: Partial<CsvSource> = {}): Promise<string[]> {
  return (await diagnosticsOf(() => load(change))).map(
    ({ place: { file, line, column }, code }) =>
      `${[file.slice(folder.length + 1), line, column].filter((part) => part !== undefined).join(':')} ${code}`,
  );
}

/** Rows of numbers without a header. */
const rows = (count: number, value: (row: number) => readonly (number | string)[]): string =>
  Array.from({ length: count }, (_, row) => value(row).join(',')).join('\n');

/** The measured values of an example, back from those that the network sees. */
function measured({ reals, image: { width, channels } }: Dataset, split: Split, example: number): number[] {
  const size = width * channels;
  return Array.from(realsIn(split).subarray(example * size, (example + 1) * size), (value, at) => {
    const { mean = 0, deviation = 1 } = reals?.channels[at % channels] ?? {};
    // + 0 makes -0 a 0.
    return Math.round(1000 * (mean + deviation * value)) / 1000 + 0;
  });
}

describe('recordings in class folders', () => {
  beforeEach(() => {
    put({
      'train/a/1.csv': rows(7, (row) => [row, 10 * row]),
      'train/b/1.csv': rows(5, (row) => [100 + row, -row]),
      'test/a/1.csv': rows(4, (row) => [20 + row, 5]),
      'test/b/1.csv': rows(4, (row) => [50 + row, 6]),
    });
  });

  it('are cut into windows, and what is left at the end is not used', async () => {
    const dataset = await load({ window: { length: 4, stride: 2 } });
    const { train, test, image, classNames } = dataset;
    expect(image).toEqual({ height: 1, width: 4, channels: 2 });
    expect(classNames).toEqual(['a', 'b']);
    expect([[...labelsOf(train)], [...labelsOf(test)]]).toEqual([
      [0, 0, 1],
      [0, 1],
    ]);
    expect(measured(dataset, train, 0)).toEqual([0, 0, 1, 10, 2, 20, 3, 30]);
    expect(measured(dataset, train, 1)).toEqual([2, 20, 3, 30, 4, 40, 5, 50]);
    expect(measured(dataset, test, 1)).toEqual([50, 6, 51, 6, 52, 6, 53, 6]);
  });

  it('have mean 0 and deviation 1 in every channel of the training examples, and in no other', async () => {
    const { train, test } = await load({ window: { length: 4, stride: 4 } });
    for (const channel of [0, 1]) {
      const of = (split: Split) => Array.from(realsIn(split)).filter((_, at) => at % 2 === channel);
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const values = of(train);
      expect(mean(values)).toBeCloseTo(0, 5);
      expect(mean(values.map((value) => value ** 2))).toBeCloseTo(1, 5);
      expect(Math.abs(mean(of(test)))).toBeGreaterThan(0.05);
    }
  });

  it('need a window where their lengths differ, and be as long as one', async () => {
    expect(await mistakes()).toEqual([
      'train/b/1.csv recording-length',
      'test/a/1.csv recording-length',
      'test/b/1.csv recording-length',
    ]);
    expect(await mistakes({ window: { length: 6, stride: 1 } })).toHaveLength(3);
  });

  it('keep all windows of one recording in one part', async () => {
    rmSync(join(folder, 'train'), { recursive: true });
    rmSync(join(folder, 'test'), { recursive: true });
    for (const name of ['a', 'b']) {
      for (let file = 0; file < 6; file++) {
        put({ [`${name}/${file}.csv`]: rows(20, (row) => [1000 * file + row + (name === 'a' ? 0 : 0.5)]) });
      }
    }
    const dataset = await load({ window: { length: 5, stride: 1 } });
    const files = (split: Split) =>
      new Set(
        Array.from(
          { length: split.count },
          (_, example) => Math.floor(measured(dataset, split, example)[0]! / 1000) + 10 * labelsOf(split)[example]!,
        ),
      );
    const [train, test] = [files(dataset.train), files(dataset.test)];
    expect([train.size, test.size]).toEqual([6, 6]);
    expect([...train].filter((file) => test.has(file))).toEqual([]);
  });

  it('name the file and the line of every wrong cell', async () => {
    put({ 'train/a/2.csv': '1,2\n3,x\n5,\n', 'train/b/2.csv': '1,2\nNaN,4\n1,2,3' });
    expect(await mistakes({ window: { length: 2, stride: 1 } })).toEqual([
      'train/a/2.csv:2:3 non-numeric-cell',
      'train/a/2.csv:3:3 missing-cell',
      'train/b/2.csv:2:1 not-finite-cell',
      'train/b/2.csv:3:3 ragged-row',
    ]);
    expect((await load({ window: { length: 1, stride: 1 }, broken: 'skip' })).notes).toContain(
      '4 rows are left out because of missing or wrong cells',
    );
  });
});

describe('a table', () => {
  const table = `age,height,sex,kind,weight\n${rows(40, (row) => [
    ...[20 + row, 150 + (row % 7), row % 2],
    ...[row % 3 === 0 ? 'cat' : 'dog', 7 * row],
  ])}\n`;

  it('has targets that are 0 on average, and their scale with them', async () => {
    put({ 'train.csv': table, 'test.csv': table });
    const { targets, train, test, classNames, reals } = await load({ columns: { targets: ['weight'] } });
    expect(classNames).toEqual([]);
    expect(reals?.channels.map(({ name }) => name)).toEqual(['age', 'height', 'sex']);
    const lines = table.trimEnd().split('\n').slice(1);
    const weights = lines.map((line) => Number(line.split(',')[4]));
    const { mean = 0, deviation = 1 } = targets?.[0] ?? {};
    expect(mean).toBeCloseTo(weights.reduce((sum, weight) => sum + weight, 0) / 40, 3);
    for (const split of [train, test]) {
      const back = Array.from(targetsOf(split), (value) => mean + deviation * value);
      for (const [row, weight] of weights.entries()) expect(back[row]).toBeCloseTo(weight, 2);
    }
  });

  it('has classes as text, in natural order, and may be one file', async () => {
    put({ 'one.csv': table });
    const columns = { inputs: ['height', 1], class: 'kind' };
    const { classNames, train, test, image } = await load({ path: join(folder, 'one.csv'), columns });
    expect(classNames).toEqual(['cat', 'dog']);
    expect(image).toEqual({ height: 1, width: 1, channels: 2 });
    expect(train.count + test.count).toBe(40);
  });

  it('keeps the rows of a group together', async () => {
    put({ 'one.csv': `value,who,kind\n${rows(60, (row) => [row, row % 5, `k${row % 2}`])}` });
    const columns = { inputs: ['value'], class: 'kind', group: 'who' };
    const dataset = await load({
      path: join(folder, 'one.csv'),
      columns,
      split: { test: 0.4, validation: 0, seed: 1 },
    });
    const people = (split: Split) =>
      new Set(Array.from({ length: split.count }, (_, example) => measured(dataset, split, example)[0]! % 5));
    expect(people(dataset.test).size).toBe(2);
    expect([...people(dataset.train)].filter((person) => people(dataset.test).has(person))).toEqual([]);
  });

  it('refuses unknown columns, several tables, and a class that only testing has', async () => {
    put({ 'train.csv': table });
    expect(await mistakes({ columns: { targets: ['wieght'] } })).toEqual(['train.csv unknown-column']);
    put({ 'other.csv': table, 'test.csv': table.replace('cat', 'cow') });
    expect(await mistakes({ columns: { inputs: [1], class: 'kind' } })).toEqual(['test.csv:2 untrained-class']);
    rmSync(join(folder, 'train.csv'));
    expect(await mistakes({ columns: { class: 'kind' } })).toEqual([' unclear-tables']);
  });
});

describe('what init writes for CSV files', () => {
  const lines = () => guessSource(folder).lines.map(({ yaml }) => yaml);

  it('leaves a column that counts the rows out, and cuts long recordings into windows', () => {
    const header = 'timestamp,x,y\n';
    put({
      'a/1.csv': header + rows(300, (row) => [20 * row, 1, 2]),
      'b/1.csv': header + rows(90, (row) => [20 * row, 3, 4]),
    });
    expect(guessSource(folder).source).toBe('csv');
    expect(lines()).toEqual([
      'columns: { inputs: ["x", "y"] }',
      'window: { length: 90, stride: 45 }',
      'split: { test: 0.2, validation: 0.1 }',
    ]);
  });

  it('takes short recordings of one length whole, and parts as they are', () => {
    const text = rows(50, (row) => [row]);
    put({ 'train/a/1.csv': text, 'train/b/1.csv': text, 'test/a/1.csv': text, 'test/b/1.csv': text });
    expect(lines()).toEqual(['split: { validation: 0.1 }']);
  });

  it('takes the last column of a table for the target, or for the class where it is a word', () => {
    put({ 'train.csv': 'a,b,price\n1,2,3\n4,5,6\n' });
    expect(lines()[0]).toBe('columns: { targets: ["price"] }');
    put({ 'train.csv': '1,2,cat\n4,5,dog\n' });
    expect(lines()[0]).toBe('columns: { class: 3 }');
  });
});

describe('labels of yes and no', () => {
  const table = (last: string): string => `a,rain,wind\n1,0,1\n2,1,1\n\n3,0,${last}\n4,1,0\n`;

  it('are columns of 0 and 1, as they are', async () => {
    put({ 'train.csv': table('0'), 'test.csv': table('0') });
    const { tags, targets, classNames, reals, train } = await load({ columns: { labels: ['rain', 'wind'] } });
    expect([tags, targets, classNames]).toEqual([['rain', 'wind'], undefined, []]);
    expect(reals?.channels.map(({ name }) => name)).toEqual(['a']);
    expect([...targetsOf(train)]).toEqual([0, 1, 1, 1, 0, 0, 1, 0]);
  });

  it('are nothing else: the mistake has its line and its column', async () => {
    put({ 'train.csv': table('2'), 'test.csv': table('0') });
    const found = await diagnosticsOf(() => load({ columns: { labels: ['rain', 'wind'] } }));
    expect(found.map(({ place: { line }, code, message }) => [line, code, message])).toEqual([
      [5, 'wrong-labels', 'column wind is 2; expected 0 or 1'],
    ]);
  });
});

describe('recordings in one table', () => {
  /** Two people, whose rows take turns; x counts the rows of each. Their classes change after five rows. */
  const table = [
    'who,move,x,y',
    ...Array.from({ length: 9 }, (_, row) => [
      `ann,${row < 5 ? 'walk' : 'run'},${row},1`,
      `bob,${row < 5 ? 'walk' : 'run'},${100 + row},2`,
    ]).flat(),
  ].join('\n');
  const columns = { inputs: ['x'], class: 'move', recording: 'who' };
  const examples = (dataset: Dataset, split: Split): string[] =>
    Array.from({ length: split.count }, (_, at) =>
      [dataset.classNames[labelsOf(split)[at] ?? 0], ...measured(dataset, split, at)].join(' '),
    ).sort();

  it('are cut into windows that have one class and one recording, and stay in one part', async () => {
    put({ 'train.csv': table, 'test.csv': table.replaceAll('10', '20') });
    const dataset = await load({ columns, window: { length: 2, stride: 2 } });
    expect(dataset.image).toEqual({ height: 1, width: 2, channels: 1 });
    expect(examples(dataset, dataset.train)).toEqual(
      [
        'run 105 106',
        'run 107 108',
        'run 5 6',
        'run 7 8',
        'walk 0 1',
        'walk 100 101',
        'walk 102 103',
        'walk 2 3',
      ].sort(),
    );
  });

  it('are whole units of a division', async () => {
    put({ 'all.csv': table });
    const { train, test } = await load({ columns, window: { length: 2, stride: 1 } });
    // Four windows of five rows and three of four, of one person in each part.
    expect([train.count, test.count]).toEqual([7, 7]);
  });

  it('may be an example each, if all have the same number of rows', async () => {
    const rows = (who: string, count: number, target: number): string[] =>
      Array.from({ length: count }, (_, row) => `${who};${row};${target + row}`);
    const of = { inputs: ['x'], targets: ['t'], recording: 'who' };
    put({
      'train.csv': ['who;x;t', ...rows('a', 3, 10), ...rows('b', 3, 20)].join('\n'),
      'test.csv': 'who;x;t\nc;1;5\nc;2;6\nc;3;7',
    });
    const { train, targets = [] } = await load({ columns: of });
    const [{ mean, deviation } = { mean: 0, deviation: 1 }] = targets;
    // Of the last row.
    expect(Array.from(targetsOf(train), (value) => Math.round(mean + deviation * value))).toEqual([12, 22]);
    put({ 'train.csv': ['who;x;t', ...rows('a', 3, 10), ...rows('b', 4, 20)].join('\n') });
    expect(await mistakes({ columns: of })).toEqual(['train.csv recording-length']);
  });

  it('are left out where a window is longer, and are a mistake where it is longer than all', async () => {
    put({ 'all.csv': `${table}\ncarl,walk,7,7` });
    const { notes = [] } = await load({ columns, window: { length: 4, stride: 4 } });
    expect(notes).toContain('1 row is left out because a window is longer');
    expect(await mistakes({ columns, window: { length: 6, stride: 4 } })).toEqual(['all.csv recording-length']);
  });

  it('have to be named where a window is to cut them', async () => {
    put({ 'all.csv': table });
    const found = await mistakes({ columns: { inputs: ['x'], class: 'move' }, window: { length: 2, stride: 2 } });
    expect(found).toEqual([' no-recording']);
  });

  it('are told by decimal commas, and their columns have units', async () => {
    put({ 'train.csv': 'k;x\na;1,5\nb;2,5\na;3,5\nb;4,5', 'test.csv': 'k;x\na;1.000,5\nb;1' });
    const of = { class: 'k', units: { x: 'hPa' } };
    const dataset = await load({ columns: of, decimal: 'comma' });
    expect(dataset.reals?.channels).toMatchObject([{ name: 'x [hPa]', mean: 3 }]);
    expect(measured(dataset, dataset.test, 0)).toEqual([1000.5]);
    expect(await mistakes({ columns: { ...of, units: { z: 'g' } }, decimal: 'comma' })).toEqual([' unknown-column']);
    const guess = guessSource(folder);
    expect(JSON.stringify(guess)).toContain('decimal: comma');
  });
});
