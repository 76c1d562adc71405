/** The variables of layers, and how they start. */
import type { Random } from '../../core/random.ts';
import type { Shape } from '../../core/tensor.ts';
import { zeros } from '../../core/tensor.ts';
import type { VariableRole } from '../../graph/roles.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { LayerContext } from './define.ts';

type Initializer = (random: Random, data: Float32Array) => void;

export function addVariable(
  { builder, weights }: LayerContext,
  name: string,
  shape: Shape,
  role: VariableRole,
  initialize: Initializer,
): ValueRef {
  if (weights.kind === 'given') return builder.variable(name, weights.tensor(name, shape), role);
  const initial = zeros('float32', shape);
  initialize(weights.random.split(name), initial.data);
  return builder.variable(name, initial, role);
}

export const filledWith =
  (value: number): Initializer =>
  (_random, data) =>
    data.fill(value);

export const zeroed = filledWith(0);

export const ones = filledWith(1);

/**
 * Uniform in +-sqrt(6 / fanIn), so that relu keeps the variance.
 *
 * @param fanIn inputs of one output value
 * @see He, Zhang, Ren, Sun 2015, section 2.2
 */
export const heUniform =
  (fanIn: number): Initializer =>
  (random, data) => {
    const limit = Math.sqrt(6 / fanIn);
    for (let index = 0; index < data.length; index++) data[index] = (2 * random.float() - 1) * limit;
  };
