/** What is wrong with a model or its data, as far as the measurements tell by themselves. */
import type { Layer, ModelInput } from '../measurements/layers.ts';
import { fixed, percent, significant } from './format.ts';
import { thresholds } from './lints.ts';

/** Why accuracy is lost or missing. */
export const causes = [
  'dead_layer',
  'labels',
  'normalization',
  'nothing_learned',
  'bias',
  'kernel',
  'range_too_wide',
  'range_too_narrow',
  'shared_range',
  'input_range',
  'rounding',
] as const;
export type Cause = (typeof causes)[number];

/** Whether a cause leaves no other number with the meaning it says. */
export const isMeaningless: Readonly<Record<Cause, boolean>> = {
  ...{ dead_layer: true, labels: true, normalization: true, nothing_learned: true },
  ...{ bias: false, kernel: false, range_too_wide: false, range_too_narrow: false },
  ...{ shared_range: false, input_range: false, rounding: false },
};

export interface Fault {
  readonly cause: Cause;
  readonly layer: string | null;
  /** What is wrong: a sentence where data or a dead layer is meant, else a clause with its subject left out or first. */
  readonly found: string;
  /** What to do: a sentence. */
  readonly remedy: string;
}

/** What a network that decides between classes has learned, and what it then answers. */
export interface Learned {
  /** Shares of right answers at the end of the training. */
  readonly training: number;
  readonly validation: number | null;
  /** The same network on the test examples, before anything was quantized. */
  readonly test: number;
  readonly examples: number;
  /** Share of the most frequent class in the test examples. */
  readonly guessing: number;
}

/** A layer whose values are the same for all examples, in float too; the first, since those behind it follow. */
export function deadLayer(layers: readonly Layer[], compared: number): Fault | null {
  if (compared < thresholds.countedImages) return null;
  const dead = layers.find(isDead);
  if (dead === undefined) return null;
  const why = dead.filter?.deadChannels === dead.filter?.channels ? 'all its weights are 0' : 'its values never change';
  return {
    cause: 'dead_layer',
    layer: dead.name,
    found: `${dead.name} is dead: ${why}, so nothing of the input passes it.`,
    remedy: `Bring ${dead.name} back to life and train again: lower the learning rate, or give it batch norm or a leaky_relu.`,
  };
}

function isDead({ filter, activations }: Layer): boolean {
  if (filter === null || filter.constantChannels < filter.channels) return false;
  const bins = activations?.values.counts.filter((count) => count > 0).length ?? 0;
  return filter.deadChannels === filter.channels || bins === 1;
}

/** Our choice: so much less than on validation examples is no matter of chance, nor of somewhat harder examples. */
const surprisingGap = 0.25;

/**
 * Labels that do not belong to their examples, or inputs on another scale than those of the training: both look like a
 * bad network, but not on the examples of its own training.
 */
export function dataFault(learned: Learned | null, input: ModelInput | undefined): Fault | null {
  if (learned === null || learned.examples < thresholds.countedExamples) return null;
  const { training, validation, test, examples, guessing } = learned;
  const chance = 3 * Math.sqrt(0.25 / examples);
  const isGuessed = test <= guessing + chance;
  if ((validation ?? training) - test > surprisingGap + chance) {
    const fault = scaleFault(learned, input) ?? (validation === null ? null : testFault(learned, isGuessed));
    if (fault !== null) return fault;
  }
  // Without validation examples, those of the test are all that the network has not trained on.
  const unseen = validation ?? test;
  if (!isGuessed || unseen > guessing + surprisingGap / 2) return null;
  const beside = validation === null ? percent(test) : `${percent(validation)} on validation examples`;
  if (training - unseen > surprisingGap) {
    return {
      cause: 'labels',
      layer: null,
      found: `The network knows its training examples by heart (${percent(training)} right) and nothing else (${beside}): the labels do not belong to their examples, or these are far too few.`,
      remedy: 'Check the label file: until labels belong to their examples, no other number counts.',
    };
  }
  return {
    cause: 'nothing_learned',
    layer: null,
    found: `The network has learned nothing: ${percent(training)} of its training examples are right, and guessing reaches ${percent(guessing)}.`,
    remedy: 'Make the float model learn first: check labels, normalization and learning rate.',
  };
}

function gapText({ training, validation, test }: Learned): string {
  const expected =
    validation === null ? `${percent(training)} in training` : `${percent(validation)} of the validation examples`;
  return `In float, ${percent(test)} of the test examples are right, against ${expected}`;
}

function scaleFault(learned: Learned, input: ModelInput | undefined): Fault | null {
  const misfit = input === undefined ? null : misfitOf(input);
  if (misfit === null) return null;
  return {
    cause: 'normalization',
    layer: null,
    found: `${gapText(learned)}, and ${misfit}: the test examples are not on the scale of the training examples.`,
    remedy: 'Prepare the test examples in the same way as those of the training.',
  };
}

