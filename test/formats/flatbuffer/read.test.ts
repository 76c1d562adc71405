import { describe, expect, it } from 'vitest';
import { readOptions } from '../../../src/formats/flatbuffer/options.ts';
import type { FieldSpec } from '../../../src/formats/flatbuffer/options.ts';
import {
  FlatbufferError,
  readBytes,
  readFloat32,
  readInt32,
  readInt32s,
  readRoot,
  readString,
  readTables,
} from '../../../src/formats/flatbuffer/read.ts';

/**
 * A flatbuffer by hand, after the format's own description: the vtable at 8 and the root table at 20, with
 * field 0 an int32 (7), field 1 a string at 36 ("ok"), field 2 absent, field 3 a vector of int32 at 44 ([1, -2]).
 */
const header = [20, 0, 0, 0, 0x54, 0x45, 0x53, 0x54];
const vtable = [12, 0, 16, 0, 4, 0, 8, 0, 0, 0, 12, 0];
const table = [12, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 12, 0, 0, 0];
const text = [2, 0, 0, 0, 0x6f, 0x6b, 0, 0];
const numbers = [2, 0, 0, 0, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff];
const bytes = Uint8Array.from([...header, ...vtable, ...table, ...text, ...numbers]);

function changed(offset: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, offset);
  return copy;
}

function errorOf(action: () => unknown): FlatbufferError {
  try {
    action();
  } catch (error) {
    if (error instanceof FlatbufferError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('reading a flatbuffer', () => {
  it('reads the fields of bytes laid out by hand, and says null or the default for absent ones', () => {
    const root = readRoot(bytes, 'TEST');
    expect(readInt32(root, 0, -1)).toBe(7);
    expect(readString(root, 1)).toBe('ok');
    expect(readInt32s(root, 2)).toBeNull();
    expect(readFloat32(root, 2, 1.5)).toBe(1.5);
    expect(readInt32s(root, 3)).toEqual([1, -2]);
    expect(readInt32(root, 100, 5)).toBe(5);
  });

  it('reads from the middle of a larger array', () => {
    const larger = new Uint8Array(bytes.length + 7);
    larger.set(bytes, 3);
    expect(readInt32s(readRoot(larger.subarray(3, 3 + bytes.length), 'TEST'), 3)).toEqual([1, -2]);
  });

  it.each([
    ['a foreign identifier', () => readRoot(bytes, 'TFL3'), 4],
    ['an empty file', () => readRoot(new Uint8Array(0), 'TEST'), 0],
    ['a root past the end', () => readRoot(changed(0, 255, 255, 255, 255), 'TEST'), 0],
    ['a vtable before the start', () => readRoot(changed(20, 255, 0, 0, 0), 'TEST'), 0],
    ['a vtable of odd length', () => readRoot(changed(8, 13), 'TEST'), 8],
    ['a table that is longer than the file', () => readRoot(changed(10, 255, 255), 'TEST'), 20],
    ['a field outside its table', () => readInt32(readRoot(changed(12, 14), 'TEST'), 0, 0), 12],
    ['a string that starts past the end', () => readString(readRoot(changed(28, 200), 'TEST'), 1), 28],
    ['a string that ends past the end', () => readString(readRoot(changed(36, 200), 'TEST'), 1), 40],
    ['a vector of four thousand million', () => readInt32s(readRoot(changed(44, 255, 255, 255, 255), 'TEST'), 3), 48],
    ['bytes that end past the end', () => readBytes(readRoot(changed(44, 9), 'TEST'), 3), 48],
    ['a vector of tables that are none', () => readTables(readRoot(changed(44, 1, 0, 0, 0, 200), 'TEST'), 3), 48],
  ])('reports %s with its byte offset', (_what, action, offset) => {
    const error = errorOf(action);
    expect(error.offset).toBe(offset);
    expect(error.message).toContain(`byte ${offset}: `);
  });

  it('stops when a file refers to the same bytes so often that reading it would not end', () => {
    const root = readRoot(bytes, 'TEST');
    const error = errorOf(() => {
      for (let time = 0; time < 1e6; time++) readInt32s(root, 3);
    });
    expect(error.offset).toBe(48);
  });
});

describe('an options table', () => {
  const fields: readonly FieldSpec[] = [
    { id: 0, name: 'count', type: 'int32', default: 0 },
    { id: 2, name: 'factor', type: 'float32', default: 0.5 },
    { id: 3, name: 'shape', type: 'int32_vector', default: [] },
    { id: 4, name: 'keep', type: 'bool', default: true },
  ];

  it('takes absent fields from their defaults', () => {
    const expected = { count: 7, factor: 0.5, shape: [1, -2], keep: true };
    expect(readOptions(readRoot(bytes, 'TEST'), fields)).toEqual(expected);
  });

  it('takes all fields from their defaults when the table itself is absent', () => {
    expect(readOptions(null, fields)).toEqual({ count: 0, factor: 0.5, shape: [], keep: true });
  });
});
