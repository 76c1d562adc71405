/** Calls of TensorFlow's functions (Keras 2) and of Keras's operations (Keras 3) in the place of layers. */
import { isRecord } from '../../core/schema.ts';
import type { ValueRef } from '../../ops/define.ts';
import { activate } from './activations.ts';
import { Refusal } from '../refusal.ts';
import { ConfigError, list, number } from './json.ts';
import type { Given, LayerCall } from './layer.ts';
import { add, axisOf, constant, inputsOf } from './layer.ts';
import { concatenated, joins } from './merges.ts';
import { scaled } from './normalization.ts';
import { reshaped } from './shapes.ts';

type Apply = (call: LayerCall) => ValueRef;

/** The arguments in the order of the function's parameters, whether given by place or by name. */
function argumentsOf({ args, kwargs }: LayerCall, ...names: readonly string[]): readonly (Given | undefined)[] {
  return names.map((name, index) => args[index] ?? kwargs[name]);
}

function first(call: LayerCall): ValueRef {
  const [value] = inputsOf(call);
  if (value === undefined) throw new ConfigError('it is called with no value of the network');
  return value;
}

/** A number, also as TensorFlow writes constants; null for a value of the network. */
function constantOf(given: Given | undefined): readonly number[] | null {
  if (given?.kind === 'list') return given.items.flatMap((item) => constantOf(item) ?? []);
  if (given?.kind !== 'constant') return null;
  const { value } = given;
  if (isRecord(value) && isRecord(value['config']) && 'value' in value['config'])
    return constantOf({ kind: 'constant', value: value['config']['value'] });
  return Array.isArray(value)
    ? value.flat(8).map((item) => number(item, 'an argument'))
    : [number(value, 'an argument')];
}

function operand(call: LayerCall, given: Given | undefined, part: string): ValueRef {
  if (given?.kind === 'value') return given.value;
  const values = constantOf(given);
  if (values === null) throw new ConfigError('an argument is missing');
  return constant(call, part, [values.length], values);
}

const binary =
  (op: keyof typeof joins): Apply =>
  (call) => {
    const [a, b] = argumentsOf(call, 'x', 'y');
    const other = b ?? call.kwargs['x2'];
    return joins[op](call, operand(call, a ?? call.kwargs['x1'], 'first'), operand(call, other, 'second'));
  };

/** By a constant only: TensorFlow Lite's integers have no division of two values. */
const divide: Apply = (call) => {
  const [, b = call.kwargs['x2']] = argumentsOf(call, 'x', 'y');
  const by = constantOf(b);
  if (by === null) throw new Refusal('it divides by a value of the network', 'divide by a constant');
  return scaled(
    call,
    first(call),
    by.map((value) => 1 / value),
    [0],
  );
};

const activation =
  (name: string): Apply =>
  (call) =>
    activate(call, first(call), name);

const reduce =
  (op: 'mean' | 'sum'): Apply =>
  (call) => {
    const input = first(call);
    const rank = input.type.shape.length;
    const setting = (name: string): unknown => {
      const given = call.kwargs[name] ?? (name === 'axis' ? call.args[1] : undefined);
      return given?.kind === 'constant' ? given.value : given?.kind === 'list' ? constantOf(given) : call.config[name];
    };
    const axis = setting('axis');
    const all = Array.isArray(axis) ? axis : [axis];
    const axes = all.map((each) => axisOf(each, rank, 'axis')).toSorted((a, b) => a - b);
    if (axes.includes(0)) throw new Refusal('it reduces over the batch', 'give the axes of one example');
    return add(call, op, [input], { axes, keepDims: setting('keepdims') === true });
  };

const reshapeTo: Apply = (call) => {
  const [, shape] = argumentsOf(call, 'tensor', 'shape');
  const wanted = call.config['newshape'] ?? constantOf(shape);
  const sizes = list(wanted, 'shape');
  const input = first(call);
  return reshaped(call, input, sizes.slice(1));
};

const concatenate: Apply = (call) => {
  const [, given] = argumentsOf(call, 'values', 'axis');
  const axis = constantOf(given)?.[0] ?? call.config['axis'] ?? -1;
  return concatenated(call, inputsOf(call), axis);
};

/** By the name of Keras 2's `TFOpLambda`. */
export const lambdaFunctions: Readonly<Record<string, Apply>> = {
  '__operators__.add': binary('add'),
  'math.add': binary('add'),
  'math.subtract': binary('sub'),
  'math.multiply': binary('mul'),
  'math.maximum': binary('maximum'),
  'math.minimum': binary('minimum'),
  'math.truediv': divide,
  'math.divide': divide,
  'math.reduce_mean': reduce('mean'),
  'math.reduce_sum': reduce('sum'),
  'math.sigmoid': activation('sigmoid'),
  'math.tanh': activation('tanh'),
  'nn.relu': activation('relu'),
  'nn.relu6': activation('relu6'),
  'nn.softmax': activation('softmax'),
  'nn.silu': activation('silu'),
  'nn.swish': activation('silu'),
  'keras.activations.relu': activation('relu'),
  reshape: reshapeTo,
  concat: concatenate,
  identity: first,
};

/** By the class of Keras 3's operations, whose module is not that of layers. */
export const operations: Readonly<Record<string, Apply>> = {
  Add: binary('add'),
  Subtract: binary('sub'),
  Multiply: binary('mul'),
  Maximum: binary('maximum'),
  Minimum: binary('minimum'),
  TrueDivide: divide,
  Divide: divide,
  Mean: reduce('mean'),
  Sum: reduce('sum'),
  Relu: activation('relu'),
  Relu6: activation('relu6'),
  Sigmoid: activation('sigmoid'),
  Tanh: activation('tanh'),
  Softmax: activation('softmax'),
  Silu: activation('silu'),
  HardSigmoid: activation('hard_sigmoid'),
  HardSilu: activation('hard_silu'),
  Reshape: reshapeTo,
  Concatenate: concatenate,
};
