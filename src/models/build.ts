import { internal, unreachable } from '../core/assert.ts';
import type { Random } from '../core/random.ts';
import { createRandom } from '../core/random.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { numElements, zeros } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import type { ValueRef } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import { batchNormDefaults } from './batch-norm.ts';
import type { Activated, ActivationFunction, Layer, ModelSpec } from './layers.ts';

/** Where a network's variables come from: initialized from a seed, or read from a checkpoint. */
export type Weights =
  | { readonly kind: 'random'; readonly random: Random }
  | { readonly kind: 'given'; readonly tensor: (name: string, shape: Shape) => FloatTensor };

/** The input of training graphs with dropout: two whole numbers below 2^24, others in every step and replica. */
export const dropoutKeyInput = 'dropout_key';

/**
 * `training` normalizes by the batch, updates the moving statistics and applies dropout; `inference` uses those
 * statistics and knows no dropout.
 */
export type ModelForm = 'training' | 'inference';

/**
 * The float graph of a network: input [batch, height, width, channels] in normalised units, output the logits (or
 * the softmax, if the last layer is one) or the reconstruction. Values are named `layer/op`, variables `layer/filter`,
 * `layer/bias`, ….
 *
 * @throws ShapeError naming the layer when sizes do not fit
 */
export function buildModel(spec: ModelSpec, batch: number, form: ModelForm, weights: Weights): Graph {
  const builder = buildGraph(spec.name, 'float');
  let value = builder.input('input', { dtype: 'float32', shape: [batch, ...spec.image] });
  const drops = form === 'training' && spec.layers.some(({ kind }) => kind === 'dropout');
  const dropoutKey = drops ? builder.input(dropoutKeyInput, { dtype: 'float32', shape: [2] }) : null;
  const context: LayerContext = { builder, form, weights, dropoutKey, outputs: new Map() };
  for (const layer of spec.layers) {
    value = addLayer(context, layer, layer.input === undefined ? value : outputOf(context, layer, layer.input));
    context.outputs.set(layer.name, value);
  }
  return verify(builder.finish([value]));
}

interface LayerContext {
  readonly builder: GraphBuilder;
  readonly form: ModelForm;
  readonly weights: Weights;
  /** Null where nothing is dropped. */
  readonly dropoutKey: ValueRef | null;
  readonly outputs: Map<string, ValueRef>;
}

