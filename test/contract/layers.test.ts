/** Every kind of layer and every activation goes the whole way: float, fake quant, eval graph, frozen graph, file. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Split } from '../../src/data/dataset.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { variablesOf } from '../../src/graph/graph.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { dropoutKeyInput } from '../../src/passes/index.ts';
import type { ActivationFunction, Layer } from '../../src/models/layers.ts';
import { activationFunctions } from '../../src/models/layers.ts';
import type { BatchNormForm } from '../../src/passes/index.ts';
import { freezePasses, lossNames, lowerToIntegers, runPasses } from '../../src/passes/index.ts';
import { numElements, tensor } from '../../src/core/tensor.ts';
import { tensorSource } from '../../src/training/checkpoint.ts';
import { compareLayers } from '../../src/evaluation/layer-comparison.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { tasks } from '../../src/tasks/index.ts';
import { conv, dense, network, pool, trainingFeeds } from '../models/networks.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { evalGraph, floatGraph, trainingGraph } from '../models/forms.ts';

const BATCH = 6;

type LayerOf<K extends Layer['kind']> = Extract<Layer, { kind: K }>;

const transposeConv: LayerOf<'transpose_conv'> = {
  kind: 'transpose_conv',
  name: 'layer',
  filters: 5,
  kernel: [3, 3],
  stride: [2, 2],
  padding: 'same',
  bias: true,
  batch_norm: false,
  activation: 'relu',
};

const series = { kernel: 3, stride: 1, dilation: 1, bias: true, batch_norm: false, activation: 'relu' } as const;

/** The 36 pixels of the first convolution as the steps of a series. */
const asRow: Layer = { kind: 'reshape', name: 'steps', shape: [1, 36, 4] };
const asColumn: Layer = { kind: 'reshape', name: 'steps', shape: [36, 1, 4] };
const asSteps: Layer = { kind: 'reshape', name: 'steps', shape: [36, 4] };

const depthwise: LayerOf<'depthwise_conv_2d'> = {
  kind: 'depthwise_conv_2d',
  name: 'layer',
  multiplier: 2,
  kernel: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: 'same',
  bias: true,
  batch_norm: true,
  activation: 'relu6',
};

