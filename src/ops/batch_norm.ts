import type { FloatTensor, Shape } from '../core/tensor.ts';
import { readBool, readNumber } from './bindings.ts';
import type { GraphDefRead } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import type { TensorType } from '../core/tensor.ts';
import { expectSameShape } from './geometry.ts';

export interface BatchNormAttrs {
  readonly epsilon: number;
}

const statisticOperands = [
  { name: 'gamma', role: 'statistic' },
  { name: 'beta', role: 'statistic' },
  { name: 'mean', role: 'statistic' },
  { name: 'variance', role: 'statistic' },
] as const;

export function expectChannels(input: Shape, parameters: readonly TensorType[]): void {
  const channels = input.at(-1);
  for (const parameter of parameters) {
    if (parameter.shape.length !== 1 || parameter.shape[0] !== channels) {
      throw new ShapeError(`a parameter is [${parameter.shape.join(',')}]; expected [${channels ?? 'channels'}]`);
    }
  }
}

const readBatchNorm: GraphDefRead<BatchNormAttrs> = (node, { inputs }) => {
  if (readBool(node, 'is_training', true)) {
    throw new ShapeError('it is in training form; export the inference graph');
  }
  return { inputs, attrs: { epsilon: readNumber(node, 'epsilon', 1e-4) } };
};

/** Inference: (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis. Folded before conversion. */
export const batchNorm = defineOp({
  name: 'batch_norm',
  operands: [{ name: 'input', role: 'activation' }, ...statisticOperands],
  quant: { kind: 'folded' },
  infer([input, ...parameters], _attrs: BatchNormAttrs) {
    expectChannels(input!.shape, parameters);
    return [input!];
  },
  float([input, gamma, beta, mean, variance], { epsilon }, [output]) {
    const channels = gamma!.data.length;
    const scale = gamma!.data.map((value, channel) => value / Math.sqrt(variance!.data[channel]! + epsilon));
    for (let at = 0; at < output!.data.length; at++) {
      const channel = at % channels;
      output!.data[at] =
        Math.fround((input!.data[at]! - mean!.data[channel]!) * scale[channel]!) + beta!.data[channel]!;
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: {
    // TensorFlow's op takes images; RowBatchNorm is spelled out around it, see graphdef/composites.ts.
    write(writer, { name, inputs, inputTypes: [input], attrs }) {
      const isImage = input!.shape.length === 4;
      return [
        writer.node(isImage ? 'FusedBatchNormV3' : 'RowBatchNorm', name, inputs, {
          T: { kind: 'type', value: 'float32' },
          U: { kind: 'type', value: 'float32' },
          epsilon: { kind: 'float', value: attrs.epsilon },
          is_training: { kind: 'bool', value: false },
          ...(isImage ? {} : { depth: { kind: 'int', value: input!.shape.at(-1)! } as const }),
        }),
      ];
    },
    reads: {
      FusedBatchNorm: readBatchNorm,
      FusedBatchNormV2: readBatchNorm,
      FusedBatchNormV3: readBatchNorm,
      RowBatchNorm: readBatchNorm,
    },
  },
});

/**
 * Training: normalises by the batch's own statistics. Inputs: values, gamma, beta.
 * Outputs: normalised values, batch mean, biased batch variance.
 */
export const batchNormTrain = defineOp({
  name: 'batch_norm_train',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'gamma', role: 'statistic' },
    { name: 'beta', role: 'statistic' },
  ],
  quant: { kind: 'float_only' },
  infer([input, gamma, beta], _attrs: BatchNormAttrs): readonly TensorType[] {
    expectChannels(input!.shape, [gamma!, beta!]);
    return [input!, float32(gamma!.shape), float32(gamma!.shape)];
  },
  float([input, gamma, beta], { epsilon }, [output, mean, variance]) {
    const channels = gamma!.data.length;
    batchStatistics(input!, mean!, variance!);
    for (let at = 0; at < output!.data.length; at++) {
      const channel = at % channels;
      const scale = gamma!.data[channel]! / Math.sqrt(variance!.data[channel]! + epsilon);
      output!.data[at] = (input!.data[at]! - mean!.data[channel]!) * scale + beta!.data[channel]!;
    }
  },
  vjp({ emitAll }, { inputs: [input, gamma], outputs: [, mean, variance], attrs }, gradient) {
    return emitAll(batchNormTrainGrad, [gradient, input!, gamma!, mean!, variance!], attrs);
  },
  int8: null,
  tflite: null,
  graphdef: null,
});

/** Mean and biased variance over all axes but the last, summed in float64. */
export function batchStatistics(input: FloatTensor, mean: FloatTensor, variance: FloatTensor): void {
  const channels = mean.data.length;
  const count = input.data.length / channels;
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let at = 0; at < input.data.length; at++) sums[at % channels]! += input.data[at]!;
  mean.data.set(sums.map((sum) => sum / count));
  for (let at = 0; at < input.data.length; at++) {
    squares[at % channels]! += (input.data[at]! - mean.data[at % channels]!) ** 2;
  }
  variance.data.set(squares.map((sum) => sum / count));
}

/**
 * Inputs: output gradient, values, gamma, batch mean, batch variance. Outputs: gradients of values, gamma, beta.
 * With n = (x - mean) / sigma: dx = gamma / sigma * (dy - mean(dy) - n * mean(dy * n)).
 */
export const batchNormTrainGrad = defineOp({
  name: 'batch_norm_train_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'input', role: 'activation' },
    { name: 'gamma', role: 'statistic' },
    { name: 'mean', role: 'statistic' },
    { name: 'variance', role: 'statistic' },
  ],
  quant: { kind: 'float_only' },
  infer([gradient, input, ...parameters], _attrs: BatchNormAttrs): readonly TensorType[] {
    expectSameShape(gradient!.shape, input!.shape, 'the gradient');
    expectChannels(input!.shape, parameters);
    return [input!, parameters[0]!, parameters[0]!];
  },
  float([gradient, input, gamma, mean, variance], { epsilon }, [inputGradient, gammaGradient, betaGradient]) {
    const channels = gamma!.data.length;
    const count = input!.data.length / channels;
    const inverse = Float64Array.from(variance!.data, (value) => 1 / Math.sqrt(value + epsilon));
    const total = new Float64Array(channels);
    const weighted = new Float64Array(channels);
    const normalized = (at: number): number =>
      (input!.data[at]! - mean!.data[at % channels]!) * inverse[at % channels]!;
    for (let at = 0; at < input!.data.length; at++) {
      total[at % channels]! += gradient!.data[at]!;
      weighted[at % channels]! += gradient!.data[at]! * normalized(at);
    }
    for (let at = 0; at < input!.data.length; at++) {
      const channel = at % channels;
      const centred = gradient!.data[at]! - total[channel]! / count - (normalized(at) * weighted[channel]!) / count;
      inputGradient!.data[at] = gamma!.data[channel]! * inverse[channel]! * centred;
    }
    gammaGradient!.data.set(weighted);
    betaGradient!.data.set(total);
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
