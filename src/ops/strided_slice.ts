import type { Shape } from '../core/tensor.ts';
import {
  T_FLOAT,
  booleanOption,
  int32Vector,
  int8Version,
  numberOption,
  readNumber,
  wholeNumbers,
} from './bindings.ts';
import { ShapeError, UnsupportedError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';
import type { StridedCopy } from './strided.ts';
import { copyStrided, partWalk, wholeWalk } from './strided.ts';

/** Python's slices, one for each leading axis; axes past the last are whole. */
export interface StridedSliceAttrs {
  /** Negative indices count from the end. */
  readonly begin: readonly number[];
  /** The first index that is left out. */
  readonly end: readonly number[];
  readonly strides: readonly number[];
  /** Bit i: axis i begins where it begins. */
  readonly beginMask: number;
  readonly endMask: number;
  /** Bit i: only index `begin` is taken, and the axis disappears. */
  readonly shrinkAxisMask: number;
}

/** Every index of `rank` axes, for a slice of fewer. */
export function wholeAxes(rank: number): StridedSliceAttrs {
  const all = (value: number): readonly number[] => new Array<number>(rank).fill(value);
  return { begin: all(0), end: all(0), strides: all(1), beginMask: 0, endMask: 0, shrinkAxisMask: 0 };
}

export const stridedSlice = defineOp<'strided_slice', StridedSliceAttrs>({
  name: 'strided_slice',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer: ([input], attrs) => [{ dtype: input!.dtype, shape: slice(input!.shape, attrs).shape }],
  float: ([input], attrs, [output]) => copyStrided(sliceCopy(input!.shape, attrs), input!.data, output!.data),
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(stridedSliceGrad, [gradient], { ...attrs, inputShape: input!.type.shape }),
  ],
  int8({ inputs: [input], attrs }) {
    const copy = sliceCopy(input!.type.shape, attrs);
    return ([x], [y]) => copyStrided(copy, x!, y!);
  },
  tflite: {
    builtinCode: 45,
    optionsType: 32,
    fields: [
      { id: 0, name: 'begin_mask', type: 'int32', default: 0 },
      { id: 1, name: 'end_mask', type: 'int32', default: 0 },
      { id: 2, name: 'ellipsis_mask', type: 'int32', default: 0 },
      { id: 3, name: 'new_axis_mask', type: 'int32', default: 0 },
      { id: 4, name: 'shrink_axis_mask', type: 'int32', default: 0 },
      { id: 5, name: 'offset', type: 'bool', default: false },
    ],
    version(node) {
      const rank = node.inputs[0]!.type.shape.length;
      return rank > 4 ? { version: 4, minimumRuntime: '2.2.0' } : int8Version(2, '1.14.0', '1.6.0')(node);
    },
    parameterPositions: [1, 2, 3],
    // TensorFlow Lite before 2.4 refuses to leave axes unnamed, and TensorFlow Lite Micro reads what lies behind the list.
    encode({ inputs: [input], attrs }) {
      const { begin, end, strides } = everyAxis(attrs, input!.type.shape);
      return {
        options: {
          begin_mask: attrs.beginMask,
          end_mask: attrs.endMask,
          ellipsis_mask: 0,
          new_axis_mask: 0,
          shrink_axis_mask: attrs.shrinkAxisMask,
          offset: false,
        },
        parameters: [
          { position: 1, name: 'begin', tensor: int32Vector(begin) },
          { position: 2, name: 'end', tensor: int32Vector(end) },
          { position: 3, name: 'strides', tensor: int32Vector(strides) },
        ],
      };
    },
    decode({ options, inputs, parameters: [begin, end, strides] }) {
      if (booleanOption(options, 'offset')) throw new UnsupportedError('ends that are offsets are not supported');
      const attrs = {
        begin: wholeNumbers(begin, 'begin'),
        end: wholeNumbers(end, 'end'),
        strides: wholeNumbers(strides, 'strides'),
        beginMask: numberOption(options, 'begin_mask'),
        endMask: numberOption(options, 'end_mask'),
        shrinkAxisMask: numberOption(options, 'shrink_axis_mask'),
      };
      const [ellipsis, newAxis] = [numberOption(options, 'ellipsis_mask'), numberOption(options, 'new_axis_mask')];
      return withoutEllipsis(attrs, ellipsis, newAxis, inputs[0]!.shape.length);
    },
  },
  graphdef: {
    write(writer, { name, inputs, attrs }) {
      const operands = (['begin', 'end', 'strides'] as const).map((what) =>
        writer.constant(`${name}/${what}`, int32Vector(attrs[what])),
      );
      return [
        writer.node('StridedSlice', name, [inputs[0]!, ...operands], {
          ...T_FLOAT,
          Index: { kind: 'type', value: 'int32' },
          begin_mask: { kind: 'int', value: attrs.beginMask },
          end_mask: { kind: 'int', value: attrs.endMask },
          ellipsis_mask: { kind: 'int', value: 0 },
          new_axis_mask: { kind: 'int', value: 0 },
          shrink_axis_mask: { kind: 'int', value: attrs.shrinkAxisMask },
        }),
      ];
    },
    reads: {
      StridedSlice: (node, { inputs, constant, shapeOf }) => {
        const attrs = {
          begin: wholeNumbers(constant(inputs[1]!), 'begin'),
          end: wholeNumbers(constant(inputs[2]!), 'end'),
          strides: wholeNumbers(constant(inputs[3]!), 'strides'),
          beginMask: readNumber(node, 'begin_mask', 0),
          endMask: readNumber(node, 'end_mask', 0),
          shrinkAxisMask: readNumber(node, 'shrink_axis_mask', 0),
        };
        const [ellipsis, newAxis] = [readNumber(node, 'ellipsis_mask', 0), readNumber(node, 'new_axis_mask', 0)];
        return {
          inputs: [inputs[0]!],
          attrs: withoutEllipsis(attrs, ellipsis, newAxis, shapeOf(inputs[0]!).length),
        };
      },
    },
  },
});

