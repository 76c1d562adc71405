import { describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { openLitert } from '../../src/interpreter/litert.ts';
import { readTfliteFile } from '../../src/tflite/read-file.ts';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { describeWithModels, optionFields, sharedModel } from '../tflite/shared-models.ts';

/** Runs an int8 model of one input and one output through its float edges: q in, q out. */
async function openInt8(name: string) {
  const file = readTfliteFile(sharedModel(name), name, optionFields);
  const main = file.subgraphs[0];
  const input = main?.tensors[main.inputs[0] ?? -1]?.quantization;
  const output = main?.tensors[main.outputs[0] ?? -1]?.quantization;
  const model = await openLitert(addFloatEdges(sharedModel(name), name), name);
  const [inputScale, inputZeroPoint] = [input?.scale[0] ?? NaN, input?.zeroPoint[0] ?? NaN];
  const [outputScale, outputZeroPoint] = [output?.scale[0] ?? NaN, output?.zeroPoint[0] ?? NaN];
  return {
    model,
    run: async (q: ArrayLike<number>): Promise<number[]> => {
      const [result] = await model.run([Float32Array.from(q, (value) => inputScale * (value - inputZeroPoint))]);
      const exact = Array.from(result?.data ?? [], (real) => real / outputScale + outputZeroPoint);
      // The edge loses nothing: what comes back is an integer but for float32 rounding.
      for (const value of exact) expect(Math.abs(value - Math.round(value))).toBeLessThan(1e-4);
      return exact.map(Math.round);
    },
  };
}

/** 8-bit grey pixels of a 96x96 BMP, whose rows are stored bottom-up, taken as int8. */
function pixels(name: string): Int8Array {
  const file = Buffer.from(sharedModel(name));
  const start = file.readUInt32LE(10);
  return Int8Array.from({ length: 96 * 96 }, (_, index) => {
    const row = 95 - Math.floor(index / 96);
    return file.readInt8(start + row * 96 + (index % 96));
  });
}

describe('LiteRT', () => {
  // The first in this file, since the runtime is loaded once.
  it('refuses a file that is no model, prints nothing and leaves no globals behind', async () => {
    const printed = (['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method));
    const globals = Reflect.ownKeys(globalThis);
    const failure = await openLitert(new Uint8Array(64), 'm.tflite').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(String(failure)).toContain('LiteRT (@litertjs/core) refuses the model: ');
    expect(Reflect.ownKeys(globalThis)).toEqual(globals);
    for (const method of printed) expect(method).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  it('that is not installed is a mistake that can be caught', async () => {
    vi.resetModules();
    vi.doMock('@litertjs/core', () => {
      throw new Error('no such package');
    });
    const { openLitert: openWithout } = await import('../../src/interpreter/litert.ts');
    await expect(openWithout(new Uint8Array(64), 'm.tflite')).rejects.toThrow(
      'LiteRT (@litertjs/core) cannot be loaded: ',
    );
    vi.doUnmock('@litertjs/core');
  });
});

describeWithModels('LiteRT as an independent check', () => {
  it('gives the golden outputs of hello_world', async () => {
    const { model, run } = await openInt8('hello_world_int8.tflite');
    // tflite-micro's reference arithmetic, input q -> output q (quantization.md G18).
    const goldens = [
      [-128, 4],
      [-96, 89],
      [-63, 125],
      [-34, 93],
      [0, 4],
      [40, -91],
      [80, -106],
      [127, -9],
    ] as const;
    const differences = [];
    for (const [input, golden] of goldens) {
      const [output] = await run([input]);
      differences.push((output ?? NaN) - golden);
    }
    model.close();
    // XNNPACK requantizes through float32: one of the eight lands a step beside the reference.
    expect(differences).toEqual([0, 0, 0, 0, 0, 1, 0, 0]);
  });

  it('tells the person from no person with person_detect', async () => {
    const { model, run } = await openInt8('person_detect.tflite');
    const person = await run(pixels('person.bmp'));
    const noPerson = await run(pixels('no_person.bmp'));
    model.close();
    // [no person, person]; the reference arithmetic gives [-113, 113] and [57, -57].
    expect(person).toEqual([-113, 113]);
    // 3 steps: differences of one step in some of 28 convolutions, summed up in logits of 0.0125 a step.
    expect(noPerson.map((q, index) => Math.abs(q - [57, -57][index]!) <= 3)).toEqual([true, true]);
  });

  it('loads models side by side, and again after one was closed', async () => {
    const [first, second] = await Promise.all([
      openInt8('hello_world_int8.tflite'),
      openInt8('hello_world_int8.tflite'),
    ]);
    expect(await first.run([0])).toEqual([4]);
    first.model.close();
    expect(await second.run([-96])).toEqual([89]);
    second.model.close();
    const third = await openInt8('hello_world_int8.tflite');
    expect(await third.run([0])).toEqual([4]);
    third.model.close();
  });
});
