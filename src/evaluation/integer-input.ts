import { internal } from '../core/assert.ts';
import { integerRanges, perTensor, quantizeValue } from '../core/affine.ts';
import type { Normalization } from '../data/batches.ts';
import { pixelNormalization, realValues } from '../data/batches.ts';
import type { Inputs } from '../data/inputs.ts';
import { pixelReader, realReader } from '../data/inputs.ts';
import type { Graph } from '../graph/graph.ts';
import { producers, valueOf } from '../graph/graph.ts';

/** real = scale * (code - zeroPoint) */
export interface OutputScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

export type ModelImage = Int8Array | Uint8Array | Float32Array;

/**
 * Images as the model takes them: each pixel's real value, in the codes of the model's input where that is an integer.
 * Where the normalization is the input's own scale and zero point, int8 codes are the pixel minus 128.
 *
 * @returns a function that gives the image at an index; its array is used again by the next call
 */
export function modelImages(graph: Graph, normalize: Normalization, inputs: Inputs): (index: number) => ModelImage {
  const { type } = valueOf(graph, graph.inputs[0] ?? internal('the model takes no input'));
  const length = type.shape.reduce((product, size) => product * size, 1);
  const image = newImages(graph, length);
  const write = elementWriter(normalize, inputConversion(graph), inputs);
  return (index) => {
    write(index, image);
    return image;
  };
}

/**
 * Writes the input of an example, each element's real value converted.
 *
 * @param convert is called once for each of the 256 values of pixels, or for each real value
 * @returns a function whose `out` is as long as one input
 */
export function elementWriter(
  normalize: Normalization,
  convert: (real: number) => number,
  inputs: Inputs,
): (index: number, out: ModelImage) => void {
  if (inputs.kind === 'reals') {
    const read = realReader(inputs);
    return (index, out) => {
      const values = read(index);
      for (let at = 0; at < out.length; at++) out[at] = convert(values[at]!);
    };
  }
  const read = pixelReader(inputs);
  const codes = Array.from(realValues(pixelNormalization(normalize)), convert);
  return (index, out) => {
    const pixels = read(index);
    for (let at = 0; at < out.length; at++) out[at] = codes[pixels[at]!]!;
  };
}

/** Room for `length` pixels in the type of the model's input. */
export function newImages(graph: Graph, length: number): ModelImage {
  const { dtype } = valueOf(graph, graph.inputs[0] ?? internal('the model takes no input')).type;
  switch (dtype) {
    case 'int8':
      return new Int8Array(length);
    case 'uint8':
      return new Uint8Array(length);
    case 'float32':
      return new Float32Array(length);
    default:
      return internal(`the model input is ${dtype}`);
  }
}

/** What the model takes for a real value. */
function inputConversion(graph: Graph): (real: number) => number {
  const { type, quant } = valueOf(graph, graph.inputs[0] ?? internal('the model takes no input'));
  if (type.dtype !== 'int8' && type.dtype !== 'uint8') return (real) => real;
  const { scale, zeroPoint } = perTensor(quant, 'the model input');
  const range = integerRanges[type.dtype];
  return (real) => quantizeValue(real, scale, zeroPoint, range);
}

/** What the integers of an output of a model stand for: its own, or those behind DEQUANTIZE. */
export function outputScale(graph: Graph, index = 0): OutputScale {
  const output = graph.outputs[index] ?? internal(`the model has no output ${index}`);
  const maker = producers(graph).get(output);
  const name = maker?.op === 'dequantize' ? (maker.inputs[0] ?? output) : output;
  const { scale, zeroPoint } = perTensor(valueOf(graph, name).quant, 'the model output');
  return { scale, zeroPoint };
}
