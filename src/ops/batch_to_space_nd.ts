import { strides } from '../core/tensor.ts';
import { ShapeError } from './define.ts';
import { movementOp } from './movement.ts';
import type { SpatialBlocks } from './space_to_batch_nd.ts';
import { blockVolume, spatialBlocksTflite } from './space_to_batch_nd.ts';

/**
 * Images of the batch become blocks of pixels, then a frame is cut off: [b * blocks, h, w, c] to [b, h * blockSizes[0] -
 * frame, w * blockSizes[1] - frame, c], or the same with one spatial axis.
 */
export const batchToSpaceNd = movementOp<'batch_to_space_nd', SpatialBlocks>({
  name: 'batch_to_space_nd',
  shape(input, { blockSizes, frame }) {
    const [batch = 0, ...sizes] = input;
    const images = batch / blockVolume(input, blockSizes);
    if (!Number.isInteger(images)) {
      throw new ShapeError(`the batch of [${input.join(',')}] has no whole blocks of [${blockSizes.join(',')}]`);
    }
    const cut = blockSizes.map((block, axis) => sizes[axis]! * block - frame[axis]![0] - frame[axis]![1]);
    return [images, ...cut, input.at(-1)!];
  },
  walk(input, { blockSizes, frame }) {
    const steps = strides(input);
    const images = input[0]! / blockVolume(input, blockSizes);
    const sizes = blockSizes.map((block, axis) => input[axis + 1]! * block - frame[axis]![0] - frame[axis]![1]);
    const spatial = blockSizes.map((block, axis) => {
      const perImage = images * steps[0]! * blockVolume(input, blockSizes.slice(axis + 1), axis + 1);
      const before = frame[axis]![0];
      return (index: number) =>
        ((index + before) % block) * perImage + Math.floor((index + before) / block) * steps[axis + 1]!;
    });
    return {
      sizes: [images, ...sizes, input.at(-1)!],
      offsets: [(index) => index * steps[0]!, ...spatial, (index) => index],
    };
  },
  file: spatialBlocksTflite(37, 25, 'crops'),
});
