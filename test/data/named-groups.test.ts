/** `split` may name the groups to test and to validate with: people in file names, or values of a column. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { CsvSource } from '../../src/data/sources/csv.ts';
import { realsIn } from './examples.ts';
import { diagnosticsOf, putFiles } from './sources/files.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-groups-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const people = ['ada', 'bob', 'cy', 'dee'];
const load = (change: Partial<CsvSource>): Promise<Dataset> =>
  loadDataset(
    { ...{ kind: 'csv', path: folder, columns: {}, broken: 'refuse', split: byName({}) }, ...change },
    { count: 0, seed: 0 },
  );
const byName = (split: Partial<CsvSource['split']>): CsvSource['split'] => ({
  ...{ test: ['cy'], validation: 0, seed: 1, group: '([a-z]+)_' },
  ...split,
});

/** The people in a part; the first value of an example is 10 times the number of its person, and less than 10 more. */
function peopleIn({ reals, image: { width, channels } }: Dataset, part: Split): (string | undefined)[] {
  const { mean = 0, deviation = 1 } = reals?.channels[0] ?? {};
  const first = Array.from({ length: part.count }, (_, example) => realsIn(part)[example * width * channels] ?? 0);
  const found = new Set(first.map((value) => people[Math.floor((mean + deviation * value + 0.01) / 10)]));
  return [...found].sort();
}
const partsOf = (dataset: Dataset) =>
  [dataset.train, dataset.validation, dataset.test].map((part) => peopleIn(dataset, part));
const codesOf = async (change: Partial<CsvSource>): Promise<string[]> =>
  (await diagnosticsOf(() => load(change))).map(({ place, code }) => `${place.file} ${code}`);

describe('groups that file names hold', () => {
  beforeEach(() => {
    for (const [person, name] of people.entries()) {
      for (const [label, folderName] of ['a', 'b'].entries()) {
        const rows = Array.from({ length: 6 }, (_, row) => `${10 * person + row},${label}`);
        putFiles(folder, { [`${folderName}/${name}_1.csv`]: rows.join('\n') });
      }
    }
  });

  it('are the test part, whatever the seed', async () => {
    for (const seed of [1, 2]) {
      const dataset = await load({ window: { length: 4, stride: 2 }, split: byName({ seed }) });
      expect(partsOf(dataset)).toEqual([['ada', 'bob', 'dee'], [], ['cy']]);
      expect([dataset.train.count, dataset.test.count]).toEqual([12, 4]);
    }
  });

  it('may be named for validation too', async () => {
    const dataset = await load({ split: byName({ test: ['cy', 'ada'], validation: ['dee'] }) });
    expect(partsOf(dataset)).toEqual([['bob'], ['dee'], ['ada', 'cy']]);
  });

  it('leave the others to shares, whole groups together', async () => {
    const dataset = await load({ split: byName({ validation: 0.34 }) });
    const [train = [], validation = [], test] = partsOf(dataset);
    expect(test).toEqual(['cy']);
    expect([train.length, validation.length]).toEqual([2, 1]);
    expect(train).not.toContain(validation[0]);
  });

  it('are shown where none has the name, where one is named twice, and where all are named', async () => {
    const split = byName({ test: ['cy', 'eve', 'Ada'], validation: ['cy'] });
    expect(await codesOf({ split })).toEqual([
      'data.split.test unknown-group',
      'data.split.test unknown-group',
      'data.split.test repeated-group',
    ]);
    const [first] = await diagnosticsOf(() => load({ split }));
    expect(first).toMatchObject({
      message: 'no example is of the group "eve"',
      hint: 'groups are ada, bob, cy, dee',
    });
    expect(await codesOf({ split: byName({ test: people }) })).toEqual(['data.split.test no-training-groups']);
    const { group: _group, ...ungrouped } = byName({ validation: ['ada'] });
    expect(await codesOf({ split: ungrouped })).toEqual([
      'data.split.test ungrouped-names',
      'data.split.validation ungrouped-names',
    ]);
  });
});

describe('groups that a column of a table holds', () => {
  const rows = Array.from(
    { length: 24 },
    (_, row) => `${10 * (row % 4) + row / 8},k${row % 3},${people[row % 4] ?? ''}`,
  );
  const columns = { inputs: ['value'], class: 'kind', group: 'who' };
  const columnSplit = { test: ['bob'], validation: ['ada'], seed: 1 };

  it('are named in the same way', async () => {
    putFiles(folder, { 'one.csv': ['value,kind,who', ...rows].join('\n') });
    const dataset = await load({ path: join(folder, 'one.csv'), columns, split: columnSplit });
    expect(partsOf(dataset)).toEqual([['cy', 'dee'], ['ada'], ['bob']]);
  });

  it('stay as they are where the part is a table of its own', async () => {
    putFiles(folder, {
      'train.csv': ['value,kind,who', ...rows].join('\n'),
      'test.csv': ['value,kind,who', '35,k1,dee'].join('\n'),
    });
    const dataset = await load({ columns, split: columnSplit });
    expect(partsOf(dataset)).toEqual([['bob', 'cy', 'dee'], ['ada'], ['dee']]);
  });
});
