import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import type { Vary } from './augment.ts';
import { unvaried } from './augment.ts';
import type { RealRange, Split } from './dataset.ts';
import type { Inputs } from './inputs.ts';
import { changedSoundReader, pixelReader, realReader } from './inputs.ts';

/**
 * What a pixel means to the network: real = scale * (pixel - mean). With an integer `mean` in 0..255 this is exactly
 * the affine quantization of the model's uint8 input (zero point `mean`), so that raw pixels are its input codes.
 */
export interface PixelNormalization {
  readonly mean: number;
  readonly scale: number;
}

/** What an element of the input means: a pixel, or a real value that lies in a range. */
export type Normalization = PixelNormalization | RealRange;

/**
 * The order of examples in one epoch: each index below `count` once.
 *
 * @param epoch from 0; each has an order of its own that does not depend on the epochs before
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  return createRandom(seed, 'epoch-order', String(epoch)).permutation(count);
}

/**
 * Writes the examples order[start] .. order[start + batch - 1].
 *
 * @param outInputs [batch, height, width, channels], reals rounded to float32 after the one multiplication
 * @param outAnswers [batch], class indices, and behind them [batch, number of targets], and [batch, height, width], class
 *   indices, as far as examples have them
 * @param vary changes the example at a position of the order
 */
export type FillBatch = (
  order: Uint32Array,
  start: number,
  batch: number,
  outInputs: Float32Array,
  outAnswers: Float32Array,
  vary?: Vary,
) => void;

/** For many batches: what reading and computing an example need is made once. */
export function batchWriter(split: Split, normalize: Normalization): FillBatch {
  const { inputs, labels, targets, masks } = split;
  const { size } = inputs;
  const answers = answersOf(split);
  const { targets: numTargets, masks: maskSize } = answerSizes(split);
  const readMask = masks && pixelReader(masks);
  const write = inputWriter(inputs, normalize);
  return (order, start, batch, outInputs, outAnswers, vary = unvaried) => {
    if (start + batch > order.length) internal(`batch ${start}..${start + batch} of ${order.length} examples`);
    if (outInputs.length < batch * size || outAnswers.length < batch * answers)
      internal(`no room for ${batch} examples`);
    const {
      targets: [firstTarget],
      masks: [firstMask],
    } = answerSections(split, batch);
    for (let example = 0; example < batch; example++) {
      // Indices of a permutation of the split are below its count.
      const index = order[start + example]!;
      if (labels !== null) outAnswers[example] = labels[index]!;
      if (targets !== null) {
        const row = targets.subarray(index * numTargets, (index + 1) * numTargets);
        outAnswers.set(row, firstTarget + example * numTargets);
      }
      if (readMask !== undefined) {
        const mask = readMask(index);
        const varied = vary.mask === null ? mask : vary.mask(mask, start + example);
        outAnswers.set(varied, firstMask + example * maskSize);
      }
      write(index, outInputs, example * size, vary, start + example);
    }
  };
}

/** Columns that the answers of networks are compared with. */
export type AnswerColumn = 'labels' | 'targets' | 'masks';

/** Numbers that an example has in each column. */
export function answerSizes({ count, labels, targets, masks }: Split): Readonly<Record<AnswerColumn, number>> {
  return {
    labels: labels === null ? 0 : 1,
    targets: targets === null ? 0 : targets.length / Math.max(1, count),
    masks: masks?.size ?? 0,
  };
}

/** Numbers that the answers of an example have: a class, its targets, and a class for each pixel. */
export function answersOf(split: Split): number {
  const { labels, targets, masks } = answerSizes(split);
  return labels + targets + masks;
}

/** Where a column lies in the answers of a batch: its first number, and that behind its last. */
export function answerSections(
  split: Split,
  batch: number,
): Readonly<Record<AnswerColumn, readonly [start: number, end: number]>> {
  const { labels, targets, masks } = answerSizes(split);
  const [first, second] = [batch * labels, batch * (labels + targets)];
  return { labels: [0, first], targets: [first, second], masks: [second, second + batch * masks] };
}

type WriteInput = (index: number, out: Float32Array, to: number, vary?: Vary, position?: number) => void;

/** Writes the input of the example at an index as real values, before any quantizer. */
export function inputWriter(inputs: Inputs, normalize: Normalization): WriteInput {
  if (inputs.kind === 'reals') {
    const read = realReader(inputs);
    let change = unvaried.sound;
    const readChanged =
      inputs.sound && changedSoundReader(inputs, (samples, position) => change?.(samples, position) ?? samples);
    return (index, out, to, { series, sound } = unvaried, position = 0) => {
      change = sound;
      const values = sound === null || readChanged === undefined ? read(index) : readChanged(index, position);
      out.set(series === null ? values : series(values, position), to);
    };
  }
  const read = pixelReader(inputs);
  const reals = realValues(pixelNormalization(normalize));
  return (index, out, to, { image: varyImage } = unvaried, position = 0) => {
    const image = read(index);
    const pixels = varyImage === null ? image : varyImage(image, position);
    // Pixels are below 256.
    for (let from = 0; from < inputs.size; from++) out[to + from] = reals[pixels[from]!]!;
  };
}

/** That of inputs which are pixels. */
export function pixelNormalization(normalize: Normalization): PixelNormalization {
  return 'scale' in normalize ? normalize : internal('pixels have a range of real values');
}

/** The real values that an input can have, as far as its quantizer keeps them. */
export function inputRange(normalize: Normalization): RealRange {
  if (!('scale' in normalize)) return { min: Math.fround(normalize.min), max: Math.fround(normalize.max) };
  const { scale, mean } = normalize;
  return { min: Math.fround(scale * (0 - mean)), max: Math.fround(scale * (255 - mean)) };
}

/** By pixel value, 256 of them. */
export function realValues({ mean, scale }: PixelNormalization): Float32Array {
  return Float32Array.from({ length: 256 }, (_, pixel) => Math.fround(scale) * Math.fround(pixel - mean));
}