/** What stands between the convolution `first` ([6, 6, 4], after relu) and the last fully connected layer. */
const samples: { readonly [K in Layer['kind']]: readonly (readonly [title: string, layers: readonly Layer[]])[] } = {
  conv_2d: [['after batch norm', [conv('layer', 5, 3, { batch_norm: true })]]],
  depthwise_conv_2d: [['with two filters a channel', [depthwise]]],
  transpose_conv: [
    ['twice as large', [transposeConv]],
    ['what the filter reaches', [{ ...transposeConv, padding: 'valid', stride: [1, 2], bias: false }]],
    ['after batch norm', [{ ...transposeConv, batch_norm: true, activation: 'hard_swish' }]],
  ],
  fully_connected: [['after batch norm', [dense('layer', 8, { batch_norm: true, activation: 'relu' })]]],
  max_pool_2d: [['of 2x2', [pool('max_pool_2d', 'layer')]]],
  average_pool_2d: [['of 2x2', [pool('average_pool_2d', 'layer')]]],
  conv_1d: [
    ['over a row', [asRow, { ...series, kind: 'conv_1d', name: 'layer', filters: 5, stride: 2, padding: 'same' }]],
    ['over a column', [asColumn, { ...series, kind: 'conv_1d', name: 'layer', filters: 5, padding: 'valid' }]],
    [
      'over steps, causal, after batch norm',
      [asSteps, { ...series, kind: 'conv_1d', name: 'layer', filters: 5, padding: 'causal', batch_norm: true }],
    ],
    [
      'over an image of one channel',
      [conv('flat', 1, 3), { ...series, kind: 'conv_1d', name: 'layer', filters: 5, padding: 'same' }],
    ],
  ],
  depthwise_conv_1d: [
    [
      'with a stride',
      [asRow, { ...series, kind: 'depthwise_conv_1d', name: 'layer', multiplier: 2, stride: 2, padding: 'same' }],
    ],
    [
      'causal and dilated',
      [
        asColumn,
        { ...series, kind: 'depthwise_conv_1d', name: 'layer', multiplier: 1, dilation: 3, padding: 'causal' },
      ],
    ],
  ],
  max_pool_1d: [['over a row', [asRow, { kind: 'max_pool_1d', name: 'layer', window: 3, stride: 2, padding: 'same' }]]],
  average_pool_1d: [
    ['over a column', [asColumn, { kind: 'average_pool_1d', name: 'layer', window: 4, stride: 4, padding: 'valid' }]],
  ],
  mean: [
    ['as rows', [{ kind: 'mean', name: 'layer' }]],
    ['as images of one pixel', [{ kind: 'mean', name: 'layer', keep_dims: true }]],
  ],
  sum: [['as rows', [{ kind: 'sum', name: 'layer' }]]],
  flatten: [['of an image', [{ kind: 'flatten', name: 'layer' }]]],
  batch_norm: [
    ['behind a convolution', [conv('before', 5, 3, { activation: 'none' }), { kind: 'batch_norm', name: 'layer' }]],
    ['behind a depthwise one', [depthwiseAlone(), { kind: 'batch_norm', name: 'layer' }]],
    [
      'behind a transposed one',
      [
        { ...transposeConv, name: 'before', activation: 'none' },
        { kind: 'batch_norm', name: 'layer' },
      ],
    ],
  ],
  activation: activationFunctions.map(
    (name) => [name, [{ kind: 'activation', name: 'layer', function: name }]] as const,
  ),
  add: [
    ['of a branch', branch({ kind: 'add', name: 'layer', with: 'first', activation: 'none' })],
    ['of a number', [{ kind: 'add', name: 'layer', with: -0.25, activation: 'relu' }]],
    ['of zero', [{ kind: 'add', name: 'layer', with: 0, activation: 'none' }]],
    ['with leaky_relu', branch({ kind: 'add', name: 'layer', with: 'first', activation: 'leaky_relu', alpha: 0.1 })],
  ],
  sub: [
    ['of a branch', branch({ kind: 'sub', name: 'layer', with: 'first', activation: 'relu' })],
    ['of a number for each channel', [{ kind: 'sub', name: 'layer', with: [0.5, 0, -1, 2], activation: 'relu6' }]],
  ],
  mul: [
    ['by a number', [{ kind: 'mul', name: 'layer', with: -0.75, activation: 'none' }]],
    [
      'by a number for each channel, of rows',
      [
        { kind: 'mean', name: 'rows' },
        { kind: 'mul', name: 'layer', with: [1, 2, 3, 4], activation: 'tanh' },
      ],
    ],
    ['of a branch', branch({ kind: 'mul', name: 'layer', with: 'first', activation: 'none' })],
    [
      'by a gate for each channel',
      [
        { kind: 'mean', name: 'squeezed', keep_dims: true },
        conv('gate', 4, 1, { activation: 'logistic' }),
        { kind: 'mul', name: 'layer', with: 'first', activation: 'none' },
      ],
    ],
  ],
  concatenation: [
    ['of channels', branch({ kind: 'concatenation', name: 'layer', with: ['first'], axis: -1 })],
    ['of rows, in three', branch({ kind: 'concatenation', name: 'layer', with: ['first', 'first2'], axis: 1 }, true)],
  ],
  softmax: [],
  dropout: [
    ['behind a rectifier', [{ kind: 'dropout', name: 'layer', rate: 0.25 }]],
    [
      'before a pool',
      [{ kind: 'dropout', name: 'layer', rate: 0.25 }, pool('average_pool_2d', 'pool'), pool('max_pool_2d', 'pool2')],
    ],
    [
      'between a layer and its activation',
      [
        conv('before', 5, 3, { activation: 'none' }),
        { kind: 'dropout', name: 'layer', rate: 0.25 },
        { kind: 'activation', name: 'after', function: 'relu' },
      ],
    ],
    [
      'into a concatenation',
      [
        conv('before', 5, 3, { activation: 'none' }),
        { kind: 'dropout', name: 'layer', rate: 0.25 },
        { kind: 'concatenation', name: 'after', with: ['first'], axis: 3 },
      ],
    ],
  ],
  pad: [['differently on all sides', [{ kind: 'pad', name: 'layer', top: 1, bottom: 0, left: 2, right: 1 }]]],
  resize_bilinear: [
    ['by a factor', [{ kind: 'resize_bilinear', name: 'layer', factor: [2, 1] }]],
    ['to a size', [{ kind: 'resize_bilinear', name: 'layer', size: [4, 9] }]],
  ],
  resize_nearest_neighbor: [['by a factor', [{ kind: 'resize_nearest_neighbor', name: 'layer', factor: [2, 2] }]]],
  l2_normalization: [['of each pixel', [{ kind: 'l2_normalization', name: 'layer' }]]],
  reshape: [['with one size left open', [{ kind: 'reshape', name: 'layer', shape: [9, -1, 4] }]]],
  transpose: [['channels first', [{ kind: 'transpose', name: 'layer', permutation: [3, 1, 2] }]]],
  squeeze: [
    [
      'of all axes of size 1',
      [
        { kind: 'mean', name: 'squeezed', keep_dims: true },
        { kind: 'squeeze', name: 'layer', axes: [] },
      ],
    ],
  ],
  strided_slice: [
    ['a crop', [{ kind: 'strided_slice', name: 'layer', begin: [1, -4], end: [5, 99], strides: [1, 2] }]],
  ],
};

