/** Networks as users write them: the presets, the quickstart's layers, and random ones. */
import type { Random } from '../../src/core/random.ts';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Activated, Layer, ModelSpec } from '../../src/models/layers.ts';
import { activationFunctions } from '../../src/models/layers.ts';
import { ShapeError } from '../../src/ops/define.ts';
import type { QuantizationForm } from '../../src/evaluation/graphs.ts';
import { conv, dense, network, pool, uniform } from '../models/networks.ts';
import { presetNetwork, unitPresets } from '../models/unit-presets.ts';
import { evalGraph } from '../models/forms.ts';

const quickstart: readonly Layer[] = [
  conv('conv_2d_1', 8, 3),
  pool('max_pool_2d', 'max_pool_2d_1'),
  conv('conv_2d_2', 16, 3),
  pool('max_pool_2d', 'max_pool_2d_2'),
  { kind: 'flatten', name: 'flatten_1' },
  dense('fully_connected_1', 64, { activation: 'relu' }),
  dense('fully_connected_2', 10),
];

/** The quickstart and every preset. */
export const namedNetworks: readonly ModelSpec[] = [
  { ...network(quickstart, [16, 16, 1]), name: 'quickstart' },
  ...unitPresets.map((preset) => presetNetwork(preset, ['a', 'b', 'c', 'd', 'e'])),
];

const defaults = { denseWeights: 'per_channel', observe: 'after_activation' } as const;

/** Each scheme with the batch norm that it is trained with by default, and int8 with one range for a dense layer. */
export const quantizationForms = {
  int8: { ...defaults, scheme: 'int8', batchNorm: 'kept' },
  'int8 (dense per tensor)': { ...defaults, scheme: 'int8', denseWeights: 'per_tensor', batchNorm: 'folded' },
  uint8: { ...defaults, scheme: 'uint8', batchNorm: 'folded' },
} as const satisfies { readonly [name: string]: QuantizationForm };

export type QuantizationFormName = keyof typeof quantizationForms;

/** Up to four blocks, which together draw from every kind of layer, then a classifier. All fit: others are drawn again. */
export const randomNetwork = (random: Random): ModelSpec => drawUntilItFits(random, drawNetwork);

/** One to four layers over the steps of a row, of a column or of a spectrogram, then a classifier. */
export const randomSeriesNetwork = (random: Random): ModelSpec => drawUntilItFits(random, drawSeriesNetwork);

