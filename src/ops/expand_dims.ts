import { numElements } from '../core/tensor.ts';
import { int32Vector } from './bindings.ts';
import { ShapeError } from './define.ts';
import { onlyAxis } from './arg_extreme.ts';
import { movementOp } from './movement.ts';

export interface ExpandDimsAttrs {
  /** Of the output; its size there is 1. */
  readonly axis: number;
}

export const expandDims = movementOp<'expand_dims', ExpandDimsAttrs>({
  name: 'expand_dims',
  shape(input, { axis }) {
    if (axis > input.length) throw new ShapeError(`axis ${axis} does not extend the input [${input.join(',')}]`);
    return input.toSpliced(axis, 0, 1);
  },
  walk: (input) => ({ sizes: [numElements(input)], offsets: [(index) => index] }),
  file: {
    builtinCode: 70,
    optionsType: 52,
    fields: [],
    version: () => ({ version: 1, minimumRuntime: '1.10.0' }),
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [{ position: 1, name: 'axis', tensor: int32Vector([attrs.axis]) }],
    }),
    decode: ({ inputs, parameters: [axis] }) => ({ axis: onlyAxis(axis, inputs[0]!.shape.length + 1) }),
  },
});
