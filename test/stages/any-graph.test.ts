// Stages take a graph as it comes: one that no layers were written for, and one whose variables have other names.
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements, zeros } from '../../src/core/tensor.ts';
import { loadDataset } from '../../src/data/load.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Model } from '../../src/graph/contract.ts';
import { contractOf } from '../../src/graph/contract.ts';
import type { Graph, Value } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import type { VariableRole } from '../../src/graph/roles.ts';
import { verify } from '../../src/graph/verify.ts';
import { newModel } from '../../src/models/build.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { conv, dense, network } from '../models/networks.ts';
import type { LineConfig, LineResult } from './pipeline-line.ts';
import { classified, quantization, runFrom } from './pipeline-line.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 288, testCount: 60, noise: 8, seed: 4 },
  { count: 0, seed: 1 },
);
const convert = { scheme: 'int8', input: 'int8', output: 'int8', metadata: true } as const;
const started: Omit<LineResult, 'pretrain'>[] = [];
afterAll(() => started.forEach(({ remove }) => remove()));

async function trained(model: Model, change: Partial<LineConfig['qat']>) {
  const qat = { ...quantization, epochs: 4, ...change };
  const result = await runFrom(model, { dataset, qat, convert: { ...convert, scheme: qat.scheme } });
  started.push(result);
  return result;
}

/** Two branches and a join, all in one scope, with names that say nothing; parameters under one name of a layer. */
function handMade(): Model {
  const builder = buildGraph('by hand', 'float');
  const variable = (name: string, role: VariableRole, shape: Shape): ValueRef => {
    const limit = role === 'weight' ? Math.sqrt(6 / numElements(shape.slice(1))) : 0;
    const draw = createRandom(3, name);
    const values = Array.from({ length: numElements(shape) }, () => (2 * draw.float() - 1) * limit);
    const isOne = role === 'gamma' || role === 'moving_variance';
    return builder.variable(name, floatTensor(shape, isOne ? values.map(() => 1) : values), role);
  };
  const one = (...node: Parameters<typeof builder.node>): ValueRef => builder.node(...node)[0]!;
  const attrs = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
  const image = builder.input('picture', { dtype: 'float32', shape: [1, 12, 12, 1] });
  const a = one('conv_2d', 'net/1', [image, variable('net/w1', 'weight', [4, 3, 3, 1])], attrs);
  const statistics = (['gamma', 'beta', 'moving_mean', 'moving_variance'] as const).map((role, index) =>
    variable(`net/n${index}`, role, [4]),
  );
  const normalized = one('batch_norm', 'net/2', [a, ...statistics], { epsilon: 1e-3 });
  const left = one('relu', 'net/3', [normalized], {});
  const b = [variable('net/w2', 'weight', [4, 1, 1, 1]), variable('net/b', 'bias', [4])];
  const right = one('logistic', 'net/4', [one('conv_2d', 'net/5', [image, ...b], attrs)], {});
  const joined = one('concatenation', 'net/6', [left, right], { axis: 3 });
  const factor = builder.constant('net/c', floatTensor([8], [1, 2, 1, 2, 1, 2, 1, 2]));
  const scaled = one('mul', 'net/7', [joined, factor], { activation: 'none' });
  const pooled = one('mean', 'net/8', [scaled], { axes: [1, 2], keepDims: false });
  const dropped = one('dropout', 'net/9', [pooled], { rate: 0.1, stream: 5 });
  const dense = [dropped, variable('net/w3', 'weight', [3, 8]), variable('net/b3', 'bias', [3])];
  const scores = one('fully_connected', 'net/10', dense, { activation: 'none', keepNumDims: false });
  const graph = verify(builder.finish([scores]));
  const normalize = { scale: 1 / 255, mean: 0 };
  return { graph, contract: contractOf(graph, [{ normalize }], [{ task: 'classify', classes: dataset.classNames }]) };
}

