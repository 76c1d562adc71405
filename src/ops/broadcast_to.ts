import { sameShape, strides } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import { int32Vector, wholeNumbers } from './bindings.ts';
import { broadcastShapes } from './broadcast.ts';
import { ShapeError } from './define.ts';
import { movementOp } from './movement.ts';

export interface BroadcastToAttrs {
  readonly shape: Shape;
}

export const broadcastTo = movementOp<'broadcast_to', BroadcastToAttrs>({
  name: 'broadcast_to',
  shape(input, { shape }) {
    if (!sameShape(broadcastShapes(input, shape), shape)) {
      throw new ShapeError(`[${input.join(',')}] does not broadcast to [${shape.join(',')}]`);
    }
    return shape;
  },
  walk(input, { shape }) {
    const first = shape.length - input.length;
    const own = strides(input);
    const steps = shape.map((_, axis) => (axis < first || input[axis - first] === 1 ? 0 : own[axis - first]!));
    return { sizes: shape, offsets: steps.map((step) => (index) => index * step) };
  },
  file: {
    builtinCode: 130,
    optionsType: 104,
    fields: [],
    // Version 1 had another operator code and was withdrawn.
    version: ({ inputs: [input] }) => ({ version: input!.type.dtype === 'int8' ? 3 : 2, minimumRuntime: '2.5.0' }),
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [{ position: 1, name: 'shape', tensor: int32Vector(attrs.shape) }],
    }),
    decode: ({ parameters: [shape] }) => ({ shape: wholeNumbers(shape, 'the shape') }),
  },
});
