import type { ArrayOptions, SchemaOptions, Static, TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, dependingOn, derived, discriminated, key, object } from '../core/schema.ts';
import type { Layer } from './layers.ts';
import { activationFunctions } from './layers.ts';

const activated = {
  activation: choice(['none', ...activationFunctions], { ...key('Activation after the layer'), default: 'none' }),
  alpha: Type.Optional(Type.Number(key('Slope of leaky_relu below zero; default: 0.2'))),
};
const bias = Type.Boolean({ ...key('Whether the layer adds a bias'), default: true });
const batchNorm = Type.Boolean({
  ...key('Batch normalisation between the layer and its activation'),
  default: false,
});
const padding = (initial: 'same' | 'valid') =>
  choice(['same', 'valid'], {
    ...key('`same` keeps ceil(size / stride) by adding zeros, `valid` uses whole windows only'),
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
    ...key(`${description}; one whole number, or [vertical, horizontal]`),
    ...options,
  });

const layerFields = <const K extends string>(kind: K) => ({
  kind: Type.Literal(kind, key('What the layer computes')),
  name: derived(
    Type.String({
      ...key('Name of the layer, which its weights carry too'),
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      examples: ['conv1'],
    }),
    'the kind and a number',
  ),
  input: Type.Optional(
    Type.String(key('Name of the earlier layer whose output this one takes; default: the one before')),
  ),
});

const affineFields = { bias, batch_norm: batchNorm, ...activated };

const kernel = pair('Size of the filter');
const windowFields = {
  kernel,
  stride: pair('Step from one output to the next', { default: 1 }),
  dilation: pair('Distance between the taps of the filter', { default: 1 }),
  padding: padding('same'),
  ...affineFields,
};

const poolFields = {
  window: pair('Size of the pooled window'),
  stride: derived(pair('Step from one window to the next'), 'the window'),
  padding: padding('valid'),
};

const reductionFields = {
  keep_dims: Type.Optional(Type.Boolean(key('Whether height and width stay, as 1 x 1; default: false'))),
};

const sumFields = {
  with: Type.String(key('Name of the earlier layer whose output is the other operand, of the same shape or 1 there')),
  ...activated,
};

const paddedSide = (side: string) =>
  Type.Integer({ ...key(`Rows or columns of zeros ${side}`), minimum: 0, default: 0 });

const resizeFields = {
  size: Type.Optional(pair('Size of the result; or give `factor`')),
  factor: Type.Optional(pair('How many times larger the result is; or give `size`')),
};

/** A list that nobody changes. */
const list = <S extends TSchema>(items: S, options: SchemaOptions & ArrayOptions) =>
  Type.Unsafe<readonly Static<S>[]>(Type.Array(items, options));

