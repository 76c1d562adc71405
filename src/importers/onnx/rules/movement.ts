/** Ops that move values without computing. Those that only regroup or exchange axes add nothing to the graph. */
import type { Shape } from '../../../core/tensor.ts';
import { numElements } from '../../../core/tensor.ts';
import { broadcastShapes } from '../../../ops/broadcast.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { axisOf, numberOf } from '../../elements.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Rule } from '../context.ts';
import { axesOf, optionalIntegers, optionalStatic, required, staticIn, valueShape, viewIn } from '../context.ts';
import type { View } from '../view.ts';
import { naturalOrder, permutedView, rankOf, regrouped, shapeOf, splitAxis, viewOf } from '../view.ts';
import { indicesOf, withEdges } from './pooling.ts';

const mostPieces = 64;

export function reshapedView({ graph, name }: Call, view: View, shape: Shape): View {
  if (
    numElements(shape) !== numElements(shapeOf(view)) ||
    !shape.every((size) => Number.isInteger(size) && size >= 1)
  ) {
    refuse(`it reshapes [${shapeOf(view).join(',')}] to [${shape.join(',')}]`);
  }
  const renamed = regrouped(view, shape);
  if (renamed !== null) return renamed;
  // Pieces of one axis come to lie across two: all of them go to ONNX's order first.
  const ordered = graph.arranged(name, view, [view.axes.map((_, axis) => axis)]);
  return viewOf(graph.reshape(name, ordered, shape[0] === 1 ? shape.slice(1) : shape), shape);
}

/** The shape that a Reshape asks for: 0 keeps a size, -1 is what remains. */
export function wantedShape(input: Shape, wanted: readonly number[], allowsZero: boolean): Shape {
  const kept = wanted.map((size, axis) => (size === 0 && !allowsZero ? (input[axis] ?? 1) : size));
  const known = numElements(kept.filter((size) => size !== -1));
  return kept.map((size) => (size === -1 ? numElements(input) / known : size));
}

export const reshape: Rule = (call) => {
  const view = viewIn(call, 0);
  const shape = wantedShape(
    shapeOf(view),
    Array.from(staticIn(call, 1).data),
    call.attributes.int('allowzero', 0) !== 0,
  );
  return [reshapedView(call, view, shape)];
};

export function flattenedShape(shape: Shape, axis: number): Shape {
  const at = axis < 0 ? axis + shape.length : axis;
  return [numElements(shape.slice(0, at)), numElements(shape.slice(at))];
}

export const flatten: Rule = (call) => {
  const view = viewIn(call, 0);
  return [reshapedView(call, view, flattenedShape(shapeOf(view), call.attributes.int('axis', 1)))];
};

export function squeezedShape(call: Call, shape: Shape): Shape {
  const named = optionalIntegers(call, 1) ?? call.attributes.ints('axes');
  const axes = named === null ? shape.flatMap((size, axis) => (size === 1 ? [axis] : [])) : axesOf(named, shape.length);
  if (axes.some((axis) => shape[axis] !== 1)) refuse(`it removes axes [${axes.join(',')}] of [${shape.join(',')}]`);
  return shape.filter((_, axis) => !axes.includes(axis));
}

export function unsqueezedShape(call: Call, shape: Shape): Shape {
  const named = optionalIntegers(call, 1) ?? call.attributes.ints('axes') ?? refuse('it names no axes');
  const rank = shape.length + named.length;
  const axes = axesOf(named, rank);
  if (new Set(axes).size !== axes.length) refuse(`it names an axis twice: [${axes.join(',')}]`);
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (shape[next++] ?? 1)));
}

export const squeeze: Rule = (call) => {
  const view = viewIn(call, 0);
  return [reshapedView(call, view, squeezedShape(call, shapeOf(view)))];
};

export const unsqueeze: Rule = (call) => {
  const view = viewIn(call, 0);
  return [reshapedView(call, view, unsqueezedShape(call, shapeOf(view)))];
};

