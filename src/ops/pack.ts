import type { Shape, TensorType } from '../core/tensor.ts';
import { numElements, sameShape } from '../core/tensor.ts';
import { int8Version, numberOption, wholeAxis } from './bindings.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

export interface PackAttrs {
  /** Of the output, where it counts the inputs. */
  readonly axis: number;
}

/** Inputs of one shape side by side along a new axis. */
export const pack = defineInferenceOp<'pack', PackAttrs>({
  name: 'pack',
  operands: [{ name: 'inputs', role: 'activation' }],
  variadic: true,
  quant: { kind: 'same_scale', exact: true },
  infer(inputs, { axis }) {
    const { dtype, shape } = inputs[0]!;
    const misfit = inputs.find((input) => input.dtype !== dtype || !sameShape(input.shape, shape));
    if (misfit !== undefined) throw new ShapeError(`an input is ${describe(misfit)}; expected ${describe(inputs[0]!)}`);
    return [{ dtype, shape: shape.toSpliced(axis, 0, inputs.length) }];
  },
  int8({ inputs, attrs: { axis } }) {
    const inner = innerSize(inputs[0]!.type.shape, axis);
    return (operands, [y]) => {
      for (const [index, x] of operands.entries()) {
        for (let at = 0; at < x.length; at++) {
          y![(Math.floor(at / inner) * operands.length + index) * inner + (at % inner)] = x[at]!;
        }
      }
    };
  },
  tflite: {
    builtinCode: 83,
    optionsType: 59,
    fields: [
      { id: 0, name: 'values_count', type: 'int32', default: 0 },
      { id: 1, name: 'axis', type: 'int32', default: 0 },
    ],
    version: int8Version(2, '1.14.0', '1.11.0'),
    parameterPositions: [],
    encode: ({ inputs, attrs }) => ({ options: { values_count: inputs.length, axis: attrs.axis }, parameters: [] }),
    decode: ({ options, inputs }) => ({
      axis: wholeAxis(numberOption(options, 'axis'), inputs[0]!.shape.length + 1),
    }),
  },
});

const innerSize = (shape: Shape, axis: number): number => Math.max(numElements(shape.slice(axis)), 1);

const describe = ({ dtype, shape }: TensorType): string => `${dtype}[${shape.join(',')}]`;