/** @param isGuessed whether the test is no better than guessing, as it is where no label belongs to its example */
function testFault(learned: Learned, isGuessed: boolean): Fault {
  const found = `${gapText(learned)}, and the inputs are on the same scale`;
  const reason = isGuessed
    ? 'the labels of the test examples do not belong to them'
    : 'labels of some test examples are wrong, or these are of another kind than the training examples';
  return {
    cause: 'labels',
    layer: null,
    found: `${found}: ${reason}.`,
    remedy: 'Check the label file and the order of the classes: until they are right, no other number counts.',
  };
}

/** Shares and factors that examples of one kind do not differ by. Our choice. */
const misfits = { clipped: 0.05, headroom: thresholds.headroom };

function misfitOf({ clipped, headroom }: ModelInput): string | null {
  const outside = clipped.below + clipped.above;
  if (outside > misfits.clipped) return `${percent(outside)} of their values lie outside the range of the input`;
  if (headroom !== null && headroom > misfits.headroom) {
    return `their values fill 1/${fixed(headroom, 0)} of the range of the input`;
  }
  return null;
}

/** An integer kernel that computes something else than training simulated; the worst of them. */
export function kernelFault(layers: readonly Layer[]): Fault | null {
  const off = layers
    .filter(({ kernel }) => kernel !== null && kernel.withinOneStep < thresholds.withinOneStep)
    .sort((a, b) => (a.kernel?.withinOneStep ?? 1) - (b.kernel?.withinOneStep ?? 1));
  const [worst] = off;
  return worst === undefined ? null : describeKernel(worst);
}

function describeKernel({ name, kernel }: Layer): Fault {
  const { withinOneStep = 1, offset } = kernel ?? {};
  const found = `the integer kernel of ${name} computes something else than fake-quant: on the same inputs only ${percent(withinOneStep)} of its values are within one step`;
  if (offset !== undefined && offset.share > 0.5) {
    const steps = fixed(Math.abs(offset.steps), 1);
    return {
      cause: 'bias',
      layer: name,
      found: `${found}, and they are off by a constant (channel ${offset.channel} by ${steps} steps)`,
      remedy: `Check the bias of ${name} in the .tflite file, and convert again.`,
    };
  }
  return {
    cause: 'kernel',
    layer: name,
    found,
    remedy: `Check the multipliers and the zero point of ${name}, and convert again. If they are sound, this is a bug in qpipe: please report it.`,
  };
}

/**
 * Why rounding at a layer costs what it does, with the layer as the subject, and what to do.
 *
 * @param place of the layer: the outputs of a network cannot be given more filters
 */
export function rangeFault(layer: Layer, place: 'hidden' | 'output'): Fault {
  const { name, clipped, headroom, range, scale, sharedRange } = layer;
  const fault = (cause: Cause, found: string, remedy: string): Fault => ({ cause, layer: name, found, remedy });
  if (sharedRange !== null && sharedRange.neededBy !== name) {
    const { by, neededBy } = sharedRange;
    return fault(
      'shared_range',
      `it shares the range of ${by}, which ${neededBy} needs`,
      `Scale ${neededBy} down before it is joined with ${name}, for example by batch norm.`,
    );
  }
  if (clipped !== null && clipped.noiseShare > 0.5) {
    const share = percent(clipped.below + clipped.above);
    return fault(
      'range_too_narrow',
      `its range is too narrow, and the ${share} of its values that are clipped cause ${fixed(100 * clipped.noiseShare, 0)} % of its noise`,
      `Widen the range of ${name}: observe it longer with \`ranges: running_extremes\`, on examples like those of the test.`,
    );
  }
  const isWide = headroom !== null && headroom > thresholds.headroom;
  if (range === 'own' && isWide) {
    return fault(
      'range_too_wide',
      `its range is ${fixed(headroom, 1)} times as wide as 99.9 % of its values need`,
      `Narrow the range of ${name}: limit its values (relu6, weight decay), or lower \`range_window\` so that old extremes decay sooner.`,
    );
  }
  if (range === 'shared' && isWide) {
    return fault(
      'input_range',
      `it has to keep the range of its input, and its own values fill only 1/${fixed(headroom, 0)} of it`,
      inputRangeRemedy(layer),
    );
  }
  return fault(
    'rounding',
    place === 'output'
      ? `its range fits, so this is the cost of outputs in steps of ${significant(scale)}`
      : 'its range fits, so this is the cost of rounding to 8 bits',
    place === 'output'
      ? 'Train longer with quantization.'
      : `Train longer with quantization, or give ${name} more filters.`,
  );
}

/** Kernels of the mean have a range of their own; those of pools do not. */
function inputRangeRemedy({ name, op, shape }: Layer): string {
  const isGlobal = op === 'average_pool_2d' && shape.slice(1, -1).every((size) => size === 1);
  return isGlobal
    ? `Use a layer of \`kind: mean\` instead of ${name}: it averages too, and has a range of its own.`
    : `Limit the values that enter ${name} (relu6, weight decay): it rounds to the steps of their range.`;
}

/** Whether a range is so far off that it is worth a word before it costs accuracy. */
export function isFarOff({ range, clipped, headroom }: Layer): boolean {
  const isNarrow =
    clipped !== null && clipped.noiseShare > 0.5 && clipped.below + clipped.above > thresholds.clippedShare;
  return range === 'own' && (isNarrow || (headroom !== null && headroom > thresholds.headroom));
}