export function permutationOf({ attributes }: Call, rank: number): readonly number[] {
  const permutation = attributes.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const isPermutation = new Set(permutation).size === rank && permutation.every((axis) => axis >= 0 && axis < rank);
  if (permutation.length !== rank || !isPermutation) refuse(`[${permutation.join(',')}] is no order of ${rank} axes`);
  return permutation;
}

export const transpose: Rule = (call) => {
  const view = viewIn(call, 0);
  return [permutedView(view, permutationOf(call, rankOf(view)))];
};

/** A value with an axis as a dimension of its own. */
interface Along {
  readonly ref: ValueRef;
  /** Of our value. */
  readonly dimension: number;
  /** The view of a result whose axis has another size. */
  readonly result: (ref: ValueRef, size: number) => View;
}

/** @param order of the axes in memory; left out, the one that is nearest */
function along({ graph, name }: Call, view: View, axis: number, order = naturalOrder(view)): Along {
  // The batch, where something is done along it, is a dimension behind ours.
  const dimensions = order.includes(axis) ? order : [axis, ...order];
  const ref = graph.arranged(
    name,
    view,
    dimensions.map((one) => [one]),
  );
  const result = (output: ValueRef, size: number): View =>
    viewOf(
      output,
      shapeOf(view).map((own, at) => (at === axis ? size : own)),
      dimensions,
    );
  return { ref, dimension: dimensions.indexOf(axis) + 1, result };
}

export const concat: Rule = (call) => {
  const { graph, name, attributes } = call;
  const inputs = call.inputs.map((_, index) => required(call, index));
  const first = inputs.find((value) => value.kind === 'view') ?? refuse('it has no computed input');
  const axis = axisOf(attributes.int('axis', 0), rankOf(first));
  const shapes = inputs.map(valueShape);
  const fits = (shape: Shape): boolean =>
    shape.length === rankOf(first) && shape.every((size, at) => at === axis || size === shapes[0]?.[at]);
  if (!shapes.every(fits))
    refuse(`it joins ${shapes.map((shape) => `[${shape.join(',')}]`).join(', ')} on axis ${axis}`);
  // The order of the value that has the most to move.
  const views = inputs.filter((value) => value.kind === 'view');
  const order = naturalOrder(views.reduce((a, b) => (b.memory.length > a.memory.length ? b : a)));
  const parts = inputs.map((_, index) => along(call, viewIn(call, index), axis, order));
  const [part] = parts;
  if (part === undefined) return refuse('it has no input');
  const size = shapes.reduce((total, shape) => total + (shape[axis] ?? 0), 0);
  if (parts.length === 1) return [part.result(part.ref, size)];
  const joined = graph.add(
    'concatenation',
    `${name}/concatenation`,
    parts.map(({ ref }) => ref),
    { axis: part.dimension },
  );
  return [part.result(joined, size)];
};

/** How an axis is cut. */
export function splitSizes(call: Call, size: number): readonly number[] {
  const { attributes, node } = call;
  const given = optionalIntegers(call, 1) ?? attributes.ints('split');
  const count = attributes.int('num_outputs', node.outputs.length);
  if (!(count >= 1 && count <= size)) refuse(`it cuts ${size} indices into ${count} pieces`);
  const chunk = Math.ceil(size / count);
  const sizes = given ?? Array.from({ length: count }, (_, index) => Math.min(chunk, size - index * chunk));
  const total = sizes.reduce((sum, one) => sum + one, 0);
  if (total !== size || sizes.some((one) => one < 1))
    refuse(`it cuts ${size} indices into pieces of ${sizes.join(', ')}`);
  return sizes;
}

export const split: Rule = (call) => {
  const { graph, name, attributes } = call;
  const view = viewIn(call, 0);
  const axis = axisOf(attributes.int('axis', 0), rankOf(view));
  const sizes = splitSizes(call, shapeOf(view)[axis] ?? 1);
  const { ref, dimension, result } = along(call, view, axis);
  let start = 0;
  return sizes.map((size) => {
    const piece = indicesOf(graph, name, ref, dimension, start, start + size);
    start += size;
    return result(piece, size);
  });
};