function addLayer(context: LayerContext, layer: Layer, input: ValueRef): ValueRef {
  const { builder } = context;
  const { name } = layer;
  const node = (...args: Parameters<GraphBuilder['node']>): ValueRef => single(builder.node(...args));
  switch (layer.kind) {
    case 'conv_2d': {
      const channels = input.type.shape.at(-1) ?? 0;
      const operands = affineOperands(context, layer, [layer.filters, ...layer.kernel, channels], 0, input);
      const output = node('conv_2d', `${name}/conv_2d`, operands, {
        strides: layer.stride,
        dilations: layer.dilation,
        padding: { kind: layer.padding },
        activation: 'none',
      });
      return finishAffine(context, layer, output);
    }
    case 'depthwise_conv_2d': {
      const channels = (input.type.shape.at(-1) ?? 0) * layer.multiplier;
      const operands = affineOperands(context, layer, [1, ...layer.kernel, channels], 3, input);
      const output = node('depthwise_conv_2d', `${name}/depthwise_conv_2d`, operands, {
        strides: layer.stride,
        dilations: layer.dilation,
        padding: { kind: layer.padding },
        activation: 'none',
      });
      return finishAffine(context, layer, output);
    }
    case 'transpose_conv': {
      const [height, width] = spatialSize(layer, input);
      const { kernel, stride, padding } = layer;
      const beyond = (axis: 0 | 1): number => (padding === 'same' ? 0 : Math.max(kernel[axis] - stride[axis], 0));
      const filterShape = [layer.filters, ...kernel, input.type.shape.at(-1) ?? 0];
      // Each output pixel is reached by one in every stride x stride taps.
      const fanIn = numElements(filterShape.slice(1)) / (stride[0] * stride[1]);
      const output = node(
        'transpose_conv',
        `${name}/transpose_conv`,
        affineOperands(context, layer, filterShape, 0, input, fanIn),
        {
          strides: stride,
          padding: { kind: padding },
          outputSize: [height * stride[0] + beyond(0), width * stride[1] + beyond(1)],
          activation: 'none',
        },
      );
      return finishAffine(context, layer, output);
    }
    case 'fully_connected': {
      const flat = flatten(builder, name, input);
      const operands = affineOperands(context, layer, [layer.units, flat.type.shape[1]!], 0, flat);
      const output = node('fully_connected', `${name}/fully_connected`, operands, {
        activation: 'none',
        keepNumDims: false,
      });
      return finishAffine(context, layer, output);
    }
    case 'max_pool_2d':
    case 'average_pool_2d':
      return node(layer.kind, `${name}/${layer.kind}`, [input], {
        window: layer.window,
        strides: layer.stride,
        padding: { kind: layer.padding },
        activation: 'none',
      });
    case 'mean':
    case 'sum':
      return node(layer.kind, `${name}/${layer.kind}`, [input], { axes: [1, 2], keepDims: layer.keep_dims ?? false });
    case 'flatten':
      return flatten(builder, name, input);
    case 'batch_norm':
      return addBatchNorm(context, name, input);
    case 'activation':
      return addFunction(builder, `${name}/${layer.function}`, layer.function, layer.alpha, input);
    case 'add':
    case 'sub':
    case 'mul': {
      const other = outputOf(context, layer, layer.with);
      const rank = input.type.shape.length;
      // Otherwise the batch of one might be stretched along an axis of the other.
      if (other.type.shape.length !== rank)
        throw misfit(layer, `"${layer.with}" has shape`, other, `${rank} dimensions`);
      const output = node(layer.kind, `${name}/${layer.kind}`, [input, other], { activation: 'none' });
      return addActivation(builder, layer, output);
    }
    case 'concatenation': {
      const rank = input.type.shape.length;
      const axis = layer.axis < 0 ? layer.axis + rank : layer.axis;
      if (axis < 1 || axis >= rank) throw misfit(layer, `axis ${layer.axis} of`, input, `an axis 1 to ${rank - 1}`);
      const others = layer.with.map((other) => outputOf(context, layer, other));
      return node('concatenation', `${name}/concatenation`, [input, ...others], { axis });
    }
    case 'dropout': {
      if (context.dropoutKey === null) return input;
      const stream = createRandom(0, 'dropout', name).uint32();
      return node('dropout', `${name}/dropout`, [input, context.dropoutKey], { rate: layer.rate, stream });
    }
    case 'pad':
      return node('pad', `${name}/pad`, [input], {
        paddings: [
          [0, 0],
          [layer.top, layer.bottom],
          [layer.left, layer.right],
          [0, 0],
        ],
      });
    case 'resize_bilinear':
    case 'resize_nearest_neighbor': {
      const [height, width] = spatialSize(layer, input);
      const { size, factor = [1, 1] } = layer;
      return node(layer.kind, `${name}/${layer.kind}`, [input], {
        size: size ?? [height * factor[0], width * factor[1]],
        alignCorners: false,
        halfPixelCenters: true,
      });
    }
    case 'l2_normalization':
      return node('l2_normalization', `${name}/l2_normalization`, [input], {});
    case 'reshape': {
      const features = numElements(input.type.shape.slice(1));
      const known = numElements(layer.shape.filter((size) => size !== -1));
      const shape = layer.shape.map((size) => (size === -1 ? features / known : size));
      if (numElements(shape) !== features || !shape.every(Number.isInteger)) {
        throw misfit(layer, `[${layer.shape.join(',')}] out of`, input, `${features} values`);
      }
      return node('reshape', `${name}/reshape`, [input], { shape: [-1, ...shape] });
    }
    case 'transpose':
      return node('transpose', `${name}/transpose`, [input], { permutation: [0, ...layer.permutation] });
    case 'squeeze': {
      const ones = input.type.shape.flatMap((size, axis) => (axis > 0 && size === 1 ? [axis] : []));
      const axes = layer.axes.length > 0 ? layer.axes : ones;
      if (axes.length === 0) throw misfit(layer, 'the input', input, 'an axis of size 1');
      return node('squeeze', `${name}/squeeze`, [input], { axes });
    }
    case 'strided_slice':
      return node('strided_slice', `${name}/strided_slice`, [input], {
        begin: [0, ...layer.begin],
        end: [0, ...layer.end],
        strides: [1, ...layer.strides],
        beginMask: 1,
        endMask: 1,
        shrinkAxisMask: 0,
      });
    case 'softmax':
      return node('softmax', `${name}/softmax`, [input], { beta: 1 });
    default:
      return unreachable(layer);
  }
}

function outputOf({ outputs }: LayerContext, layer: Layer, name: string): ValueRef {
  return outputs.get(name) ?? internal(`layer "${layer.name}" takes unknown layer "${name}"`);
}

/** What a layer takes and cannot take; as an op's own mistake, without the batch. */
function misfit(layer: Layer, what: string, value: ValueRef, expected: string): ShapeError {
  const shape = value.type.shape.slice(1).join(',');
  return new ShapeError(`${layer.kind} "${layer.name}/${layer.kind}": ${what} [batch,${shape}]; expected ${expected}`);
}

function spatialSize(layer: Layer, input: ValueRef): readonly [height: number, width: number] {
  const [, height, width, channels] = input.type.shape;
  if (height === undefined || width === undefined || channels === undefined) {
    throw misfit(layer, 'the input is', input, '4 dimensions');
  }
  return [height, width];
}

