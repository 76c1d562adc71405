import type { Shape } from '../core/tensor.ts';
import { expectDType, numElements, tensor } from '../core/tensor.ts';
import { T_FLOAT } from './bindings.ts';
import type { OpDef } from './define.ts';
import { ShapeError, defineOp } from './define.ts';

export interface ReshapeAttrs {
  /** At most one dimension, usually the batch, is -1; it follows from the element count. */
  readonly shape: Shape;
}

/** The same values in another shape. */
export const reshape: OpDef<'reshape', ReshapeAttrs> = defineOp({
  name: 'reshape',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer: ([input], attrs: ReshapeAttrs) => [{ dtype: input!.dtype, shape: resolveShape(input!.shape, attrs.shape) }],
  float: ([input], _attrs, [output]) => output!.data.set(input!.data),
  vjp: ({ emit }, { inputs: [input] }, gradient) => [emit(reshape, [gradient], { shape: input!.type.shape })],
  int8:
    () =>
    ([x], [y]) =>
      y!.set(x!),
  tflite: {
    builtinCode: 22,
    optionsType: 17,
    fields: [{ id: 0, name: 'new_shape', type: 'int32_vector', default: [] }],
    version: () => ({ version: 1, minimumRuntime: '1.5.0' }),
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: { new_shape: attrs.shape },
      parameters: [
        { position: 1, name: 'shape', tensor: tensor('int32', [attrs.shape.length], Int32Array.from(attrs.shape)) },
      ],
    }),
    decode: ({ options, outputs, parameters: [shape] }) => {
      if (shape !== null && shape !== undefined) return { shape: [...expectDType(shape, 'int32').data] };
      const fromOptions = options['new_shape'];
      return { shape: Array.isArray(fromOptions) && fromOptions.length > 0 ? fromOptions : outputs[0]!.shape };
    },
  },
  graphdef: {
    write(writer, { name, inputs, attrs }) {
      const shape = tensor('int32', [attrs.shape.length], Int32Array.from(attrs.shape));
      return [
        writer.node('Reshape', name, [inputs[0]!, writer.constant(`${name}/shape`, shape)], {
          ...T_FLOAT,
          Tshape: { kind: 'type', value: 'int32' },
        }),
      ];
    },
    reads: {
      Reshape: (_node, { inputs, constant }) => ({
        inputs: [inputs[0]!],
        attrs: { shape: Array.from(constant(inputs[1]!).data, Number) },
      }),
    },
  },
});

function resolveShape(input: Shape, wanted: Shape): Shape {
  const elements = numElements(input);
  const known = numElements(wanted.filter((dimension) => dimension !== -1));
  const resolved = wanted.map((dimension) => (dimension === -1 ? elements / known : dimension));
  const unknowns = wanted.filter((dimension) => dimension === -1).length;
  if (unknowns > 1 || numElements(resolved) !== elements || !resolved.every(Number.isInteger)) {
    throw new ShapeError(`cannot reshape [${input.join(',')}] to [${wanted.join(',')}]`);
  }
  return resolved;
}