/** A slice of one axis: indices `begin`, `begin + step`, … as many as `count`. */
export interface AxisSlice {
  readonly axis: number;
  readonly begin: number;
  readonly step: number;
  readonly count: number;
}

export function slicesOf(call: Call, shape: Shape): readonly AxisSlice[] {
  const begins = optionalIntegers(call, 1) ?? [];
  const ends = optionalIntegers(call, 2) ?? [];
  const axes = axesOf(optionalIntegers(call, 3) ?? begins.map((_, axis) => axis), shape.length);
  const steps = optionalIntegers(call, 4) ?? begins.map(() => 1);
  if (ends.length !== begins.length || axes.length !== begins.length || steps.length !== begins.length) {
    refuse('it has starts, ends, axes and steps of different numbers');
  }
  return axes.map((axis, index) => {
    const size = shape[axis] ?? 1;
    const step = steps[index] ?? 1;
    const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (at: number, from: number): number => Math.min(Math.max(at < 0 ? at + size : at, from), highest);
    const begin = clamp(begins[index] ?? 0, step > 0 ? lowest : 0);
    const count = Math.ceil((clamp(ends[index] ?? 0, lowest) - begin) / step);
    if (step === 0 || !(count >= 1)) refuse(`it takes nothing of axis ${axis} of [${shape.join(',')}]`);
    return { axis, begin, step, count };
  });
}

function sliced(call: Call, view: View, { axis, begin, step, count }: AxisSlice): View {
  const { graph, name } = call;
  if (begin === 0 && step === 1 && count === shapeOf(view)[axis]) return view;
  const { ref, dimension, result } = along(call, view, axis);
  const end = begin + count * step;
  return result(indicesOf(graph, name, ref, dimension, begin, end, step), count);
}

export const slice: Rule = (call) => {
  const view = viewIn(call, 0);
  return [slicesOf(call, shapeOf(view)).reduce((result, one) => sliced(call, result, one), view)];
};

/** Constant indices: runs of neighbours are slices, and the slices are joined. */
export const gather: Rule = (call) => {
  const { graph, name, attributes } = call;
  const view = viewIn(call, 0);
  const axis = axisOf(attributes.int('axis', 0), rankOf(view));
  const indices = staticIn(call, 1);
  const size = shapeOf(view)[axis] ?? 1;
  const wanted = Array.from(indices.data, (index) => (index < 0 ? index + size : index));
  if (wanted.length === 0 || !wanted.every((index) => Number.isInteger(index) && index >= 0 && index < size)) {
    refuse(`its indices [${wanted.slice(0, 8).join(',')}] are not all among the ${size} of axis ${axis}`);
  }
  const { ref, dimension, result } = along(call, view, axis);
  const runs = runsOf(wanted);
  if (runs.length > mostPieces) refuse(`it picks ${runs.length} separate stretches; expected at most ${mostPieces}`);
  const parts = runs.map(([begin, count]) => indicesOf(graph, name, ref, dimension, begin, begin + count));
  const [first] = parts;
  if (first === undefined) return refuse('it picks nothing');
  const joined =
    parts.length === 1 ? first : graph.add('concatenation', `${name}/concatenation`, parts, { axis: dimension });
  const picked = result(joined, wanted.length);
  const shape = shapeOf(picked);
  return [reshapedView(call, picked, [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)])];
};

function runsOf(indices: readonly number[]): readonly (readonly [begin: number, count: number])[] {
  const runs: [number, number][] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === index) last[1]++;
    else runs.push([index, 1]);
  }
  return runs;
}