function single(values: readonly ValueRef[]): ValueRef {
  return values[0] ?? internal('a layer made no value');
}

function affineOperands(
  context: LayerContext,
  layer: { readonly name: string; readonly bias: boolean; readonly batch_norm: boolean },
  filterShape: Shape,
  channelAxis: number,
  input: ValueRef,
  fanIn = numElements(filterShape) / (filterShape[channelAxis] ?? 1),
): readonly ValueRef[] {
  const channels = filterShape[channelAxis] ?? internal(`the filter of "${layer.name}" has no axis ${channelAxis}`);
  const filter = variable(context, `${layer.name}/filter`, filterShape, 'trainable', heUniform(fanIn));
  // Batch norm subtracts the mean, so a bias before it would have no effect.
  if (!layer.bias || layer.batch_norm) return [input, filter];
  return [input, filter, variable(context, `${layer.name}/bias`, [channels], 'trainable', zeroed)];
}

function finishAffine(
  context: LayerContext,
  layer: Activated & { readonly name: string; readonly batch_norm: boolean },
  output: ValueRef,
): ValueRef {
  const normalized = layer.batch_norm ? addBatchNorm(context, layer.name, output) : output;
  return addActivation(context.builder, layer, normalized);
}

function addActivation(
  builder: GraphBuilder,
  { name, activation, alpha }: Activated & { readonly name: string },
  input: ValueRef,
): ValueRef {
  if (activation === 'none') return input;
  // Rectifiers go into the layer; other functions have a range of their own, which their scope names.
  const fuses = ops[activation].quant.kind === 'activation';
  return addFunction(
    builder,
    fuses ? `${name}/${activation}` : `${name}/activation/${activation}`,
    activation,
    alpha,
    input,
  );
}

function addFunction(
  builder: GraphBuilder,
  name: string,
  activation: ActivationFunction,
  alpha: number | undefined,
  input: ValueRef,
): ValueRef {
  return single(
    activation === 'leaky_relu'
      ? builder.node('leaky_relu', name, [input], { alpha: Math.fround(alpha ?? 0.2) })
      : builder.node(activation, name, [input], {}),
  );
}

function addBatchNorm(context: LayerContext, name: string, input: ValueRef): ValueRef {
  const { builder, form } = context;
  const { epsilon, momentum } = batchNormDefaults;
  const shape = [input.type.shape.at(-1) ?? 0];
  const gamma = variable(context, `${name}/gamma`, shape, 'trainable', ones);
  const beta = variable(context, `${name}/beta`, shape, 'trainable', zeroed);
  const mean = variable(context, `${name}/moving_mean`, shape, 'state', zeroed);
  const variance = variable(context, `${name}/moving_variance`, shape, 'state', ones);
  if (form === 'inference') {
    return single(builder.node('batch_norm', `${name}/batch_norm`, [input, gamma, beta, mean, variance], { epsilon }));
  }
  const outputs = builder.node('batch_norm_train', `${name}/batch_norm`, [input, gamma, beta], { epsilon });
  for (const [moving, batchStatistic] of [
    [mean, outputs[1]],
    [variance, outputs[2]],
  ] as const) {
    const agreed = builder.node('cross_replica', `${moving.name}/batch`, [batchStatistic ?? moving], {
      reduce: 'mean',
    });
    builder.update(
      moving.name,
      single(builder.node('moving_average', `${moving.name}/next`, [moving, ...agreed], { decay: momentum })),
    );
  }
  return single(outputs);
}

/** Rows of features; fully connected layers read nothing else. */
function flatten(builder: GraphBuilder, name: string, input: ValueRef): ValueRef {
  if (input.type.shape.length === 2) return input;
  const features = numElements(input.type.shape.slice(1));
  return single(builder.node('reshape', `${name}/reshape`, [input], { shape: [-1, features] }));
}

type Initializer = (random: Random, data: Float32Array) => void;

function variable(
  { builder, weights }: LayerContext,
  name: string,
  shape: Shape,
  role: 'trainable' | 'state',
  initialize: Initializer,
): ValueRef {
  if (weights.kind === 'given') return builder.variable(name, weights.tensor(name, shape), role);
  const initial = zeros('float32', shape);
  initialize(weights.random.split(name), initial.data);
  return builder.variable(name, initial, role);
}

const zeroed: Initializer = (_random, data) => data.fill(0);

const ones: Initializer = (_random, data) => data.fill(1);

/**
 * Uniform in +-sqrt(6 / fanIn), so that relu keeps the variance.
 *
 * @param fanIn inputs of one output value
 * @see He, Zhang, Ren, Sun 2015, section 2.2
 */
const heUniform =
  (fanIn: number): Initializer =>
  (random, data) => {
    const limit = Math.sqrt(6 / fanIn);
    for (let index = 0; index < data.length; index++) data[index] = (2 * random.float() - 1) * limit;
  };
