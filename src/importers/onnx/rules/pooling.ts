/** MaxPool, AveragePool and their global forms. */
import type { ValueRef } from '../../../ops/define.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Rule, Target } from '../context.ts';
import { viewIn } from '../context.ts';
import type { Image, Pair, Windows } from './windows.ts';
import { framed, imageOf, paddingKind, viewOfImage, windowsOf } from './windows.ts';

type Pool = 'max_pool_2d' | 'average_pool_2d';

/** What a node pools, with the paddings as far as windows reach: `ceil_mode` lets the last window reach beyond. */
interface Pooling {
  readonly image: Image;
  readonly windows: Windows;
  /** Pixels after the end that windows of `ceil_mode` reach, beyond the paddings. */
  readonly beyond: Pair;
}

function poolingOf(call: Call): Pooling {
  const image = imageOf(call, viewIn(call, 0));
  const windows = windowsOf(call, image, null);
  if (windows.dilations.some((dilation) => dilation !== 1)) refuse('its dilations are not 1; expected a pool without');
  if (windows.pads.some((pad, axis) => pad.some((pixels) => pixels >= (windows.kernel[axis] ?? 1)))) {
    refuse('its paddings are as large as its windows, so that some windows are all padding');
  }
  const ceil = call.attributes.int('ceil_mode', 0) !== 0;
  return { image, windows, beyond: ceil ? [beyondOf(image, windows, 0), beyondOf(image, windows, 1)] : [0, 0] };
}

/** A last window counts where it starts before the end and the paddings after it. */
function beyondOf({ size }: Image, { kernel, strides, pads }: Windows, axis: 0 | 1): number {
  const [before, after] = pads[axis];
  const padded = size[axis] + before + after;
  const steps = Math.ceil((padded - kernel[axis]) / strides[axis]);
  const last = steps * strides[axis] >= size[axis] + before ? steps - 1 : steps;
  return Math.max(0, last * strides[axis] + kernel[axis] - padded);
}

/** The windows of a pool whose input was padded before. */
const attrsOf = ({ kernel, strides }: Windows, kind: 'same' | 'valid') =>
  ({ window: kernel, strides, padding: { kind }, activation: 'none' }) as const;

const wholePads = ({ windows: { pads }, beyond }: Pooling): readonly [Pair, Pair] => [
  [pads[0][0], pads[0][1] + beyond[0]],
  [pads[1][0], pads[1][1] + beyond[1]],
];

export const maxPool: Rule = (call) => {
  const { graph, name, isRead, attributes } = call;
  if (isRead(1)) refuse('its indices are read; expected a network that reads its output only');
  attributes.oneOf('storage_order', attributes.int('storage_order', 0), [0]);
  const pooling = poolingOf(call);
  const { image, windows } = pooling;
  const kind = paddingKind(image.size, { ...windows, pads: wholePads(pooling) });
  const input = kind === null ? paddedForMaximum(graph, name, image.ref, wholePads(pooling)) : image.ref;
  const output = graph.add('max_pool_2d', `${name}/max_pool_2d`, [input], attrsOf(windows, kind ?? 'valid'));
  return [viewOfImage(output, image.spatial)];
};

const nonNegative: ReadonlySet<string> = new Set(['relu', 'relu6', 'logistic', 'softmax']);

/** Paddings count for nothing in a maximum: zeros, where nothing is below; else the pixels at the edges once more. */
function paddedForMaximum(graph: Target, name: string, ref: ValueRef, pads: readonly [Pair, Pair]): ValueRef {
  if (nonNegative.has(graph.makerOf(ref)?.op ?? '')) return framed(graph, name, ref, pads);
  const rows = withEdges(graph, name, ref, 1, pads[0]);
  return withEdges(graph, name, rows, 2, pads[1]);
}

/** The first and the last index of a dimension repeated: every window that holds a repetition holds the original. */
export function withEdges(graph: Target, name: string, ref: ValueRef, axis: number, [before, after]: Pair): ValueRef {
  if (before === 0 && after === 0) return ref;
  const last = (ref.type.shape[axis] ?? 1) - 1;
  const first = before === 0 ? [] : new Array<ValueRef>(before).fill(indicesOf(graph, name, ref, axis, 0, 1));
  const end = after === 0 ? [] : new Array<ValueRef>(after).fill(indicesOf(graph, name, ref, axis, last, last + 1));
  return graph.add('concatenation', `${name}/concatenation`, [...first, ref, ...end], { axis });
}

/** Indices `begin` .. `end - 1` of one dimension of a value; with a step of -1 those from `begin` down to `end + 1`. */
export function indicesOf(
  graph: Target,
  name: string,
  ref: ValueRef,
  axis: number,
  begin: number,
  end: number,
  step = 1,
): ValueRef {
  const rank = ref.type.shape.length;
  const others = 2 ** rank - 1 - 2 ** axis;
  const along = (value: number, otherwise: number): readonly number[] =>
    ref.type.shape.map((_, at) => (at === axis ? value : otherwise));
  // Before index 0 there is no index to name as an end.
  const toFirst = step < 0 && end < 0;
  return graph.add('strided_slice', `${name}/strided_slice`, [ref], {
    begin: along(begin, 0),
    end: along(toFirst ? 0 : end, 0),
    strides: along(step, 1),
    beginMask: others,
    endMask: toFirst ? others + 2 ** axis : others,
    shrinkAxisMask: 0,
  });
}

export const averagePool: Rule = (call) => {
  const { graph, name, attributes } = call;
  const pooling = poolingOf(call);
  const { image, windows } = pooling;
  const countsPads = attributes.int('count_include_pad', 0) !== 0;
  const pads = wholePads(pooling);
  const kind = paddingKind(image.size, { ...windows, pads });
  // Our op counts the pixels inside the image, as ONNX does without count_include_pad.
  if (kind === 'valid' || (kind === 'same' && !countsPads)) {
    return [viewOfImage(addAverage(graph, name, image.ref, windows, kind), image.spatial)];
  }
  const average = addAverage(graph, name, framed(graph, name, image.ref, pads), windows, 'valid');
  const [height = 1, width = 1] = average.type.shape.slice(1);
  graph.take(height * width);
  const rows = countsOf(height, image.size[0], windows, 0, countsPads);
  const columns = countsOf(width, image.size[1], windows, 1, countsPads);
  const full = windows.kernel[0] * windows.kernel[1];
  const factors = rows.flatMap((inRow) => columns.map((inColumn) => full / (inRow * inColumn)));
  if (factors.every((factor) => factor === 1)) return [viewOfImage(average, image.spatial)];
  const constant = graph.numbers(`${name}/counts`, [height, width, 1], factors);
  const corrected = graph.add('mul', `${name}/mul`, [average, constant], { activation: 'none' });
  return [viewOfImage(corrected, image.spatial)];
};

function addAverage(graph: Target, name: string, ref: ValueRef, windows: Windows, kind: 'same' | 'valid'): ValueRef {
  const op: Pool = 'average_pool_2d';
  return graph.add(op, `${name}/${op}`, [ref], attrsOf(windows, kind));
}

/** How many pixels of each window count along one axis. */
function countsOf(
  outputs: number,
  size: number,
  { kernel, strides, pads }: Windows,
  axis: 0 | 1,
  countsPads: boolean,
): readonly number[] {
  const [before, after] = pads[axis];
  const [first, end] = countsPads ? [-before, size + after] : [0, size];
  return Array.from({ length: outputs }, (_, index) => {
    const start = index * strides[axis] - before;
    return Math.min(start + kernel[axis], end) - Math.max(start, first);
  });
}