export const pad: Rule = (call) => {
  const { attributes } = call;
  const view = viewIn(call, 0);
  const rank = rankOf(view);
  const axes = axesOf(optionalIntegers(call, 3) ?? view.axes.map((_, axis) => axis), rank);
  const pads = optionalIntegers(call, 1) ?? [];
  if (pads.length !== 2 * axes.length) refuse(`it has ${pads.length} paddings for ${axes.length} axes`);
  const mode = attributes.oneOf('mode', attributes.string('mode', 'constant'), ['constant', 'reflect', 'edge', 'wrap']);
  const value = optionalStatic(call, 2);
  const fill = value === null ? 0 : (numberOf(value) ?? 0);
  if (mode === 'constant' && pads.every((one) => one >= 0)) {
    const wanted = view.axes.map((_, axis): readonly [number, number] => {
      const at = axes.indexOf(axis);
      return at < 0 ? [0, 0] : [pads[at] ?? 0, pads[at + axes.length] ?? 0];
    });
    const framed = framedAtOnce(call, view, wanted, fill);
    if (framed !== null) return [framed];
  }
  return [
    axes.reduce((result, axis, index) => {
      const [before = 0, after = 0] = [pads[index], pads[index + axes.length]];
      const cut = withoutNegative(call, result, axis, before, after);
      const [front, back] = [Math.max(before, 0), Math.max(after, 0)];
      return front === 0 && back === 0 ? cut : padded(call, cut, axis, [front, back], mode, fill);
    }, view),
  ];
};

function withoutNegative(call: Call, view: View, axis: number, before: number, after: number): View {
  const begin = Math.max(-before, 0);
  const count = (shapeOf(view)[axis] ?? 1) - begin - Math.max(-after, 0);
  if (!(count >= 1)) refuse(`its paddings ${before} and ${after} leave nothing of axis ${axis}`);
  return sliced(call, view, { axis, begin, step: 1, count });
}

function padded(
  call: Call,
  view: View,
  axis: number,
  [before, after]: readonly [number, number],
  mode: string,
  fill: number,
): View {
  const { graph, name } = call;
  const size = shapeOf(view)[axis] ?? 1;
  const { ref, dimension, result } = along(call, view, axis);
  const whole = size + before + after;
  if (mode === 'constant') return result(framedBy(call, ref, paddingsOf(ref, dimension, [before, after]), fill), whole);
  if (mode === 'edge' && before + after <= mostPieces) {
    return result(withEdges(graph, name, ref, dimension, [before, after]), whole);
  }
  const reflects = mode === 'reflect';
  if (mode === 'edge' || Math.max(before, after) > (reflects ? size - 1 : size)) {
    refuse(`it pads ${size} by ${before} and ${after} (${mode}); expected less`);
  }
  const front = reflects
    ? indicesOf.bind(null, graph, name, ref, dimension, before, 0, -1)
    : indicesOf.bind(null, graph, name, ref, dimension, size - before, size);
  const back = reflects
    ? indicesOf.bind(null, graph, name, ref, dimension, size - 2, size - 2 - after, -1)
    : indicesOf.bind(null, graph, name, ref, dimension, 0, after);
  const parts = [...(before > 0 ? [front()] : []), ref, ...(after > 0 ? [back()] : [])];
  return result(graph.add('concatenation', `${name}/concatenation`, parts, { axis: dimension }), whole);
}

/** Paddings of one dimension. */
const paddingsOf = ({ type }: ValueRef, dimension: number, pads: readonly [number, number]) =>
  type.shape.map((_, at) => (at === dimension ? pads : ([0, 0] as const)));

/** Padding with a value on all axes by one op; null where the batch is padded. */
function framedAtOnce(call: Call, view: View, pads: readonly (readonly [number, number])[], fill: number): View | null {
  const order = naturalOrder(view);
  if (pads.some(([before, after], axis) => before + after > 0 && !order.includes(axis))) return null;
  const ref = call.graph.arranged(
    call.name,
    view,
    order.map((axis) => [axis]),
  );
  const paddings = [[0, 0] as const, ...order.map((axis) => pads[axis] ?? ([0, 0] as const))];
  const shape = shapeOf(view).map((size, axis) => size + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0));
  return viewOf(framedBy(call, ref, paddings, fill), shape, order);
}

