/** Activation functions, in the ops that our graphs have. */
import type { ValueRef } from '../../../ops/define.ts';
import { numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import { clipped, hardSigmoid as spelledHardSigmoid, stepsOf } from '../../spelled-out.ts';
import type { Call, Rule } from '../context.ts';
import { optionalStatic, staticIn, viewIn } from '../context.ts';
import { withRef } from '../view.ts';
import { alignStatic } from './align.ts';

/** A function of one value, element by element. */
const elementwise =
  (add: (call: Call, ref: ValueRef) => ValueRef): Rule =>
  (call) => {
    const view = viewIn(call, 0);
    return [withRef(view, add(call, view.ref))];
  };

const named = (op: 'relu' | 'logistic' | 'tanh' | 'hard_swish'): Rule =>
  elementwise(({ graph, name }, ref) => graph.add(op, `${name}/${op}`, [ref], {}));

export const relu = named('relu');
export const sigmoid = named('logistic');
export const tanh = named('tanh');
export const hardSwish = named('hard_swish');

export const leakyRelu = elementwise(({ graph, name, attributes }, ref) =>
  graph.add('leaky_relu', `${name}/leaky_relu`, [ref], { alpha: Math.fround(attributes.float('alpha', 0.01)) }),
);

export const clip: Rule = (call) => {
  const view = viewIn(call, 0);
  const [low, high] = [1, 2].map((index) => {
    const limit = optionalStatic(call, index);
    if (limit === null) return index === 1 ? -Infinity : Infinity;
    return numberOf(limit) ?? refuse(`its limit "${limit.name}" is no single number`);
  }) as [number, number];
  // Exporters write the ends of float32 for no limit.
  const end = 3e38;
  const [least, most] = [low <= -end ? -Infinity : low, high >= end ? Infinity : high];
  return [withRef(view, clipped(stepsOf(call.graph, call.name), view.ref, least, most))];
};

export const hardSigmoid = elementwise(({ graph, name, attributes }, ref) =>
  spelledHardSigmoid(stepsOf(graph, name), ref, attributes.float('alpha', 0.2), attributes.float('beta', 0.5)),
);

/** Slopes become a variable, which fine-tuning trains. */
export const prelu: Rule = (call) => {
  const { graph, name } = call;
  const view = viewIn(call, 0);
  const { operands, values, result } = alignStatic(call, view, staticIn(call, 1));
  const alpha = graph.variable(`${name}/alpha`, values.shape, Float32Array.from(values.data), 'slope');
  return [result(graph.add('prelu', `${name}/prelu`, [operands[0]!, alpha], {}))];
};
