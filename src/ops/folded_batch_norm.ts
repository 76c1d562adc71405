/**
 * Batch norm folded into the weights while training (tf.contrib.quantize, fold_batch_norms.py): the layer runs with
 * filter * gamma / sigma of the moving variance, whose grid does not jitter with the batch, and its output is corrected
 * to what the batch's own statistics would give. sigma(v) = sqrt(v + epsilon).
 */
import type { FloatTensor, TensorType } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import type { BatchNormAttrs } from './batch_norm.ts';
import { batchStatistics, expectChannels } from './batch_norm.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';

const trainingOnly = { quant: { kind: 'float_only' }, int8: null, tflite: null, graphdef: null } as const;

export interface FoldFilterAttrs extends BatchNormAttrs {
  /** The output channels of the values. */
  readonly axis: number;
}

/** values * gamma / sigma(variance), per output channel. Inputs: filter or bias, gamma, moving variance. */
export const foldFilter = defineOp({
  ...trainingOnly,
  name: 'fold_filter',
  operands: [
    { name: 'filter', role: 'weight' },
    { name: 'gamma', role: 'statistic' },
    { name: 'variance', role: 'statistic' },
  ],
  infer([filter, gamma, variance], attrs: FoldFilterAttrs) {
    expectAxis(filter!, [gamma!, variance!], attrs.axis);
    return [filter!];
  },
  float([filter, gamma, variance], { axis, epsilon }, [output]) {
    const channelAt = channelsOf(filter!, axis);
    const factors = gamma!.data.map((value, channel) => value / Math.sqrt(variance!.data[channel]! + epsilon));
    for (let at = 0; at < output!.data.length; at++) output!.data[at] = filter!.data[at]! * factors[channelAt(at)]!;
  },
  vjp: ({ emitAll }, { inputs, attrs }, gradient) => [...emitAll(foldFilterGrad, [gradient, ...inputs], attrs), null],
});

/** Inputs: output gradient, then those of fold_filter. Outputs: gradients of the filter and of gamma. */
export const foldFilterGrad = defineOp({
  ...trainingOnly,
  name: 'fold_filter_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'filter', role: 'weight' },
    { name: 'gamma', role: 'statistic' },
    { name: 'variance', role: 'statistic' },
  ],
  infer([gradient, filter, gamma, variance], attrs: FoldFilterAttrs): readonly TensorType[] {
    expectSameShape(gradient!.shape, filter!.shape, 'the gradient');
    expectAxis(filter!, [gamma!, variance!], attrs.axis);
    return [filter!, gamma!];
  },
  float([gradient, filter, gamma, variance], { axis, epsilon }, [filterGradient, gammaGradient]) {
    const channelAt = channelsOf(filter!, axis);
    const sigmas = Float64Array.from(variance!.data, (value) => Math.sqrt(value + epsilon));
    const factors = gamma!.data.map((value, channel) => value / sigmas[channel]!);
    const products = new Float64Array(sigmas.length);
    for (let at = 0; at < filter!.data.length; at++) {
      const channel = channelAt(at);
      filterGradient!.data[at] = gradient!.data[at]! * factors[channel]!;
      products[channel]! += gradient!.data[at]! * filter!.data[at]!;
    }
    gammaGradient!.data.set(products.map((product, channel) => product / sigmas[channel]!));
  },
  vjp: null,
});

const statistics = [
  { name: 'gamma', role: 'statistic' },
  { name: 'beta', role: 'statistic' },
  { name: 'moving_mean', role: 'statistic' },
  { name: 'moving_variance', role: 'statistic' },
] as const;

/**
 * Corrects the output of a layer with folded weights. Inputs: that output y, the same layer's output with its own
 * weights, gamma, beta, moving mean, moving variance, and optionally `frozen` (scalar): where it is 1 the moving
 * statistics take the place of the batch's.
 *
 * Outputs: y * sigma(moving) / sigma(batch) + beta - gamma * mean(batch) / sigma(batch), or frozen
 * y + beta - gamma * mean(moving) / sigma(moving); then the mean and the biased variance that were used, which move
 * the moving ones: frozen, these stay.
 */
