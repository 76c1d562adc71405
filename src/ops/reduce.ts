/** What mean and sum share: attributes, shapes, loops and file bindings. */
import { perTensor } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import type { Shape, TensorType } from '../core/tensor.ts';
import { expectDType, numElements, strides, tensor } from '../core/tensor.ts';
import { T_FLOAT, booleanOption, readBool, storedRange, wholeNumbers } from './bindings.ts';
import type { GraphDefBinding, IntegerKernel, IntegerKernelFactory, IntegerNode, TfliteBinding } from './define.ts';
import { ShapeError } from './define.ts';

export interface ReduceAttrs {
  /** Distinct, ascending, non-negative. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export function inferReduce([input]: readonly TensorType[], { axes, keepDims }: ReduceAttrs): readonly TensorType[] {
  const { dtype, shape } = input!;
  if (axes.some((axis) => axis >= shape.length)) {
    throw new ShapeError(`axes [${axes.join(',')}] reach beyond the input [${shape.join(',')}]`);
  }
  const kept = keepDims
    ? shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
    : shape.filter((_, axis) => !axes.includes(axis));
  return [{ dtype, shape: kept }];
}

/** How many input elements make one output element. */
export function reducedCount(shape: Shape, axes: readonly number[]): number {
  return axes.reduce((product, axis) => product * shape[axis]!, 1);
}

/** Visits the input in reading order with the output element that each belongs to. */
export function forEachReduced(
  shape: Shape,
  axes: readonly number[],
  visit: (inputAt: number, outputAt: number) => void,
): void {
  const keptStrides = strides(shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension)));
  const inputStrides = strides(shape);
  const count = numElements(shape);
  for (let at = 0; at < count; at++) {
    let outputAt = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      if (axes.includes(axis)) continue;
      outputAt += (Math.floor(at / inputStrides[axis]!) % shape[axis]!) * keptStrides[axis]!;
    }
    visit(at, outputAt);
  }
}

/** What TensorFlow Lite reads where a tensor has no scale and zero point. */
const unscaled = { scale: 0, zeroPoint: 0 } as const;

/**
 * The integer kernel of MEAN and SUM. Where the input or the output has no scale, their ratio is no number, which
 * becomes a multiplier of 0: every code is the output's zero point. Plain int32 values are added up exactly.
 *
 * @see LiteRT tflite/kernels/internal/reference/reduce.h, QuantizedMeanOrSum
 */
export const reduceInt8 =
  (kind: 'mean' | 'sum'): IntegerKernelFactory<ReduceAttrs> =>
  (node) => {
    const {
      inputs: [input],
      outputs: [output],
      attrs: { axes },
    } = node;
    if (input!.type.dtype === 'int32') return reduceInt32(kind, node);
    const from = input!.quant === null ? unscaled : perTensor(input!.quant, 'the input');
    const to = output!.quant === null ? unscaled : perTensor(output!.quant, 'the output');
    const range = storedRange(output!.type);
    const count = reducedCount(input!.type.shape, axes);
    const hasScales = from.scale > 0 && to.scale > 0;
    let { multiplier, shift } = quantizeMultiplier(hasScales ? from.scale / to.scale : 0);
    if (kind === 'mean') {
      // The division by the count goes into the multiplier, with as many bits as fit.
      const bits = Math.min(31 - Math.clz32(count), 32, 31 + shift);
      multiplier = Number((BigInt(multiplier) << BigInt(bits)) / BigInt(count));
      shift -= bits;
    }
    const totals = new Int32Array(numElements(output!.type.shape));
    return ([x], [y]) => {
      totals.fill(0);
      forEachReduced(input!.type.shape, axes, (inputAt, outputAt) => {
        totals[outputAt]! += x![inputAt]!;
      });
      for (let index = 0; index < totals.length; index++) {
        const centred = totals[index]! - from.zeroPoint * count;
        const scaled = multiplyByQuantizedMultiplier(centred, multiplier, shift) + to.zeroPoint;
        y![index] = Math.min(Math.max(scaled, range.min), range.max);
      }
    };
  };

/** A mean is rounded toward zero, a sum wraps around, as in LiteRT's Mean and Sum of int32. */
const reduceInt32 = (
  kind: 'mean' | 'sum',
  { inputs: [input], outputs: [output], attrs: { axes } }: IntegerNode<ReduceAttrs>,
): IntegerKernel => {
  const divisor = kind === 'mean' ? reducedCount(input!.type.shape, axes) : 1;
  // Exact below 2^53, which 2^21 values of 32 bits reach; nothing wraps before the end.
  const totals = new Float64Array(numElements(output!.type.shape));
  return ([x], [y]) => {
    totals.fill(0);
    forEachReduced(input!.type.shape, axes, (inputAt, outputAt) => {
      totals[outputAt]! += x![inputAt]!;
    });
    for (let index = 0; index < totals.length; index++) y![index] = Math.trunc(totals[index]! / divisor) | 0;
  };
};

export function reduceTflite(
  builtinCode: number,
  version: TfliteBinding<ReduceAttrs>['version'],
): TfliteBinding<ReduceAttrs> {
  return {
    builtinCode,
    optionsType: 27,
    fields: [{ id: 0, name: 'keep_dims', type: 'bool', default: false }],
    version,
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: { keep_dims: attrs.keepDims },
      parameters: [
        { position: 1, name: 'axes', tensor: tensor('int32', [attrs.axes.length], Int32Array.from(attrs.axes)) },
      ],
    }),
    decode: ({ options, inputs, parameters }) => ({
      keepDims: booleanOption(options, 'keep_dims'),
      axes: normalizeAxes(wholeNumbers(parameters[0], 'the axes'), inputs[0]!.shape.length),
    }),
  };
}

export function reduceGraphDef(tensorflowOp: string): GraphDefBinding<ReduceAttrs> {
  return {
    write(writer, { name, inputs, attrs }) {
      const axes = writer.constant(`${name}/axes`, tensor('int32', [attrs.axes.length], Int32Array.from(attrs.axes)));
      return [
        writer.node(tensorflowOp, name, [inputs[0]!, axes], {
          ...T_FLOAT,
          Tidx: { kind: 'type', value: 'int32' },
          keep_dims: { kind: 'bool', value: attrs.keepDims },
        }),
      ];
    },
    reads: {
      [tensorflowOp]: (node, { inputs, constant, shapeOf }) => ({
        inputs: [inputs[0]!],
        attrs: {
          axes: normalizeAxes([...expectDType(constant(inputs[1]!), 'int32').data], shapeOf(inputs[0]!).length),
          keepDims: readBool(node, 'keep_dims', false),
        },
      }),
    },
  };
}

function normalizeAxes(axes: readonly number[], rank: number): readonly number[] {
  const normalized = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (normalized.some((axis) => axis < 0 || axis >= rank)) {
    throw new ShapeError(`axes [${axes.join(',')}] reach beyond ${rank} dimensions`);
  }
  return [...new Set(normalized)].sort((a, b) => a - b);
}
