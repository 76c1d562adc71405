/** Ops that move values and compute none. */
import { numElements, sameShape } from '../../../core/tensor.ts';
import type { AttributeValue } from '../../../formats/protobuf/attribute-value.ts';
import { readNumber } from '../../../ops/bindings.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { axisOf, numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Rule, Value } from '../context.ts';
import { computed, input, operand, shapeOf, staticInput, wholeNumbersIn } from '../context.ts';
import { integers } from '../static.ts';
import { reshapedAffine } from './layers.ts';
import { byRow, readRow } from './rows.ts';

/** The same values in another shape: of a layer, one that still takes its bias. */
function inShape(call: Call, shape: readonly number[]): readonly Value[] {
  const value = input(call, 0);
  if (value.kind === 'affine') {
    const affine = reshapedAffine(call, value, shape);
    if (affine !== null) return [affine];
    return [computed(call.target.reshape(call.node.name, value.finish(`${call.node.name}/layer`, null), shape))];
  }
  const ref = operand(call, 0);
  return [sameShape(ref.type.shape, shape) ? computed(ref) : computed(call.target.reshape(call.node.name, ref, shape))];
}

export const reshape: Rule = (call) => {
  const wanted = wholeNumbersIn(call, 1, 'its shape');
  const count = numElements(shapeOf(input(call, 0)));
  const known = wanted.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const shape = wanted.map((size) => (size === -1 ? count / known : size));
  if (numElements(shape) !== count || !shape.every((size) => Number.isInteger(size) && size > 0)) {
    return refuse(`it reshapes [${shapeOf(input(call, 0)).join(',')}] to [${wanted.join(',')}]`);
  }
  return inShape(call, shape);
};

export const expandDims: Rule = (call) => {
  const axis = numberOf(staticInput(call, 1, 'its axis')) ?? refuse('its axis is no single number');
  const shape = shapeOf(input(call, 0));
  const at = axisOf(axis, shape.length + 1);
  return inShape(call, [...shape.slice(0, at), 1, ...shape.slice(at)]);
};

export const squeeze: Rule = (call) => {
  const value = input(call, 0);
  const shape = shapeOf(value);
  const row = readRow(call);
  const { axes } = (row?.attrs ?? { axes: [] }) as { readonly axes: readonly number[] }; // of the row of squeeze
  if (axes.some((axis) => shape[axis] !== 1))
    return refuse(`it drops axes [${axes.join(',')}] of [${shape.join(',')}]`);
  // The batch is 1 here, and not where the network runs.
  const dropped = axes.length < shape.length && !axes.includes(0) ? axes : axes.filter((axis) => axis !== 0);
  return inShape(
    call,
    shape.filter((_, axis) => !dropped.includes(axis)),
  );
};

export const transpose: Rule = (call) => {
  const permutation = wholeNumbersIn(call, 1, 'its permutation');
  const ref = operand(call, 0);
  if (permutation.every((from, axis) => from === axis) && permutation.length === ref.type.shape.length)
    return [computed(ref)];
  return [computed(call.target.add('transpose', call.node.name, [ref], { permutation }))];
};

/** Several values along a new axis. */
export const pack: Rule = (call) => {
  const { target, node } = call;
  const refs = call.inputs.map((_, index) => operand(call, index));
  const [first] = refs;
  if (first === undefined) return refuse('it has no input');
  const { shape } = first.type;
  const axis = axisOf(readNumber(node, 'axis', 0), shape.length + 1);
  const long = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  const parts = refs.map((ref, index) => target.reshape(`${node.name}/part_${index}`, ref, long));
  return [computed(parts.length === 1 ? (parts[0] ?? first) : target.add('concatenation', node.name, parts, { axis }))];
};

export const unpack: Rule = (call) => {
  const { target, node } = call;
  const ref = operand(call, 0);
  const { shape } = ref.type;
  const axis = axisOf(readNumber(node, 'axis', 0), shape.length);
  const short = shape.filter((_, at) => at !== axis);
  return cut(call, ref, axis, new Array<number>(shape[axis] ?? 1).fill(1)).map((part, index) =>
    computed(target.reshape(`${node.name}/part_${index}`, part, short)),
  );
};

/** Parts of the given sizes along an axis. */
function cut(call: Call, ref: ValueRef, axis: number, sizes: readonly number[]): readonly ValueRef[] {
  let start = 0;
  return sizes.map((size, index) => {
    start += size;
    return part(
      call,
      `${call.node.name}/cut_${index}`,
      ref,
      ref.type.shape.map((whole, at) => (at === axis ? [start - size, size] : [0, whole])),
    );
  });
}

/** @param ranges start and size by axis */
function part(
  call: Call,
  name: string,
  ref: ValueRef,
  ranges: readonly (readonly [number, number] | readonly number[])[],
): ValueRef {
  const begin = ranges.map(([start = 0]) => start);
  const end = ranges.map(([start = 0, size = 1]) => start + size);
  // The batch stays whole, however large.
  const isWhole = begin[0] === 0 && end[0] === ref.type.shape[0];
  const mask = isWhole ? 1 : 0;
  return call.target.add('strided_slice', name, [ref], {
    ...{ begin, end, strides: begin.map(() => 1) },
    ...{ beginMask: mask, endMask: mask, shrinkAxisMask: 0, offset: false },
  });
}

