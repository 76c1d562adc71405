import { strides } from '../core/tensor.ts';
import { int32Vector, int8Version, wholeNumbers } from './bindings.ts';
import { ShapeError } from './define.ts';
import { movementOp } from './movement.ts';

export interface TileAttrs {
  /** How often the input is repeated along each axis. */
  readonly multiples: readonly number[];
}

export const tile = movementOp<'tile', TileAttrs>({
  name: 'tile',
  shape(input, { multiples }) {
    if (multiples.length !== input.length) {
      throw new ShapeError(
        `multiples are [${multiples.join(',')}] for the input [${input.join(',')}]; expected one each`,
      );
    }
    return input.map((size, axis) => size * multiples[axis]!);
  },
  walk: (input, { multiples }) => ({
    sizes: input.map((size, axis) => size * multiples[axis]!),
    offsets: strides(input).map((stride, axis) => (index) => (index % input[axis]!) * stride),
  }),
  file: {
    builtinCode: 69,
    optionsType: 51,
    fields: [],
    version: int8Version(3, '2.8.0', '1.10.1'),
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [{ position: 1, name: 'multiples', tensor: int32Vector(attrs.multiples) }],
    }),
    decode: ({ parameters: [multiples] }) => ({ multiples: wholeNumbers(multiples, 'the multiples') }),
  },
});
