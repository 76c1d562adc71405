// Runtimes read constants in place, by instructions that may ask for aligned addresses: files that we write, and those
// of others that we rewrite, have every buffer at a multiple of 16 bytes. Read by the official flatbuffers package.
import { ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { everyLayer, lowered } from './lowered.ts';
import { describeWithModels, sharedModel } from './shared-models.ts';

/** Where the data of each buffer that has any begins, and how long it is. */
function buffersOf(bytes: Uint8Array): readonly { readonly start: number; readonly length: number }[] {
  const file = new ByteBuffer(bytes);
  const vector = (table: number, field: number): { start: number; length: number } => {
    const offset = file.__offset(table, 4 + 2 * field);
    return offset === 0
      ? { start: 0, length: 0 }
      : { start: file.__vector(table + offset), length: file.__vector_len(table + offset) };
  };
  const model = file.readInt32(0);
  // Model.buffers is field 4, Buffer.data field 0.
  const buffers = vector(model, 4);
  return Array.from({ length: buffers.length }, (_, index) =>
    vector(file.__indirect(buffers.start + 4 * index), 0),
  ).filter(({ length }) => length > 0);
}

const misplaced = (bytes: Uint8Array): number => buffersOf(bytes).filter(({ start }) => start % 16 !== 0).length;

const rewritten = (bytes: Uint8Array): Uint8Array => addFloatEdges(bytes, 'model.tflite');

describe('buffers', () => {
  it.each(['per_channel', 'per_tensor'] as const)('of a file that we write are aligned, dense weights %s', (ranges) => {
    const { bytes, graph } = lowered(everyLayer, { denseWeights: ranges });
    const constants = [...graph.values.values()].filter(({ source }) => source.kind === 'constant');
    // Weights, biases, the shape of RESHAPE and the runtime.
    expect(buffersOf(bytes)).toHaveLength(constants.length + 2);
    expect(misplaced(bytes)).toBe(0);
    expect(misplaced(rewritten(bytes))).toBe(0);
  });
});

describeWithModels('buffers of models made by others', () => {
  it.each([
    ['person_detect.tflite', 41],
    ['hello_world_int8.tflite', 0],
    ['micro_speech_quantized.tflite', 0],
  ])('of %s, %i of them misplaced, are aligned once we rewrite it', (name, before) => {
    const model = sharedModel(name);
    expect(misplaced(model)).toBe(before);
    const written = rewritten(model);
    expect(buffersOf(written)).toHaveLength(buffersOf(model).length);
    expect(misplaced(written)).toBe(0);
  });
});
