import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import type { NamedTensors } from '../../src/formats/safetensors.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { safetensors } from './fixtures.ts';

const expected: NamedTensors = {
  metadata: new Map([['format', 'qpipe']]),
  tensors: new Map<string, Tensor>([
    ['b/scale', { dtype: 'float32', shape: [2], data: Float32Array.of(0.5, -2) }],
    ['a/codes', { dtype: 'int8', shape: [1, 3], data: Int8Array.of(-128, 0, 127) }],
    ['pixels', { dtype: 'uint8', shape: [2], data: Uint8Array.of(0, 255) }],
    ['a/weights', { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, -0) }],
    ['steps', { dtype: 'int64', shape: [], data: BigInt64Array.of(-(2n ** 40n)) }],
    ['10', { dtype: 'int32', shape: [1], data: Int32Array.of(7) }],
  ]),
};

describe('safetensors', () => {
  it('reads what the Python library wrote', () => {
    expect(readSafetensors(safetensors, 'w.safetensors')).toEqual(expected);
  });

  it('writes the bytes that the Python library writes, in whatever order the tensors come', () => {
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    expect(text(writeSafetensors(expected))).toBe(text(safetensors));
    const reversed = { ...expected, tensors: new Map([...expected.tensors].reverse()) };
    expect(text(writeSafetensors(reversed))).toBe(text(safetensors));
  });

  it('writes and reads no tensors at all', () => {
    const nothing = { tensors: new Map<string, Tensor>(), metadata: new Map<string, string>() };
    expect(Buffer.from(writeSafetensors(nothing)).toString('latin1')).toBe('\x08\0\0\0\0\0\0\0{}      ');
    expect(readSafetensors(writeSafetensors(nothing), 'empty.safetensors')).toEqual(nothing);
  });

  it.each([
    ['overlapping tensors', { a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, 3, 'starts at data byte 1'],
    ['a hole', { a: entry('U8', [1], 0, 1), b: entry('U8', [1], 2, 3) }, 3, 'starts at data byte 2'],
    ['data that no tensor covers', { a: entry('U8', [1], 0, 1) }, 2, 'the tensors cover 1 bytes of data'],
    ['a range past the end', { a: entry('U8', [9], 0, 9) }, 8, 'data_offsets [0,9], expected a range within 8'],
    ['a range that runs backward', { a: entry('U8', [0], 2, 1) }, 2, 'data_offsets [2,1]'],
    ['a length that is not shape times width', { a: entry('F32', [2], 0, 4) }, 4, 'has 4 bytes for F32 of shape [2]'],
    ['a shape of 2^80 elements', { a: entry('U8', [2 ** 40, 2 ** 40], 0, 1) }, 1, 'has 1 bytes for U8 of shape'],
    ['a negative size', { a: entry('U8', [-1], 0, 1) }, 1, 'shape [-1], expected sizes'],
    ['an unknown type', { a: entry('F64', [1], 0, 8) }, 8, 'dtype "F64", expected one of I64, F32, I32, I8, U8'],
    ['metadata that is not text', { __metadata__: { epoch: 3 } }, 0, 'metadata "epoch" is not a string'],
    ['an entry that is not an object', { a: 3 }, 0, 'the header entry "a" is not an object'],
  ])('refuses %s', (_what, header, dataBytes, message) => {
    const read = (): NamedTensors => readSafetensors(file(JSON.stringify(header), dataBytes), 'bad.safetensors');
    expect(read).toThrow(UserError);
    expect(read).toThrow(`bad.safetensors error malformed-safetensors: `);
    expect(read).toThrow(message);
  });

  it('refuses a header length beyond the file without allocating it', () => {
    const claim = Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 127, 123, 125]);
    expect(() => readSafetensors(claim, 'bad.safetensors')).toThrow('byte 0: the header claims');
  });

  it('refuses a file cut anywhere', () => {
    for (let length = 0; length < safetensors.length; length++) {
      expect(() => readSafetensors(safetensors.slice(0, length), 'cut.safetensors')).toThrow(UserError);
    }
  });

  it('reads or refuses 2,000 flipped bits, never worse', () => {
    const random = createRandom(21, 'safetensors');
    for (let trial = 0; trial < 2000; trial++) {
      const flipped = safetensors.slice();
      flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
      try {
        readSafetensors(flipped, 'flipped.safetensors');
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }
  });
});

function entry(dtype: string, shape: number[], start: number, end: number): object {
  return { dtype, shape, data_offsets: [start, end] };
}

function file(header: string, dataBytes: number): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, header.length, true);
  return Uint8Array.from([...length, ...Buffer.from(header), ...new Uint8Array(dataBytes)]);
}
