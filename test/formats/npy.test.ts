import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { readNpy, writeNpy } from '../../src/formats/npy.ts';
import * as fixtures from './fixtures.ts';

const saved: readonly [string, Uint8Array, Tensor][] = [
  ['float32', fixtures.npyFloat32, { dtype: 'float32', shape: [1, 3], data: Float32Array.of(1.5, -2, 0.25) }],
  ['an int64 scalar', fixtures.npyInt64, { dtype: 'int64', shape: [], data: BigInt64Array.of(-3n) }],
  ['uint8 with one axis', fixtures.npyUint8, { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 2) }],
  ['int8', fixtures.npyInt8, { dtype: 'int8', shape: [2, 1], data: Int8Array.of(-1, 1) }],
  ['an empty int32 array', fixtures.npyInt32, { dtype: 'int32', shape: [0, 2], data: new Int32Array(0) }],
];

describe('npy', () => {
  it.each(saved)('reads %s as numpy saved it', (_what, bytes, tensor) => {
    expect(readNpy(bytes, 'array.npy')).toEqual(tensor);
  });

  it.each(saved)('writes %s as numpy saves it', (_what, bytes, tensor) => {
    expect(Buffer.from(writeNpy(tensor)).toString('latin1')).toBe(Buffer.from(bytes).toString('latin1'));
  });

  it('reads version 2', () => {
    expect(readNpy(fixtures.npyVersion2, 'array.npy').data).toEqual(Int32Array.of(5, 6));
  });

  it.each([
    ['Fortran order', fixtures.npyFortran, 'in Fortran order, expected C order\n  hint: save numpy.ascontiguousarray'],
    ['float64', fixtures.npyFloat64, 'the element type is <f8, expected <f4, <i4, <i8, |i1, |u1'],
    ['another format', Uint8Array.from(Buffer.from('PK\x03\x04 an npz')), 'does not start with \\x93NUMPY'],
    ['too much data', Uint8Array.from([...fixtures.npyUint8, 0]), '4 bytes of data, expected 3'],
  ])('refuses %s with the file and the remedy', (_what, bytes, message) => {
    const read = (): Tensor => readNpy(bytes, 'array.npy');
    expect(read).toThrow(UserError);
    expect(read).toThrow(/^array\.npy error malformed-npy: [^]*hint:/);
    expect(read).toThrow(message);
  });

  it.each([fixtures.npyFloat32, fixtures.npyVersion2])('refuses a file cut anywhere', (whole) => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => readNpy(whole.slice(0, length), 'cut.npy')).toThrow(UserError);
    }
  });
});
