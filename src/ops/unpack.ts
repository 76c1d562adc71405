import { numElements } from '../core/tensor.ts';
import { numberOption, wholeAxis } from './bindings.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

export interface UnpackAttrs {
  readonly axis: number;
  /** The size of the axis; each of its indices is an output. */
  readonly count: number;
}

export const unpack = defineInferenceOp<'unpack', UnpackAttrs>({
  name: 'unpack',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer([input], { axis, count }) {
    const { dtype, shape } = input!;
    if (shape[axis] !== count || count < 1) {
      throw new ShapeError(`axis ${axis} of the input [${shape.join(',')}] is not of size ${count}`);
    }
    return Array.from({ length: count }, () => ({ dtype, shape: shape.toSpliced(axis, 1) }));
  },
  int8({ inputs: [input], attrs: { axis, count } }) {
    const inner = numElements(input!.type.shape.slice(axis + 1));
    return ([x], outputs) => {
      for (const [index, y] of outputs.entries()) {
        for (let at = 0; at < y.length; at++) {
          y[at] = x![(Math.floor(at / inner) * count + index) * inner + (at % inner)]!;
        }
      }
    };
  },
  tflite: {
    builtinCode: 88,
    optionsType: 64,
    fields: [
      { id: 0, name: 'num', type: 'int32', default: 0 },
      { id: 1, name: 'axis', type: 'int32', default: 0 },
    ],
    version: ({ inputs: [input] }) =>
      input!.type.dtype === 'int32'
        ? { version: 1, minimumRuntime: '1.11.0' }
        : { version: 2, minimumRuntime: '1.14.0' },
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { num: attrs.count, axis: attrs.axis }, parameters: [] }),
    decode: ({ options, inputs }) => ({
      axis: wholeAxis(numberOption(options, 'axis'), inputs[0]!.shape.length),
      count: numberOption(options, 'num'),
    }),
  },
});