/** Axes of a layer's input; axis 0 is the batch, which no layer touches. */
const axes = (description: string, options: ArrayOptions = {}) =>
  list(Type.Integer({ minimum: 1 }), { ...key(`${description}; the first axis behind the batch is 1`), ...options });
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
    units: Type.Integer({ ...key('Number of outputs'), minimum: 1 }),
    ...affineFields,
  }),
  object({
    ...layerFields('transpose_conv'),
    filters: Type.Integer({ ...key('Number of output channels'), minimum: 1 }),
    kernel,
    stride: pair('How many times larger the result is', { default: 2 }),
    padding: choice(['same', 'valid'], {
      ...key('`same` gives size * stride, `valid` what the filter reaches beyond that too'),
      default: 'same',
    }),
    ...affineFields,
  }),
  object({ ...layerFields('max_pool_2d'), ...poolFields }),
  object({ ...layerFields('average_pool_2d'), ...poolFields }),
  object({ ...layerFields('mean'), ...reductionFields }, { description: 'The average over height and width' }),
  object({ ...layerFields('sum'), ...reductionFields }, { description: 'The sum over height and width' }),
  object(layerFields('flatten'), { description: 'Height, width and channels as one dimension' }),
  object(layerFields('batch_norm')),
  object({
    ...layerFields('activation'),
    function: choice(activationFunctions, key('The function')),
    alpha: activated.alpha,
  }),
  object({ ...layerFields('add'), ...sumFields }, { description: 'The input plus another layer' }),
  object({ ...layerFields('sub'), ...sumFields }, { description: 'The input less another layer' }),
  object({ ...layerFields('mul'), ...sumFields }, { description: 'The input times another layer' }),
  object({
    ...layerFields('concatenation'),
    with: list(Type.String({ minLength: 1 }), {
      ...key('Names of the earlier layers whose outputs are put behind the input'),
      minItems: 1,
    }),
    axis: Type.Integer({
      ...key('Axis along which they are put together; the first behind the batch is 1, the last is -1'),
      default: -1,
    }),
  }),
  object(
    {
      ...layerFields('dropout'),
      rate: Type.Number({
        ...key('Share of the values that become 0 in training, anew in every step; the others are scaled up'),
        minimum: 0,
        exclusiveMaximum: 1,
      }),
    },
    { description: 'In training only; at inference nothing' },
  ),
  object({
    ...layerFields('pad'),
    top: paddedSide('above'),
    bottom: paddedSide('below'),
    left: paddedSide('on the left'),
    right: paddedSide('on the right'),
  }),
  object({ ...layerFields('resize_bilinear'), ...resizeFields }),
  object({ ...layerFields('resize_nearest_neighbor'), ...resizeFields }),
  object(layerFields('l2_normalization'), { description: 'Each pixel, or row, divided by its length' }),
  object({
    ...layerFields('reshape'),
    shape: list(Type.Integer({ minimum: -1 }), {
      ...key('Shape of the result without the batch; one size may be -1 and follows from the others'),
      minItems: 1,
    }),
  }),
  object({ ...layerFields('transpose'), permutation: axes('The axes in their new order', { minItems: 1 }) }),
  object({
    ...layerFields('squeeze'),
    axes: axes('Axes of size 1 that disappear; default: all of them', { default: [] }),
  }),
  object({
    ...layerFields('strided_slice'),
    begin: indices(
      'First index of each axis behind the batch, of as many as are cut; negative ones count from the end',
    ),
    end: indices('The index behind the last of each axis; beyond the end it is the end'),
    strides: derived(indices('Step from one index to the next'), '1 for each axis'),
  }),
  object(layerFields('softmax'), { description: 'Probabilities; only as the last layer' }),
]);

const alpha = Type.Number({
  ...key('Width multiplier: the share of channels that each layer keeps, rounded to a multiple of 8'),
  exclusiveMinimum: 0,
  maximum: 2,
  default: 1,
});
const filters = (initial: number) =>
  Type.Integer({
    ...key('Channels of the first convolution, from which the others follow'),
    minimum: 1,
    default: initial,
  });

const presetSchema = discriminated('preset', [
  object({ preset: Type.Literal('lenet5', key('A network known by name')) }),
  object({
    preset: Type.Literal('mlp', key('A network known by name')),
    hidden: Type.Array(Type.Integer({ minimum: 1 }), {
      ...key('Units of each hidden layer'),
      default: [128],
    }),
  }),
  object({ preset: Type.Literal('resnet8', key('A network known by name')), filters: filters(16) }),
  object({ preset: Type.Literal('ds_cnn', key('A network known by name')), filters: filters(64) }),
  object({ preset: Type.Literal('mobilenet_v1', key('A network known by name')), alpha }),
  object({ preset: Type.Literal('mobilenet_v2', key('A network known by name')), alpha }),
  object({
    preset: Type.Literal('autoencoder', key('A network known by name')),
    hidden: Type.Integer({ ...key('Units of each wide layer'), minimum: 1, default: 128 }),
    bottleneck: Type.Integer({ ...key('Units of the narrow layer in the middle'), minimum: 1, default: 8 }),
  }),
]);

const layersSchema = object({
  task: choice(['classify', 'reconstruct'], {
    ...key('What the output is: a score for each class, or the image again; a preset implies it'),
    default: 'classify',
  }),
  layers: Type.Array(layerSchema, { ...key('The layers from the image to the output'), minItems: 1 }),
});

export const modelSchema = dependingOn('layers', layersSchema, presetSchema, {
  ...key('The network: `preset`, or a list of `layers`'),
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