/** Our op pads with zeros: another value is one that everything is moved by. */
function framedBy(
  { graph, name }: Call,
  ref: ValueRef,
  paddings: readonly (readonly [number, number])[],
  fill: number,
): ValueRef {
  if (!Number.isFinite(fill)) refuse(`it pads with ${fill}; expected a number`);
  if (paddings.every(([before, after]) => before + after === 0)) return ref;
  const moved = (value: ValueRef, by: number): ValueRef =>
    fill === 0
      ? value
      : graph.add('add', `${name}/add`, [value, graph.numbers(`${name}/fill`, [1], [by])], { activation: 'none' });
  return moved(graph.add('pad', `${name}/pad`, [moved(ref, -fill)], { paddings }), fill);
}

/** Copies joined, axis by axis. */
function repeated(call: Call, view: View, axis: number, times: number): View {
  const { graph, name } = call;
  if (times === 1) return view;
  if (!(times >= 1 && times <= mostPieces))
    refuse(`it repeats axis ${axis} ${times} times; expected 1 to ${mostPieces}`);
  const { ref, dimension, result } = along(call, view, axis);
  const copies = new Array<ValueRef>(times).fill(ref);
  const joined = graph.add('concatenation', `${name}/concatenation`, copies, { axis: dimension });
  return result(joined, (shapeOf(view)[axis] ?? 1) * times);
}

export const tile: Rule = (call) => {
  const view = viewIn(call, 0);
  const times = Array.from(staticIn(call, 1).data);
  if (times.length !== rankOf(view)) refuse(`it has ${times.length} repetitions for ${rankOf(view)} axes`);
  return [times.reduce((result, count, axis) => repeated(call, result, axis, count), view)];
};

export const expand: Rule = (call) => {
  const view = viewIn(call, 0);
  const own = shapeOf(view);
  const shape = broadcastShapes(own, Array.from(staticIn(call, 1).data));
  const wide = reshapedView(call, view, [...new Array<number>(shape.length - own.length).fill(1), ...own]);
  return [shape.reduce((result, size, axis) => repeated(call, result, axis, size / (shapeOf(wide)[axis] ?? 1)), wide)];
};

/** Cut into blocks and exchanged, by renaming: what moves, moves where it is next needed. */
export const depthToSpace: Rule = (call) => {
  const { attributes } = call;
  const view = viewIn(call, 0);
  const [batch = 1, channels = 1, height = 1, width = 1] = shapeOf(view);
  const block = attributes.int('blocksize', 0);
  const mode = attributes.oneOf('mode', attributes.string('mode', 'DCR'), ['DCR', 'CRD']);
  const depth = channels / block ** 2;
  if (rankOf(view) !== 4 || !(block >= 1) || !Number.isInteger(depth)) refuse(blockMismatch(view, block));
  const sizes = mode === 'DCR' ? [block, block, depth] : [depth, block, block];
  const cut = splitAxis(view, 1, sizes) ?? reshapedView(call, view, [batch, ...sizes, height, width]);
  const order = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  return [reshapedView(call, permutedView(cut, order), [batch, depth, height * block, width * block])];
};

const blockMismatch = (view: View, block: number): string =>
  `its input is [${shapeOf(view).join(',')}]; expected an image with whole blocks of ${block}x${block}`;

export const spaceToDepth: Rule = (call) => {
  const view = viewIn(call, 0);
  const [batch = 1, channels = 1, height = 1, width = 1] = shapeOf(view);
  const block = call.attributes.int('blocksize', 0);
  const [rows, columns] = [height / block, width / block];
  if (rankOf(view) !== 4 || !(block >= 1) || !Number.isInteger(rows) || !Number.isInteger(columns)) {
    refuse(blockMismatch(view, block));
  }
  const cut = reshapedView(call, view, [batch, channels, rows, block, columns, block]);
  const moved = permutedView(cut, [0, 3, 5, 1, 2, 4]);
  return [reshapedView(call, moved, [batch, channels * block ** 2, rows, columns])];
};