function drawUntilItFits(random: Random, draw: (random: Random) => ModelSpec): ModelSpec {
  for (;;) {
    const spec = draw(random);
    try {
      evalGraph(spec, 1, trainedTensors(0), quantizationForms.int8);
      return spec;
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
}

type Choose = <T>(...options: readonly T[]) => T;

function drawNetwork(random: Random): ModelSpec {
  const choose: Choose = (...options) => options[random.below(options.length)]!;
  const blocks = Array.from({ length: random.below(5) }, (_, index) => drawBlock(`block${index}`, random, choose));
  const layers = [...blocks.flat(), ...drawHead(random, choose)];
  return network(layers, [3 + random.below(10), 3 + random.below(10), 1 + random.below(3)]);
}

function drawSeriesNetwork(random: Random): ModelSpec {
  const choose: Choose = (...options) => options[random.below(options.length)]!;
  const layers = Array.from({ length: 1 + random.below(4) }, (_, at) => drawSeriesLayer(`series${at}`, random, choose));
  const [steps, channels] = [8 + random.below(20), 2 + random.below(5)];
  const image = choose<ModelSpec['image']>([1, steps, channels], [steps, 1, channels], [steps, channels, 1]);
  return network([...layers, ...drawHead(random, choose)], image);
}

const seriesPaddings = ['same', 'valid', 'causal'] as const;

function drawSeriesLayer(name: string, random: Random, choose: Choose): Layer {
  if (choose(true, false, false)) {
    const sizes = { window: 1 + random.below(3), stride: 1 + random.below(2) };
    return { kind: choose('max_pool_1d', 'average_pool_1d'), name, ...sizes, padding: choose('same', 'valid') };
  }
  if (choose(true, false, false)) return drawWithConstant(name, random, choose);
  if (choose(true, false, false, false)) return { kind: 'batch_norm', name };
  const stride = choose(1, 1, 2);
  const affine = {
    ...{ name, kernel: 1 + random.below(5), stride, padding: choose(...seriesPaddings) },
    ...{ bias: choose(true, false), batch_norm: choose(true, false), ...drawActivation(choose) },
  };
  return choose(true, false)
    ? { ...affine, kind: 'conv_1d', filters: 1 + random.below(8), dilation: stride === 1 ? choose(1, 1, 2, 3) : 1 }
    : { ...affine, kind: 'depthwise_conv_1d', multiplier: 1 + random.below(2), dilation: 1 };
}

/** A list that is as long as there are channels fits, and others are drawn again. */
function drawWithConstant(name: string, random: Random, choose: Choose): Layer {
  const number = (): number => choose(0.3, 1, -0.5, 2.5, 0);
  const numbers = choose<number | readonly number[]>(number(), Array.from({ length: 1 + random.below(6) }, number));
  return { kind: choose('add', 'sub', 'mul'), name, with: numbers, ...drawActivation(choose) };
}

const rectifiers = ['none', 'relu', 'relu6'] as const;

function drawActivation(choose: Choose): Activated {
  const activation = choose(...rectifiers, ...rectifiers, choose(...activationFunctions));
  return { activation, ...(activation === 'leaky_relu' ? { alpha: choose(0.1, 0.3) } : {}) };
}

function drawConvolution(name: string, filters: number, random: Random, choose: Choose): Layer {
  return conv(name, filters, 1, {
    kernel: [1 + random.below(4), 1 + random.below(4)],
    stride: choose([1, 1], [2, 1], [2, 2]),
    dilation: choose([1, 1], [1, 1], [2, 2]),
    padding: choose('same', 'valid'),
    bias: choose(true, false),
    batch_norm: choose(true, false),
    ...drawActivation(choose),
  });
}

function drawBlock(name: string, random: Random, choose: Choose): readonly Layer[] {
  const side = (): number => random.below(3);
  switch (random.below(18)) {
    case 0:
    case 1:
      return [
        {
          kind: choose('max_pool_2d', 'average_pool_2d'),
          name,
          window: [1 + random.below(3), 1 + random.below(3)],
          stride: [1 + random.below(2), 1 + random.below(2)],
          padding: choose('same', 'valid'),
        },
      ];
    case 2:
    case 3:
      return drawBranches(name, 1 + random.below(8), choose);
    case 4:
    case 5:
    case 6:
      return [
        {
          kind: 'depthwise_conv_2d',
          name,
          multiplier: 1 + random.below(2),
          kernel: [1 + random.below(4), 1 + random.below(4)],
          // TensorFlow has no kernel for unequal strides.
          stride: choose([1, 1], [2, 2]),
          dilation: [1, 1],
          padding: choose('same', 'valid'),
          bias: choose(true, false),
          batch_norm: choose(true, false),
          ...drawActivation(choose),
        },
      ];
    case 7:
      return [
        {
          kind: 'transpose_conv',
          name,
          filters: 1 + random.below(6),
          // TensorFlow has no kernel for strides larger than the filter.
          kernel: [2 + random.below(3), 2 + random.below(3)],
          stride: choose([1, 1], [2, 1], [2, 2]),
          padding: choose('same', 'valid'),
          bias: choose(true, false),
          batch_norm: choose(true, false),
          ...drawActivation(choose),
        },
      ];
    case 8:
      return [
        { kind: choose('resize_bilinear', 'resize_nearest_neighbor'), name, size: [2 + side() * 3, 2 + side() * 3] },
      ];
    case 9:
      return [{ kind: 'activation', name, function: choose(...activationFunctions), alpha: 0.2 }];
    case 10:
      return [drawMove(name, random, choose)];
    case 11:
      return [{ kind: 'l2_normalization', name }];
    case 12:
      return [{ kind: 'batch_norm', name }];
    case 13:
      return [drawWithConstant(name, random, choose)];
    default:
      return [drawConvolution(name, 1 + random.below(8), random, choose)];
  }
}

/** Two layers of one shape that come together: a layer and what reads it, or two that read one. */
function drawBranches(name: string, filters: number, choose: Choose): readonly Layer[] {
  const branch = (branchName: string, size: number, input?: string): Layer => ({
    ...conv(branchName, filters, size, { batch_norm: choose(true, false), ...drawActivation(choose) }),
    ...(input === undefined ? {} : { input }),
  });
  const [left, right] = [`${name}_left`, `${name}_right`];
  const [first, ...branches] = choose(true, false)
    ? ([name, branch(name, choose(1, 2, 3)), branch(right, 3)] as const)
    : ([left, branch(name, 1), branch(left, choose(1, 2, 3)), branch(right, 3, name)] as const);
  const together = choose('add', 'add', 'sub', 'mul', 'concatenation');
  const end = `${name}_${together}`;
  return together === 'concatenation'
    ? [...branches, { kind: together, name: end, with: [first], axis: choose(-1, 1, 2) }]
    : [...branches, { kind: together, name: end, with: first, ...drawActivation(choose) }];
}

/** Values that only change their places, or some of them: the converter leaves out what does nothing. */
function drawMove(name: string, random: Random, choose: Choose): Layer {
  const side = (): number => random.below(3);
  switch (choose('pad', 'transpose', 'strided_slice', 'reshape')) {
    case 'pad':
      return { kind: 'pad', name, top: 1 + side(), bottom: side(), left: side(), right: side() };
    case 'transpose':
      return { kind: 'transpose', name, permutation: choose([2, 1, 3], [1, 3, 2], [3, 1, 2], [3, 2, 1]) };
    case 'strided_slice':
      return {
        ...{ kind: 'strided_slice', name, begin: [1 + side(), side()], end: [99, choose(-1, 99)] },
        strides: [1 + side(), choose(1, 2)],
      };
    case 'reshape':
      return { kind: 'reshape', name, shape: [-1, 1 + side(), 1 + side()] };
  }
}

/** From an image to logits, or to probabilities. */
function drawHead(random: Random, choose: Choose): readonly Layer[] {
  const toRow: readonly Layer[] = choose<readonly Layer[]>(
    [{ kind: 'mean', name: 'mean' }],
    [{ kind: 'mean', name: 'mean' }],
    [{ kind: 'sum', name: 'sum' }],
    [
      { kind: 'mean', name: 'mean', keep_dims: true },
      { kind: 'squeeze', name: 'squeeze', axes: [1, 2] },
    ],
    [{ kind: 'flatten', name: 'flatten' }],
    [{ kind: 'flatten', name: 'flatten' }],
    [{ kind: 'flatten', name: 'flatten' }],
  );
  const hidden = choose(true, false) ? [dense('hidden', 1 + random.below(12), drawActivation(choose))] : [];
  const normalized: readonly Layer[] =
    hidden.length > 0 && choose(true, false) ? [{ kind: 'batch_norm', name: 'normalized' }] : [];
  const logits = dense('logits', 2 + random.below(9), { bias: choose(true, false) });
  const end: readonly Layer[] = choose(true, false, false) ? [{ kind: 'softmax', name: 'softmax' }] : [];
  return [...toRow, ...hidden, ...normalized, logits, ...end];
}

/** Variables of the sizes that training gives; the shape may be left out when it was given before. */
export function trainedTensors(seed: number): (name: string, shape?: Shape) => FloatTensor {
  const known = new Map<string, FloatTensor>();
  const draw = (name: string, shape: Shape): FloatTensor => {
    const random = createRandom(seed, 'trained', name);
    if (name.endsWith('/moving_variance')) return uniform(random, shape, 0.3, 2);
    if (name.endsWith('/gamma')) return uniform(random, shape, 0.5, 1.5);
    if (name.endsWith('/min')) return uniform(random, shape, -2, -0.5);
    if (name.endsWith('/max')) return uniform(random, shape, 0.5, 4);
    if (name.endsWith('/filter')) {
      const limit = Math.sqrt(6 / numElements(shape.slice(1)));
      return uniform(random, shape, -limit, limit);
    }
    return uniform(random, shape, -0.3, 0.3);
  };
  return (name, shape = []) => {
    const drawn = known.get(name) ?? draw(name, shape);
    known.set(name, drawn);
    return drawn;
  };
}
