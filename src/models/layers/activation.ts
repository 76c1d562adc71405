import { Type } from '@sinclair/typebox';
import { choice, key } from '../../core/schema.ts';
import { floatTensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { OpName } from '../../ops/index.ts';
import { ops } from '../../ops/index.ts';
import type { LayerContext } from './define.ts';
import { addNode, defineLayer } from './define.ts';
import { addVariable, filledWith } from './variables.ts';

export const activationFunctions = [
  'relu',
  'relu6',
  'leaky_relu',
  'prelu',
  'hard_swish',
  'hard_sigmoid',
  'logistic',
  'tanh',
] as const satisfies readonly (OpName | 'hard_sigmoid')[];

export type ActivationFunction = (typeof activationFunctions)[number];

export interface Activated {
  readonly activation: 'none' | ActivationFunction;
  /** Slope of leaky_relu below zero, or that with which prelu begins. */
  readonly alpha?: number;
}

/** The fields of a layer that ends with an activation. */
export const activated = {
  activation: choice(['none', ...activationFunctions], {
    ...key('Activation function applied to the output; hard_sigmoid is relu6(x + 3) / 6'),
    default: 'none',
  }),
  alpha: Type.Optional(
    Type.Number({
      ...key('Slope for negative inputs: of leaky_relu, default 0.2; of prelu at the beginning, default 0.25'),
      minimum: 0,
      maximum: 1,
    }),
  ),
};

export const activation = defineLayer('activation', {
  fields: {
    function: choice(activationFunctions, key('Activation function; hard_sigmoid is relu6(x + 3) / 6')),
    alpha: activated.alpha,
  },
  build: (context, layer, input) =>
    addFunction(context, layer, `${layer.name}/${layer.function}`, layer.function, input),
});

/** The activation at the end of a layer. */
export function addActivation(
  context: LayerContext,
  layer: Activated & { readonly name: string },
  input: ValueRef,
): ValueRef {
  const { name, activation: chosen } = layer;
  if (chosen === 'none') return input;
  // Rectifiers go into the layer; other functions have a range of their own, which their scope names.
  const fuses = chosen !== 'hard_sigmoid' && ops[chosen].quant.kind === 'activation';
  return addFunction(context, layer, fuses ? `${name}/${chosen}` : `${name}/activation/${chosen}`, chosen, input);
}

function addFunction(
  context: LayerContext,
  layer: { readonly name: string; readonly alpha?: number },
  name: string,
  chosen: ActivationFunction,
  input: ValueRef,
): ValueRef {
  const { builder } = context;
  switch (chosen) {
    case 'leaky_relu':
      return addNode(builder, chosen, name, [input], { alpha: Math.fround(layer.alpha ?? 0.2) });
    case 'prelu': {
      // A slope for each channel, in the shape that Keras gives those it shares over height and width.
      const { shape } = input.type;
      const slopes = shape.slice(1).map((size, axis) => (axis === shape.length - 2 ? size : 1));
      const alpha = addVariable(context, `${layer.name}/alpha`, slopes, 'slope', filledWith(layer.alpha ?? 0.25));
      return addNode(builder, chosen, name, [input, alpha], {});
    }
    case 'hard_sigmoid':
      return addHardSigmoid(builder, name, input);
    default:
      return addNode(builder, chosen, name, [input], {});
  }
}

/** relu6(x + 3) / 6, in ops that TensorFlow Lite has: it has none of this name. */
function addHardSigmoid(builder: GraphBuilder, name: string, input: ValueRef): ValueRef {
  const constant = (part: string, value: number) => builder.constant(`${name}/${part}`, floatTensor([1], [value]));
  const sum = addNode(builder, 'add', `${name}/add`, [input, constant('three', 3)], { activation: 'none' });
  const clamped = addNode(builder, 'relu6', `${name}/relu6`, [sum], {});
  return addNode(builder, 'mul', name, [clamped, constant('sixth', 1 / 6)], { activation: 'none' });
}
