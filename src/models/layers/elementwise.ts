import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { floatTensor } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import { activated, addActivation } from './activation.ts';
import type { LayerContext, NamedLayer } from './define.ts';
import { addNode, defineLayer, misfit, outputOf } from './define.ts';

/** A layer by its name, or numbers. */
const secondOperand = Type.Unsafe<string | number | readonly number[]>({
  type: ['string', 'number', 'array'],
  items: { type: 'number' },
  minItems: 1,
  examples: ['conv1', 0.5, [0.5, 2]],
  ...key(
    'The second operand: the name of a layer, whose sizes must be equal to those of the input, or 1 (broadcasting); a number; or a list of numbers, one for each channel',
  ),
});

const elementwiseOf = <const K extends 'add' | 'sub' | 'mul'>(kind: K, description: string) =>
  defineLayer(kind, {
    fields: { with: secondOperand, ...activated },
    description,
    build(context, layer, input) {
      const { builder } = context;
      const other =
        typeof layer.with === 'string'
          ? outputOfSameRank(context, layer, input, layer.with)
          : addConstant(context, layer, input, layer.with);
      const output = addNode(builder, kind, `${layer.name}/${kind}`, [input, other], { activation: 'none' });
      return addActivation(context, layer, output);
    },
  });

export const add = elementwiseOf('add', 'Adds another layer or a constant to the input');
export const sub = elementwiseOf('sub', 'Subtracts another layer or a constant from the input');
export const mul = elementwiseOf('mul', 'Multiplies the input by another layer, element by element, or by a constant');

/** The output of another layer. Of another rank, the batch of one might be stretched along an axis of the other. */
function outputOfSameRank(context: LayerContext, layer: NamedLayer, input: ValueRef, name: string): ValueRef {
  const other = outputOf(context, layer, name);
  const rank = input.type.shape.length;
  if (other.type.shape.length !== rank) throw misfit(layer, `"${name}" has shape`, other, `${rank} dimensions`);
  return other;
}

/** One number for all values, or one for each channel. */
function addConstant(
  { builder }: LayerContext,
  layer: NamedLayer,
  input: ValueRef,
  numbers: number | readonly number[],
): ValueRef {
  const channels = input.type.shape.at(-1) ?? 0;
  const values = typeof numbers === 'number' ? [numbers] : numbers;
  if (typeof numbers !== 'number' && numbers.length !== channels) {
    throw misfit(layer, `${numbers.length} numbers for`, input, `${channels}, one for each channel, or one for all`);
  }
  if (!values.every((value) => Number.isFinite(Math.fround(value)))) {
    throw misfit(layer, `${values.join(', ')} for`, input, 'numbers that float32 can hold');
  }
  return builder.constant(`${layer.name}/constant`, floatTensor([values.length], values));
}
