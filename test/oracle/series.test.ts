/** Layers over the steps of a series give what Keras's layers of the same words give. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { expectDType, floatTensor, numElements } from '../../src/core/tensor.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { Layer } from '../../src/models/layers.ts';
import { infer, largestDifference, network, uniform } from '../models/networks.ts';
import type { Oracle } from './oracle.ts';
import { expectTensor, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { buildModel } from '../models/forms.ts';

const CASES = Number(process.env['ORACLE_SERIES_CASES'] ?? 40);
/** Sums of a few dozen products of float32, in another order. */
const TOLERANCE = 1e-5;

const pick = <T>(random: Random, ...choices: readonly T[]): T => choices[random.below(choices.length)]!; // not empty

const paddings = ['same', 'valid'] as const;
const withCausal = [...paddings, 'causal'] as const;

/** [steps, channels] of a series as the images that a layer takes. */
const images: readonly ((steps: number, channels: number) => readonly [number, number, number])[] = [
  (steps, channels) => [1, steps, channels],
  (steps, channels) => [steps, 1, channels],
  (steps, channels) => [steps, channels, 1],
];

describe.skipIf(!hasOracle)(`layers of series, ORACLE_SEED=${seed}`, { timeout: 120_000 }, () => {
  let oracle: Oracle;
  beforeAll(() => void (oracle = openOracle()));
  afterAll(() => oracle.close());

  it(`equal Keras's in ${CASES} random cases, whatever image the series comes as`, async () => {
    let values = 0;
    for (let index = 0; index < CASES; index++) {
      const random = createRandom(seed, 'series', `${index}`);
      const [steps, channels] = [6 + random.below(12), 2 + random.below(4)];
      const { layer, expression, filterShape } = drawLayer(random, channels);
      const input = uniform(random, [1, steps, channels]);
      const filter = uniform(random, filterShape);
      const keras = expectTensor(await oracle.evaluate(expression, { input, filter }));
      for (const image of images) {
        const { output, shape } = await ours(layer, image(steps, channels), input, filter);
        const what = `${index}: ${JSON.stringify(layer)}`;
        // Rows stay rows and columns columns.
        const [, outputSteps = 0, outputChannels = 0] = keras.shape;
        expect([...shape].sort(), what).toEqual([1, 1, outputSteps, outputChannels].sort());
        expect(largestDifference(output, expectDType(keras, 'float32').data), what).toBeLessThan(TOLERANCE);
        values += output.length;
      }
    }
    console.info(`${values} values of layers over series equal Keras's`);
  });
});

interface Drawn {
  readonly layer: Layer;
  /** Keras's layer, applied to `input`; its filter is `filter`. */
  readonly expression: string;
  /** In Keras's order: [kernel, channels, filters] or [kernel, channels, multiplier]. */
  readonly filterShape: Shape;
}

function drawLayer(random: Random, channels: number): Drawn {
  const size = 1 + random.below(4);
  if (pick(random, true, false)) {
    const [kind, keras] = pick(
      random,
      ['max_pool_1d', 'MaxPool1D'] as const,
      ['average_pool_1d', 'AveragePooling1D'] as const,
    );
    const [stride, padding] = [1 + random.below(3), pick(random, ...paddings)];
    return {
      layer: { kind, name: 'layer', window: size, stride, padding },
      expression: `tf.keras.layers.${keras}(${size}, ${stride}, '${padding}')(input)`,
      filterShape: [1],
    };
  }
  const stride = pick(random, 1, 2, 3);
  const dilation = stride === 1 ? pick(random, 1, 2) : 1;
  const common = { name: 'layer', kernel: size, stride, dilation, bias: false, batch_norm: false } as const;
  if (pick(random, true, false)) {
    const [filters, padding] = [1 + random.below(4), pick(random, ...withCausal)];
    const options = `padding='${padding}', strides=${stride}, dilation_rate=${dilation}, use_bias=False`;
    return {
      layer: { ...common, kind: 'conv_1d', filters, padding, activation: 'none' },
      expression: `tf.keras.layers.Conv1D(${filters}, ${size}, ${options}, kernel_initializer=lambda *_, **__: filter)(input)`,
      filterShape: [size, channels, filters],
    };
  }
  // Keras's has no causal padding.
  const [multiplier, padding] = [1 + random.below(3), pick(random, ...paddings)];
  const options = `padding='${padding}', strides=${stride}, dilation_rate=${dilation}, use_bias=False, depth_multiplier=${multiplier}`;
  return {
    layer: { ...common, kind: 'depthwise_conv_1d', multiplier, padding, activation: 'none' },
    expression: `tf.keras.layers.DepthwiseConv1D(${size}, ${options}, depthwise_initializer=lambda *_, **__: filter)(input)`,
    filterShape: [size, channels, multiplier],
  };
}

/** The layer's output and its shape. */
async function ours(
  layer: Layer,
  image: readonly [number, number, number],
  input: FloatTensor,
  filter: FloatTensor,
): Promise<{ readonly output: Float32Array; readonly shape: Shape }> {
  const tensor = (_name: string, shape: Shape) => floatTensor(shape, inOurOrder(layer, filter, numElements(shape)));
  const graph = buildModel(network([layer], image), 1, 'inference', { kind: 'given', tensor });
  const output = await infer(graph, input.data);
  return { output, shape: valueOf(graph, graph.outputs[0] ?? '').type.shape };
}

/** [kernel, channels, filters] as [filters, kernel, channels]; a depthwise filter has the order that ours has. */
function inOurOrder(layer: Layer, { shape, data }: FloatTensor, count: number): Float32Array {
  if (layer.kind !== 'conv_1d') return data;
  const [, , filters = 1] = shape;
  const inner = count / filters;
  return data.map((_, at) => data[(at % inner) * filters + Math.floor(at / inner)]!);
}
