import { Type } from '@sinclair/typebox';
import { choice, key } from '../../core/schema.ts';
import { floatTensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { OpName } from '../../ops/index.ts';
import { ops } from '../../ops/index.ts';
import { addNode, defineLayer } from './define.ts';

export const activationFunctions = [
  'relu',
  'relu6',
  'leaky_relu',
  'hard_swish',
  'hard_sigmoid',
  'logistic',
  'tanh',
] as const satisfies readonly (OpName | 'hard_sigmoid')[];

export type ActivationFunction = (typeof activationFunctions)[number];

export interface Activated {
  readonly activation: 'none' | ActivationFunction;
  /** Slope of leaky_relu below zero. */
  readonly alpha?: number;
}

/** The fields of a layer that ends with an activation. */
export const activated = {
  activation: choice(['none', ...activationFunctions], {
    ...key('Activation function applied to the output; hard_sigmoid is relu6(x + 3) / 6'),
    default: 'none',
  }),
  alpha: Type.Optional(
    Type.Number({ ...key('Slope of leaky_relu for negative inputs; default: 0.2'), minimum: 0, maximum: 1 }),
  ),
};

export const activation = defineLayer('activation', {
  fields: {
    function: choice(activationFunctions, key('Activation function; hard_sigmoid is relu6(x + 3) / 6')),
    alpha: activated.alpha,
  },
  build: ({ builder }, layer, input) =>
    addFunction(builder, `${layer.name}/${layer.function}`, layer.function, layer.alpha, input),
});

/** The activation at the end of a layer. */
export function addActivation(
  builder: GraphBuilder,
  { name, activation: chosen, alpha }: Activated & { readonly name: string },
  input: ValueRef,
): ValueRef {
  if (chosen === 'none') return input;
  // Rectifiers go into the layer; other functions have a range of their own, which their scope names.
  const fuses = chosen !== 'hard_sigmoid' && ops[chosen].quant.kind === 'activation';
  return addFunction(builder, fuses ? `${name}/${chosen}` : `${name}/activation/${chosen}`, chosen, alpha, input);
}

function addFunction(
  builder: GraphBuilder,
  name: string,
  chosen: ActivationFunction,
  alpha: number | undefined,
  input: ValueRef,
): ValueRef {
  switch (chosen) {
    case 'leaky_relu':
      return addNode(builder, chosen, name, [input], { alpha: Math.fround(alpha ?? 0.2) });
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
