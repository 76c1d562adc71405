import type { Static, TObject, TProperties } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { internal } from '../../core/assert.ts';
import type { Random } from '../../core/random.ts';
import { derived, key, object } from '../../core/schema.ts';
import type { FloatTensor, Shape } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import { ShapeError } from '../../ops/define.ts';

/** Where a network's variables come from: initialized from a seed, or read from a checkpoint. */
export type Weights =
  | { readonly kind: 'random'; readonly random: Random }
  | { readonly kind: 'given'; readonly tensor: (name: string, shape: Shape) => FloatTensor };

/** normalized = factor * (raw + offset) by channel, of the input's real values. */
export interface PixelNormalizer {
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
  /** The values that are raw pixels with the channel as the last axis: the input, and its rows. */
  readonly raw: Set<string>;
}

/** What is there while a network is built, layer by layer. */
export interface LayerContext {
  readonly builder: GraphBuilder;
  readonly weights: Weights;
  /** What the layer that reads raw pixels takes into its weights; null where there is nothing to take in. */
  readonly pixels: PixelNormalizer | null;
  /** The batch_norm layers that are no part of the layer before them. */
  readonly batchNormsAlone: ReadonlySet<string>;
  /** The outputs of the layers so far, by name. */
  readonly outputs: Map<string, ValueRef>;
}

/** The fields that every layer has. */
function layerFields<const K extends string>(kind: K) {
  return {
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
  };
}

type LayerSchema<K extends string, F extends TProperties> = TObject<ReturnType<typeof layerFields<K>> & F>;

/** A kind of layer: its words in the pipeline file, and the nodes that it becomes. */
export interface LayerDef<K extends string, F extends TProperties> {
  readonly kind: K;
  readonly schema: LayerSchema<K, F>;
  /** The fields that a layer without them has, as far as they follow from others. */
  readonly filledIn: (layer: Static<LayerSchema<K, F>>) => Partial<Static<LayerSchema<K, F>>>;
  /**
   * Adds the nodes of a layer, named `layer/op`, and its variables, named `layer/filter`, `layer/bias`, ….
   *
   * @returns the output of the layer
   * @throws ShapeError naming the layer when sizes do not fit
   */
  readonly build: (context: LayerContext, layer: Static<LayerSchema<K, F>>, input: ValueRef) => ValueRef;
}

interface Definition<K extends string, F extends TProperties> {
  readonly fields: F;
  /** Of the whole layer, where its name does not say enough. */
  readonly description?: string;
  readonly filledIn?: LayerDef<K, F>['filledIn'];
  readonly build: LayerDef<K, F>['build'];
}

export function defineLayer<const K extends string, F extends TProperties>(
  kind: K,
  { fields, description, filledIn, build }: Definition<K, F>,
): LayerDef<K, F> {
  const schema = object({ ...layerFields(kind), ...fields }, description === undefined ? {} : { description });
  return { kind, schema, filledIn: filledIn ?? (() => ({})), build };
}

/** What a layer is called, whatever its kind. */
export interface NamedLayer {
  readonly kind: string;
  readonly name: string;
}

/** The output of an earlier layer. */
export function outputOf({ outputs }: LayerContext, layer: NamedLayer, name: string): ValueRef {
  return outputs.get(name) ?? internal(`layer "${layer.name}" takes unknown layer "${name}"`);
}

/** What a layer takes and cannot take; as an op's own mistake, without the batch. */
export function misfit(layer: NamedLayer, what: string, value: ValueRef, expected: string): ShapeError {
  const shape = value.type.shape.slice(1).join(',');
  return new ShapeError(`${layer.kind} "${layer.name}/${layer.kind}": ${what} [batch,${shape}]; expected ${expected}`);
}

/** Height and width of an image. */
export function spatialSize(layer: NamedLayer, input: ValueRef): readonly [height: number, width: number] {
  const [, height, width, channels] = input.type.shape;
  if (height === undefined || width === undefined || channels === undefined) {
    throw misfit(layer, 'the input is', input, '4 dimensions');
  }
  return [height, width];
}

/** Adds a node of one output. */
export function addNode(builder: GraphBuilder, ...node: Parameters<GraphBuilder['node']>): ValueRef {
  return single(builder.node(...node));
}

/** The first output of a node, which every layer's has. */
export function single(values: readonly ValueRef[]): ValueRef {
  return values[0] ?? internal('a layer made no value');
}