export const foldCorrect = defineOp({
  ...trainingOnly,
  name: 'fold_correct',
  operands: [
    { name: 'folded', role: 'activation' },
    { name: 'unfolded', role: 'activation' },
    ...statistics,
    { name: 'frozen', role: 'range', optional: true },
  ],
  infer([folded, unfolded, ...parameters], _attrs: BatchNormAttrs): readonly TensorType[] {
    expectSameShape(unfolded!.shape, folded!.shape, 'the unfolded output');
    expectChannels(folded!.shape, parameters.slice(0, 4));
    return [folded!, float32(parameters[0]!.shape), float32(parameters[0]!.shape)];
  },
  float([folded, unfolded, gamma, beta, movingMean, movingVariance, frozen], { epsilon }, [output, mean, variance]) {
    const channels = gamma!.data.length;
    if (frozen?.data[0] === 1) {
      mean!.data.set(movingMean!.data);
      variance!.data.set(movingVariance!.data);
    } else {
      batchStatistics(unfolded!, mean!, variance!);
    }
    // Frozen, both sigmas are one and the ratio is exactly 1.
    const sigmas = Float64Array.from(variance!.data, (value) => Math.sqrt(value + epsilon));
    const scales = sigmas.map((sigma, c) => Math.sqrt(movingVariance!.data[c]! + epsilon) / sigma);
    const shifts = sigmas.map((sigma, c) => beta!.data[c]! - (mean!.data[c]! * gamma!.data[c]!) / sigma);
    for (let at = 0; at < output!.data.length; at++) {
      output!.data[at] = folded!.data[at]! * scales[at % channels]! + shifts[at % channels]!;
    }
  },
  vjp({ emitAll }, { inputs, outputs: [, mean, variance], attrs }, gradient) {
    const [folded, unfolded, gamma, , , movingVariance, ...frozen] = inputs;
    const operands = [gradient, folded!, unfolded!, gamma!, mean!, variance!, movingVariance!, ...frozen];
    const [foldedGradient, unfoldedGradient, gammaGradient, betaGradient] = emitAll(foldCorrectGrad, operands, attrs);
    const given = [foldedGradient!, unfoldedGradient!, gammaGradient!, betaGradient!];
    return [...given, null, null, ...frozen.map(() => null)];
  },
});

/**
 * Inputs: output gradient, folded and unfolded layer outputs, gamma, the mean and variance that were used, moving
 * variance, `frozen` as in fold_correct. Outputs: gradients of the folded output, the unfolded output, gamma, beta.
 *
 * The unfolded output has a gradient through the batch's statistics alone: with n rows, dx = dmean / n +
 * 2 * dvariance * (x - mean) / n; frozen it has none.
 */
export const foldCorrectGrad = defineOp({
  ...trainingOnly,
  name: 'fold_correct_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'folded', role: 'activation' },
    { name: 'unfolded', role: 'activation' },
    { name: 'gamma', role: 'statistic' },
    { name: 'mean', role: 'statistic' },
    { name: 'variance', role: 'statistic' },
    { name: 'moving_variance', role: 'statistic' },
    { name: 'frozen', role: 'range', optional: true },
  ],
  infer([gradient, folded, unfolded, ...parameters], _attrs: BatchNormAttrs): readonly TensorType[] {
    expectSameShape(gradient!.shape, folded!.shape, 'the gradient');
    expectSameShape(unfolded!.shape, folded!.shape, 'the unfolded output');
    expectChannels(folded!.shape, parameters.slice(0, 4));
    return [folded!, folded!, parameters[0]!, parameters[0]!];
  },
  float(
    [gradient, folded, unfolded, gamma, mean, variance, movingVariance, frozen],
    { epsilon },
    [foldedGradient, unfoldedGradient, gammaGradient, betaGradient],
  ) {
    const channels = gamma!.data.length;
    const count = gradient!.data.length / channels;
    const totals = new Float64Array(channels);
    const products = new Float64Array(channels);
    for (let at = 0; at < gradient!.data.length; at++) {
      totals[at % channels]! += gradient!.data[at]!;
      products[at % channels]! += gradient!.data[at]! * folded!.data[at]!;
    }
    const isFrozen = frozen?.data[0] === 1;
    const [scales, slopes, offsets] = [totals.slice(), totals.slice(), totals.slice()];
    for (let channel = 0; channel < channels; channel++) {
      const sigma = Math.sqrt(variance!.data[channel]! + epsilon);
      const movingSigma = Math.sqrt(movingVariance!.data[channel]! + epsilon);
      const [centre, total] = [mean!.data[channel]!, totals[channel]!];
      betaGradient!.data[channel] = total;
      gammaGradient!.data[channel] = (-total * centre) / sigma;
      scales[channel] = movingSigma / sigma;
      const meanGradient = (-total * gamma!.data[channel]!) / sigma;
      const sigmaGradient = (total * centre * gamma!.data[channel]! - products[channel]! * movingSigma) / sigma ** 2;
      const slope = isFrozen ? 0 : sigmaGradient / sigma / count;
      slopes[channel] = slope;
      offsets[channel] = isFrozen ? 0 : meanGradient / count - slope * centre;
    }
    for (let at = 0; at < gradient!.data.length; at++) {
      const channel = at % channels;
      foldedGradient!.data[at] = gradient!.data[at]! * scales[channel]!;
      unfoldedGradient!.data[at] = unfolded!.data[at]! * slopes[channel]! + offsets[channel]!;
    }
  },
  vjp: null,
});

function expectAxis(filter: TensorType, parameters: readonly TensorType[], axis: number): void {
  const channels = filter.shape[axis];
  for (const { shape } of parameters) {
    if (shape.length !== 1 || shape[0] !== channels) {
      throw new ShapeError(`a parameter is [${shape.join(',')}]; expected [${channels ?? 'channels'}]`);
    }
  }
}

function channelsOf(filter: FloatTensor, axis: number): (at: number) => number {
  const inner = numElements(filter.shape.slice(axis + 1));
  const channels = filter.shape[axis]!;
  return (at) => Math.floor(at / inner) % channels;
}
