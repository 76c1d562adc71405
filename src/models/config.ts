import type { ArrayOptions, SchemaOptions, Static, TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, dependingOn, derived, discriminated, key, object } from '../core/schema.ts';
import type { Layer } from './layers.ts';
import { activationFunctions, taskNames } from './layers.ts';

const activated = {
  activation: choice(['none', ...activationFunctions], {
    ...key('Activation function applied to the output'),
    default: 'none',
  }),
  alpha: Type.Optional(
    Type.Number({ ...key('Slope of leaky_relu for negative inputs; default: 0.2'), minimum: 0, maximum: 1 }),
  ),
};
const bias = Type.Boolean({ ...key('Whether the layer adds a bias'), default: true });
const batchNorm = Type.Boolean({
  ...key('Whether batch normalization follows, before the activation'),
  default: false,
});
const padding = (initial: 'same' | 'valid') =>
  choice(['same', 'valid'], {
    ...key('`same`: pad with zeros so that the output size is ceil(input size / stride); `valid`: no padding'),
    default: initial,
  });

/** A whole number for both directions, or [vertical, horizontal]. */
const pair = (description: string, options: SchemaOptions = {}) =>
  Type.Unsafe<readonly [number, number]>({
    type: ['integer', 'array'],
    minimum: 1,
    items: { type: 'integer', minimum: 1 },
    minItems: 2,
    maxItems: 2,
    examples: [3, [3, 5]],
    'x-parse': 'pair',
    ...key(`${description}: one whole number, or [vertical, horizontal]`),
    ...options,
  });

const layerFields = <const K extends string>(kind: K) => ({
  kind: Type.Literal(kind, key('Kind of layer')),
  name: derived(
    Type.String({
      ...key('Name of the layer; also the prefix of the names of its weights'),
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      examples: ['conv1'],
    }),
    'kind and number, such as `conv_2d_1`',
  ),
  input: Type.Optional(Type.String(key('Name of the layer to take the input from; default: the previous layer'))),
});

const affineFields = { bias, batch_norm: batchNorm, ...activated };

const kernel = pair('Filter size');
const windowFields = {
  kernel,
  stride: pair('Stride', { default: 1 }),
  dilation: pair('Dilation: distance between filter taps', { default: 1 }),
  padding: padding('same'),
  ...affineFields,
};

const poolFields = {
  window: pair('Window size'),
  stride: derived(pair('Stride'), 'same as `window`'),
  padding: padding('valid'),
};

const reductionFields = {
  keep_dims: Type.Optional(
    Type.Boolean(key('Whether to keep height and width as dimensions of size 1; default: false')),
  ),
};

const sumFields = {
  with: Type.String(
    key(
      'Name of the layer that gives the second operand; its sizes must be equal to those of the input, or 1 (broadcasting)',
    ),
  ),
  ...activated,
};

const paddedSide = (side: string) =>
  Type.Integer({ ...key(`Rows or columns of zeros to add ${side}`), minimum: 0, default: 0 });

const resizeFields = {
  size: Type.Optional(pair('Output size (alternative to `factor`)')),
  factor: Type.Optional(pair('Enlargement factor (alternative to `size`)')),
};

/** A read-only list. */
const list = <S extends TSchema>(items: S, options: SchemaOptions & ArrayOptions) =>
  Type.Unsafe<readonly Static<S>[]>(Type.Array(items, options));

/** Axes of a layer's input; axis 0 is the batch, which no layer touches. */
const axes = (description: string, options: ArrayOptions = {}) =>
  list(Type.Integer({ minimum: 1 }), {
    ...key(`${description}. Axis 0 is the batch, so the first axis of an image is 1`),
    ...options,
  });
const indices = (description: string) => list(Type.Integer(), { ...key(description), minItems: 1 });

