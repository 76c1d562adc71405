/** Activation functions, in the ops that our graphs have. */
import type { ValueRef } from '../../../ops/define.ts';
import type { Call, Rule, Target } from '../context.ts';
import { optionalStatic, staticIn, viewIn } from '../context.ts';
import { refuse } from '../refusal.ts';
import { scalarOf } from '../static.ts';
import { withRef } from '../view.ts';
import { alignStatic } from './align.ts';

const plain = { activation: 'none' } as const;

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

/** x * factor, or x itself. */
function times(graph: Target, name: string, ref: ValueRef, factor: number): ValueRef {
  if (factor === 1) return ref;
  return graph.add('mul', `${name}/mul`, [ref, graph.constant(`${name}/factor`, [1], [factor])], plain);
}

/** x + offset, or x itself. */
function plus(graph: Target, name: string, ref: ValueRef, offset: number): ValueRef {
  if (offset === 0) return ref;
  return graph.add('add', `${name}/add`, [ref, graph.constant(`${name}/offset`, [1], [offset])], plain);
}

/** What a value is at least and at most because of the op that makes it. */
function knownLimits(graph: Target, ref: ValueRef): readonly [low: number, high: number] {
  const maker = graph.makerOf(ref);
  if (maker?.op === 'relu') return [0, Infinity];
  if (maker?.op === 'relu6') return [0, 6];
  if (maker?.op === 'logistic' || maker?.op === 'softmax') return [0, 1];
  if (maker?.op === 'tanh') return [-1, 1];
  return [-Infinity, Infinity];
}

/** min(max(x, low), high). Rectifiers are the only ops that clip: other limits are theirs, moved and scaled. */
export function clipped(graph: Target, name: string, ref: ValueRef, low: number, high: number): ValueRef {
  if (!(low <= high)) refuse(`it clips to ${low} .. ${high}; expected a lower end below the upper one`);
  const [least, most] = knownLimits(graph, ref);
  if (low <= least && high >= most) return ref;
  const maker = graph.makerOf(ref);
  // A rectifier before it, as some exporters write relu6.
  if (maker?.op === 'relu' && low <= 0 && high === 6) return clipped(graph, name, maker.inputs[0] ?? ref, 0, 6);
  if (low === 0 && high === 6) return graph.add('relu6', `${name}/relu6`, [ref], {});
  if (low === 0 && high === Infinity) return graph.add('relu', `${name}/relu`, [ref], {});
  if (high === Infinity) {
    const above = graph.add('relu', `${name}/relu`, [plus(graph, name, ref, -low)], {});
    return plus(graph, name, above, low);
  }
  if (low === -Infinity) {
    const end = (): ValueRef => graph.constant(`${name}/high`, [1], [high]);
    const below = graph.add('relu', `${name}/relu`, [graph.add('sub', `${name}/sub`, [end(), ref], plain)], {});
    return graph.add('sub', `${name}/sub`, [end(), below], plain);
  }
  if (low === high) return plus(graph, name, times(graph, name, ref, 0), low);
  const scale = 6 / (high - low);
  const moved = times(graph, name, plus(graph, name, ref, -low), scale);
  const clamped = graph.add('relu6', `${name}/relu6`, [moved], {});
  return plus(graph, name, times(graph, name, clamped, 1 / scale), low);
}

export const clip: Rule = (call) => {
  const view = viewIn(call, 0);
  const [low, high] = [1, 2].map((index) => {
    const limit = optionalStatic(call, index);
    if (limit === null) return index === 1 ? -Infinity : Infinity;
    return scalarOf(limit) ?? refuse(`its limit "${limit.name}" is no single number`);
  }) as [number, number];
  // Exporters write the ends of float32 for no limit.
  const end = 3e38;
  const [least, most] = [low <= -end ? -Infinity : low, high >= end ? Infinity : high];
  return [withRef(view, clipped(call.graph, call.name, view.ref, least, most))];
};

/** max(0, min(1, alpha * x + beta)) = relu6(6 * alpha * x + 6 * beta) / 6. */
export const hardSigmoid = elementwise(({ graph, name, attributes }, ref) => {
  const [alpha, beta] = [attributes.float('alpha', 0.2), attributes.float('beta', 0.5)];
  // A sixth, as float32 has it, makes 1.
  const factor = Math.abs(6 * alpha - 1) < 1e-6 ? 1 : 6 * alpha;
  const moved = plus(graph, name, times(graph, name, ref, factor), 6 * beta);
  return times(graph, name, graph.add('relu6', `${name}/relu6`, [moved], {}), 1 / 6);
});

/** Slopes become a variable, which fine-tuning trains. */
export const prelu: Rule = (call) => {
  const { graph, name } = call;
  const view = viewIn(call, 0);
  const { operands, values, result } = alignStatic(call, view, staticIn(call, 1));
  const alpha = graph.variable(`${name}/alpha`, values.shape, Float32Array.from(values.data), 'slope');
  return [result(graph.add('prelu', `${name}/prelu`, [operands[0]!, alpha], {}))];
};