describe('a graph made by hand', { timeout: 120_000 }, () => {
  it.each(['kept', 'folded'] as const)('is trained, converted and tested with batch norm %s', async (batchNorm) => {
    const learning = { ...quantization.optimizer, learning_rate: 0.1 };
    const result = await trained(handMade(), { batch_norm: batchNorm, epochs: 12, optimizer: learning });
    const { accuracy, layers } = classified(result);
    // Three classes: guessing is right in a third.
    expect(accuracy.qat_float?.top1).toBeGreaterThan(0.6);
    expect(Math.abs(accuracy.int8.top1 - (accuracy.fake_quant?.top1 ?? 0))).toBeLessThan(0.05);
    expect(layers.map(({ name }) => name)).toEqual(expect.arrayContaining(['net/1', 'net/5', 'net/6', 'net/10']));
    const model = readTflite(readFileSync(result.file('convert', 'model.tflite')), 'm');
    expect(model.nodes.map(({ op }) => op)).not.toContain('batch_norm');
    expect(result.qat).toMatchObject({ level: 'qat', parameters: 36 + 8 + 4 + 4 + 24 + 3 });
  });
});

/** The graph with every variable renamed; the names say something else than what the variables are. */
function renamed({ graph, contract }: Model): Model {
  const endings = ['beta', 'act_quant/min', 'moving_mean', 'filter', 'weights_quant/max', 'bias'];
  const names = new Map(
    variablesOf(graph).map(({ name }, index) => [name, `v${index}/${endings[index % endings.length]!}`] as const),
  );
  const nameOf = (name: string): string => names.get(name) ?? name;
  const values = [...graph.values.values()].map(
    (value): readonly [string, Value] => [nameOf(value.name), { ...value, name: nameOf(value.name) }] as const,
  );
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(nameOf) }));
  return { graph: verify({ ...graph, values: new Map(values), nodes }), contract };
}

/** Everything of an integer model but its names: ops, types, scales, constants. */
function contentOf(result: Omit<LineResult, 'pretrain'>) {
  const graph: Graph = readTflite(readFileSync(result.file('convert', 'model.tflite')), 'm');
  return graph.nodes.map(({ op, inputs, outputs, attrs }) => ({
    ...{ op, attrs },
    values: [...inputs, ...outputs].map((name) => {
      const { type, quant, source } = valueOf(graph, name);
      return { type, quant, data: source.kind === 'constant' ? source.data.data : null };
    }),
  }));
}

describe('a network whose variables have other names', { timeout: 120_000 }, () => {
  const spec = {
    ...network(
      [
        conv('conv1', 6, 3, { batch_norm: true, stride: [2, 2] }),
        conv('conv2', 6, 3, { activation: 'leaky_relu', alpha: 0.2 }),
        { kind: 'mean', name: 'mean' },
        dense('logits', 3),
      ],
      [12, 12, 1],
    ),
    classes: dataset.classNames,
  };
  const adam: LineConfig['qat']['optimizer'] = {
    ...{ kind: 'adam', learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weight_decay: 0.1 },
    ...{ schedule: 'constant', warmup: 0 },
  };

  it.each([
    ['int8', { batch_norm: 'kept', reestimate_batch_norm: 3, optimizer: adam }],
    ['uint8', { batch_norm: 'folded', ranges: 'moving_average', merge_ranges: 'mean', optimizer: adam }],
  ] as const)('gives the same %s model', async (scheme, change) => {
    const model = newModel(spec, 5);
    const plain = await trained(model, { scheme, ...change });
    const other = await trained(renamed(model), { scheme, ...change });
    expect(contentOf(other)).toEqual(contentOf(plain));
    expect(classified(other).accuracy).toEqual(classified(plain).accuracy);
  });

  it('would not, if decay took another variable for a weight', async () => {
    const model = newModel(spec, 5);
    const values = new Map(
      [...model.graph.values].map(([name, value]) => {
        const isBias = value.source.kind === 'variable' && value.source.role === 'bias';
        return [name, isBias ? { ...value, source: { ...value.source, role: 'weight' as const } } : value] as const;
      }),
    );
    const change = { batch_norm: 'kept', optimizer: adam } as const;
    const decayed = await trained({ ...model, graph: { ...model.graph, values } }, change);
    expect(contentOf(decayed)).not.toEqual(contentOf(await trained(model, change)));
  });
});

describe('what a role decides', () => {
  it('is what is trained, unless a variable says otherwise', () => {
    const builder = buildGraph('roles', 'float');
    const data = zeros('float32', [1]);
    for (const role of ['weight', 'beta', 'moving_mean', 'slot'] as const) builder.variable(role, data, role);
    builder.variable('frozen', data, 'weight', { trainable: false });
    const graph = builder.finish([]);
    expect(variablesOf(graph).flatMap(({ name, source }) => (source.trainable ? [name] : []))).toEqual([
      'weight',
      'beta',
    ]);
  });
});
