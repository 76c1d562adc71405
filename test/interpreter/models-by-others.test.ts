// Whole models of the tflite-micro repository. Goldens: quantization.md, G18, from its arithmetic and from TFLM's logs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { numElements } from '../../src/core/tensor.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { Interpreter } from '../../src/interpreter/interpreter.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';

const folder = join(process.env['QPIPE_DATA'] ?? join(import.meta.dirname, '../../../shared/data'), '../models');
const isThere = existsSync(join(folder, 'person_detect.tflite'));

function load(file: string): Interpreter {
  return prepareInterpreter(readTflite(readFileSync(join(folder, file)), file), file);
}

/** The pixels of an 8-bit bitmap, first row first; their bytes are read as int8, as TFLM's own test does. */
function readBitmap(file: string): Int8Array {
  const bytes = readFileSync(join(folder, file));
  const [start, width, height] = [bytes.readUInt32LE(10), bytes.readInt32LE(18), bytes.readInt32LE(22)];
  expect([width, height, bytes.readUInt16LE(28)]).toEqual([96, 96, 8]);
  return Int8Array.from({ length: width * height }, (_, index) => {
    const row = height - 1 - Math.floor(index / width);
    return bytes[start + row * width + (index % width)]!;
  });
}

describe.skipIf(!isThere)(`models by others${isThere ? '' : ` (skipped: no models in ${folder})`}`, () => {
  it.each([
    ['person.bmp', [-113, 113], [-112, 110], -1903317],
    ['no_person.bmp', [57, -57], [38, -39], -1631856],
  ])('person_detect sees in %s what TFLM sees', (image, probabilities, logits, firstLayer) => {
    const interpreter = load('person_detect.tflite');
    const [output] = interpreter.run([readBitmap(image)]);
    expect([...output!.data]).toEqual(probabilities);
    const { nodes } = interpreter.graph;
    const softmax = nodes.at(-1);
    expect(softmax?.op).toBe('softmax');
    expect([...interpreter.peek(softmax!.inputs[0]!)]).toEqual(logits);
    const first = interpreter.peek(nodes[0]!.outputs[0]!);
    expect(first).toHaveLength(48 * 48 * 8);
    expect([...first].reduce((total, code) => total + code, 0)).toBe(firstLayer);
  });

  it('person_detect gives the same after it is written and read again', () => {
    const graph = readTflite(readFileSync(join(folder, 'person_detect.tflite')), 'person_detect.tflite');
    const again = prepareInterpreter(readTflite(writeTflite(graph), 'again.tflite'), 'again.tflite');
    const [output] = again.run([readBitmap('person.bmp')]);
    expect([...output!.data]).toEqual([-113, 113]);
  });

  it('micro_speech runs, and its probabilities add up to one', () => {
    const interpreter = load('micro_speech_quantized.tflite');
    const [name = ''] = interpreter.graph.inputs;
    const count = numElements(valueOf(interpreter.graph, name).type.shape);
    // No golden is known: a constant input must give one probability distribution over its four words.
    const [output] = interpreter.run([new Int8Array(count).fill(-128)]);
    const total = [...output!.data].reduce((sum: number, code) => sum + Number(code) + 128, 0);
    expect(output!.data).toHaveLength(4);
    // Four roundings of half a step each.
    expect(Math.abs(total - 256)).toBeLessThanOrEqual(2);
  });
});
