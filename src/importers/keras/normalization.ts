/** Layers that scale and shift. */
import type { FloatTensor } from '../../core/tensor.ts';
import { floatTensor } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import { Refusal } from '../refusal.ts';
import { ConfigError, flag, number } from './json.ts';
import type { LayerCall, LayerRow } from './layer.ts';
import { add, axisOf, channelsOf, constant, unary } from './layer.ts';
import { expectShape } from './weights.ts';

const filled = (channels: number, value: number): FloatTensor =>
  floatTensor([channels], new Float32Array(channels).fill(value));

const batchNormalization: LayerRow = unary((call, input) => {
  const { config } = call;
  const rank = input.type.shape.length;
  if (axisOf(config['axis'] ?? -1, rank, 'axis') !== rank - 1) {
    throw new Refusal('it normalizes another axis than the last', 'the channels must be the last axis');
  }
  const channels = channelsOf(input);
  const [hasGamma, hasBeta] = [flag(config['scale'], true), flag(config['center'], true)];
  const names = [...(hasGamma ? ['gamma'] : []), ...(hasBeta ? ['beta'] : []), 'moving_mean', 'moving_variance'];
  const variable = (name: 'gamma' | 'beta' | 'moving_mean' | 'moving_variance', otherwise: number): ValueRef =>
    call.variable(name, name, () => {
      const index = names.indexOf(name);
      const found = index < 0 ? filled(channels, otherwise) : call.read(names)[index];
      if (found === undefined) throw new ConfigError('the file has too few weights for it');
      return expectShape(found, [channels], name);
    });
  const operands = [
    input,
    variable('gamma', 1),
    variable('beta', 0),
    variable('moving_mean', 0),
    variable('moving_variance', 1),
  ];
  return add(call, 'batch_norm', operands, { epsilon: number(config['epsilon'] ?? 1e-3, 'epsilon') });
});

/** factor * x + offset by channel, or for all of them: one op on an image, else two. */
export function scaled(
  call: LayerCall,
  input: ValueRef,
  factors: readonly number[],
  offsets: readonly number[],
): ValueRef {
  const channels = channelsOf(input);
  const spread = (values: readonly number[]): readonly number[] => {
    if (values.length === 1) return Array.from({ length: channels }, () => values[0] ?? 0);
    if (values.length === channels) return values;
    throw new ConfigError(`it has ${values.length} factors; expected one, or one for each of ${channels} channels`);
  };
  if (input.type.shape.length === 4) {
    const filter = constant(call, 'filter', [1, 1, 1, channels], spread(factors));
    const operands = [input, filter, constant(call, 'bias', [channels], spread(offsets))];
    const one = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
    return add(call, 'depthwise_conv_2d', operands, one);
  }
  const product = add(call, 'mul', [input, constant(call, 'factor', [factors.length], factors)], {
    activation: 'none',
  });
  if (offsets.every((offset) => offset === 0)) return product;
  return add(call, 'add', [product, constant(call, 'offset', [offsets.length], offsets)], { activation: 'none' });
}

const numbers = (value: unknown, what: string): readonly number[] =>
  Array.isArray(value) ? value.flat(4).map((item) => number(item, what)) : [number(value, what)];

const rescaling: LayerRow = unary((call, input) =>
  scaled(call, input, numbers(call.config['scale'], 'scale'), numbers(call.config['offset'] ?? 0, 'offset')),
);

/** Keras's smallest deviation, by which it divides. */
const smallestDeviation = 1e-7;

/** (x - mean) / max(sqrt(variance), 1e-7), with the statistics of the configuration or of the weights. */
const normalization: LayerRow = unary((call, input) => {
  const { axis = -1, mean: given = null, variance: spread = null, invert = false } = call.config;
  const rank = input.type.shape.length;
  const isLast = axis === null || axisOf(axis, rank, 'axis') === rank - 1;
  if (!isLast) throw new Refusal('it normalizes another axis than the last', 'axis must be -1 or None');
  const [means, variances]: readonly (readonly number[] | undefined)[] =
    given === null || spread === null
      ? call.read(['mean', 'variance']).map(({ data }) => [...data])
      : [numbers(given, 'mean'), numbers(spread, 'variance')];
  if (means === undefined || variances === undefined) throw new ConfigError('it has no mean and variance');
  const deviations = variances.map((variance) => Math.max(Math.sqrt(variance), smallestDeviation));
  if (flag(invert, false)) return scaled(call, input, deviations, means);
  const factors = deviations.map((deviation) => 1 / deviation);
  return scaled(
    call,
    input,
    factors,
    means.map((mean, index) => -mean * (factors[index] ?? 1)),
  );
});

export const normalizationLayers: Readonly<Record<string, LayerRow>> = {
  BatchNormalization: batchNormalization,
  BatchNormalizationV1: batchNormalization,
  BatchNormalizationV2: batchNormalization,
  Rescaling: rescaling,
  Normalization: normalization,
};
