/** Normalization, reductions, and what is left of training. */
import { readBool } from '../../../ops/bindings.ts';
import { axisOf, numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Rule, Value } from '../context.ts';
import { computed, input, operand, staticInput, wholeNumbersIn } from '../context.ts';

/** Hands every input on. */
export const identity: Rule = (call) => call.inputs;

/** Between numbers that floats hold: a graph has floats only. */
export const cast: Rule = (call) => {
  const type = call.node.attributes.get('DstT');
  const to = type?.kind === 'type' ? type.value : 'nothing';
  if (to !== 'float32') return refuse(`it makes ${to} of computed values; expected float32`);
  return [input(call, 0)];
};

/** Takes the branch that a constant chooses. */
export const branch: Rule = (call) => {
  const chosen = numberOf(staticInput(call, 1, 'the condition of a branch'));
  const value = input(call, 0);
  const dead: Value = { kind: 'dead' };
  return chosen === 0 ? [value, dead] : [dead, value];
};

export const merge: Rule = (call) => {
  const live = call.inputs.find(({ kind }) => kind !== 'dead');
  return [live ?? refuse('no branch reaches it')];
};

/** The largest value of whole images, as a pool. */
export const reduceMax: Rule = (call) => {
  const { target, node } = call;
  const ref = operand(call, 0);
  const { shape } = ref.type;
  const axes = new Set(wholeNumbersIn(call, 1, 'its axes').map((axis) => axisOf(axis, shape.length)));
  const keeps = readBool(node, 'keep_dims', false);
  const isSpatial =
    axes.size > 0 && [...axes].every((axis) => axis > 0 && axis < shape.length - 1) && shape.length <= 4;
  const image = shape.length === 3 ? [1, 1, ...shape.slice(1)] : shape;
  if (!isSpatial)
    return refuse(
      `it takes the largest over axes [${[...axes].join(',')}]; expected those of an image between batch and channels`,
    );
  const pooled = target.add(
    'max_pool_2d',
    `${node.name}/max_pool_2d`,
    [shape.length === 3 ? target.reshape(`${node.name}/image`, ref, image) : ref],
    windowOf(shape, axes),
  );
  const kept = shape.map((size, axis) => (axes.has(axis) ? 1 : size));
  const wanted = keeps ? kept : kept.filter((_, axis) => !axes.has(axis));
  return [computed(target.reshape(node.name, pooled, wanted))];
};

function windowOf(shape: readonly number[], axes: ReadonlySet<number>) {
  const sizeAt = (axis: number): number => (axes.has(axis) ? (shape[axis] ?? 1) : 1);
  const window = shape.length === 3 ? ([1, sizeAt(1)] as const) : ([sizeAt(1), sizeAt(2)] as const);
  return { window, strides: window, padding: { kind: 'valid' }, activation: 'none' } as const;
}
