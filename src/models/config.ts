import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, dependingOn, discriminated, key, object } from '../core/schema.ts';
import { taskNames } from '../measurements/metrics.ts';
import type { Layer } from './layers.ts';
import { completeLayer, layerSchema } from './layers/index.ts';

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

const outputSchema = object(
  {
    task: choice(taskNames, { ...key('What this output is trained for, as `model.task`'), default: 'classify' }),
    targets: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        ...key('Of an output that regresses, the target columns that it gives, in its order; default: all'),
        minItems: 1,
        uniqueItems: true,
      }),
    ),
    loss_weight: Type.Number({
      ...key('What the loss of this output counts in the sum that training makes small'),
      minimum: 0,
      default: 1,
    }),
  },
  key('An output'),
);
export type OutputConfig = Static<typeof outputSchema>;

const layersSchema = object({
  task: choice(taskNames, {
    ...key(
      'What the network is trained for: a score for each class, the numbers of the target columns, or reconstruction of the input',
    ),
    default: 'classify',
  }),
  layers: Type.Array(layerSchema, { ...key('Layers in order, from the image to the output'), minItems: 1 }),
  outputs: Type.Optional(
    Type.Unsafe<Readonly<Record<string, OutputConfig>>>({
      type: 'object',
      additionalProperties: outputSchema,
      minProperties: 2,
      ...key(
        'The outputs of a network that has several, by the names of the layers that give them: a map with `task`, `targets` and `loss_weight` for each; `model.task` is left out then',
      ),
    }),
  ),
});

export const modelSchema = dependingOn('layers', layersSchema, presetSchema, {
  ...key('The network: a `preset`, or a list of `layers`. Not needed where an `import` stage brings one'),
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
  const taken = new Set(layers.map(givenName));
  const freshName = (kind: string): string => {
    let number = 1;
    while (taken.has(`${kind}_${number}`)) number++;
    taken.add(`${kind}_${number}`);
    return `${kind}_${number}`;
  };
  return layers.map((layer) => completeLayer({ ...layer, name: givenName(layer) ?? freshName(layer.kind) }));
}
