/** Activation functions, as layers and as arguments of layers. */
import { isRecord } from '../../core/schema.ts';
import type { ValueRef } from '../../ops/define.ts';
import { Refusal } from '../refusal.ts';
import { clipped, hardSigmoid as spelledHardSigmoid, stepsOf } from '../spelled-out.ts';
import { ConfigError, number } from './json.ts';
import type { LayerCall, LayerRow } from './layer.ts';
import { add, axisOf, unary } from './layer.ts';

type Apply = (call: LayerCall, input: ValueRef) => ValueRef;

const same = (op: 'relu' | 'relu6' | 'logistic' | 'tanh' | 'hard_swish'): Apply => {
  return (call, input) => add(call, op, [input], {});
};

const silu: Apply = (call, input) =>
  add(call, 'mul', [input, add(call, 'logistic', [input], {})], { activation: 'none' });

/** Keras 2 has a slope of 0.2, Keras 3 one of 1/6. */
const hardSigmoid: Apply = (call, input) =>
  spelledHardSigmoid(stepsOf(call.writer, call.name), input, call.version < 3 ? 0.2 : 1 / 6, 0.5);

export const leakyRelu = (call: LayerCall, input: ValueRef, slope: number): ValueRef =>
  slope === 0 ? add(call, 'relu', [input], {}) : add(call, 'leaky_relu', [input], { alpha: Math.fround(slope) });

/** Over the last axis, beside which an image's are pixels. */
const softmax: Apply = (call, input) => add(call, 'softmax', [input], { beta: 1 });

/** By Keras's name; `linear` is none. */
const functions: Readonly<Record<string, Apply>> = {
  linear: (_call, input) => input,
  relu: same('relu'),
  relu6: same('relu6'),
  sigmoid: same('logistic'),
  tanh: same('tanh'),
  softmax,
  swish: silu,
  silu,
  hard_sigmoid: hardSigmoid,
  // Keras 3; Keras 2 has none.
  hard_swish: same('hard_swish'),
  hard_silu: same('hard_swish'),
  // Keras's own slope, in both versions.
  leaky_relu: (call, input) => leakyRelu(call, input, 0.2),
};

export const activationNames: readonly string[] = Object.keys(functions);

/** Applies an activation that a configuration names, or describes as a layer or a function of its own. */
export function activate(call: LayerCall, input: ValueRef, activation: unknown): ValueRef {
  if (activation === undefined || activation === null) return input;
  if (isRecord(activation)) {
    const { class_name: className, config } = activation;
    if (className === 'function' && typeof config === 'string') return activate(call, input, config);
    const row = typeof className === 'string' ? activationLayers[className] : undefined;
    if (row === undefined) throw unknownActivation(String(className));
    const built = row.build({
      ...call,
      config: isRecord(config) ? config : {},
      args: [{ kind: 'value', value: input }],
      kwargs: {},
    });
    return Array.isArray(built) ? input : (built as ValueRef); // rows of activations give one value
  }
  if (typeof activation !== 'string')
    throw new ConfigError(`activation is ${JSON.stringify(activation)}; expected a name`);
  const name = activation.slice(activation.lastIndexOf('>') + 1);
  const apply = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (apply === undefined) throw unknownActivation(activation);
  return apply(call, input);
}

const unknownActivation = (name: string): Refusal =>
  new Refusal(`its activation is ${name}`, `use one of ${activationNames.join(', ')}`);

/** min(max(x, 0), limit), with a slope below zero. */
function rectified(call: LayerCall, input: ValueRef): ValueRef {
  const { max_value: limit = null, negative_slope: slope = 0, threshold = 0 } = call.config;
  if (threshold !== 0 && threshold !== null) throw new Refusal('ReLU has a threshold', 'threshold must be 0');
  const below = slope === null ? 0 : number(slope, 'negative_slope');
  if (limit === null) return leakyRelu(call, input, below);
  const steps = stepsOf(call.writer, call.name);
  const most = number(limit, 'max_value');
  return below === 0 ? clipped(steps, input, 0, most) : clipped(steps, leakyRelu(call, input, below), -Infinity, most);
}

/** A slope of its own for each channel; Keras may share it over some axes. */
const prelu: LayerRow = unary((call, input) => {
  const slopes = call.variable('slope', 'slope', () => {
    const [alpha] = call.read(['alpha']);
    if (alpha === undefined) throw new ConfigError('it has no alpha');
    return alpha;
  });
  return add(call, 'prelu', [input, slopes], {});
});

export const activationLayers: Readonly<Record<string, LayerRow>> = {
  Activation: unary((call, input) => activate(call, input, call.config['activation'])),
  ReLU: unary(rectified),
  LeakyReLU: unary((call, input) =>
    // Keras 3 renamed the field.
    leakyRelu(call, input, number(call.config['negative_slope'] ?? call.config['alpha'] ?? 0.3, 'negative_slope')),
  ),
  PReLU: prelu,
  Softmax: unary((call, input) => {
    const { axis = -1 } = call.config;
    const rank = input.type.shape.length;
    if (axisOf(axis, rank, 'axis') !== rank - 1)
      throw new Refusal('Softmax is over another axis than the last', 'axis must be -1');
    return softmax(call, input);
  }),
};
