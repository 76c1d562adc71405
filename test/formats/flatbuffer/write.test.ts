import { ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { writeOptions } from '../../../src/formats/flatbuffer/options.ts';
import type { FieldSpec, OptionValues } from '../../../src/formats/flatbuffer/options.ts';
import { Builder, writeBytes, writeFloat32s, writeInt64s, writeTable } from '../../../src/formats/flatbuffer/write.ts';

const fields: readonly FieldSpec[] = [
  { id: 0, name: 'padding', type: 'byte', default: 0 },
  { id: 1, name: 'stride', type: 'int32', default: 0 },
  { id: 2, name: 'dilation', type: 'int32', default: 1 },
  { id: 3, name: 'keep', type: 'bool', default: false },
  { id: 4, name: 'beta', type: 'float32', default: 0 },
  { id: 5, name: 'shape', type: 'int32_vector', default: [] },
];

/** The official reader on our bytes; `at(id)` is where field `id` of the root table is stored, 0 when absent. */
function officialRoot(builder: Builder): { buffer: ByteBuffer; at: (id: number) => number } {
  const buffer = new ByteBuffer(builder.asUint8Array().slice());
  const root = buffer.readInt32(0);
  return {
    buffer,
    at: (id) => {
      const relative = buffer.__offset(root, 4 + 2 * id);
      return relative === 0 ? 0 : root + relative;
    },
  };
}

function written(values: OptionValues): ReturnType<typeof officialRoot> {
  const builder = new Builder(64);
  builder.finish(writeOptions(builder, fields, values), 'TEST');
  return officialRoot(builder);
}

describe('writing an options table', () => {
  it('writes values that the official reader finds', () => {
    const { buffer, at } = written({ padding: -1, stride: 300000, dilation: 2, keep: true, beta: 0.1, shape: [1, -1] });
    expect(buffer.readInt8(at(0))).toBe(-1);
    expect(buffer.readInt32(at(1))).toBe(300000);
    expect(buffer.readInt32(at(2))).toBe(2);
    expect(buffer.readInt8(at(3))).toBe(1);
    expect(buffer.readFloat32(at(4))).toBe(Math.fround(0.1));
    expect(buffer.__vector_len(at(5))).toBe(2);
    expect(buffer.readInt32(buffer.__vector(at(5)) + 4)).toBe(-1);
  });

  it('leaves out what equals its default', () => {
    const { at } = written({ padding: 0, dilation: 1, keep: false, shape: [] });
    expect([0, 1, 2, 3, 4, 5].map(at)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('refuses a value without a field, and a value of another type', () => {
    expect(() => written({ strides: 2 })).toThrow('internal: no field is described for the option strides');
    expect(() => written({ stride: true })).toThrow('internal: option stride must be a number');
    expect(() => written({ shape: 3 })).toThrow('internal: option shape must be a list');
  });
});

describe('writing vectors', () => {
  it.each([1, 15, 16, 17])('aligns %i bytes to 16 from the start of the file', (length) => {
    const builder = new Builder(16);
    const data = Uint8Array.from({ length }, (_, index) => index + 1);
    builder.createString('shifts the rest');
    const root = writeTable(builder, 1, [[0, writeBytes(builder, data, 16)]]);
    builder.finish(root, 'TEST');
    const { buffer, at } = officialRoot(builder);
    const start = buffer.__vector(at(0));
    expect(start % 16).toBe(0);
    expect(buffer.bytes().slice(start, start + length)).toEqual(data);
  });

  it('writes negative 64-bit integers and exact floats', () => {
    const builder = new Builder(16);
    const integers = writeInt64s(builder, [-128, 2 ** 40]);
    const floats = writeFloat32s(builder, Float32Array.of(1 / 256, 3.4e38));
    builder.finish(
      writeTable(builder, 2, [
        [0, integers],
        [1, floats],
      ]),
      'TEST',
    );
    const { buffer, at } = officialRoot(builder);
    expect(buffer.readInt64(buffer.__vector(at(0)))).toBe(-128n);
    expect(buffer.readInt64(buffer.__vector(at(0)) + 8)).toBe(2n ** 40n);
    expect(buffer.readFloat32(buffer.__vector(at(1)))).toBe(1 / 256);
    expect(buffer.readFloat32(buffer.__vector(at(1)) + 4)).toBe(Math.fround(3.4e38));
  });
});
