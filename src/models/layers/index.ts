/** The table of layers: one row a kind, in the order in which they are documented. */
import type { Static } from '@sinclair/typebox';
import { internal } from '../../core/assert.ts';
import { discriminated } from '../../core/schema.ts';
import type { ValueRef } from '../../ops/define.ts';
import { activation } from './activation.ts';
import { batchNorm } from './batch_norm.ts';
import { concatenation } from './concatenation.ts';
import { conv1d } from './conv_1d.ts';
import { conv2d } from './conv_2d.ts';
import type { LayerContext } from './define.ts';
import { depthwiseConv1d } from './depthwise_conv_1d.ts';
import { depthwiseConv2d } from './depthwise_conv_2d.ts';
import { dropout } from './dropout.ts';
import { add, mul, sub } from './elementwise.ts';
import { flatten } from './flatten.ts';
import { fullyConnected } from './fully_connected.ts';
import { l2Normalization } from './l2_normalization.ts';
import { pad } from './pad.ts';
import { averagePool1d, maxPool1d } from './pool_1d.ts';
import { averagePool2d, maxPool2d } from './pool_2d.ts';
import { mean, sum } from './reduction.ts';
import { reshape } from './reshape.ts';
import { resizeBilinear, resizeNearestNeighbor } from './resize.ts';
import { softmax } from './softmax.ts';
import { squeeze } from './squeeze.ts';
import { stridedSlice } from './strided_slice.ts';
import { transpose } from './transpose.ts';
import { transposeConv } from './transpose_conv.ts';

const table = [
  conv2d,
  depthwiseConv2d,
  fullyConnected,
  transposeConv,
  maxPool2d,
  averagePool2d,
  conv1d,
  depthwiseConv1d,
  maxPool1d,
  averagePool1d,
  mean,
  sum,
  flatten,
  batchNorm,
  activation,
  add,
  sub,
  mul,
  concatenation,
  dropout,
  pad,
  resizeBilinear,
  resizeNearestNeighbor,
  l2Normalization,
  reshape,
  transpose,
  squeeze,
  stridedSlice,
  softmax,
] as const;

/** A layer of a network, everything present: pairs written out, its name known. */
export type Layer = Static<(typeof table)[number]['schema']>;

/** A layer in the pipeline file. */
export const layerSchema = discriminated(
  'kind',
  table.map(({ schema }) => schema),
);

/** A row whose kind is no longer known to the compiler; it only ever builds layers of that kind. */
interface AnyRow {
  readonly kind: string;
  readonly filledIn: (layer: never) => object;
  readonly build: (context: LayerContext, layer: never, input: ValueRef) => ValueRef;
}
const rows: ReadonlyMap<string, AnyRow> = new Map(table.map((row: AnyRow) => [row.kind, row]));

const rowOf = ({ kind, name }: Layer): AnyRow => rows.get(kind) ?? internal(`no row builds ${kind} "${name}"`);

/** A layer with the fields that follow from others, such as the stride of a pool; those it has stay. */
export function completeLayer(layer: Layer): Layer {
  const missing = Object.entries(rowOf(layer).filledIn(layer as never)).filter(([field]) => !(field in layer));
  return { ...layer, ...Object.fromEntries(missing) };
}

/**
 * Adds the nodes of a layer to the network.
 *
 * @returns the output of the layer
 * @throws ShapeError naming the layer when sizes do not fit
 */
export function buildLayer(context: LayerContext, layer: Layer, input: ValueRef): ValueRef {
  return rowOf(layer).build(context, layer as never, input);
}
