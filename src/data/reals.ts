/** Inputs that are real values: measured numbers made into what a network learns from. */
import type { RealInputs, Split, TargetColumn } from './dataset.ts';
import { targetsOf } from './dataset.ts';
import type { Inputs, Standard } from './inputs.ts';
import { eachInput } from './inputs.ts';
import type { Turn } from './turn.ts';

/**
 * Standard deviations that the input's quantizer keeps on each side. Of 8 bits about 21 codes are left for each; one
 * outlier in a range from minimum to maximum may leave 6.
 */
const keptDeviations = 6;

/**
 * Makes every channel's mean 0 and its standard deviation 1 over the training examples, wherever their inputs are read,
 * and gives the range that the network's input is to have: that of the training examples, as far as it is within six
 * standard deviations.
 *
 * @param names of the channels, which are the last axis of the inputs
 * @param parts `train` is measured, and all are changed
 */
export async function standardize<
  P extends { readonly train: Split; readonly validation: Split; readonly test: Split },
>(names: readonly string[], parts: P, turn: Turn): Promise<P & { readonly reals: RealInputs }> {
  const measured = await inputMoments(parts.train.inputs, names.length, turn);
  const channels = names.map((name, channel) => ({ name, ...measured[channel]! }));
  const standard: Standard = {
    means: channels.map(({ mean }) => mean),
    deviations: channels.map(({ deviation }) => deviation),
  };
  const changed = (split: Split): Split => ({ ...split, inputs: { ...split.inputs, standard } });
  const [train, validation, test] = [changed(parts.train), changed(parts.validation), changed(parts.test)];
  let [min, max] = [0, 0];
  await eachInput(train.inputs, turn, (values) => {
    for (const value of values) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  });
  const range = { min: Math.max(min, -keptDeviations), max: Math.min(max, keptDeviations) };
  return { ...parts, train, validation, test, reals: { range, channels } };
}

/**
 * Makes every target's mean 0 and its standard deviation 1 over the training examples, in place.
 *
 * @param names of the columns of `targets`
 */
export function standardizeTargets(names: readonly string[], train: Split, others: readonly Split[]): TargetColumn[] {
  const measured = targetsOf(train);
  const columns = names.map((name, column) => ({ name, ...columnMoments(measured, column, names.length) }));
  for (const targets of [train, ...others].map(targetsOf)) {
    for (let at = 0; at < targets.length; at++) {
      const { mean, deviation } = columns[at % columns.length]!;
      targets[at] = (targets[at]! - mean) / deviation;
    }
  }
  return columns;
}

/** By channel; in two passes, since sums of squares of large numbers lose what differs. */
async function inputMoments(inputs: Inputs, channels: number, turn: Turn): Promise<Moments[]> {
  const count = (inputs.count * inputs.size) / channels;
  const sums = new Float64Array(channels);
  await eachInput(inputs, turn, (values) => {
    for (let at = 0; at < values.length; at++) sums[at % channels]! += values[at]!;
  });
  const means = sums.map((sum) => sum / count);
  const squares = new Float64Array(channels);
  await eachInput(inputs, turn, (values) => {
    for (let at = 0; at < values.length; at++) squares[at % channels]! += (values[at]! - means[at % channels]!) ** 2;
  });
  return Array.from(means, (mean, channel) => momentsOf(mean, squares[channel]!, count));
}

interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

function columnMoments(values: Float32Array, column: number, columns: number): Moments {
  const count = values.length / columns;
  let sum = 0;
  for (let at = column; at < values.length; at += columns) sum += values[at]!;
  const mean = sum / count;
  let squares = 0;
  for (let at = column; at < values.length; at += columns) squares += (values[at]! - mean) ** 2;
  return momentsOf(mean, squares, count);
}

/** As float32, in which examples and devices compute; a deviation of 1 for what never changes. */
const momentsOf = (mean: number, squares: number, count: number): Moments => ({
  mean: Math.fround(mean),
  deviation: Math.fround(Math.sqrt(squares / count)) || 1,
});
