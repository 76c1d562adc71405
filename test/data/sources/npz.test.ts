import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsOf, masksOf, targetsOf } from '../../../src/data/dataset.ts';
import type { Dataset, Split } from '../../../src/data/dataset.ts';
import { pixelReader } from '../../../src/data/inputs.ts';
import { guessSource } from '../../../src/data/guess.ts';
import { loadDataset, openFiles } from '../../../src/data/load.ts';
import { npz } from '../../../src/data/sources/npz.ts';
import type { NpzSource } from '../../../src/data/sources/npz.ts';
import { diagnosticsOf } from './files.ts';
import { inputsIn, realsIn } from '../examples.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-npz-'))));
afterEach(() => rmSync(folder, { recursive: true }));

type Elements = Uint8Array | Int8Array | Uint16Array | Int32Array | BigInt64Array | Float32Array | Float64Array;

/** As `numpy.save` writes it. */
function npy(descriptor: string, shape: readonly number[], elements: Elements): Buffer {
  const sizes = shape.map((size) => `${size},`).join(' ');
  const header = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': (${sizes}), }`.padEnd(117);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]);
  return Buffer.concat([start, Buffer.from(`${header}\n`), Buffer.from(elements.buffer)]);
}

/** A ZIP archive of stored files, as `numpy.savez` writes it. */
function zip(files: Readonly<Record<string, Buffer>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const [name, data] of Object.entries(files)) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    locals.push(Buffer.from('PK\x03\x04'), common, Buffer.from(name), data);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(position, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, rest, Buffer.from(name));
    position += 30 + name.length + data.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, entries, end]);
}

function put(arrays: Readonly<Record<string, Buffer>>): void {
  for (const [name, bytes] of Object.entries(arrays)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, `${name}.npy`), bytes);
  }
}

const source = (change: Partial<NpzSource> = {}): NpzSource => ({
  ...{ kind: 'npz', path: folder, columns: {}, split: { test: 0.5, validation: 0, seed: 1 } },
  ...change,
});
const load = (change: Partial<NpzSource> = {}): Promise<Dataset> => loadDataset(source(change), { count: 0, seed: 0 });

async function mistakes(change: Partial<NpzSource> = {}): Promise<string[]> {
  return (await diagnosticsOf(() => load(change))).map(
    ({ place, code, message }) => `${place.file.slice(folder.length)} ${code}: ${message}`,
  );
}

