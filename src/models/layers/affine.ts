/** What layers with weights have in common: a filter of their own, then batch norm, then the activation. */
import { Type } from '@sinclair/typebox';
import { internal } from '../../core/assert.ts';
import { key } from '../../core/schema.ts';
import type { Shape } from '../../core/tensor.ts';
import { numElements } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { Activated } from './activation.ts';
import { activated, addActivation } from './activation.ts';
import { addBatchNorm } from './batch_norm.ts';
import type { LayerContext } from './define.ts';
import { addNode } from './define.ts';
import { pair, padding } from './fields.ts';
import { ofRawPixels } from './pixels.ts';
import { addVariable, heUniform, zeroed } from './variables.ts';

export const affineFields = {
  bias: Type.Boolean({ ...key('Whether the layer adds a bias'), default: true }),
  batch_norm: Type.Boolean({
    ...key('Whether batch normalization follows, before the activation'),
    default: false,
  }),
  ...activated,
};

export const kernel = pair('Filter size');

export const windowFields = {
  kernel,
  stride: pair('Stride', { default: 1 }),
  dilation: pair('Dilation: distance between filter taps', { default: 1 }),
  padding: padding('same'),
  ...affineFields,
};

/**
 * Input, filter and bias.
 *
 * @param channelAxis of the output channels
 */
export function affineOperands(
  context: LayerContext,
  layer: { readonly name: string; readonly bias: boolean; readonly batch_norm: boolean },
  filterShape: Shape,
  channelAxis: number,
  input: ValueRef,
  fanIn = numElements(filterShape) / (filterShape[channelAxis] ?? 1),
): readonly ValueRef[] {
  const channels = filterShape[channelAxis] ?? internal(`the filter of "${layer.name}" has no axis ${channelAxis}`);
  const { builder, pixels } = context;
  const { name } = layer;
  const own = addVariable(context, `${name}/filter`, filterShape, 'weight', heUniform(fanIn));
  const { filter, shift } =
    pixels?.raw.has(input.name) === true
      ? ofRawPixels(builder, pixels, name, own, channelAxis, !layer.batch_norm)
      : { filter: own, shift: null };
  // Batch norm subtracts the mean, so a bias before it would have no effect.
  if (layer.batch_norm || !layer.bias) return shift === null ? [input, filter] : [input, filter, shift];
  const bias = addVariable(context, `${name}/bias`, [channels], 'bias', zeroed);
  if (shift === null) return [input, filter, bias];
  return [input, filter, addNode(builder, 'add', `${name}/pixel_bias`, [bias, shift], { activation: 'none' })];
}

/** Batch norm and activation, as the layer asks for them. */
export function finishAffine(
  context: LayerContext,
  layer: Activated & { readonly name: string; readonly batch_norm: boolean },
  output: ValueRef,
): ValueRef {
  const normalized = layer.batch_norm ? addBatchNorm(context, layer.name, output) : output;
  return addActivation(context, layer, normalized);
}
