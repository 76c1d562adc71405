import { internal, unreachable } from '../core/assert.ts';
import type { Random } from '../core/random.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { numElements, zeros } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import type { ValueRef } from '../ops/define.ts';
import { batchNormDefaults } from './batch-norm.ts';
import type { Layer, LayerActivation, ModelSpec } from './layers.ts';

/** Where a network's variables come from: fresh from a seed, or read from a checkpoint. */
export type Weights =
  | { readonly kind: 'random'; readonly random: Random }
  | { readonly kind: 'given'; readonly tensor: (name: string, shape: Shape) => FloatTensor };

/** `training` normalises by the batch and updates the moving statistics; `inference` uses those. */
export type ModelForm = 'training' | 'inference';

/**
 * The float graph of a network: input [batch, height, width, channels] in normalised units, output the logits (or
 * the softmax, if the last layer is one) or the reconstruction. Values are named `layer/op`, variables `layer/filter`, `layer/bias`, ….
 *
 * @throws ShapeError naming the layer when sizes do not fit
 */
export function buildModel(spec: ModelSpec, batch: number, form: ModelForm, weights: Weights): Graph {
  const builder = buildGraph(spec.name, 'float');
  const context: LayerContext = { builder, form, weights, outputs: new Map() };
  let value = builder.input('input', { dtype: 'float32', shape: [batch, ...spec.image] });
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
      return node('mean', `${name}/mean`, [input], { axes: [1, 2], keepDims: false });
    case 'flatten':
      return flatten(builder, name, input);
    case 'batch_norm':
      return addBatchNorm(context, name, input);
    case 'activation':
      return addActivation(builder, name, layer.function, input);
    case 'add': {
      const output = node('add', `${name}/add`, [input, outputOf(context, layer, layer.with)], { activation: 'none' });
      return addActivation(builder, name, layer.activation, output);
    }
    case 'softmax':
      return node('softmax', `${name}/softmax`, [input], { beta: 1 });
    default:
      return unreachable(layer);
  }
}

function outputOf({ outputs }: LayerContext, layer: Layer, name: string): ValueRef {
  return outputs.get(name) ?? internal(`layer "${layer.name}" takes unknown layer "${name}"`);
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
): readonly ValueRef[] {
  const channels = filterShape[channelAxis] ?? internal(`the filter of "${layer.name}" has no axis ${channelAxis}`);
  const fanIn = numElements(filterShape) / channels;
  const filter = variable(context, `${layer.name}/filter`, filterShape, 'trainable', heUniform(fanIn));
  // Batch norm subtracts the mean, so a bias before it would have no effect.
  if (!layer.bias || layer.batch_norm) return [input, filter];
  return [input, filter, variable(context, `${layer.name}/bias`, [channels], 'trainable', zeroed)];
}

function finishAffine(
  context: LayerContext,
  layer: { readonly name: string; readonly batch_norm: boolean; readonly activation: LayerActivation },
  output: ValueRef,
): ValueRef {
  const normalized = layer.batch_norm ? addBatchNorm(context, layer.name, output) : output;
  return addActivation(context.builder, layer.name, layer.activation, normalized);
}

function addActivation(builder: GraphBuilder, name: string, activation: LayerActivation, input: ValueRef): ValueRef {
  return activation === 'none' ? input : single(builder.node(activation, `${name}/${activation}`, [input], {}));
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
