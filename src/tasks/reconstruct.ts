/** Measurements of a network that reconstructs its input. */
import { roundHalfAway } from '../core/affine.ts';
import type { Normalization } from '../data/batches.ts';
import { inputWriter, pixelNormalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import type { GateValue } from './gates.ts';
import type { ReconstructTest, UnjudgedTest } from '../measurements/metrics.ts';
import type { Tested } from './tested.ts';
import { costs, dequantize, ofEachModel, summaries, summarize } from './errors.ts';
import { base64, pictureOf } from './tested.ts';

/**
 * The mean squared error of each image: between the output and the real values of the pixels, which are the network's
 * input before any quantizer.
 *
 * @param outputs [count, values], real values
 */
export function imageErrors(outputs: Float32Array, split: Split, normalize: Normalization): Float64Array {
  const { count, inputs } = split;
  const { size } = inputs;
  const write = inputWriter(inputs, normalize);
  const reals = new Float32Array(size);
  return Float64Array.from({ length: count }, (_, image) => {
    write(image, reals, 0);
    let total = 0;
    for (let at = 0; at < size; at++) total += (outputs[image * size + at]! - reals[at]!) ** 2;
    return total / size;
  });
}

type Measured = Pick<ReconstructTest, 'task' | 'error' | 'meanImageError' | 'costs' | 'examples'>;

export function measureReconstruction(tested: Tested): Measured {
  const { test: split } = tested.dataset;
  const errors = ofEachModel(tested, (outputs) => imageErrors(outputs, split, tested.spec.normalize));
  const { int8, float } = errors;
  return {
    task: 'reconstruct',
    error: summaries(errors),
    meanImageError: summarize(imageErrors(meanImages(split, tested.spec.normalize), split, tested.spec.normalize)).mean,
    costs: costs(errors),
    examples: examplesOf(tested, int8, float),
  };
}

export function reconstructionGates({ error }: UnjudgedTest & { task: 'reconstruct' }): GateValue[] {
  const rise = error.float === null ? null : error.int8.mean / error.float.mean - 1;
  return [
    { name: 'int8_error_max', rule: 'at_most', value: error.int8.mean, unit: 'error' },
    { name: 'error_rise_max', rule: 'at_most', value: rise, unit: 'share' },
  ];
}

/** The mean of all images, once for each of them: what a network that ignores its input would give. */
function meanImages(split: Split, normalize: Normalization): Float32Array {
  const { count, inputs } = split;
  const { size } = inputs;
  const write = inputWriter(inputs, normalize);
  const reals = new Float32Array(size);
  const sums = new Float64Array(size);
  for (let image = 0; image < count; image++) {
    write(image, reals, 0);
    for (const [at, real] of reals.entries()) sums[at]! += real;
  }
  return Float32Array.from({ length: count * size }, (_, at) => sums[at % size]! / count);
}

function examplesOf(tested: Tested, int8: Float64Array, float: Float64Array | null): ReconstructTest['examples'] {
  const { spec, dataset, output } = tested;
  const { test: split } = dataset;
  const { size } = split.inputs;
  return Array.from({ length: Math.min(tested.numExamples, split.count) }, (_, index) => {
    const [start, end] = [index * size, (index + 1) * size];
    const codes = tested.int8.subarray(start, end);
    const picture = pictureOf(tested, index);
    return {
      index,
      raw: [...codes],
      ...output,
      error: int8[index]!,
      floatError: float === null ? null : float[index]!,
      image: picture && { ...picture, reconstruction: base64(toPixels(dequantize(codes, output), spec.normalize)) },
    };
  });
}

/** The pixels, 0..255, whose real values are nearest. */
function toPixels(reals: Float32Array, normalize: Normalization): Uint8Array {
  const { scale, mean } = pixelNormalization(normalize);
  return Uint8Array.from(reals, (real) => Math.max(0, Math.min(255, roundHalfAway(real / scale + mean))));
}
