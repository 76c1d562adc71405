/** Losses, their gradients, and the count of right answers. Only a training graph has them. All float32. */
import { exp, log } from '../core/math.ts';
import type { FloatTensor, TensorType } from '../core/tensor.ts';
import type { NoAttrs, OpDef } from './define.ts';
import { ShapeError, defineOp, float32, trainingOnly } from './define.ts';
import { expectSameShape } from './geometry.ts';
import { softmaxRow } from './softmax.ts';

const f32 = Math.fround;

/**
 * Inputs: logits [rows, classes]; labels [rows] (class indices as float32); and optionally targets [classes, classes],
 * whose row l is what an example of label l should give: values of at least 0, whose sum is the weight of the example.
 * Without them the target is 1 at the label. Output: the sum over a row of -target * log(softmax(logits)), then the
 * mean over the rows (not over the weights), a scalar.
 *
 * The gradient is that of softmaxCrossEntropyGrad.
 */
export const softmaxCrossEntropy: OpDef<'softmax_cross_entropy', NoAttrs> = defineOp({
  ...trainingOnly,
  name: 'softmax_cross_entropy',
  operands: [
    { name: 'logits', role: 'activation' },
    { name: 'labels', role: 'activation' },
    { name: 'targets', role: 'activation', optional: true },
  ],
  infer([logits, labels, targets], _attrs: NoAttrs) {
    expectLabels(logits!, labels!);
    expectTargets(logits!, targets);
    return [float32([])];
  },
  float([logits, labels, targets], _attrs, [loss]) {
    const [rows, classes] = logits!.shape as [number, number];
    const probabilities = new Float32Array(classes);
    let total = 0;
    for (let row = 0; row < rows; row++) {
      const values = logits!.data.subarray(row * classes, (row + 1) * classes);
      const label = labels!.data[row]!;
      if (targets !== undefined) {
        total += targetLoss(values, targets, label);
        continue;
      }
      softmaxRow(values, 0, classes, 1, probabilities);
      // The smallest normal float32 keeps the loss of a badly wrong example finite.
      total -= log(Math.max(probabilities[label]!, 1.17549435e-38));
    }
    loss!.data[0] = total / rows;
  },
  vjp: ({ emit }, { inputs: [logits, labels, ...targets] }, gradient) => [
    emit(softmaxCrossEntropyGrad, [gradient, logits!, labels!, ...targets], {}),
    null,
    ...targets.map(() => null),
  ],
});

/** The sum of target * (log(sum of exp(logits)) - logit), in float64; a target of 0 adds nothing. */
function targetLoss(logits: Float32Array, targets: FloatTensor, label: number): number {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + exp(logit - largest), 0);
  const logTotal = log(total);
  return logits.reduce((sum, logit, index) => {
    const target = targets.data[label * logits.length + index]!;
    return target === 0 ? sum : sum + target * (logTotal - (logit - largest));
  }, 0);
}

/**
 * Inputs: loss gradient (scalar), logits, labels, and optionally targets. Output: gradient / rows * (softmax(logits) *
 * weight - target), where target is the row of the label and weight its sum; without targets, one_hot(label) and 1.
 */
export const softmaxCrossEntropyGrad = defineOp({
  ...trainingOnly,
  name: 'softmax_cross_entropy_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'logits', role: 'activation' },
    { name: 'labels', role: 'activation' },
    { name: 'targets', role: 'activation', optional: true },
  ],
  infer([, logits, labels, targets], _attrs: NoAttrs) {
    expectLabels(logits!, labels!);
    expectTargets(logits!, targets);
    return [logits!];
  },
  float([gradient, logits, labels, targets], _attrs, [result]) {
    const [rows, classes] = logits!.shape as [number, number];
    const factor = f32(gradient!.data[0]! / rows);
    for (let row = 0; row < rows; row++) {
      const base = row * classes;
      const label = labels!.data[row]!;
      softmaxRow(logits!.data, base, classes, 1, result!.data);
      if (targets === undefined) {
        result!.data[base + label]! -= 1;
        for (let index = 0; index < classes; index++) result!.data[base + index]! *= factor;
        continue;
      }
      const start = label * classes;
      let weight = 0;
      for (let index = 0; index < classes; index++) weight += targets.data[start + index]!;
      for (let index = 0; index < classes; index++) {
        const difference = result!.data[base + index]! * weight - targets.data[start + index]!;
        result!.data[base + index] = difference * factor;
      }
    }
  },
});

