import { numElements } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { int32Vector, wholeAxis, wholeNumbers } from './bindings.ts';
import type { InferenceOpDef } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

export interface ArgExtremeAttrs {
  readonly axis: number;
}

/**
 * ARG_MAX and ARG_MIN: the index of the largest or smallest value along an axis, the first of several. Indices are
 * int32 here, also where the file says int64: they count the elements of one axis.
 *
 * @see LiteRT tflite/kernels/internal/reference/arg_min_max.h
 */
export function argExtreme<const Name extends string>(
  name: Name,
  file: { readonly builtinCode: number; readonly optionsType: number },
  isBetter: (value: number, best: number) => boolean,
): InferenceOpDef<Name, ArgExtremeAttrs> {
  return defineInferenceOp<Name, ArgExtremeAttrs>({
    name,
    operands: [{ name: 'input', role: 'activation' }],
    quant: { kind: 'codes' },
    infer([input], { axis }) {
      const { shape } = input!;
      if (!(shape[axis]! > 0)) throw new ShapeError(`axis ${axis} of the input [${shape.join(',')}] has no values`);
      return [{ dtype: 'int32', shape: shape.toSpliced(axis, 1) }];
    },
    int8({ inputs: [input], attrs: { axis } }) {
      const { shape } = input!.type;
      const count = shape[axis]!;
      const inner = numElements(shape.slice(axis + 1));
      return ([x], [y]) => {
        for (let at = 0; at < y!.length; at++) {
          const start = Math.floor(at / inner) * count * inner + (at % inner);
          let best = 0;
          for (let index = 1; index < count; index++) {
            if (isBetter(x![start + index * inner]!, x![start + best * inner]!)) best = index;
          }
          y![at] = best;
        }
      };
    },
    tflite: {
      builtinCode: file.builtinCode,
      optionsType: file.optionsType,
      fields: [{ id: 0, name: 'output_type', type: 'byte', default: 0 }],
      version: ({ inputs: [input] }) =>
        input!.type.dtype === 'int8'
          ? { version: 2, minimumRuntime: '1.14.0' }
          : { version: 1, minimumRuntime: '1.9.0' },
      parameterPositions: [1],
      encode: ({ attrs }) => ({
        options: { output_type: INT32 },
        parameters: [{ position: 1, name: 'axis', tensor: int32Vector([attrs.axis]) }],
      }),
      decode: ({ inputs, parameters: [axis] }) => ({ axis: onlyAxis(axis, inputs[0]!.shape.length) }),
    },
  });
}

// TensorType of the schema.
const INT32 = 2;

/** A parameter that holds one axis. */
export function onlyAxis(parameter: Tensor | null | undefined, rank: number): number {
  const [axis, ...others] = wholeNumbers(parameter, 'the axis');
  if (axis === undefined || others.length > 0) throw new ShapeError(`there are ${others.length + 1} axes; expected 1`);
  return wholeAxis(axis, rank);
}