function depthwiseAlone(): Layer {
  return { ...depthwise, name: 'before', batch_norm: false, activation: 'none' };
}

function branch(last: Layer, second = false): readonly Layer[] {
  const other = second ? [conv('first2', 4, 3, { input: 'first', activation: 'tanh' })] : [];
  return [...other, conv('other', 4, 3, { input: 'first', activation: 'none' }), last];
}

describe('a network of conv_2d, layer, fully_connected trains and agrees with its file', () => {
  for (const [kind, cases] of Object.entries(samples)) {
    for (const [title, layers] of cases) {
      it(`with ${kind} ${title}`, () => goTheWholeWay([conv('first', 4, 3), ...layers, dense('logits', 3)]), 30_000);
    }
  }
  // The loss takes the logits, so softmax is the last layer.
  it(
    'with softmax at the end',
    () => goTheWholeWay([conv('first', 4, 3), dense('logits', 3), { kind: 'softmax', name: 'softmax' }]),
    30_000,
  );
});

describe.each(['kept', 'folded'] as const)('batch norm that no layer before it can take in, %s', (form) => {
  const norm: Layer = { kind: 'batch_norm', name: 'layer' };
  const cases: Readonly<Record<string, readonly Layer[]>> = {
    'of the input': [norm, conv('first', 4, 3), dense('logits', 3)],
    'behind a rectifier, with one of its own': [
      conv('first', 4, 3),
      norm,
      { kind: 'activation', name: 'after', function: 'relu6' },
      dense('logits', 3),
    ],
    'behind a pool': [conv('first', 4, 3), pool('average_pool_2d', 'pool'), norm, dense('logits', 3)],
    'of a sum': [
      conv('first', 4, 3),
      ...branch({ kind: 'add', name: 'sum', with: 'first', activation: 'none' }),
      norm,
      dense('logits', 3),
    ],
    'into a concatenation': [
      conv('first', 4, 3),
      norm,
      { kind: 'concatenation', name: 'joined', with: ['first'], axis: -1 },
      dense('logits', 3),
    ],
    'of rows': [conv('first', 4, 3), dense('hidden', 6, { activation: 'tanh' }), norm, dense('logits', 3)],
    'of another batch norm': [conv('first', 4, 3, { activation: 'none', batch_norm: true }), norm, dense('logits', 3)],
    'of steps': [conv('first', 4, 3), asSteps, norm, { kind: 'flatten', name: 'flat' }, dense('logits', 3)],
    'behind dropout': [
      conv('first', 4, 3, { activation: 'none' }),
      { kind: 'dropout', name: 'drop', rate: 0.1 },
      norm,
      dense('logits', 3),
    ],
    'that others read past': [
      conv('first', 4, 3, { activation: 'none' }),
      norm,
      { kind: 'mul', name: 'product', with: 'first', activation: 'none' },
      dense('logits', 3),
    ],
  };
  it.each(Object.keys(cases))('%s', (title) => goTheWholeWay(cases[title]!, form), 30_000);
});

