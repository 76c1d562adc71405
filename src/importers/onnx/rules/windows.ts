/** What convolutions and pools share: images out of values, and ONNX's strides and paddings in our words. */
import type { Shape } from '../../../core/tensor.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Target } from '../context.ts';
import type { View } from '../view.ts';
import { rankOf, shapeOf, viewOf } from '../view.ts';

export type Pair = readonly [number, number];

/** A value as [batch, height, width, channels]; a series [batch, channels, steps] as an image of one row. */
export interface Image {
  readonly ref: ValueRef;
  readonly size: Pair;
  readonly channels: number;
  /** How many axes of ONNX's value are spatial. */
  readonly spatial: 1 | 2;
}

export function imageOf({ graph, name }: Call, view: View): Image {
  const shape = shapeOf(view);
  const rank = rankOf(view);
  if (rank !== 3 && rank !== 4) {
    return refuse(
      `its input is [${shape.join(',')}]; expected an image [1,channels,height,width] or a series [1,channels,steps]`,
    );
  }
  if (shape[0] !== 1)
    return refuse(`its input is [${shape.join(',')}], which is a batch inside the network; expected a batch of 1`);
  const ref = graph.arranged(name, view, rank === 4 ? [[2], [3], [1]] : [[], [2], [1]]);
  const [height = 1, width = 1, channels = 1] = ref.type.shape.slice(1);
  return { ref, size: [height, width], channels, spatial: rank === 4 ? 2 : 1 };
}

/** The result of a window over an image, which has as many axes as ONNX's input. */
export function viewOfImage(ref: ValueRef, spatial: 1 | 2): View {
  const [height = 1, width = 1, channels = 1] = ref.type.shape.slice(1);
  return spatial === 2
    ? viewOf(ref, [1, channels, height, width], [2, 3, 1])
    : viewOf(ref, [1, channels, width], [2, 1]);
}

export interface Windows {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** For height and width, [before, after]. */
  readonly pads: readonly [Pair, Pair];
}

/** Values along each spatial axis as values for height and width. */
function pairOf(values: Shape | null, spatial: 1 | 2, otherwise: number, what: string, least: number): Pair {
  const all = values ?? new Array<number>(spatial).fill(otherwise);
  if (all.length !== spatial || !all.every((value) => Number.isInteger(value) && value >= least && value < 2 ** 24)) {
    return refuse(
      `its ${what} are [${all.join(',')}]; expected ${spatial === 1 ? 'one number' : 'two numbers'} from ${least} on`,
    );
  }
  const [first = otherwise, second] = all;
  return second === undefined ? [otherwise, first] : [first, second];
}

/** @param kernelShape where the weights say it; null where the attribute has to */
export function windowsOf(call: Call, image: Image, kernelShape: Shape | null): Windows {
  const { attributes } = call;
  const { spatial } = image;
  const kernel = pairOf(
    kernelShape ?? attributes.ints('kernel_shape') ?? refuse('it has no kernel_shape'),
    ...([spatial, 1, 'kernel sizes', 1] as const),
  );
  const strides = pairOf(attributes.ints('strides'), spatial, 1, 'strides', 1);
  const dilations = pairOf(attributes.ints('dilations'), spatial, 1, 'dilations', 1);
  return { kernel, strides, dilations, pads: padsOf(call, image, { kernel, strides, dilations }) };
}

function padsOf({ attributes }: Call, { size, spatial }: Image, windows: Omit<Windows, 'pads'>): readonly [Pair, Pair] {
  const kinds = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'];
  const automatic = attributes.oneOf('auto_pad', attributes.string('auto_pad', 'NOTSET'), kinds);
  const none: Pair = [0, 0];
  if (automatic === 'VALID') return [none, none];
  if (automatic !== 'NOTSET') {
    const side = automatic === 'SAME_LOWER' ? 'begin' : 'end';
    return [samePads(size, windows, 0, side), samePads(size, windows, 1, side)];
  }
  const pads = attributes.ints('pads') ?? new Array<number>(2 * spatial).fill(0);
  const before = pairOf(pads.slice(0, spatial), spatial, 0, 'paddings', 0);
  const after = pairOf(pads.slice(spatial), spatial, 0, 'paddings', 0);
  const [top, left] = spatial === 1 ? [0, before[1]] : before;
  const [bottom, right] = spatial === 1 ? [0, after[1]] : after;
  return [
    [top, bottom],
    [left, right],
  ];
}

export const reach = ({ kernel, dilations }: Pick<Windows, 'kernel' | 'dilations'>, axis: 0 | 1): number =>
  (kernel[axis] - 1) * dilations[axis] + 1;

/** TensorFlow's SAME: the output has ceil(input / stride) elements. `odd`: on which side the odd pixel goes. */
export function samePads(size: Pair, windows: Omit<Windows, 'pads'>, axis: 0 | 1, odd: 'begin' | 'end'): Pair {
  const outputs = Math.ceil(size[axis] / windows.strides[axis]);
  const total = Math.max(0, (outputs - 1) * windows.strides[axis] + reach(windows, axis) - size[axis]);
  const less = Math.floor(total / 2);
  return odd === 'end' ? [less, total - less] : [total - less, less];
}

const isPair = (a: Pair, b: Pair): boolean => a[0] === b[0] && a[1] === b[1];

/** `same` or `valid` where that pads as asked; else null. */
export function paddingKind(size: Pair, windows: Windows): 'same' | 'valid' | null {
  const { pads } = windows;
  if (pads.every((pad) => isPair(pad, [0, 0]))) return 'valid';
  return isPair(pads[0], samePads(size, windows, 0, 'end')) && isPair(pads[1], samePads(size, windows, 1, 'end'))
    ? 'same'
    : null;
}

/** The image in a frame of zeros. */
export function framed(graph: Target, name: string, ref: ValueRef, [rows, columns]: readonly [Pair, Pair]): ValueRef {
  if ([...rows, ...columns].every((pad) => pad === 0)) return ref;
  return graph.add('pad', `${name}/pad`, [ref], { paddings: [[0, 0], rows, columns, [0, 0]] });
}
