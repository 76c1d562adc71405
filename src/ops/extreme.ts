import { int8Version, plainTflite } from './bindings.ts';
import { broadcastShapes, forEachBroadcast } from './broadcast.ts';
import type { InferenceOpDef, NoAttrs } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

/**
 * MINIMUM and MAXIMUM of two operands with numpy broadcasting. The codes are compared as they are, as TensorFlow Lite
 * does; converters give all three values one scale.
 *
 * @see LiteRT tflite/kernels/maximum_minimum.cc
 */
export function extreme<const Name extends string>(
  name: Name,
  builtinCode: number,
  choose: (a: number, b: number) => number,
): InferenceOpDef<Name, NoAttrs> {
  return defineInferenceOp<Name, NoAttrs>({
    name,
    operands: [
      { name: 'a', role: 'activation' },
      { name: 'b', role: 'activation' },
    ],
    quant: { kind: 'same_scale', exact: true },
    infer([a, b]) {
      if (a!.dtype !== b!.dtype)
        throw new ShapeError(`the operands are ${a!.dtype} and ${b!.dtype}; expected one type`);
      return [{ dtype: a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) }];
    },
    int8:
      ({ inputs: [a, b] }) =>
      ([x, z], [y]) =>
        forEachBroadcast(a!.type.shape, b!.type.shape, (aAt, bAt, at) => {
          y![at] = choose(x![aAt]!, z![bAt]!);
        }),
    tflite: plainTflite(builtinCode, 39, int8Version(2, '1.14.0', '1.14.0')),
  });
}
