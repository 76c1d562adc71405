import { strides } from '../core/tensor.ts';
import { int8Version, numberOption } from './bindings.ts';
import type { TfliteBinding } from './define.ts';
import { ShapeError } from './define.ts';
import { expectRank } from './geometry.ts';
import { movementOp } from './movement.ts';

export interface BlockAttrs {
  readonly blockSize: number;
}

/** Blocks of pixels become channels: [b, h, w, c] to [b, h / blockSize, w / blockSize, blockSize^2 * c]. */
export const spaceToDepth = movementOp<'space_to_depth', BlockAttrs>({
  name: 'space_to_depth',
  shape(input, { blockSize }) {
    expectRank(input, 4, 'the input');
    const [batch = 0, height = 0, width = 0, channels = 0] = input;
    if (!(blockSize > 0) || height % blockSize !== 0 || width % blockSize !== 0) {
      throw new ShapeError(`[${input.join(',')}] has no whole blocks of ${blockSize}x${blockSize} pixels`);
    }
    return [batch, height / blockSize, width / blockSize, channels * blockSize ** 2];
  },
  walk(input, { blockSize }) {
    const [batch, height, width, pixel] = strides(input) as [number, number, number, number];
    const steps = [batch, height * blockSize, width * blockSize, height, width, pixel];
    return {
      sizes: [input[0]!, input[1]! / blockSize, input[2]! / blockSize, blockSize, blockSize, input[3]!],
      offsets: steps.map((step) => (index) => index * step),
    };
  },
  file: blockTflite(26, 19, int8Version(2, '1.14.0')),
});

/** The file form of SPACE_TO_DEPTH and DEPTH_TO_SPACE. */
export function blockTflite(
  builtinCode: number,
  optionsType: number,
  version: TfliteBinding<BlockAttrs>['version'],
): TfliteBinding<BlockAttrs> {
  return {
    builtinCode,
    optionsType,
    fields: [{ id: 0, name: 'block_size', type: 'int32', default: 0 }],
    version,
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { block_size: attrs.blockSize }, parameters: [] }),
    decode: ({ options }) => ({ blockSize: numberOption(options, 'block_size') }),
  };
}
