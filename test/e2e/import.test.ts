// A network of another tool, from its file to a tested .tflite, and what is said of one that does not fit.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { validate } from '../../src/cli/validate.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { readModelFile } from '../../src/training/checkpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

const window = { strides: [1, 1], padding: 'same', use_bias: true };

/** `model.json` and its weights: a convolution, batch norm, and a layer of `classes` scores. */
function writeModel(channels: number, classes: number): readonly Float32Array[] {
  const layers = [
    {
      ...{ class_name: 'Conv2D' },
      config: {
        ...{ name: 'conv', batch_input_shape: [null, 12, 12, channels], filters: 8, kernel_size: [3, 3] },
        ...{ activation: 'relu', ...window },
      },
    },
    { class_name: 'MaxPooling2D', config: { name: 'pool', pool_size: 4 } },
    { class_name: 'BatchNormalization', config: { name: 'norm', axis: [3] } },
    { class_name: 'Flatten', config: { name: 'flatten' } },
    { class_name: 'Dense', config: { name: 'scores', units: classes, activation: 'softmax' } },
  ];
  const shapes: readonly (readonly [string, Shape])[] = [
    ['conv/kernel', [3, 3, channels, 8]],
    ['conv/bias', [8]],
    ...['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => [`norm/${name}`, [8]] as const),
    ['scores/kernel', [72, classes]],
    ['scores/bias', [classes]],
  ];
  const draw = createRandom(5, 'weights');
  const values = shapes.map(([name, shape]) =>
    Float32Array.from({ length: numElements(shape) }, () => (name.endsWith('variance') ? 1 : 0.4 * draw.float() - 0.2)),
  );
  writeFileSync(join(folder, 'weights.bin'), Buffer.concat(values.map(({ buffer }) => Buffer.from(buffer))));
  const weights = shapes.map(([name, shape]) => ({ name, shape, dtype: 'float32' }));
  const model_config = { class_name: 'Sequential', config: { name: 'net', layers } };
  const topology = { keras_version: '2.15.0', model_config };
  const manifest = [{ paths: ['weights.bin'], weights }];
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ modelTopology: topology, weightsManifest: manifest }));
  return values;
}

function pipeline(stages: string): string {
  const file = join(folder, 'pipeline.yaml');
  const data = 'data: { source: synthetic, classes: 3, size: 12, train: 288, test: 60, noise: 8 }';
  writeFileSync(file, `version: 1\nname: imported\n${data}\nstages:\n${stages}\n`);
  return file;
}

const line = `  net: { uses: import, file: model.json }
  qat: { uses: qat, from: net, epochs: 6, batch: 16, optimizer: { kind: adam, learning_rate: 0.01 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, litert: off }`;

/** `line:column code: message`. */
async function mistakes(stages: string): Promise<readonly string[]> {
  try {
    await validate(pipeline(stages));
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(
      ({ place, code, message }) => `${place.line ?? ''}:${place.column ?? ''} ${code}: ${message}`,
    );
  }
}

describe('an imported model', { timeout: 120_000 }, () => {
  it('is trained with quantization, converted and tested beside what it was', async () => {
    const values = writeModel(1, 3);
    const runs = join(folder, 'runs');
    const options = { pipeline: pipeline(line), runs, store: join(folder, 'store') };
    const { report, folder: result } = await run(options);
    if (!('accuracy' in report)) throw new Error('the network classifies');
    // Random weights know nothing; training does.
    expect(report.accuracy.float?.top1).toBeLessThan(0.6);
    expect(report.accuracy.int8?.top1).toBeGreaterThan(0.7);
    expect(report.imports).toMatchObject([{ stage: 'net', metrics: { format: 'TensorFlow.js layers model' } }]);
    const { tensors, graph } = await readModelFile(join(result, 'stages/net/float_model.safetensors'));
    expect([...(tensors.get('scores/bias')?.data ?? [])]).toEqual([...(values.at(-1) ?? [])]);
    // Batch norm behind a pool gets a layer of its own.
    expect(graph.nodes.map(({ op }) => op)).toEqual(
      expect.arrayContaining(['depthwise_conv_2d', 'batch_norm', 'softmax']),
    );
    const again = await run(options);
    expect(again.record.stages.every(({ cached }) => cached)).toBe(true);
    const before = readFileSync(join(folder, 'weights.bin'));
    before.writeFloatLE(0.125, before.length - 4);
    writeFileSync(join(folder, 'weights.bin'), before);
    const changed = await run(options);
    expect(changed.record.stages.map(({ cached }) => cached).slice(0, 2)).toEqual([false, false]);
  });

  it('that does not fit the data is named with both sides, at the line of its file', async () => {
    writeModel(3, 3);
    expect(await mistakes(line)).toEqual([
      expect.stringMatching(
        /^5:30 model-does-not-fit: the network takes \[12, 12, 3\] at "[^"]+"; an example of the data is \[12, 12, 1\]$/,
      ),
    ]);
    writeModel(1, 5);
    expect(await mistakes(line)).toEqual([
      expect.stringMatching(
        /^5:30 model-does-not-fit: the network gives \[5\] for an example at "[^"]+"; .* gives 3 scores/,
      ),
    ]);
  });

  it('is missed where it is not, and where it is no model', async () => {
    expect(await mistakes(line.replace('model.json', 'none.h5'))).toEqual([
      expect.stringMatching(/^5:30 missing-model: /),
    ]);
    writeFileSync(join(folder, 'a.txt'), 'nothing');
    expect(await mistakes(line.replace('model.json', 'a.txt'))).toEqual([
      expect.stringMatching(/^5:30 unknown-format: .*Keras model \(HDF5\)/),
    ]);
  });

  it('is not what a stage starts from that trains a network of its own', async () => {
    writeModel(1, 3);
    expect(await mistakes(line.replace(' from: net,', ''))).toEqual([
      expect.stringContaining('missing-key: the pipeline needs the key `model`'),
    ]);
  });
});
