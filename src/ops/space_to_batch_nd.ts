import { perTensor } from '../core/affine.ts';
import type { Shape } from '../core/tensor.ts';
import { numElements, strides } from '../core/tensor.ts';
import { int32Vector, wholeNumbers } from './bindings.ts';
import type { TfliteBinding } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';
import type { Walk } from './movement.ts';
import { moveAlong } from './movement.ts';
import { paddedShape, paddingCopy, paddingsTensor, pairs } from './pad.ts';
import type { PadAttrs } from './pad.ts';
import { copyStrided } from './strided.ts';

/** Of the axes between the batch and the channels: one or two. */
export interface SpatialBlocks {
  readonly blockSizes: readonly number[];
  /** Before and after each of these axes: what is added before blocks are taken, or cut off after they are laid out. */
  readonly frame: PadAttrs['paddings'];
}

/**
 * A frame of zeros, then blocks of pixels become images of the batch: how TensorFlow writes a dilated convolution.
 *
 * @see LiteRT tflite/kernels/internal/reference/space_to_batch_nd.h
 */
export const spaceToBatchNd = defineInferenceOp<'space_to_batch_nd', SpatialBlocks>({
  name: 'space_to_batch_nd',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer([input], attrs) {
    const { dtype, shape } = input!;
    const volume = blockVolume(shape, attrs.blockSizes);
    const padded = paddedShape(shape, wholeFrame(attrs));
    const sizes = attrs.blockSizes.map((block, axis) => padded[axis + 1]! / block);
    if (!sizes.every(Number.isInteger)) {
      const blocks = `blocks of [${attrs.blockSizes.join(',')}]`;
      throw new ShapeError(`[${padded.join(',')}], with the frame, has no whole ${blocks}`);
    }
    return [{ dtype, shape: [shape[0]! * volume, ...sizes, shape.at(-1)!] }];
  },
  int8({ inputs: [input], outputs: [output], attrs }) {
    const { shape } = input!.type;
    const zeroPoint = output!.quant === null ? 0 : perTensor(output!.quant, 'the output').zeroPoint;
    const copy = paddingCopy(shape, wholeFrame(attrs));
    const padded = paddedShape(shape, wholeFrame(attrs));
    const framed = new Int32Array(numElements(padded));
    const walk = blockWalk(padded, attrs.blockSizes);
    return ([x], [y]) => {
      framed.fill(zeroPoint);
      copyStrided(copy, x!, framed);
      moveAlong(walk, framed, y!);
    };
  },
  tflite: spatialBlocksTflite(38, 24, 'paddings'),
});

/** Over the output as [position in the block, ..., image, block, ..., channel]. */
function blockWalk(padded: Shape, blockSizes: readonly number[]): Walk {
  const steps = strides(padded);
  const inBlock = blockSizes.map((_, axis) => steps[axis + 1]!);
  const ofBlock = blockSizes.map((block, axis) => steps[axis + 1]! * block);
  const blocks = blockSizes.map((block, axis) => padded[axis + 1]! / block);
  return {
    sizes: [...blockSizes, padded[0]!, ...blocks, padded.at(-1)!],
    offsets: [...inBlock, steps[0]!, ...ofBlock, 1].map((step) => (index) => index * step),
  };
}

function wholeFrame({ frame }: SpatialBlocks): PadAttrs {
  return { paddings: [[0, 0], ...frame, [0, 0]] };
}

/**
 * The product of the block sizes.
 *
 * @throws ShapeError when they do not belong to the spatial axes of the input
 */
export function blockVolume(input: Shape, blockSizes: readonly number[], first = 0): number {
  const axes = blockSizes.length + first;
  if (input.length !== axes + 2 || axes < 1 || axes > 2 || blockSizes.some((block) => block < 1)) {
    throw new ShapeError(
      `blocks are [${blockSizes.join(',')}] for the input [${input.join(',')}]; expected one for each axis between ` +
        'batch and channels, of which there are one or two',
    );
  }
  return numElements(blockSizes);
}

/** The file form of SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND. */
export function spatialBlocksTflite(
  builtinCode: number,
  optionsType: number,
  frameName: string,
): TfliteBinding<SpatialBlocks> {
  return {
    builtinCode,
    optionsType,
    fields: [],
    version: ({ inputs: [input] }) => {
      if (input!.type.shape.length !== 4) return { version: 3, minimumRuntime: '2.3.0' };
      return input!.type.dtype === 'int8'
        ? { version: 2, minimumRuntime: '1.14.0' }
        : { version: 1, minimumRuntime: '1.6.0' };
    },
    parameterPositions: [1, 2],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [
        { position: 1, name: 'block_shape', tensor: int32Vector(attrs.blockSizes) },
        { position: 2, name: frameName, tensor: paddingsTensor({ paddings: attrs.frame }) },
      ],
    }),
    decode({ parameters: [blocks, frame] }) {
      const blockSizes = wholeNumbers(blocks, 'the block shape');
      const amounts = pairs(wholeNumbers(frame, `the ${frameName}`));
      if (amounts.length !== blockSizes.length || amounts.flat().some((amount) => amount < 0)) {
        throw new ShapeError(`${frameName} are [${amounts.join('],[')}]; expected two for each block size`);
      }
      return { blockSizes, frame: amounts };
    },
  };
}
