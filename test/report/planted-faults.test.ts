/** Faults that are planted in trained networks and their data: the sentence of the report names layer and cause. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { bytesOf, floatTensor } from '../../src/core/tensor.ts';
import type { Dataset, Split } from '../../src/data/dataset.ts';
import { inputWriter } from '../../src/data/batches.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { loadDataset } from '../../src/data/load.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { decodeModelFile, encodeModelFile } from '../../src/training/checkpoint.ts';
import { add, conv, dense, network, pool } from '../models/networks.ts';
import { adam, openTampering, quantization, training } from '../stages/pipeline-line.ts';
import { lineReport } from './line-report.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 6, size: 12, trainCount: 600, testCount: 240, noise: 8, seed: 4 },
  { count: 120, seed: 1 },
);

const classes = { classes: dataset.classNames };
const plain: ModelSpec = {
  ...network(
    [
      ...[conv('first', 8, 3), pool('max_pool_2d', 'pool'), conv('second', 12, 3)],
      ...[{ kind: 'flatten', name: 'flat' } as const, dense('hidden', 24, { activation: 'relu' }), dense('last', 6)],
    ],
    [12, 12, 1],
  ),
  ...classes,
};
const residual: ModelSpec = {
  ...network(
    [
      ...[conv('stem', 8, 3, { batch_norm: true, bias: false }), pool('max_pool_2d', 'pool')],
      ...[conv('branch', 8, 3, { batch_norm: true, bias: false }), add('joined', 'pool')],
      ...[conv('end', 12, 3, { stride: [2, 2] }), { kind: 'flatten', name: 'flat' } as const, dense('last', 6)],
    ],
    [12, 12, 1],
  ),
  ...classes,
};

/** Changes tensors of a QAT model whose names begin so. */
function change(file: string, prefix: string, by: (value: number) => number): void {
  const model = decodeModelFile(readFileSync(file), file);
  let changed = 0;
  const tensors = new Map(
    [...model.tensors].map(([name, tensor]): [string, Tensor] => {
      if (!name.startsWith(prefix) || !(tensor.data instanceof Float32Array)) return [name, tensor];
      changed++;
      return [name, floatTensor(tensor.shape, [...tensor.data].map(by))];
    }),
  );
  if (changed === 0) throw new Error(`nothing is called ${prefix}: ${[...model.tensors.keys()].join(', ')}`);
  writeFileSync(file, encodeModelFile({ ...model, tensors }));
}

/** Moves the biases of one convolution or dense layer of a .tflite file by so many steps of its output. */
function breakBias(file: string, layer: string, steps: number): void {
  const bytes = readFileSync(file);
  const graph = readTflite(bytes, file);
  const node = graph.nodes.find(({ name }) => name.startsWith(`${layer}/`));
  const bias = node === undefined ? undefined : valueOf(graph, node.inputs[2] ?? '');
  if (node === undefined || bias?.source.kind !== 'constant' || bias.quant?.kind !== 'per_channel') {
    throw new Error(`no bias of ${layer}`);
  }
  const { data } = bias.source.data;
  const output = valueOf(graph, node.name).quant;
  const scale = output?.kind === 'per_tensor' ? output.scale : 1;
  const at = bytes.indexOf(bytesOf(data));
  const { scales } = bias.quant;
  for (const [channel, value] of [...data].entries()) {
    bytes.writeInt32LE(Number(value) + Math.round((steps * scale) / scales[channel]!), at + 4 * channel);
  }
  writeFileSync(file, bytes);
}

const withTest = (test: Split): Dataset => ({ ...dataset, test });

function shuffledLabels(): Dataset {
  const { test } = dataset;
  const order = createRandom(9, 'labels').permutation(test.count);
  return withTest({ ...test, labels: test.labels && Uint8Array.from(order, (from) => test.labels![from]!) });
}

/** Pixels of 0 .. 15 where there were 0 .. 255: divided by 255 once more than in training, nearly. */
function darkened(): Dataset {
  const { test } = dataset;
  const { size } = test.inputs;
  const pixels = new Float32Array(test.count * size);
  const write = inputWriter(test.inputs, { scale: 1, mean: 0 });
  for (let index = 0; index < test.count; index++) write(index, pixels, index * size);
  return withTest({
    ...test,
    inputs: inputsOf(
      Uint8Array.from(pixels, (value) => value >> 4),
      size,
    ),
  });
}

describe.each([
  { name: 'a plain network', spec: plain, layer: 'second' },
  { name: 'a residual network', spec: residual, layer: 'end' },
])('$name', { timeout: 120_000 }, ({ spec, layer }) => {
  let line: Awaited<ReturnType<typeof openTampering>>;
  beforeAll(async () => {
    line = await openTampering({
      ...{ spec, dataset },
      pretrain: { ...training, epochs: 6, optimizer: adam },
      qat: { ...quantization, epochs: 1 },
      convert: { scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
    });
  }, 120_000);
  afterAll(() => line.remove());

  async function diagnosisOf(tampering: Parameters<typeof line.run>[0] = {}) {
    const { pretrain, qat } = line;
    const report = lineReport({ pretrain, qat, ...(await line.run(tampering)) });
    return report.tests[0]?.diagnosis;
  }
  const named = `${layer}/`;

  it('without a fault raises no alarm', async () => {
    const found = await diagnosisOf();
    expect([null, 'rounding'], found?.sentence).toContain(found?.cause);
    expect(found?.sentence).not.toContain('Still');
  });

  it('a range ten times too wide', async () => {
    const found = await diagnosisOf({
      qat: (file) => change(file, `${layer}/act_quant/`, (value) => 10 * value),
    });
    expect(found).toMatchObject({ cause: 'range_too_wide' });
    expect(found?.layer?.startsWith(named), found?.sentence).toBe(true);
    expect(found?.sentence).toMatch(new RegExp(`${named}.*times as wide as 99.9.% of its values need`));
  });

  it('a range ten times too narrow', async () => {
    const found = await diagnosisOf({
      qat: (file) => change(file, `${layer}/act_quant/`, (value) => value / 10),
    });
    expect(found).toMatchObject({ cause: 'range_too_narrow' });
    expect(found?.layer?.startsWith(named), found?.sentence).toBe(true);
  });

  it('a bias broken in the integer model', async () => {
    const found = await diagnosisOf({ convert: (file) => breakBias(file, layer, 25) });
    expect(found).toMatchObject({ cause: 'bias' });
    expect(found?.layer?.startsWith(named), found?.sentence).toBe(true);
  });

  it('a dead layer', async () => {
    const found = await diagnosisOf({
      qat: (file) => {
        change(file, `${layer}/filter`, () => 0);
        change(file, `${layer}/bias`, () => -1);
      },
    });
    expect(found).toMatchObject({ cause: 'dead_layer' });
    expect(found?.layer?.startsWith(named), found?.sentence).toBe(true);
  });

  it('labels of the test that do not belong to its examples', async () => {
    expect(await diagnosisOf({ dataset: shuffledLabels() })).toMatchObject({ cause: 'labels', layer: null });
  });

  it('test examples on another scale', async () => {
    expect(await diagnosisOf({ dataset: darkened() })).toMatchObject({ cause: 'normalization', layer: null });
  });
});