/** The measured values of all examples, back from those that the network sees. */
function measured({ reals, image }: Dataset, split: Split): number[] {
  return Array.from(realsIn(split), (value, at) => {
    const { mean = 0, deviation = 1 } = reals?.channels[at % image.channels] ?? {};
    // + 0 makes -0 a 0.
    return Math.round(1000 * (mean + deviation * value)) / 1000 + 0;
  });
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const floats = (shape: readonly number[]): Buffer =>
  npy('<f4', shape, Float32Array.from(upTo(shape.reduce((product, size) => product * size, 1))));
const pixels = (shape: readonly number[], first = 0): Buffer =>
  npy(
    '|u1',
    shape,
    Uint8Array.from(upTo(shape.reduce((product, size) => product * size, 1)), (at) => at + first),
  );
const numbers = (...values: number[]): Buffer => npy('<i4', [values.length], Int32Array.from(values));

describe('an archive of arrays', () => {
  it("is found by Keras's names: uint8 images are pixels, and classes begin anywhere", async () => {
    const path = join(folder, 'set.npz');
    const arrays = {
      'x_test.npy': pixels([2, 2, 3], 100),
      'x_train.npy': pixels([3, 2, 3]),
      'y_test.npy': npy('<i8', [2], BigInt64Array.of(7n, -2n)),
      'y_train.npy': npy('<i8', [3], BigInt64Array.of(7n, 5n, -2n)),
    };
    writeFileSync(path, zip(arrays));
    const { train, test, image, classNames, reals, notes } = await load({ path });
    expect(image).toEqual({ height: 2, width: 3, channels: 1 });
    expect(classNames).toEqual(['-2', '5', '7']);
    expect([[...labelsOf(train)], [...labelsOf(test)]]).toEqual([
      [2, 1, 0],
      [2, 0],
    ]);
    expect([...inputsIn(train)]).toEqual(upTo(18));
    expect([...inputsIn(test)]).toEqual(upTo(12).map((at) => 100 + at));
    expect([reals, notes]).toEqual([undefined, []]);
  });

  it('is the same as a folder of its arrays', async () => {
    const arrays = { x_train: floats([6, 4]), y_train: numbers(1, 2, 1, 2, 1, 2) };
    put(arrays);
    const path = join(folder, 'set.npz');
    writeFileSync(path, zip({ 'x_train.npy': arrays.x_train, 'y_train.npy': arrays.y_train }));
    const { name: _folder, ...fromFolder } = await load();
    const { name: _archive, ...fromArchive } = await load({ path });
    expect(fromArchive).toEqual(fromFolder);
  });

  it('has its parts where `train` in the names stands for them, or where they are named', async () => {
    put({ train_images: pixels([2, 2, 2, 3]), train_labels: numbers(0, 1) });
    put({ val_images: pixels([1, 2, 2, 3], 1), val_labels: numbers(1), mine: pixels([1, 2, 2, 3], 2), c: numbers(0) });
    const { train, validation, test, notes, image } = await load({ columns: { test_inputs: 'mine', test_class: 'c' } });
    expect(image).toEqual({ height: 2, width: 2, channels: 3 });
    expect([train.count, inputsIn(validation)[0], inputsIn(test)[0]]).toEqual([2, 1, 2]);
    expect([[...labelsOf(validation)], [...labelsOf(test)], notes]).toEqual([[1], [0], []]);
  });

  it('is divided where it has no test arrays, whole groups together, and says what it does not use', async () => {
    const count = 40;
    put({
      x: floats([count, 1]),
      y: numbers(...upTo(count).map((at) => (at >> 2) % 2)),
      who: numbers(...upTo(count).map((at) => at % 4)),
      other: floats([3]),
    });
    const dataset = await load({ columns: { group: 'who' } });
    const people = (split: Split) => new Set(measured(dataset, split).map((value) => value % 4));
    expect(people(dataset.test).size).toBe(2);
    expect([...people(dataset.train)].filter((person) => people(dataset.test).has(person))).toEqual([]);
    expect(dataset.notes).toEqual(['1 array is not used: other']);
  });
});

describe('real inputs', () => {
  const one = { split: { test: 0, validation: 0, seed: 1 } };

  it.each([
    [[6, 4], { height: 1, width: 1, channels: 4 }],
    [[6, 5, 3], { height: 1, width: 5, channels: 3 }],
    [[6, 2, 3, 2], { height: 2, width: 3, channels: 2 }],
    [[6], { height: 1, width: 1, channels: 1 }],
  ])('of %j are examples of %j, and each channel has mean 0 and deviation 1', async (shape, image) => {
    put({ x: floats(shape) });
    const dataset = await load(one);
    expect(dataset.image).toEqual(image);
    expect(measured(dataset, dataset.train)).toEqual(upTo(realsIn(dataset.train).length));
    for (let channel = 0; channel < image.channels; channel++) {
      const values = Array.from(realsIn(dataset.train)).filter((_, at) => at % image.channels === channel);
      const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
      expect(mean(values)).toBeCloseTo(0, 5);
      expect(mean(values.map((value) => value ** 2))).toBeCloseTo(1, 5);
    }
  });

  it('of equal sides are said to be series, as they may be images', async () => {
    put({ x: floats([3, 9, 9]) });
    expect((await load(one)).notes).toEqual([
      'x is read as series of 9 steps in 9 channels; if it holds images, save [count, height, width, 1], or uint8',
    ]);
    put({ x: floats([3, 9, 9, 1]) });
    expect((await load(one)).notes).toEqual([]);
    put({ x: floats([3, 9, 8]) });
    expect((await load(one)).notes).toEqual([]);
  });

  it.each([
    ['|u1', Uint8Array.of(1, 2, 3, 250)],
    ['|i1', Int8Array.of(1, -2, 3, 4)],
    ['<u2', Uint16Array.of(1, 60_000, 3, 4)],
    ['<i8', BigInt64Array.of(1n, -70_000n, 3n, 4n)],
    ['<f8', Float64Array.of(0.5, -1.25, 3, 4)],
  ])('may be %s', async (descriptor, values) => {
    put({ x: npy(descriptor, [2, 2], values) });
    const dataset = await load(one);
    expect(dataset.train.inputs.kind).toBe('reals');
    expect(measured(dataset, dataset.train)).toEqual(Array.from<number | bigint, number>(values, Number));
  });

  it('have targets, whose scale is that of the training examples', async () => {
    put({ x_train: floats([4, 2]), y_train: floats([4, 2]), x_test: floats([1, 2]), y_test: floats([1, 2]) });
    const { targets, train, test, classNames } = await load();
    expect(classNames).toEqual([]);
    // 0, 2, 4, 6 and 1, 3, 5, 7.
    const deviation = Math.fround(Math.sqrt(5));
    expect(targets).toEqual([
      { name: 'y_train 1', mean: 3, deviation },
      { name: 'y_train 2', mean: 4, deviation },
    ]);
    expect([...targetsOf(test)]).toEqual([Math.fround(-3 / deviation), Math.fround(-3 / deviation)]);
    expect(targetsOf(train)[2]).toBe(Math.fround(-1 / deviation));
    const columns = { targets: 'y_train' };
    put({ y_train: numbers(10, 20, 30, 40), y_test: numbers(50) });
    expect((await load({ columns })).targets?.map(({ name, mean }) => [name, mean])).toEqual([['y_train', 25]]);
    put({ y_train: npy('<f8', [4], Float64Array.of(1, 2, 1, 2)), y_test: npy('<f8', [1], Float64Array.of(7)) });
    expect((await load()).targets?.map(({ name, mean }) => [name, mean])).toEqual([['y_train', 1.5]]);
    put({ y_train: numbers(10, 20, 30, 40), y_test: numbers(50) });
    // Whole numbers are taken for classes where nothing says what they are.
    expect(await mistakes()).toEqual([
      '/y_test untrained-class: the class at [0] is 50, which no training example has',
    ]);
  });
});

describe('classes', () => {
  it('may be one-hot, in a column, or bool', async () => {
    const columns = { inputs: 'x', class: 'y' };
    const all = { columns, split: { test: 0, validation: 0, seed: 1 } };
    put({ x: floats([3, 1]), y: npy('<f8', [3, 4], Float64Array.of(0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0)) });
    expect([(await load(all)).classNames, [...labelsOf((await load(all)).train)]]).toEqual([
      ['0', '1', '2', '3'],
      [2, 0, 1],
    ]);
    put({ y: npy('<i4', [3, 1], Int32Array.of(20, 10, 20)) });
    expect([(await load(all)).classNames, [...labelsOf((await load(all)).train)]]).toEqual([
      ['10', '20'],
      [1, 0, 1],
    ]);
    put({ y: npy('|b1', [3], Uint8Array.of(1, 0, 0)) });
    expect([...labelsOf((await load(all)).train)]).toEqual([1, 0, 0]);
  });

  it('are refused where they are none', async () => {
    put({ x: floats([3, 1]), y: npy('<f4', [3], Float32Array.of(1, 0.5, 2)) });
    const columns = { class: 'y' };
    expect(await mistakes({ columns })).toEqual(['/y wrong-classes: the value at [1] is 0.5; expected whole numbers']);
    put({ y: npy('|u1', [3, 2], Uint8Array.of(0, 1, 1, 1, 1, 0)) });
    expect(await mistakes({ columns })).toEqual([
      '/y wrong-classes: the array is [3, 2] of uint8 and not one-hot; expected a class for each example',
    ]);
    put({ y: npy('<f4', [3, 2], Float32Array.of(0, 0.5, 1, 0, 0, 1)) });
    expect(await mistakes({ columns })).toHaveLength(1);
    put({ x_train: floats([2, 1]), y_train: numbers(1, 2), x_test: floats([2, 1]), y_test: numbers(2, 3) });
    expect(await mistakes()).toEqual(['/y_test untrained-class: the class at [1] is 3, which no training example has']);
  });
});

describe('commands on data', () => {
  it('find out what the arrays of a folder are, and show their shapes', async () => {
    put({ x_train: pixels([8, 2, 2]), y_train: numbers(0, 1, 0, 1, 0, 1, 0, 1), x_test: pixels([1, 2, 2]) });
    put({ y_test: numbers(1), Z: floats([1]) });
    const { source: kind, lines } = guessSource(folder);
    expect([kind, lines.map(({ yaml }) => yaml)]).toEqual([
      'npz',
      [
        'columns: { inputs: x_train, class: y_train, test_inputs: x_test, test_class: y_test }',
        'split: { validation: 0.1 }',
      ],
    ]);
    const { files } = await openFiles(source());
    expect(npz.describe?.(source(), new Map(files.map((file) => [file.name, file])))).toEqual({
      notes: [
        ...['x_train: [8, 2, 2] of uint8', 'y_train: [8] of int32'],
        ...['x_test: [1, 2, 2] of uint8', 'y_test: [1] of int32'],
      ],
    });
  });
});

describe('mistakes', () => {
  it('in names are told with the names that there are', async () => {
    put({ a: floats([2, 1]), b: numbers(0, 1), c: floats([2, 1]) });
    expect(await mistakes()).toEqual([' unknown-array: `columns.inputs` is not set; the arrays are a, b, c']);
    expect(await mistakes({ columns: { inputs: 'A', class: 'B' } })).toEqual([
      ' unknown-array: `columns.inputs` is A; the arrays are a, b, c',
      ' unknown-array: `columns.class` is B; the arrays are a, b, c',
    ]);
    expect(await mistakes({ columns: { inputs: 'a', class: 'b', test_inputs: 'c' } })).toEqual([
      ' unknown-array: `columns.test_class` is not set; the arrays are a, b, c',
    ]);
    expect(await mistakes({ columns: { inputs: 'a', class: 'b', test_class: 'b' } })).toEqual([
      ' unknown-array: `columns.test_inputs` is not set; the arrays are a, b, c',
    ]);
    rmSync(folder, { recursive: true });
    put({ 'sub/note': floats([1]) });
    rmSync(join(folder, 'sub/note.npy'));
    expect(await mistakes()).toEqual([' not-an-npz: there is no .npy file in it']);
  });

  it('in arrays are told all at once', async () => {
    put({
      x_train: npy('<f4', [2, 3], Float32Array.of(1, 2, 3, 4, NaN, Infinity)),
      y_train: numbers(0, 1, 0),
      x_test: npy('<U3', [2], Uint8Array.from(upTo(24))),
      y_test: npy('<f8', [1], Float64Array.of(1e39)),
    });
    expect(await mistakes({ columns: { targets: 'y_train' } })).toEqual([
      '/x_train not-finite: the value at [1, 1] is NaN, not a finite float32, and so are 1 more',
      '/x_test unsupported-npy: the array holds text (<U3), expected numbers',
      '/y_test not-finite: the value at [0] is 1e+39, not a finite float32',
    ]);
    put({ x_train: floats([2, 3]) });
    expect((await mistakes())[0]).toBe(
      '/y_train different-counts: the array is [3] of int32, but x_train has 2 examples',
    );
  });

  it('are parts of another form, and shapes that no network takes', async () => {
    put({ x_train: pixels([2, 3, 3]), y_train: numbers(0, 1), x_test: floats([2, 3, 3]), y_test: numbers(0, 1) });
    expect(await mistakes()).toEqual([
      '/x_test different-arrays: the examples are 1x3x3 of real values, those for training 3x3x1 of pixels',
    ]);
    put({ x_test: pixels([2, 3, 3]), y_test: npy('|u1', [2, 2], Uint8Array.of(0, 1, 1, 0)) });
    expect(await mistakes()).toEqual([
      '/y_test different-arrays: the classes are one-hot in 2 columns, those for training numbers',
    ]);
    put({ x_train: floats([1, 1, 1, 1, 1]), x_test: floats([0, 3]) });
    expect((await mistakes()).map((text) => text.replace(/:.*/, ''))).toEqual([
      '/x_train unsupported-shape',
      '/x_test unsupported-shape',
    ]);
  });
});

describe('labels and masks', () => {
  const inputs = (count: number) => npy('|u1', [count, 2, 2], new Uint8Array(4 * count));

  it('are read by the names of their parts', async () => {
    put({
      ...{ x_train: inputs(2), x_test: inputs(1) },
      ...{
        tags_train: npy('|i1', [2, 2], Int8Array.of(1, 0, 1, 1)),
        tags_test: npy('|i1', [1, 2], Int8Array.of(0, 1)),
      },
    });
    const { tags, classNames, train, test } = await load({ columns: { labels: 'tags_train' } });
    expect(tags).toEqual(['tags_train 1', 'tags_train 2']);
    expect(classNames).toEqual([]);
    expect([[...targetsOf(train)], [...targetsOf(test)]]).toEqual([
      [1, 0, 1, 1],
      [0, 1],
    ]);
  });

  it('are classes of pixels, from 0 to the largest', async () => {
    put({
      ...{ x_train: inputs(2), x_test: inputs(1) },
      m_train: npy('|u1', [2, 2, 2], Uint8Array.of(0, 0, 2, 0, 0, 0, 0, 0)),
      m_test: npy('<i4', [1, 2, 2], Int32Array.of(1, 0, 0, 2)),
    });
    const { hasMasks, classNames, test } = await load({ columns: { masks: 'm_train' } });
    expect(hasMasks).toBe(true);
    expect(classNames).toEqual(['0', '1', '2']);
    expect([...pixelReader(masksOf(test))(0)]).toEqual([1, 0, 0, 2]);
  });

  it.each<readonly [title: string, arrays: Record<string, Buffer>, columns: NpzSource['columns'], expected: string]>([
    [
      'a label of 2',
      { x: inputs(2), y: npy('|i1', [2, 2], Int8Array.of(1, 0, 1, 2)) },
      { labels: 'y' },
      'wrong-labels: the value at [1, 1] is 2; expected 0 or 1',
    ],
    [
      'labels of three axes',
      { x: inputs(2), y: npy('|i1', [2, 1, 2], Int8Array.of(1, 0, 1, 0)) },
      { labels: 'y' },
      'wrong-labels: the array is [2, 1, 2] of int8; expected [count] or [count, labels]',
    ],
    [
      'a mask of another size',
      { x: inputs(2), y: npy('|u1', [2, 2, 1], new Uint8Array(4)) },
      { masks: 'y' },
      'wrong-masks: the array is [2, 2, 1] of uint8; expected [count, 2, 2]',
    ],
    [
      'a class below 0',
      { x: inputs(2), y: npy('|i1', [2, 2, 2], Int8Array.of(0, 0, 0, 0, 0, 0, -1, 0)) },
      { masks: 'y' },
      'wrong-masks: the value at [1, 1, 0] is -1; expected a class, a whole number from 0 to 255',
    ],
    [
      'a class that no training mask has',
      {
        ...{ x_train: inputs(1), x_test: inputs(1) },
        ...{
          m_train: npy('|u1', [1, 2, 2], new Uint8Array(4)),
          m_test: npy('|u1', [1, 2, 2], Uint8Array.of(0, 3, 0, 0)),
        },
      },
      { masks: 'm_train' },
      'untrained-class: the masks have class 3, which no training mask has',
    ],
    [
      'labels that are fewer for testing',
      {
        ...{ x_train: inputs(1), x_test: inputs(1) },
        ...{ t_train: npy('|u1', [1, 2], new Uint8Array(2)), t_test: npy('|u1', [1, 1], new Uint8Array(1)) },
      },
      { labels: 't_train' },
      'different-arrays: an example has 1 label, one for training 2',
    ],
  ])('are refused: %s', async (_, arrays, columns, expected) => {
    put(arrays);
    expect(await mistakes({ columns })).toEqual([expect.stringContaining(expected)]);
  });
});