export const slice: Rule = (call) => {
  const [begin, size] = [wholeNumbersIn(call, 1, 'its beginning'), wholeNumbersIn(call, 2, 'its size')];
  const ref = operand(call, 0);
  const { shape } = ref.type;
  if (begin.length !== shape.length || size.length !== shape.length)
    return refuse('its beginning or size has another rank');
  const ranges = shape.map((whole, axis) => {
    const start = begin[axis] ?? 0;
    const count = size[axis] === -1 ? whole - start : (size[axis] ?? 1);
    return start >= 0 && count > 0 && start + count <= whole ? [start, count] : refuse('it reaches beyond its input');
  });
  return [computed(part(call, call.node.name, ref, ranges))];
};

/** New axes come first, as a reshape; the slice takes them whole. */
export const stridedSlice: Rule = (call) => {
  const { target, node } = call;
  const added = readNumber(node, 'new_axis_mask', 0);
  if (added === 0) return byRow(call);
  const ref = operand(call, 0);
  const strides = wholeNumbersIn(call, 3, 'its strides');
  const has = (mask: number, at: number): boolean => (mask & (1 << at)) !== 0;
  const ellipsis = readNumber(node, 'ellipsis_mask', 0);
  if (has(added, 0)) return refuse('it adds an axis before the batch');
  const left = [...ref.type.shape];
  const named = strides.filter((_, at) => !has(added, at) && !has(ellipsis, at)).length;
  const shape = strides.flatMap((_, at) => {
    if (has(ellipsis, at)) return left.splice(0, Math.max(0, ref.type.shape.length - named));
    return has(added, at) ? [1] : left.splice(0, 1);
  });
  const mask = (name: string, set: number, clear: number): readonly [string, AttributeValue] => [
    name,
    { kind: 'int', value: (readNumber(node, name, 0) | set) & ~clear },
  ];
  const attributes = new Map([
    ...node.attributes,
    ...[mask('begin_mask', added, 0), mask('end_mask', added, 0), mask('shrink_axis_mask', 0, added)],
    mask('new_axis_mask', 0, added),
  ]);
  const [, begin, end] = call.inputs;
  const whole = integers(
    strides.map((stride, at) => (has(added, at) ? 1 : stride)),
    `${node.name}/strides`,
  );
  const image = computed(target.reshape(`${node.name}/axes`, ref, [...shape, ...left]));
  return byRow({ ...call, node: { ...node, attributes }, inputs: [image, begin ?? whole, end ?? whole, whole] });
};

export const splitByEach: Rule = (call) => {
  const ref = operand(call, 0);
  const sizes = wholeNumbersIn(call, 1, 'its sizes');
  const axis = axisOf(numberOf(staticInput(call, 2, 'its axis')) ?? 0, ref.type.shape.length);
  const whole = ref.type.shape[axis] ?? 1;
  const known = sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);
  const parts = sizes.map((size) => (size === -1 ? whole - known : size));
  if (parts.some((size) => size < 1) || parts.reduce((sum, size) => sum + size, 0) !== whole)
    return refuse('its sizes do not fit');
  return cut(call, ref, axis, parts).map(computed);
};

/** With a value of its own; 0 is what a pad adds. */
export const padWith: Rule = (call) => {
  const value = numberOf(staticInput(call, 2, 'the value it pads with'));
  const paddings = wholeNumbersIn(call, 1, 'the paddings');
  if (value !== 0) return refuse(`it pads with ${value ?? 'several values'}; expected 0`);
  const pairs = Array.from(
    { length: paddings.length / 2 },
    (_, at) => [paddings[2 * at] ?? 0, paddings[2 * at + 1] ?? 0] as const,
  );
  return [computed(call.target.add('pad', call.node.name, [operand(call, 0)], { paddings: pairs }))];
};

const mostCopies = 4096;

export const tile: Rule = (call) => {
  const times = wholeNumbersIn(call, 1, 'how often it repeats');
  if (times.some((count) => count < 1) || times.reduce((all, count) => all * count, 1) > mostCopies) {
    return refuse(`it repeats its input [${times.join(',')}] times`);
  }
  const { target, node } = call;
  return [
    computed(
      times.reduce(
        (ref, count, axis) =>
          count === 1
            ? ref
            : target.add('concatenation', `${node.name}/axis_${axis}`, new Array<ValueRef>(count).fill(ref), { axis }),
        operand(call, 0),
      ),
    ),
  ];
};

/** Blocks of an image to channels, or back: a reshape, a transpose and a reshape. */
const blocks =
  (isToDepth: boolean): Rule =>
  (call) => {
    const { target, node } = call;
    const size = readNumber(node, 'block_size', 1);
    const ref = operand(call, 0);
    const [batch = 1, height = 1, width = 1, channels = 1] = ref.type.shape;
    if (ref.type.shape.length !== 4 || size < 1) return refuse('it reads no image');
    const [rows, columns, depth] = isToDepth
      ? [height / size, width / size, channels]
      : [height, width, channels / (size * size)];
    if (![rows, columns, depth].every(Number.isInteger))
      return refuse(`blocks of ${size} do not fit into [${ref.type.shape.join(',')}]`);
    // The batch is split off: ops here have at most so many axes.
    const long = isToDepth ? [batch * rows, size, columns, size * depth] : [batch * rows, columns, size, size * depth];
    const cutImage = target.add('reshape', `${node.name}/blocks`, [ref], { shape: [-1, ...long.slice(1)] });
    const moved = target.add('transpose', `${node.name}/transpose`, [cutImage], { permutation: [0, 2, 1, 3] });
    const shape = isToDepth ? [rows, columns, size * size * depth] : [rows * size, columns * size, depth];
    return [computed(target.add('reshape', node.name, [moved], { shape: [-1, ...shape] }))];
  };

export const spaceToDepth = blocks(true);
export const depthToSpace = blocks(false);
