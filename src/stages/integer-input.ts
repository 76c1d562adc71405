import { internal } from '../core/assert.ts';
import { integerRanges, perTensor, quantizeValue } from '../core/affine.ts';
import type { Normalization } from '../data/batches.ts';
import { realValues } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';

/**
 * Images as the integer model takes them: each pixel's real value in the codes of the model's input. Where the
 * normalization is the input's own scale and zero point, int8 codes are the pixel minus 128.
 *
 * @returns a function that gives the image at an index; its array is used again by the next call
 */
export function quantizeImages(
  graph: Graph,
  normalize: Normalization,
): (split: Split, index: number) => Int8Array | Uint8Array {
  const { type, quant } = valueOf(graph, graph.inputs[0] ?? internal('the model takes no input'));
  const { scale, zeroPoint } = perTensor(quant, 'the model input');
  if (type.dtype !== 'int8' && type.dtype !== 'uint8') return internal(`the model input is ${type.dtype}`);
  const range = integerRanges[type.dtype];
  const codes = Array.from(realValues(normalize), (real) => quantizeValue(real, scale, zeroPoint, range));
  const length = type.shape.reduce((product, size) => product * size, 1);
  const image = type.dtype === 'int8' ? new Int8Array(length) : new Uint8Array(length);
  return (split, index) => {
    for (let pixel = 0; pixel < length; pixel++) image[pixel] = codes[split.images[index * length + pixel]!]!;
    return image;
  };
}
