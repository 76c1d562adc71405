import { strides } from '../core/tensor.ts';
import { int8Version } from './bindings.ts';
import { blockTflite } from './space_to_depth.ts';
import type { BlockAttrs } from './space_to_depth.ts';
import { ShapeError } from './define.ts';
import { expectRank } from './geometry.ts';
import { movementOp } from './movement.ts';

/** Channels become blocks of pixels: [b, h, w, blockSize^2 * c] to [b, h * blockSize, w * blockSize, c]. */
export const depthToSpace = movementOp<'depth_to_space', BlockAttrs>({
  name: 'depth_to_space',
  shape(input, { blockSize }) {
    expectRank(input, 4, 'the input');
    const [batch = 0, height = 0, width = 0, channels = 0] = input;
    if (!(blockSize > 0) || channels % blockSize ** 2 !== 0) {
      throw new ShapeError(`[${input.join(',')}] has no whole blocks of ${blockSize}x${blockSize} channels`);
    }
    return [batch, height * blockSize, width * blockSize, channels / blockSize ** 2];
  },
  walk(input, { blockSize }) {
    const [batch, height, width, pixel] = strides(input) as [number, number, number, number];
    const kept = input[3]! / blockSize ** 2;
    const steps = [batch, height, blockSize * kept, width, kept, pixel];
    return {
      sizes: [input[0]!, input[1]!, blockSize, input[2]!, blockSize, kept],
      offsets: steps.map((step) => (index) => index * step),
    };
  },
  file: blockTflite(5, 94, int8Version(2, '2.5.0', '2.1.0')),
});
