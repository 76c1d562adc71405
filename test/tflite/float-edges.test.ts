/** A rewrite for LiteRT leaves the model's own bytes as they are; the official flatbuffers package reads what moved. */
import { ByteBuffer } from 'flatbuffers';
import { expect, it } from 'vitest';
import { Builder, writeOffsets, writeTable } from '../../src/formats/flatbuffer/write.ts';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { describeWithModels, sharedModel } from './shared-models.ts';
import { reshaped, sumOf } from './handmade.ts';

function expectKept(model: Uint8Array): void {
  const rewritten = addFloatEdges(model, 'm.tflite');
  const start = Buffer.from(rewritten).indexOf(Buffer.from(model));
  expect(start).toBeGreaterThan(0);
  expect(start % 64).toBe(0);
}

it('keeps every byte of a model, known operators or not', () => {
  expectKept(reshaped([1, 6], [3, 2]));
  expectKept(sumOf('INT8', [1, 6], [6]));
});

describeWithModels('a rewrite of models made by others', () => {
  it.each(['hello_world_int8.tflite', 'person_detect.tflite', 'micro_speech_quantized.tflite'])('keeps %s', (name) => {
    expectKept(sharedModel(name));
  });
});

it('moves the position of data behind the flatbuffer with the data', () => {
  const model = (position: number): Uint8Array => {
    const builder = new Builder(64);
    const buffer = writeTable(builder, 3, [], () => {
      builder.addFieldInt64(1, BigInt(position), 0n);
      builder.addFieldInt64(2, 3n, 0n);
    });
    const offsets = [
      [2, writeOffsets(builder, [writeTable(builder, 1, [])])],
      [4, writeOffsets(builder, [buffer])],
    ] as const;
    builder.finish(
      writeTable(builder, 5, offsets, () => builder.addFieldInt32(0, 3, 0)),
      'TFL3',
    );
    return builder.asUint8Array().slice();
  };
  const { length } = model(1000);
  const rewritten = addFloatEdges(Buffer.concat([model(length), Uint8Array.of(5, 6, 7)]), 'm.tflite');
  const file = new ByteBuffer(rewritten);
  const root = file.readInt32(0);
  const buffer = file.__indirect(file.__vector(root + file.__offset(root, 4 + 2 * 4)));
  const position = Number(file.readUint64(buffer + file.__offset(buffer, 4 + 2)));
  expect([...rewritten.subarray(position, position + 3)]).toEqual([5, 6, 7]);
});
