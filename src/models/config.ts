import type { SchemaOptions, Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, dependingOn, derived, discriminated, key, object } from '../core/schema.ts';
import type { Layer } from './layers.ts';

const activation = choice(['none', 'relu', 'relu6'], { ...key('Activation after the layer'), default: 'none' });
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

const windowFields = {
  kernel: pair('Size of the filter'),
  stride: pair('Step from one output to the next', { default: 1 }),
  dilation: pair('Distance between the taps of the filter', { default: 1 }),
  padding: padding('same'),
  bias,
  batch_norm: batchNorm,
  activation,
};

const poolFields = {
  window: pair('Size of the pooled window'),
  stride: derived(pair('Step from one window to the next'), 'the window'),
  padding: padding('valid'),
};

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
    bias,
    batch_norm: batchNorm,
    activation,
  }),
  object({ ...layerFields('max_pool_2d'), ...poolFields }),
  object({ ...layerFields('average_pool_2d'), ...poolFields }),
  object(layerFields('mean'), { description: 'The average over height and width' }),
  object(layerFields('flatten'), { description: 'Height, width and channels as one dimension' }),
  object(layerFields('batch_norm')),
  object({ ...layerFields('activation'), function: choice(['relu', 'relu6'], key('The function')) }),
  object({
    ...layerFields('add'),
    with: Type.String(key('Name of the earlier layer whose output is added')),
    activation,
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
 * without a stride that of their window.
 */
export function completeLayers(layers: readonly Layer[]): readonly Layer[] {
  // The type promises what this function fills in.
  const givenName = (layer: { readonly name?: string }): string | undefined => layer.name;
  const givenStride = (pool: { readonly stride?: readonly [number, number] }) => pool.stride;
  const taken = new Set(layers.map(givenName));
  const freshName = (kind: string): string => {
    let number = 1;
    while (taken.has(`${kind}_${number}`)) number++;
    taken.add(`${kind}_${number}`);
    return `${kind}_${number}`;
  };
  return layers.map((layer) => {
    const name = givenName(layer) ?? freshName(layer.kind);
    return 'window' in layer ? { ...layer, name, stride: givenStride(layer) ?? layer.window } : { ...layer, name };
  });
}
