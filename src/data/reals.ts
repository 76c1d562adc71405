/** Inputs that are real values: measured numbers made into what a network learns from. */
import type { RealInputs, Split, TargetColumn } from './dataset.ts';
import { targetsOf } from './dataset.ts';

/**
 * Standard deviations that the input's quantizer keeps on each side. Of 8 bits about 21 codes are left for each; one
 * outlier in a range from minimum to maximum may leave 6.
 */
const keptDeviations = 6;

/**
 * Makes every channel's mean 0 and its standard deviation 1 over the training examples, in place, and gives the range
 * that the network's input is to have: that of the training examples, as far as it is within six standard deviations.
 *
 * @param names of the channels, which are the last axis of the inputs
 * @param train to measure on
 * @param others to change as well
 */
export function standardize(names: readonly string[], train: Split, others: readonly Split[]): RealInputs {
  const channels = names.map((name, channel) => ({ name, ...moments(train.inputs, channel, names.length) }));
  for (const { inputs } of [train, ...others]) {
    for (let at = 0; at < inputs.length; at++) {
      const { mean, deviation } = channels[at % channels.length]!;
      inputs[at] = (inputs[at]! - mean) / deviation;
    }
  }
  let [min, max] = [0, 0];
  for (const value of train.inputs) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { range: { min: Math.max(min, -keptDeviations), max: Math.min(max, keptDeviations) }, channels };
}

/**
 * Makes every target's mean 0 and its standard deviation 1 over the training examples, in place.
 *
 * @param names of the columns of `targets`
 */
export function standardizeTargets(names: readonly string[], train: Split, others: readonly Split[]): TargetColumn[] {
  const measured = targetsOf(train);
  const columns = names.map((name, column) => ({ name, ...moments(measured, column, names.length) }));
  for (const targets of [train, ...others].map(targetsOf)) {
    for (let at = 0; at < targets.length; at++) {
      const { mean, deviation } = columns[at % columns.length]!;
      targets[at] = (targets[at]! - mean) / deviation;
    }
  }
  return columns;
}

/** Mean and standard deviation; 1 for a channel that never changes. */
function moments(inputs: Split['inputs'], channel: number, channels: number): { mean: number; deviation: number } {
  const count = inputs.length / channels;
  let sum = 0;
  for (let at = channel; at < inputs.length; at += channels) sum += inputs[at]!;
  const mean = sum / count;
  let squares = 0;
  for (let at = channel; at < inputs.length; at += channels) squares += (inputs[at]! - mean) ** 2;
  // As float32, in which examples and devices compute.
  return { mean: Math.fround(mean), deviation: Math.fround(Math.sqrt(squares / count)) || 1 };
}