const layerSchema = discriminated('kind', [
  object({
    ...layerFields('conv_2d'),
    filters: Type.Integer({ ...key('Number of output channels'), minimum: 1 }),
    ...windowFields,
  }),
  object({
    ...layerFields('depthwise_conv_2d'),
    multiplier: Type.Integer({ ...key('Number of output channels for each input channel'), minimum: 1, default: 1 }),
    ...windowFields,
  }),
  object({
    ...layerFields('fully_connected'),
    units: Type.Integer({ ...key('Number of output units'), minimum: 1 }),
    ...affineFields,
  }),
  object({
    ...layerFields('transpose_conv'),
    filters: Type.Integer({ ...key('Number of output channels'), minimum: 1 }),
    kernel,
    stride: pair('Stride: factor by which the output is larger', { default: 2 }),
    padding: choice(['same', 'valid'], {
      ...key(
        '`same`: the output size is input size * stride; `valid`: the output also keeps what the filter reaches beyond that',
      ),
      default: 'same',
    }),
    ...affineFields,
  }),
  object({ ...layerFields('max_pool_2d'), ...poolFields }),
  object({ ...layerFields('average_pool_2d'), ...poolFields }),
  object({ ...layerFields('mean'), ...reductionFields }, { description: 'Average over height and width' }),
  object({ ...layerFields('sum'), ...reductionFields }, { description: 'Sum over height and width' }),
  object(layerFields('flatten'), { description: 'Joins height, width and channels into one dimension' }),
  object(layerFields('batch_norm')),
  object({
    ...layerFields('activation'),
    function: choice(activationFunctions, key('Activation function')),
    alpha: activated.alpha,
  }),
  object({ ...layerFields('add'), ...sumFields }, { description: 'Adds another layer to the input' }),
  object({ ...layerFields('sub'), ...sumFields }, { description: 'Subtracts another layer from the input' }),
  object(
    { ...layerFields('mul'), ...sumFields },
    { description: 'Multiplies the input by another layer, element by element' },
  ),
  object({
    ...layerFields('concatenation'),
    with: list(Type.String({ minLength: 1 }), {
      ...key('Names of the layers to append to the input, in this order'),
      minItems: 1,
    }),
    axis: Type.Integer({
      ...key('Axis to concatenate along. Axis 0 is the batch; -1 is the last axis (channels)'),
      default: -1,
    }),
  }),
  object(
    {
      ...layerFields('dropout'),
      rate: Type.Number({
        ...key('Fraction of the values set to 0 in each training step; the others are scaled up to compensate'),
        minimum: 0,
        exclusiveMaximum: 1,
      }),
    },
    { description: 'Drops random values in training; does nothing at inference' },
  ),
  object({
    ...layerFields('pad'),
    top: paddedSide('at the top'),
    bottom: paddedSide('at the bottom'),
    left: paddedSide('on the left'),
    right: paddedSide('on the right'),
  }),
  object({ ...layerFields('resize_bilinear'), ...resizeFields }),
  object({ ...layerFields('resize_nearest_neighbor'), ...resizeFields }),
  object(layerFields('l2_normalization'), {
    description: 'Divides each pixel (the vector of its channels) by its L2 norm',
  }),
  object({
    ...layerFields('reshape'),
    shape: list(Type.Integer({ minimum: -1 }), {
      ...key('Output shape without the batch. One size may be -1; it is computed from the others'),
      minItems: 1,
    }),
  }),
  object({ ...layerFields('transpose'), permutation: axes('New order of the axes', { minItems: 1 }) }),
  object({
    ...layerFields('squeeze'),
    axes: axes('Axes of size 1 to remove; default: all of them', { default: [] }),
  }),
  object({
    ...layerFields('strided_slice'),
    begin: indices(
      'First index in each axis after the batch. Axes that are not listed stay whole; negative indices count from the end',
    ),
    end: indices('End index in each axis, exclusive; larger values mean the end of the axis'),
    strides: derived(indices('Step in each axis'), '1 in each axis'),
  }),
  object(layerFields('softmax'), { description: 'Turns scores into probabilities; only as the last layer' }),
]);

const alpha = Type.Number({
  ...key('Width multiplier for the channels of every layer, rounded to a multiple of 8'),
  exclusiveMinimum: 0,
  maximum: 2,
  default: 1,
});
const filters = (initial: number) =>
  Type.Integer({
    ...key('Channels of the first convolution; the other layers scale with it'),
    minimum: 1,
    default: initial,
  });

const presetSchema = discriminated('preset', [
  object({ preset: Type.Literal('lenet5', key('Name of a built-in network')) }),
  object({
    preset: Type.Literal('mlp', key('Name of a built-in network')),
    hidden: Type.Array(Type.Integer({ minimum: 1 }), {
      ...key('Units in each hidden layer'),
      default: [128],
    }),
  }),
  object({ preset: Type.Literal('resnet8', key('Name of a built-in network')), filters: filters(16) }),
  object({ preset: Type.Literal('ds_cnn', key('Name of a built-in network')), filters: filters(64) }),
  object({ preset: Type.Literal('mobilenet_v1', key('Name of a built-in network')), alpha }),
  object({ preset: Type.Literal('mobilenet_v2', key('Name of a built-in network')), alpha }),
  object({
    preset: Type.Literal('autoencoder', key('Name of a built-in network')),
    hidden: Type.Integer({ ...key('Units in each wide layer'), minimum: 1, default: 128 }),
    bottleneck: Type.Integer({ ...key('Units in the bottleneck layer'), minimum: 1, default: 8 }),
  }),
]);

const layersSchema = object({
  task: choice(taskNames, {
    ...key(
      'What the network is trained for: a score for each class, the numbers of the target columns, or reconstruction of the input',
    ),
    default: 'classify',
  }),
  layers: Type.Array(layerSchema, { ...key('Layers in order, from the image to the output'), minItems: 1 }),
});

export const modelSchema = dependingOn('layers', layersSchema, presetSchema, {
  ...key('The network: a `preset`, or a list of `layers`'),
});

/** Everything present: pairs written out, every layer named, the stride of a pool known. */
export type ModelConfig = Static<typeof modelSchema>;

/**
 * Names the layers that have no name (`conv_2d_1`, `conv_2d_2`, … by kind, past names that are taken) and gives pools
 * without a stride that of their window, slices without strides ones.
 */
export function completeLayers(layers: readonly Layer[]): readonly Layer[] {
  // The type promises what this function fills in.
  const givenName = (layer: { readonly name?: string }): string | undefined => layer.name;
  const givenStride = (pool: { readonly stride?: readonly [number, number] }) => pool.stride;
  const givenStrides = (slice: { readonly strides?: readonly number[] }) => slice.strides;
  const taken = new Set(layers.map(givenName));
  const freshName = (kind: string): string => {
    let number = 1;
    while (taken.has(`${kind}_${number}`)) number++;
    taken.add(`${kind}_${number}`);
    return `${kind}_${number}`;
  };
  return layers.map((layer) => {
    const name = givenName(layer) ?? freshName(layer.kind);
    if ('window' in layer) return { ...layer, name, stride: givenStride(layer) ?? layer.window };
    if ('begin' in layer) return { ...layer, name, strides: givenStrides(layer) ?? layer.begin.map(() => 1) };
    return { ...layer, name };
  });
}