/** Inputs: logits [rows, classes], labels [rows]. Output: how many rows have their largest logit at the label. */
export const top1Count = defineOp({
  ...trainingOnly,
  name: 'top_1_count',
  operands: [
    { name: 'logits', role: 'activation' },
    { name: 'labels', role: 'activation' },
  ],
  infer([logits, labels], _attrs: NoAttrs) {
    expectLabels(logits!, labels!);
    return [float32([])];
  },
  float([logits, labels], _attrs, [count]) {
    const [rows, classes] = logits!.shape as [number, number];
    let correct = 0;
    for (let row = 0; row < rows; row++) {
      let best = 0;
      for (let index = 1; index < classes; index++) {
        if (logits!.data[row * classes + index]! > logits!.data[row * classes + best]!) best = index;
      }
      if (best === labels!.data[row]!) correct++;
    }
    count!.data[0] = correct;
  },
});

function expectLabels(logits: TensorType, labels: TensorType): void {
  if (logits.shape.length !== 2 || labels.shape.length !== 1 || labels.shape[0] !== logits.shape[0]) {
    throw new ShapeError(
      `logits are [${logits.shape.join(',')}] and labels [${labels.shape.join(',')}]; ` +
        'expected [batch, classes] and [batch]',
    );
  }
}

function expectTargets({ shape: [, classes] }: TensorType, targets: TensorType | undefined): void {
  if (targets !== undefined) expectSameShape(targets.shape, [classes!, classes!], 'the table of targets');
}

export interface SigmoidCrossEntropyAttrs {
  /** Draws the labels to one half: label * (1 - smoothing) + smoothing / 2. In [0, 1). */
  readonly smoothing: number;
}

/**
 * Answers of yes or no, any number of them in a row. Inputs: logits [rows, answers]; labels of the same shape, in 0 ..
 * 1; and optionally weights [2, answers]: row 0 of the answers of label 0, row 1 of label 1, and in between for labels
 * in between; smoothing does not change them. Output: the mean over all elements of weight * (max(logit, 0) - logit *
 * label + log(1 + exp(-|logit|))), a scalar.
 *
 * @see tensorflow/python/ops/nn_impl.py, sigmoid_cross_entropy_with_logits
 */
export const sigmoidCrossEntropy: OpDef<'sigmoid_cross_entropy', SigmoidCrossEntropyAttrs> = defineOp({
  ...trainingOnly,
  name: 'sigmoid_cross_entropy',
  operands: [
    { name: 'logits', role: 'activation' },
    { name: 'labels', role: 'activation' },
    { name: 'weights', role: 'activation', optional: true },
  ],
  infer([logits, labels, weights], attrs: SigmoidCrossEntropyAttrs) {
    expectAnswers(logits!, labels!, weights, attrs);
    return [float32([])];
  },
  float([logits, labels, weights], { smoothing }, [loss]) {
    const [rows, answers] = logits!.shape as [number, number];
    let total = 0;
    for (let row = 0; row < rows; row++) {
      let ofRow = 0;
      for (let index = 0; index < answers; index++) {
        const logit = logits!.data[row * answers + index]!;
        const label = labels!.data[row * answers + index]!;
        const rest = log(1 + exp(-Math.abs(logit)));
        const value = Math.max(logit, 0) - logit * smoothed(label, smoothing) + rest;
        ofRow += answerWeight(weights, label, index, answers) * value;
      }
      total += ofRow;
    }
    loss!.data[0] = total / logits!.data.length;
  },
  vjp: ({ emit }, { inputs: [logits, labels, ...weights], attrs }, gradient) => [
    emit(sigmoidCrossEntropyGrad, [gradient, logits!, labels!, ...weights], attrs),
    null,
    ...weights.map(() => null),
  ],
});

