import { int8Version } from './bindings.ts';
import type { ReduceAttrs } from './reduce.ts';
import { forEachReduced, inferReduce, reduceGraphDef, reduceInt8, reduceTflite } from './reduce.ts';
import { defineOp } from './define.ts';
import { broadcastGrad } from './mean.ts';

/** The sum over the given axes. */
export const sum = defineOp({
  name: 'sum',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'independent', unscaled: true },
  infer: inferReduce,
  float([input], { axes }: ReduceAttrs, [output]) {
    // Float64 totals, rounded once: engines may sum in another order, so tests allow for float32 partial sums.
    const totals = new Float64Array(output!.data.length);
    forEachReduced(input!.shape, axes, (inputAt, outputAt) => {
      totals[outputAt]! += input!.data[inputAt]!;
    });
    output!.data.set(totals);
  },
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(broadcastGrad, [gradient], { axes: attrs.axes, inputShape: input!.type.shape, factor: 1 }),
  ],
  int8: reduceInt8('sum'),
  // Older runtimes have the versions too, but compute other codes.
  tflite: reduceTflite(74, int8Version(2, '2.13.0', '2.13.0')),
  graphdef: reduceGraphDef('Sum'),
});
