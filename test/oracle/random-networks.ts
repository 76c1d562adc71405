/** Networks as users write them: the presets, the quickstart's layers, and random ones. */
import type { Random } from '../../src/core/random.ts';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';
import { lenet5, mlp } from '../../src/models/presets.ts';
import { ShapeError } from '../../src/ops/define.ts';
import type { Scheme } from '../../src/passes/index.ts';
import type { QuantizationForm } from '../../src/stages/graphs.ts';
import { evalGraph } from '../../src/stages/graphs.ts';
import { conv, dense, network, pool, uniform } from '../models/networks.ts';

const quickstart: readonly Layer[] = [
  conv('conv_2d_1', 8, 3),
  pool('max_pool_2d', 'max_pool_2d_1'),
  conv('conv_2d_2', 16, 3),
  pool('max_pool_2d', 'max_pool_2d_2'),
  { kind: 'flatten', name: 'flatten_1' },
  dense('fully_connected_1', 64, { activation: 'relu' }),
  dense('fully_connected_2', 10),
];

export const namedNetworks: readonly ModelSpec[] = [
  { ...network(lenet5(10), [28, 28, 1]), name: 'lenet5' },
  { ...network(mlp([128, 64], 10), [28, 28, 1]), name: 'mlp' },
  { ...network(quickstart, [16, 16, 1]), name: 'quickstart' },
];

/** Each scheme with the batch norm that it is trained with by default. */
export const quantizationForms: { readonly [S in Scheme]: QuantizationForm } = {
  int8: { scheme: 'int8', observe: 'after_activation', batchNorm: 'kept' },
  uint8: { scheme: 'uint8', observe: 'after_activation', batchNorm: 'folded' },
};

/** One to four blocks of convolutions, pools and shortcuts, then a classifier. All fit: others are drawn again. */
export function randomNetwork(random: Random): ModelSpec {
  for (;;) {
    const spec = drawNetwork(random);
    try {
      evalGraph(spec, 1, trainedTensors(0), quantizationForms.int8);
      return spec;
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
}

function drawNetwork(random: Random): ModelSpec {
  const choose = <T>(...options: readonly T[]): T => options[random.below(options.length)]!;
  const layers: Layer[] = [];
  const blocks = random.below(5);
  const image = [3 + random.below(10), 3 + random.below(10), 1 + random.below(3)] as const;
  let channels: number = image[2];
  for (let block = 0; block < blocks; block++) {
    const name = `block${block}`;
    switch (random.below(8)) {
      case 0:
        layers.push({
          kind: choose('max_pool_2d', 'average_pool_2d'),
          name,
          window: [1 + random.below(3), 1 + random.below(3)],
          stride: [1 + random.below(2), 1 + random.below(2)],
          padding: choose('same', 'valid'),
        });
        break;
      case 1:
        // A shortcut: a convolution added to what it read.
        if (layers.length > 0) {
          const before = layers.at(-1)!.name;
          layers.push(conv(name, channels, 3, { activation: choose('none', 'relu'), batch_norm: choose(true, false) }));
          layers.push({ kind: 'add', name: `${name}/sum`, with: before, activation: choose('none', 'relu', 'relu6') });
        }
        break;
      case 2:
      case 3: {
        const multiplier = 1 + random.below(2);
        channels *= multiplier;
        layers.push({
          kind: 'depthwise_conv_2d',
          name,
          multiplier,
          kernel: [1 + random.below(4), 1 + random.below(4)],
          // TensorFlow has no kernel for unequal strides.
          stride: choose([1, 1], [2, 2]),
          dilation: [1, 1],
          padding: choose('same', 'valid'),
          bias: choose(true, false),
          batch_norm: choose(true, false),
          activation: choose('none', 'relu', 'relu6'),
        });
        break;
      }
      default:
        channels = 1 + random.below(8);
        layers.push(
          conv(name, channels, 1, {
            kernel: [1 + random.below(4), 1 + random.below(4)],
            stride: choose([1, 1], [2, 1], [2, 2]),
            dilation: choose([1, 1], [1, 1], [2, 2]),
            padding: choose('same', 'valid'),
            bias: choose(true, false),
            batch_norm: choose(true, false),
            activation: choose('none', 'relu', 'relu6'),
          }),
        );
    }
  }
  if (random.below(2) === 0) layers.push({ kind: 'mean', name: 'mean' });
  else layers.push({ kind: 'flatten', name: 'flatten' });
  if (random.below(2) === 0)
    layers.push(dense('hidden', 1 + random.below(12), { activation: choose('relu', 'relu6') }));
  layers.push(dense('logits', 2 + random.below(9), { bias: choose(true, false) }));
  if (random.below(3) === 0) layers.push({ kind: 'softmax', name: 'softmax' });
  return network(layers, image);
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