/**
 * Inputs: loss gradient (scalar), logits, labels, and optionally weights. Output: gradient / count * weight *
 * (1 / (1 + exp(-logit)) - label), the label smoothed.
 */
export const sigmoidCrossEntropyGrad = defineOp({
  ...trainingOnly,
  name: 'sigmoid_cross_entropy_grad',
  operands: [
    { name: 'gradient', role: 'activation' },
    { name: 'logits', role: 'activation' },
    { name: 'labels', role: 'activation' },
    { name: 'weights', role: 'activation', optional: true },
  ],
  infer([, logits, labels, weights], attrs: SigmoidCrossEntropyAttrs) {
    expectAnswers(logits!, labels!, weights, attrs);
    return [logits!];
  },
  float([gradient, logits, labels, weights], { smoothing }, [result]) {
    const answers = logits!.shape[1]!;
    const factor = f32(gradient!.data[0]! / result!.data.length);
    for (let at = 0; at < result!.data.length; at++) {
      const label = labels!.data[at]!;
      const difference = 1 / (1 + exp(-logits!.data[at]!)) - smoothed(label, smoothing);
      result!.data[at] = answerWeight(weights, label, at % answers, answers) * difference * factor;
    }
  },
});

/** In float64 from the float32 smoothing. */
function smoothed(label: number, smoothing: number): number {
  return label * (1 - f32(smoothing)) + f32(smoothing) / 2;
}

function answerWeight(weights: FloatTensor | undefined, label: number, index: number, answers: number): number {
  if (weights === undefined) return 1;
  return label * weights.data[answers + index]! + (1 - label) * weights.data[index]!;
}

function expectAnswers(
  logits: TensorType,
  labels: TensorType,
  weights: TensorType | undefined,
  { smoothing }: SigmoidCrossEntropyAttrs,
): void {
  const { shape } = logits;
  if (shape.length !== 2) throw new ShapeError(`logits are [${shape.join(',')}]; expected [rows, answers]`);
  expectSameShape(labels.shape, shape, 'the labels');
  if (weights !== undefined) expectSameShape(weights.shape, [2, shape[1]!], 'the weights');
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new ShapeError(`the smoothing is ${smoothing}; expected at least 0 and less than 1`);
  }
}

const errorOperands = [
  { name: 'prediction', role: 'activation' },
  { name: 'target', role: 'activation' },
] as const;

const errorGradOperands = [{ name: 'gradient', role: 'activation' }, ...errorOperands] as const;

function expectTarget(prediction: TensorType, target: TensorType): void {
  expectSameShape(target.shape, prediction.shape, 'the target');
}

/** The mean over all elements of a function of prediction - target, in float64. */
function meanOf([prediction, target]: readonly FloatTensor[], valueOf: (difference: number) => number): number {
  let total = 0;
  for (let index = 0; index < prediction!.data.length; index++) {
    total += valueOf(prediction!.data[index]! - target!.data[index]!);
  }
  return total / prediction!.data.length;
}

/** Writes factor * slope of prediction - target, in float32. */
function slopesOf(
  [, prediction, target]: readonly FloatTensor[],
  factor: number,
  slopeOf: (difference: number) => number,
  result: FloatTensor,
): void {
  for (let index = 0; index < result.data.length; index++) {
    result.data[index] = factor * slopeOf(f32(prediction!.data[index]! - target!.data[index]!));
  }
}

/**
 * Inputs: prediction and target of one shape; the target is data and gets no gradient. Output: mean((p - t)^2), a
 * scalar.
 */
export const meanSquaredError = defineOp({
  ...trainingOnly,
  name: 'mean_squared_error',
  operands: errorOperands,
  infer([prediction, target], _attrs: NoAttrs) {
    expectTarget(prediction!, target!);
    return [float32([])];
  },
  float(inputs, _attrs, [loss]) {
    loss!.data[0] = meanOf(inputs, (difference) => difference ** 2);
  },
  vjp: ({ emit }, { inputs: [prediction, target] }, gradient) => [
    emit(meanSquaredErrorGrad, [gradient, prediction!, target!], {}),
    null,
  ],
});

