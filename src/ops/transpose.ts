import type { Shape } from '../core/tensor.ts';
import { strides } from '../core/tensor.ts';
import { T_FLOAT, int32Vector, int8Version, wholeNumbers } from './bindings.ts';
import type { OpDef } from './define.ts';
import { ShapeError, defineOp } from './define.ts';
import type { StridedCopy } from './strided.ts';
import { copyStrided, wholeWalk } from './strided.ts';

export interface TransposeAttrs {
  /** Axis i of the output is axis `permutation[i]` of the input. */
  readonly permutation: readonly number[];
}

export const transpose: OpDef<'transpose', TransposeAttrs> = defineOp({
  name: 'transpose',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer: ([input], attrs) => [{ dtype: input!.dtype, shape: permutedShape(input!.shape, attrs) }],
  float: ([input], attrs, [output]) => copyStrided(transposition(input!.shape, attrs), input!.data, output!.data),
  vjp: ({ emit }, { attrs: { permutation } }, gradient) => [
    emit(transpose, [gradient], { permutation: permutation.map((_, axis) => permutation.indexOf(axis)) }),
  ],
  int8({ inputs: [input], attrs }) {
    const copy = transposition(input!.type.shape, attrs);
    return ([x], [y]) => copyStrided(copy, x!, y!);
  },
  tflite: {
    builtinCode: 39,
    optionsType: 26,
    fields: [],
    version: (node) =>
      node.inputs[0]!.type.shape.length > 4
        ? { version: 4, minimumRuntime: '2.3.0' }
        : int8Version(2, '1.14.0', '1.6.0')(node),
    parameterPositions: [1],
    encode: ({ attrs: { permutation } }) => ({
      options: {},
      parameters: [{ position: 1, name: 'permutation', tensor: int32Vector(permutation) }],
    }),
    decode: ({ parameters: [permutation] }) => ({ permutation: wholeNumbers(permutation, 'the permutation') }),
  },
  graphdef: {
    write: (writer, { name, inputs, attrs: { permutation } }) => [
      writer.node('Transpose', name, [inputs[0]!, writer.constant(`${name}/permutation`, int32Vector(permutation))], {
        ...T_FLOAT,
        Tperm: { kind: 'type', value: 'int32' },
      }),
    ],
    reads: {
      Transpose: (_node, { inputs, constant }) => ({
        inputs: [inputs[0]!],
        attrs: { permutation: wholeNumbers(constant(inputs[1]!), 'the permutation') },
      }),
    },
  },
});

export function transposition(input: Shape, attrs: TransposeAttrs): StridedCopy {
  const own = strides(input);
  const sizes = permutedShape(input, attrs);
  return {
    sizes,
    from: { offset: 0, strides: attrs.permutation.map((axis) => own[axis]!) },
    to: wholeWalk(sizes),
  };
}

function permutedShape(input: Shape, { permutation }: TransposeAttrs): Shape {
  const sorted = permutation.toSorted((a, b) => a - b);
  if (sorted.length !== input.length || sorted.some((axis, index) => axis !== index)) {
    throw new ShapeError(`[${permutation.join(',')}] does not permute the axes of [${input.join(',')}]`);
  }
  return permutation.map((axis) => input[axis]!);
}
