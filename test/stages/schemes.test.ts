// Both integer schemes, both forms of batch norm and the types of a model's edges, each through all six stages.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { loadDataset } from '../../src/data/load.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { conv, dense, network } from '../models/networks.ts';
import type { LineConfig, LineResult } from './pipeline-line.ts';
import { classified, quantization, runLine, training } from './pipeline-line.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 288, testCount: 60, noise: 8, seed: 4 },
  { count: 0, seed: 1 },
);
const spec = {
  ...network(
    [
      conv('conv1', 8, 3, { batch_norm: true, stride: [2, 2] }),
      conv('conv2', 8, 3, { batch_norm: true, activation: 'none' }),
      { kind: 'add', name: 'sum', with: 'conv1', activation: 'relu' },
      { kind: 'mean', name: 'mean' },
      dense('logits', 3),
    ],
    [12, 12, 1],
  ),
  classes: dataset.classNames,
};

type Edges = Pick<LineConfig['qat'], 'scheme' | 'batch_norm' | 'freeze_bn_delay'> &
  Partial<Pick<LineConfig['qat'], 'dense_weights'>> &
  Pick<LineConfig['convert'], 'input' | 'output'>;

const cases = {
  'int8, kept': { scheme: 'int8', batch_norm: 'kept', input: 'int8', output: 'int8' },
  'int8, kept, uint8 outside': { scheme: 'int8', batch_norm: 'kept', input: 'uint8', output: 'uint8' },
  'int8, kept, floats outside': { scheme: 'int8', batch_norm: 'kept', input: 'float32', output: 'float32' },
  'int8, folded': { scheme: 'int8', batch_norm: 'folded', input: 'int8', output: 'int8' },
  'int8, folded and frozen': {
    scheme: 'int8',
    batch_norm: 'folded',
    freeze_bn_delay: 10,
    input: 'int8',
    output: 'int8',
  },
  'int8, folded, dense weights of one scale': {
    ...{ scheme: 'int8', dense_weights: 'per_tensor', batch_norm: 'folded' },
    ...{ input: 'int8', output: 'int8' },
  },
  'uint8, folded': { scheme: 'uint8', batch_norm: 'folded', input: 'uint8', output: 'uint8' },
  'uint8, folded, int8 outside': { scheme: 'uint8', batch_norm: 'folded', input: 'int8', output: 'int8' },
  'uint8, folded, a float output': { scheme: 'uint8', batch_norm: 'folded', input: 'uint8', output: 'float32' },
} as const satisfies Record<string, Edges>;
type Case = keyof typeof cases;

describe('all six stages', { timeout: 120_000 }, () => {
  const results = new Map<Case, LineResult>();
  const resultOf = (name: Case): LineResult => results.get(name)!;
  beforeAll(async () => {
    for (const [name, { scheme, input, output, ...batchNorm }] of Object.entries<Edges>(cases)) {
      const config: LineConfig = {
        ...{ spec, dataset, pretrain: training, convert: { scheme, input, output, metadata: true } },
        qat: { ...quantization, scheme, ...batchNorm },
      };
      results.set(name as Case, await runLine(config));
    }
  }, 120_000);
  afterAll(() => results.forEach(({ remove }) => remove()));

  describe.each(Object.keys(cases) as Case[])('%s', (name) => {
    const { scheme, input, output } = cases[name];

    it('give a file whose edges have the types that were asked for and whose inside is the scheme', () => {
      const graph = readTflite(readFileSync(resultOf(name).file('convert', 'model.tflite')), 'model.tflite');
      expect(graph.inputs.map((port) => valueOf(graph, port).type.dtype)).toEqual([input]);
      expect(graph.outputs.map((port) => valueOf(graph, port).type.dtype)).toEqual([output]);
      const layers = graph.nodes.filter(({ op }) => op !== 'quantize' && op !== 'dequantize');
      for (const layer of layers) expect(valueOf(graph, layer.name).type.dtype, layer.name).toBe(scheme);
      const denseWeights = 'dense_weights' in cases[name] ? cases[name].dense_weights : 'per_channel';
      for (const { op, inputs } of layers.filter(({ op }) => op === 'conv_2d' || op === 'fully_connected')) {
        const filter = valueOf(graph, inputs[1]!);
        const ranges = op === 'fully_connected' ? denseWeights : 'per_channel';
        expect(filter.quant?.kind, op).toBe(scheme === 'int8' ? ranges : 'per_tensor');
        // Both schemes leave out one code, so that a product of two weights never meets its worst case.
        const codes = filter.source.kind === 'constant' ? Array.from(filter.source.data.data, Number) : [];
        expect(Math.min(...codes)).toBeGreaterThanOrEqual(scheme === 'int8' ? -127 : 1);
        expect(codes.length).toBeGreaterThan(0);
      }
    });

    it('give, layer by layer, the integers that fake quantization foresaw within a step', () => {
      const { layers } = resultOf(name).test;
      expect(layers.map(({ op }) => op)).toEqual(['conv_2d', 'conv_2d', 'add', 'mean', 'fully_connected']);
      for (const { name: layer, kernel } of layers) {
        expect(present(kernel, layer).withinOneStep, layer).toBeGreaterThanOrEqual(0.995);
      }
    });

    it('give raw outputs that their scale and zero point turn into the dequantized ones', () => {
      const { shown, scale, zeroPoint } = classified(resultOf(name)).examples;
      expect(shown.length).toBeGreaterThanOrEqual(2);
      for (const { int8, code } of shown.flatMap(({ values }) => values)) {
        expect(Number.isInteger(code)).toBe(true);
        expect(int8).toBe(Math.fround(scale * (code - zeroPoint)));
      }
    });
  });

  it('give the same answers whatever stands at the edges', () => {
    const codes = (name: Case) => {
      const { shown, zeroPoint } = classified(resultOf(name)).examples;
      return shown.map(({ index, values }) => [index, ...values.map(({ code }) => code - zeroPoint)]);
    };
    for (const [name, others] of [
      ['int8, kept', ['int8, kept, uint8 outside', 'int8, kept, floats outside']],
      ['uint8, folded', ['uint8, folded, int8 outside', 'uint8, folded, a float output']],
    ] as const) {
      for (const other of others) {
        expect(codes(other)).toEqual(codes(name));
        expect(classified(resultOf(other)).confusion).toEqual(classified(resultOf(name)).confusion);
      }
    }
  });
});
