import { int8Version } from './bindings.ts';
import { defineInferenceOp } from './define.ts';
import type { InferenceOpDef } from './define.ts';
import type { ReduceAttrs } from './reduce.ts';
import { forEachReduced, inferReduce, reduceTflite } from './reduce.ts';

/**
 * REDUCE_MAX and REDUCE_MIN, on the codes as they are: input and output share a scale.
 *
 * @see LiteRT tflite/kernels/reduce.cc
 */
export function reduceExtreme<const Name extends string>(
  name: Name,
  builtinCode: number,
  start: number,
  choose: (a: number, b: number) => number,
): InferenceOpDef<Name, ReduceAttrs> {
  return defineInferenceOp<Name, ReduceAttrs>({
    name,
    operands: [{ name: 'input', role: 'activation' }],
    quant: { kind: 'same_scale', exact: true },
    infer: inferReduce,
    int8:
      ({ inputs: [input], attrs: { axes } }) =>
      ([x], [y]) => {
        const best = new Float64Array(y!.length).fill(start);
        forEachReduced(input!.type.shape, axes, (inputAt, outputAt) => {
          best[outputAt] = choose(best[outputAt]!, x![inputAt]!);
        });
        y!.set(best);
      },
    tflite: reduceTflite(builtinCode, int8Version(2, '1.14.0', '1.11.0')),
  });
}