/** The same slice with the axes that it leaves out written down, whole. */
function everyAxis({ begin, end, strides }: StridedSliceAttrs, shape: Shape) {
  const rest = shape.slice(begin.length);
  return {
    begin: [...begin, ...rest.map(() => 0)],
    end: [...end, ...rest],
    strides: [...strides, ...rest.map(() => 1)],
  };
}

/**
 * The same slice with whole axes in the place of an ellipsis, whose bit is set in `ellipsisMask`.
 *
 * @see tensorflow/core/util/strided_slice_op.cc, BuildDenseSpec
 */
function withoutEllipsis(
  attrs: StridedSliceAttrs,
  ellipsisMask: number,
  newAxisMask: number,
  rank: number,
): StridedSliceAttrs {
  if (newAxisMask !== 0) throw new UnsupportedError('slices with a new axis are not supported');
  const at = attrs.begin.findIndex((_, axis) => (ellipsisMask & (1 << axis)) !== 0);
  if (at < 0) return attrs;
  const whole = Math.max(0, rank - attrs.begin.length + 1);
  const opened = (values: readonly number[], value: number): readonly number[] => [
    ...values.slice(0, at),
    ...new Array<number>(whole).fill(value),
    ...values.slice(at + 1),
  ];
  const before = (1 << at) - 1;
  const moved = (mask: number): number => (mask & before) | ((mask >> (at + 1)) << (at + whole));
  const all = ((1 << whole) - 1) << at;
  return {
    begin: opened(attrs.begin, 0),
    end: opened(attrs.end, 0),
    strides: opened(attrs.strides, 1),
    beginMask: moved(attrs.beginMask) | all,
    endMask: moved(attrs.endMask) | all,
    shrinkAxisMask: moved(attrs.shrinkAxisMask),
  };
}

/** What the slice takes out of the input. */
export function sliceCopy(input: Shape, attrs: StridedSliceAttrs): StridedCopy {
  const { starts, sizes, steps } = slice(input, attrs);
  return { sizes, from: partWalk(input, starts, steps), to: wholeWalk(sizes) };
}

interface Slice {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  /** How many indices of each input axis are taken. */
  readonly sizes: Shape;
  /** The same without the axes that disappear. */
  readonly shape: Shape;
}

function slice(input: Shape, attrs: StridedSliceAttrs): Slice {
  const { begin, end, strides, beginMask, endMask, shrinkAxisMask } = attrs;
  if (begin.length > input.length || begin.length !== end.length || begin.length !== strides.length) {
    throw new ShapeError(`[${begin.join(',')}] to [${end.join(',')}] does not slice the input [${input.join(',')}]`);
  }
  const axes = input.map((size, axis) => {
    const first = begin[axis];
    const bit = 1 << axis;
    if (first === undefined) return { start: 0, step: 1, count: size, shrinks: false };
    const step = strides[axis]!;
    const counted = (index: number): number => (index < 0 ? index + size : index);
    // A backward slice ends before index 0.
    const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
    const clamped = (index: number): number => Math.min(Math.max(counted(index), lowest), highest);
    if ((shrinkAxisMask & bit) !== 0) return { start: counted(first), step: 1, count: 1, shrinks: true };
    const start = (beginMask & bit) !== 0 ? (step > 0 ? lowest : highest) : clamped(first);
    const stop = (endMask & bit) !== 0 ? (step > 0 ? highest : lowest) : clamped(end[axis]!);
    return { start, step, count: Math.ceil((stop - start) / step), shrinks: false };
  });
  if (axes.some(({ start, step, count }, axis) => step === 0 || !(count > 0) || start < 0 || start >= input[axis]!)) {
    throw new ShapeError(`[${begin.join(',')}] to [${end.join(',')}] takes nothing of the input [${input.join(',')}]`);
  }
  return {
    starts: axes.map(({ start }) => start),
    steps: axes.map(({ step }) => step),
    sizes: axes.map(({ count }) => count),
    shape: axes.flatMap(({ count, shrinks }) => (shrinks ? [] : [count])),
  };
}

/** Input: output gradient. What the slice left out has gradient 0. */
export const stridedSliceGrad = defineOp({
  name: 'strided_slice_grad',
  operands: [{ name: 'gradient', role: 'activation' }],
  quant: { kind: 'float_only' },
  infer([gradient], attrs: StridedSliceAttrs & { readonly inputShape: Shape }) {
    expectSameShape(gradient!.shape, slice(attrs.inputShape, attrs).shape, 'the gradient');
    return [float32(attrs.inputShape)];
  },
  float([gradient], attrs, [result]) {
    const { sizes, from, to } = sliceCopy(attrs.inputShape, attrs);
    result!.data.fill(0);
    copyStrided({ sizes, from: to, to: from }, gradient!.data, result!.data);
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
