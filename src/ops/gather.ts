import type { Shape } from '../core/tensor.ts';
import { strides, tensor } from '../core/tensor.ts';
import { int8Version, numberOption, wholeAxis, wholeNumbers } from './bindings.ts';
import { ShapeError, UnsupportedError } from './define.ts';
import { movementOp } from './movement.ts';

export interface GatherAttrs {
  readonly axis: number;
  readonly indices: readonly number[];
  /** The dimensions that take the place of the axis; none for a single index. */
  readonly indicesShape: Shape;
}

/** The entries of one axis at constant indices. */
export const gather = movementOp<'gather', GatherAttrs>({
  name: 'gather',
  shape(input, { axis, indices, indicesShape }) {
    const outside = indices.find((index) => !(index >= 0 && index < input[axis]!));
    if (outside !== undefined) {
      throw new ShapeError(`index ${outside} reaches beyond axis ${axis} of the input [${input.join(',')}]`);
    }
    return input.toSpliced(axis, 1, ...indicesShape);
  },
  walk: (input, { axis, indices }) => ({
    sizes: input.with(axis, indices.length),
    offsets: strides(input).map((stride, at) => (index) => stride * (at === axis ? indices[index]! : index)),
  }),
  file: {
    builtinCode: 36,
    optionsType: 23,
    fields: [
      { id: 0, name: 'axis', type: 'int32', default: 0 },
      { id: 1, name: 'batch_dims', type: 'int32', default: 0 },
    ],
    version: int8Version(2, '1.14.0', '1.6.0'),
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: { axis: attrs.axis, batch_dims: 0 },
      parameters: [
        {
          position: 1,
          name: 'indices',
          tensor: tensor('int32', attrs.indicesShape, Int32Array.from(attrs.indices)),
        },
      ],
    }),
    decode({ options, inputs, parameters: [indices] }) {
      const batchDims = numberOption(options, 'batch_dims');
      if (batchDims !== 0) throw new UnsupportedError(`batch_dims is ${batchDims}; expected 0`);
      return {
        axis: wholeAxis(numberOption(options, 'axis'), inputs[0]!.shape.length),
        indices: wholeNumbers(indices, 'the indices'),
        indicesShape: indices?.shape ?? [],
      };
    },
  },
});
