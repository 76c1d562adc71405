/** Ops along one axis that must be the last in memory, and dropout. */
import { createRandom } from '../../../core/random.ts';
import type { VariableRole } from '../../../graph/roles.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { axisOf, numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Rule } from '../context.ts';
import { optionalStatic, required, staticIn, viewIn } from '../context.ts';
import type { View } from '../view.ts';
import { dimensionsOf, naturalOrder, rankOf, shapeOf, sizeOf } from '../view.ts';

/** The value with an axis as its last dimension, and how that lies. */
export function withLastAxis({ graph, name }: Call, view: View, axis: number): View {
  const own = view.axes[axis] ?? [];
  const lies = (one: View): boolean => {
    const last = dimensionsOf(one)?.at(-1);
    return last?.length === own.length && last.every((atom, index) => atom === own[index]);
  };
  if (lies(view)) return view;
  const others = naturalOrder(view).filter((one) => one !== axis);
  const dimensions = [...others.map((one) => view.axes[one] ?? []), own];
  return { ...view, ref: graph.placed(name, view, dimensions), memory: dimensions.flat() };
}

export const batchNormalization: Rule = (call) => {
  const { graph, name, attributes, isRead } = call;
  if (attributes.int('training_mode', 0) !== 0 || [1, 2].some(isRead)) {
    refuse('it is in training form; expected the form for inference', 'export the model in evaluation mode');
  }
  const input = viewIn(call, 0);
  if (rankOf(input) < 2) refuse(`its input is [${shapeOf(input).join(',')}]; expected channels on axis 1`);
  const view = withLastAxis(call, input, 1);
  const channels = sizeOf(view.axes[1] ?? []);
  const parameter = (index: number, part: string, role: VariableRole): ValueRef => {
    const value = staticIn(call, index);
    if (value.data.length !== channels)
      refuse(`its ${part} "${value.name}" has ${value.data.length} values; expected ${channels}`);
    return graph.variable(`${name}/${part}`, [channels], Float32Array.from(value.data), role);
  };
  const operands = [
    view.ref,
    parameter(1, 'gamma', 'gamma'),
    parameter(2, 'beta', 'beta'),
    parameter(3, 'moving_mean', 'moving_mean'),
    parameter(4, 'moving_variance', 'moving_variance'),
  ];
  const epsilon = attributes.float('epsilon', 1e-5);
  return [{ ...view, ref: graph.add('batch_norm', `${name}/batch_norm`, operands, { epsilon }) }];
};

export const softmax: Rule = (call) => {
  const { graph, name, attributes } = call;
  const input = viewIn(call, 0);
  const view = withLastAxis(call, input, axisOf(attributes.int('axis', -1), rankOf(input)));
  return [{ ...view, ref: graph.add('softmax', `${name}/softmax`, [view.ref], { beta: 1 }) }];
};

/** Our graphs hold no logarithm. As the network's output it says the same as the softmax. */
export const logSoftmax: Rule = (call) => {
  if (!call.isOutput(0) || call.isRead(0)) {
    refuse('it is inside the network; expected it at the output only', 'use Softmax there');
  }
  call.graph.note(
    `"${call.name}" is a LogSoftmax at the output: the imported output is the Softmax, probabilities and not their logarithms.`,
  );
  return softmax(call);
};

/** What takes the place of the largest is the scores themselves, at the output. */
export const argMax: Rule = (call) => {
  if (!call.isOutput(0) || call.isRead(0)) {
    refuse('it is inside the network; expected it at the output only', 'cut the graph before it');
  }
  call.graph.note(
    `"${call.name}" is an ArgMax at the output: the imported output is the scores that it takes the largest of.`,
  );
  return [viewIn(call, 0)];
};

/** x / ||x||, along one axis. */
export const lpNormalization: Rule = (call) => {
  const { graph, name, attributes } = call;
  attributes.oneOf('p', attributes.int('p', 2), [2]);
  const input = viewIn(call, 0);
  const view = withLastAxis(call, input, axisOf(attributes.int('axis', -1), rankOf(input)));
  return [{ ...view, ref: graph.add('l2_normalization', `${name}/l2_normalization`, [view.ref], {}) }];
};

export const dropout: Rule = (call) => {
  const { graph, name, isRead } = call;
  const view = viewIn(call, 0);
  if (isRead(1)) refuse('its mask is read; expected a network that reads its output only');
  const ratio = optionalStatic(call, 1);
  const rate = ratio === null ? 0.5 : (numberOf(ratio) ?? refuse(`its ratio "${ratio.name}" is no single number`));
  if (!(rate >= 0 && rate < 1)) refuse(`its ratio is ${rate}; expected at least 0 and less than 1`);
  if (rate === 0) return [view];
  const stream = createRandom(0, 'dropout', name).uint32();
  return [{ ...view, ref: graph.add('dropout', `${name}/dropout`, [view.ref], { rate, stream }) }];
};

export const identity: Rule = (call) => [required(call, 0)];
