import type { Shape } from '../core/tensor.ts';
import { strides } from '../core/tensor.ts';
import { int32Vector, int8Version, wholeNumbers } from './bindings.ts';
import { ShapeError } from './define.ts';
import { movementOp } from './movement.ts';

export interface SliceAttrs {
  readonly begin: readonly number[];
  /** How many indices of each axis; -1 for all that follow `begin`. */
  readonly size: readonly number[];
}

/** A block of the input. */
export const slice = movementOp<'slice', SliceAttrs>({
  name: 'slice',
  shape(input, attrs) {
    const { begin, size } = attrs;
    const shape = takenSizes(input, attrs);
    const fits = begin.length === input.length && size.length === input.length;
    if (!fits || shape.some((count, axis) => begin[axis]! < 0 || begin[axis]! + count > input[axis]!)) {
      throw new ShapeError(`[${size.join(',')}] from [${begin.join(',')}] is not in the input [${input.join(',')}]`);
    }
    return shape;
  },
  walk: (input, attrs) => ({
    sizes: takenSizes(input, attrs),
    offsets: strides(input).map((stride, axis) => (index) => (attrs.begin[axis]! + index) * stride),
  }),
  file: {
    builtinCode: 65,
    optionsType: 48,
    fields: [],
    version: int8Version(2, '1.14.0', '1.14.0'),
    parameterPositions: [1, 2],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [
        { position: 1, name: 'begin', tensor: int32Vector(attrs.begin) },
        { position: 2, name: 'size', tensor: int32Vector(attrs.size) },
      ],
    }),
    decode: ({ parameters: [begin, size] }) => ({
      begin: wholeNumbers(begin, 'begin'),
      size: wholeNumbers(size, 'the size'),
    }),
  },
});

function takenSizes(input: Shape, { begin, size }: SliceAttrs): Shape {
  return size.map((count, axis) => (count === -1 ? input[axis]! - begin[axis]! : count));
}
