import type { Shape } from '../core/tensor.ts';
import { T_FLOAT, intList, readIntList, wholeAxis } from './bindings.ts';
import { ShapeError, defineOp } from './define.ts';
import { reshape } from './reshape.ts';

export interface SqueezeAttrs {
  /** Distinct axes of size 1, which are removed. */
  readonly axes: readonly number[];
}

export const squeeze = defineOp<'squeeze', SqueezeAttrs>({
  name: 'squeeze',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer([input], { axes }) {
    const { dtype, shape } = input!;
    if (axes.some((axis) => shape[axis] !== 1)) {
      throw new ShapeError(`axes [${axes.join(',')}] of the input [${shape.join(',')}] are not all of size 1`);
    }
    return [{ dtype, shape: shape.filter((_, axis) => !axes.includes(axis)) }];
  },
  float: ([input], _attrs, [output]) => output!.data.set(input!.data),
  vjp: ({ emit }, { inputs: [input] }, gradient) => [emit(reshape, [gradient], { shape: input!.type.shape })],
  int8:
    () =>
    ([x], [y]) =>
      y!.set(x!),
  tflite: {
    builtinCode: 43,
    optionsType: 30,
    fields: [{ id: 0, name: 'squeeze_dims', type: 'int32_vector', default: [] }],
    version: () => ({ version: 1, minimumRuntime: '1.6.0' }),
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { squeeze_dims: attrs.axes }, parameters: [] }),
    decode: ({ options, inputs }) => {
      const axes = options['squeeze_dims'];
      return { axes: axesOf(Array.isArray(axes) ? axes : [], inputs[0]!.shape) };
    },
  },
  graphdef: {
    write: (writer, { name, inputs, attrs }) => [
      writer.node('Squeeze', name, inputs, { ...T_FLOAT, squeeze_dims: intList(attrs.axes) }),
    ],
    reads: {
      Squeeze: (node, { inputs, shapeOf }) => ({
        inputs,
        attrs: { axes: axesOf(readIntList(node, 'squeeze_dims', []), shapeOf(inputs[0]!)) },
      }),
    },
  },
});

/** No axes stand for all axes of size 1. */
function axesOf(axes: readonly number[], shape: Shape): readonly number[] {
  if (axes.length > 0) return axes.map((axis) => wholeAxis(axis, shape.length));
  return shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
}