/** Inputs: loss gradient (scalar), prediction, target. Output: gradient * 2 / count * (prediction - target). */
export const meanSquaredErrorGrad = defineOp({
  ...trainingOnly,
  name: 'mean_squared_error_grad',
  operands: errorGradOperands,
  infer([, prediction, target], _attrs: NoAttrs) {
    expectTarget(prediction!, target!);
    return [prediction!];
  },
  float(inputs, _attrs, [result]) {
    const factor = f32((2 * inputs[0]!.data[0]!) / result!.data.length);
    slopesOf(inputs, factor, (difference) => difference, result!);
  },
});

/** Inputs: prediction and target of one shape; the target gets no gradient. Output: mean(|p - t|), a scalar. */
export const meanAbsoluteError = defineOp({
  ...trainingOnly,
  name: 'mean_absolute_error',
  operands: errorOperands,
  infer([prediction, target], _attrs: NoAttrs) {
    expectTarget(prediction!, target!);
    return [float32([])];
  },
  float(inputs, _attrs, [loss]) {
    loss!.data[0] = meanOf(inputs, Math.abs);
  },
  vjp: ({ emit }, { inputs: [prediction, target] }, gradient) => [
    emit(meanAbsoluteErrorGrad, [gradient, prediction!, target!], {}),
    null,
  ],
});

/** Inputs: loss gradient (scalar), prediction, target. Output: gradient / count * sign(p - t), 0 where they are equal. */
export const meanAbsoluteErrorGrad = defineOp({
  ...trainingOnly,
  name: 'mean_absolute_error_grad',
  operands: errorGradOperands,
  infer([, prediction, target], _attrs: NoAttrs) {
    expectTarget(prediction!, target!);
    return [prediction!];
  },
  float(inputs, _attrs, [result]) {
    slopesOf(inputs, f32(inputs[0]!.data[0]! / result!.data.length), Math.sign, result!);
  },
});

export interface HuberAttrs {
  /** The largest difference whose error is squared, above 0. */
  readonly delta: number;
}

/**
 * Squared for small differences and linear for large ones. Inputs: prediction and target of one shape; the target gets
 * no gradient. Output: the mean over d = p - t of d^2 / 2 where |d| <= delta, and delta * |d| - delta^2 / 2 elsewhere.
 *
 * @see keras/losses.py, huber
 */
export const meanHuberError = defineOp({
  ...trainingOnly,
  name: 'mean_huber_error',
  operands: errorOperands,
  infer([prediction, target], attrs: HuberAttrs) {
    expectTarget(prediction!, target!);
    expectDelta(attrs);
    return [float32([])];
  },
  float(inputs, attrs, [loss]) {
    const delta = f32(attrs.delta);
    loss!.data[0] = meanOf(inputs, (difference) => {
      const size = Math.abs(difference);
      return size <= delta ? (size * size) / 2 : delta * size - (delta * delta) / 2;
    });
  },
  vjp: ({ emit }, { inputs: [prediction, target], attrs }, gradient) => [
    emit(meanHuberErrorGrad, [gradient, prediction!, target!], attrs),
    null,
  ],
});

/** Inputs: loss gradient (scalar), prediction, target. Output: gradient / count * (p - t), limited to +-delta. */
export const meanHuberErrorGrad = defineOp({
  ...trainingOnly,
  name: 'mean_huber_error_grad',
  operands: errorGradOperands,
  infer([, prediction, target], attrs: HuberAttrs) {
    expectTarget(prediction!, target!);
    expectDelta(attrs);
    return [prediction!];
  },
  float(inputs, attrs, [result]) {
    const delta = f32(attrs.delta);
    const factor = f32(inputs[0]!.data[0]! / result!.data.length);
    slopesOf(inputs, factor, (difference) => Math.max(-delta, Math.min(difference, delta)), result!);
  },
});

function expectDelta({ delta }: HuberAttrs): void {
  if (!(delta > 0 && delta < Infinity)) throw new ShapeError(`delta is ${delta}; expected a number above 0`);
}
