import type { Shape } from '../core/tensor.ts';
import { int8Version } from './bindings.ts';
import { defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';
import type { ReduceAttrs } from './reduce.ts';
import { forEachReduced, inferReduce, reduceGraphDef, reduceInt8, reduceTflite, reducedCount } from './reduce.ts';

/** The mean over the given axes; over height and width it is global average pooling. */
export const mean = defineOp({
  name: 'mean',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent', unscaled: true },
  infer: inferReduce,
  float([input], { axes }: ReduceAttrs, [output]) {
    const totals = new Float64Array(output!.data.length);
    forEachReduced(input!.shape, axes, (inputAt, outputAt) => {
      totals[outputAt]! += input!.data[inputAt]!;
    });
    const count = reducedCount(input!.shape, axes);
    for (let index = 0; index < totals.length; index++) output!.data[index] = totals[index]! / count;
  },
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(broadcastGrad, [gradient], {
      axes: attrs.axes,
      inputShape: input!.type.shape,
      factor: 1 / reducedCount(input!.type.shape, attrs.axes),
    }),
  ],
  int8: reduceInt8('mean'),
  // Older runtimes have the versions too, but compute other codes.
  tflite: reduceTflite(40, int8Version(2, '2.2.0', '2.6.0')),
  graphdef: reduceGraphDef('Mean'),
});

/** Input: gradient of a reduction. Every reduced element takes `factor` times its output's gradient. */
export const broadcastGrad = defineOp({
  name: 'broadcast_grad',
  operands: [{ name: 'gradient', role: 'activation' }],
  quant: { kind: 'float_only' },
  infer(
    [gradient],
    { axes, inputShape }: { readonly axes: readonly number[]; readonly inputShape: Shape; readonly factor: number },
  ) {
    const [reduced] = inferReduce([float32(inputShape)], {
      axes,
      keepDims: gradient!.shape.length === inputShape.length,
    });
    expectSameShape(gradient!.shape, reduced!.shape, 'the gradient');
    return [float32(inputShape)];
  },
  float([gradient], { axes, inputShape, factor }, [result]) {
    forEachReduced(inputShape, axes, (inputAt, outputAt) => {
      result!.data[inputAt] = gradient!.data[outputAt]! * Math.fround(factor);
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
