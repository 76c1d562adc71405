/** Arrays that NumPy writes are read, value by value, in every type, byte order and order of axes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { labelsOf } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import { readNumericNpy } from '../../src/formats/npy.ts';
import type { NumericData } from '../../src/formats/npy.ts';
import { openNpz } from '../../src/formats/npz.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { inputsIn } from '../data/examples.ts';

const types = [
  ...['?', '|u1', '|i1'],
  ...['u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f2', 'f4', 'f8'].flatMap((type) => [`<${type}`, `>${type}`]),
];
const shapes = [[], [7], [3, 4], [2, 3, 5], [0, 3], [1, 1, 1, 2]];

describe.skipIf(!hasOracle)('arrays of NumPy', { timeout: 120_000 }, () => {
  let oracle: Oracle;
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-arrays-'));
  beforeAll(() => {
    oracle = openOracle();
  });
  afterAll(() => {
    oracle.close();
    rmSync(folder, { recursive: true });
  });

  it.each(types)('%s, in both orders of axes', async (dtype) => {
    for (const shape of shapes) {
      for (const fortran of [false, true]) {
        const values = { dtype_: dtype, shape_: shape, fortran };
        const [file, listed] = expectList(
          await oracle.evaluate('archives.write_npy(dtype_, tuple(shape_), fortran)', values),
        );
        const array = readNumericNpy(expectBytes(file), 'x.npy');
        expect(array.shape).toEqual(shape);
        const expected = valuesOf(listed).map((value) => toNumber(value, array.data));
        expect(Array.from<number | bigint>(array.data), `${shape.join()} ${fortran}`).toEqual(expected);
      }
    }
  });

  it.each([
    [1, 0],
    [2, 0],
    [3, 0],
  ])('format version %i.%i', async (...version) => {
    const [file] = expectList(
      await oracle.evaluate("archives.write_npy('<i4', (5,), version=tuple(v))", { v: version }),
    );
    expect(readNumericNpy(expectBytes(file), 'x.npy')).toMatchObject({ type: 'int32', shape: [5] });
  });

  it.each([
    ['object', 'Python objects (|O)'],
    ['U3', 'text (<U3)'],
    ['S3', 'byte strings (|S3)'],
    ['complex64', 'complex numbers (<c8)'],
    ['longdouble', 'floating point numbers of another width (<f16)'],
    ['datetime64[s]', 'dates (<M8[s])'],
    ['timedelta64[s]', 'time spans (<m8[s])'],
  ])('%s is refused by name', async (dtype, name) => {
    const file = expectBytes(await oracle.evaluate('archives.write_any([1, 2], t)', { t: dtype }));
    expect(() => readNumericNpy(file, 'x.npy')).toThrow(UserError);
    expect(() => readNumericNpy(file, 'x.npy')).toThrow(
      `x.npy error unsupported-npy: the array holds ${name}, expected numbers`,
    );
  });

  it('structures are refused by name', async () => {
    const file = expectBytes(await oracle.evaluate("archives.write_any([(1, 2.0)], [('a', 'i4'), ('b', 'f8')])"));
    expect(() => readNumericNpy(file, 'x.npy')).toThrow('the array holds structures, expected numbers');
  });

  it.each([false, true])('npz, compressed %s', async (compressed) => {
    const values: { readonly [name: string]: OracleValue } = { names: ['x_train', 'x10', 'x9'], compressed };
    const path = join(folder, 'set.npz');
    writeFileSync(path, expectBytes(await oracle.evaluate('archives.write_npz(names, compressed)', values)));
    const npz = openNpz(path);
    expect(npz.names).toEqual(['x9', 'x10', 'x_train']);
    expect(npz.read('x9')).toEqual({ type: 'float64', shape: [5], data: Float64Array.of(0, 0.25, 0.5, 0.75, 1) });
    expect(() => npz.read('y')).toThrow('there is no array "y"; the archive has x9, x10, x_train');
    npz.close();
  });

  it('a whole set is the examples that NumPy standardizes', async () => {
    const path = join(folder, 'whole.npz');
    const [file, train, test, ...labels] = expectList(await oracle.evaluate('archives.write_set(seed)', { seed: 3 }));
    writeFileSync(path, expectBytes(file));
    const source = { kind: 'npz', path, columns: {}, split: { test: 0, validation: 0, seed: 1 } } as const;
    const dataset = await loadDataset(source, { count: 0, seed: 0 });
    expect(dataset.image).toEqual({ height: 1, width: 6, channels: 3 });
    expect(dataset.classNames).toEqual(['-1', '0', '1', '2']);
    for (const [index, [split, expected]] of [
      [dataset.train, train] as const,
      [dataset.test, test] as const,
    ].entries()) {
      const reals = new Float32Array(expectBytes(expected).slice().buffer);
      const inputs = inputsIn(split);
      expect(inputs.length).toBe(reals.length);
      // Ours are rounded to float32 before the mean is taken away.
      for (const [at, real] of reals.entries()) expect(Math.abs(inputs[at]! - real)).toBeLessThan(1e-5);
      expect([...labelsOf(split)]).toEqual([...expectBytes(labels[index])]);
    }
  });
});

const words: Readonly<Record<string, string>> = {
  True: '1',
  False: '0',
  inf: 'Infinity',
  '-inf': '-Infinity',
  nan: 'NaN',
};

function valuesOf(listed: OracleValue | undefined): readonly string[] {
  if (typeof listed !== 'string') return internal('the oracle gave something else than text');
  return listed === '' ? [] : listed.split(',');
}

function toNumber(text: string, data: NumericData): number | bigint {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return BigInt(text);
  return Number(words[text] ?? text);
}
