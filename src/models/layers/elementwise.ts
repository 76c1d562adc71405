import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { activated, addActivation } from './activation.ts';
import { addNode, defineLayer, misfit, outputOf } from './define.ts';

const elementwiseOf = <const K extends 'add' | 'sub' | 'mul'>(kind: K, description: string) =>
  defineLayer(kind, {
    fields: {
      with: Type.String(
        key(
          'Name of the layer that gives the second operand; its sizes must be equal to those of the input, or 1 (broadcasting)',
        ),
      ),
      ...activated,
    },
    description,
    build(context, layer, input) {
      const { builder } = context;
      const other = outputOf(context, layer, layer.with);
      const rank = input.type.shape.length;
      // Otherwise the batch of one might be stretched along an axis of the other.
      if (other.type.shape.length !== rank)
        throw misfit(layer, `"${layer.with}" has shape`, other, `${rank} dimensions`);
      const output = addNode(builder, kind, `${layer.name}/${kind}`, [input, other], { activation: 'none' });
      return addActivation(builder, layer, output);
    },
  });

export const add = elementwiseOf('add', 'Adds another layer to the input');
export const sub = elementwiseOf('sub', 'Subtracts another layer from the input');
export const mul = elementwiseOf('mul', 'Multiplies the input by another layer, element by element');