describe('an activation of a layer', () => {
  const activated = (activation: ActivationFunction, batchNorm: boolean) =>
    goTheWholeWay([
      conv('first', 4, 3, { activation, batch_norm: batchNorm }),
      pool('max_pool_2d', 'pool'),
      dense('hidden', 6, { activation }),
      dense('logits', 3),
    ]);
  it.each(activationFunctions)('can be %s', (name) => activated(name, false), 30_000);
  it.each(activationFunctions)('can be %s behind batch norm', (name) => activated(name, true), 30_000);
});

async function goTheWholeWay(layers: readonly Layer[], batchNorm: 'kept' | 'folded' = 'kept'): Promise<void> {
  const spec = network(layers);
  const form = { scheme: 'int8', denseWeights: 'per_channel', observe: 'after_activation', batchNorm } as const;
  const averages = {
    delay: 3,
    estimator: { kind: 'moving_average', decay: 0.5 },
    merge: 'mean',
    dropout: 'always',
  } as const;
  const training: BatchNormForm = batchNorm === 'kept' ? { kind: 'kept' } : { kind: 'folded', freezeDelay: null };
  const quantization = { ...form, ...averages, batchNorm: training };
  const sgd = { kind: 'sgd', momentum: 0.5, nesterov: false, weightDecay: 0 } as const;
  const loss = tasks[spec.task].loss({}, spec, null);
  const graph = trainingGraph(spec, BATCH, { kind: 'random', seed: 3 }, quantization, sgd, loss);
  const session = await wasmEngine.open(graph, { replicas: 1, threads: 1 });
  const losses: number[] = [];
  const trained = new Map<string, ReturnType<typeof tensor<'float32'>>>();
  try {
    for (let step = 0; step < 12; step++) {
      const feeds = new Map(trainingFeeds(graph, 1, BATCH, 0.05));
      if (graph.inputs.includes(dropoutKeyInput)) feeds.set(dropoutKeyInput, Float32Array.of(step, 7));
      losses.push((await session.run(feeds)).get(lossNames.loss)![0]!);
    }
    for (const { name, type } of variablesOf(graph)) {
      trained.set(name, tensor('float32', type.shape, session.read(name)));
    }
  } finally {
    await session.close();
  }
  expect(Math.min(...losses.slice(-3)), 'loss').toBeLessThan(losses[0]!);

  const source = tensorSource(trained, 'trained');
  floatGraph(spec, 1, source);
  const { graphDef, variables } = exportGraphDef(evalGraph(spec, 1, source, form));
  const imported = importGraphDef(graphDef, variables, 'eval.pb');
  const frozen = exportGraphDef(runPasses(imported, freezePasses));
  const lowered = lowerToIntegers(importGraphDef(frozen.graphDef, new Map(), 'frozen.pb'), 'int8', 'frozen.pb').graph;
  const interpreter = prepareInterpreter(readTflite(writeTflite(lowered), 'model.tflite'), 'model.tflite');
  const open = (graph: typeof imported) => wasmEngine.open(graph, { replicas: 1, threads: 1 });
  const turn = () => Promise.resolve();
  const { layers: compared } = await compareLayers(interpreter, imported, images(), spec.normalize, open, turn);
  // Over all values: the few logits alone may gather the steps of the layers before them.
  let [within, total] = [0, 0];
  for (const { shape, withinOneStep } of compared) {
    within += (withinOneStep ?? 0) * numElements(shape);
    total += numElements(shape);
  }
  expect(within / total).toBeGreaterThanOrEqual(0.995);
}

function images(): Split {
  const random = createRandom(2, 'images');
  const count = 64;
  const pixels = Uint8Array.from({ length: count * 6 * 6 * 2 }, () => random.below(256));
  return { count, targets: null, inputs: inputsOf(pixels, 6 * 6 * 2), labels: new Uint8Array(count) };
}
