/** What a data set is, for people: counts, meaning and range of an element, equal examples. */
import type { PixelNormalization } from './batches.ts';
import { inputRange } from './batches.ts';
import type { PartName } from './class-folders.ts';
import type { Dataset, RealRange, Split, TargetColumn } from './dataset.ts';
import { classCounts } from './dataset.ts';
import { numberContents } from './contents.ts';
import type { Inputs } from './inputs.ts';
import { eachInput, inputReader } from './inputs.ts';
import type { SourceFacts, Spread, Tally } from './facts.ts';
import type { NormalizeConfig, PixelChannel } from './normalize.ts';
import { channelName, pixelMeaning } from './normalize.ts';
import type { PixelMoments } from './pixel-measure.ts';
import type { Turn } from './turn.ts';
import { createTurn } from './turn.ts';

export interface DataDescription {
  /** As the data set calls itself: a word, or a path. */
  readonly name: string;
  /** Examples. */
  readonly counts: PartCounts;
  /** In the order of the network's outputs; none where examples have no class. */
  readonly classes: readonly (PartCounts & { readonly name: string; readonly files: readonly string[] })[];
  /** What the counts of classes count: where examples have masks their pixels. */
  readonly classesCount: 'examples' | 'pixels';
  /** How many examples each label applies to; none where examples have no labels of yes and no. */
  readonly tags: readonly (PartCounts & { readonly name: string })[];
  /** Of one example: height, width, channels. */
  readonly shape: readonly [number, number, number];
  /** What the network reads. `normalize` is null where inputs are real values, not pixels. */
  readonly element: {
    readonly normalize: PixelNormalization | null;
    /** What the network does with each channel: (pixel - mean) / deviation. Left out where `normalize` says all. */
    readonly pixels?: readonly PixelChannel[];
    readonly range: RealRange;
  };
  readonly channels: readonly ChannelDescription[];
  /** None where examples have no target. */
  readonly targets: readonly Moments[];
  readonly equal: EqualExamples;
  readonly tallies: readonly Tally[];
  readonly spreads: readonly Spread[];
  /** Sentences. */
  readonly notes: readonly string[];
}

export type PartCounts = { readonly [P in PartName]: number };

/** Of the training examples, in the unit of the data set: pixels, or what was measured. */
export interface Moments {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly deviation: number;
}

export interface ChannelDescription extends Moments {
  /** Codes of an 8-bit input in one standard deviation. */
  readonly codesPerDeviation: number;
  /** Part of the training values that lie beyond the range of the input, 0 to 1. */
  readonly clipped: number;
}

export interface EqualExamples {
  /** Examples whose input an earlier one of the same part has. */
  readonly within: PartCounts;
  /** Examples of `part` whose input an example of the earlier part `other` has. */
  readonly between: readonly { readonly part: PartName; readonly other: PartName; readonly examples: number }[];
  /** Examples whose input an example of another class has, in any part. */
  readonly ofOtherClass: number;
}

const defaultGrid = { scale: 1 / 255, mean: 0 };

const partNames = ['train', 'validation', 'test'] as const;

/**
 * @param config what the pipeline says of pixels; null for real values
 * @param pixels measured of the training examples
 */
export async function describeDataset(
  dataset: Dataset,
  config: NormalizeConfig | null,
  facts: SourceFacts,
  pixels?: readonly PixelMoments[],
  turn: Turn = createTurn(),
): Promise<DataDescription> {
  const { name, classNames, tags = [], targets = [], hasMasks, image, train, validation, test, notes = [] } = dataset;
  const { channels } = image;
  const meaning = dataset.reals === undefined ? pixelMeaning(config ?? defaultGrid, channels, pixels) : undefined;
  const range = inputRange(dataset.reals?.range ?? meaning?.normalize ?? defaultGrid);
  const [trained, validated, tested] = [train, validation, test].map((split) => classCounts(split, classNames.length));
  const described = await describeChannels(dataset, range, turn);
  return {
    name,
    counts: { train: train.count, validation: validation.count, test: test.count },
    classes: classNames.map((className, label) => ({
      name: className,
      train: trained?.[label] ?? 0,
      validation: validated?.[label] ?? 0,
      test: tested?.[label] ?? 0,
      files: facts.exampleFiles?.[label] ?? [],
    })),
    classesCount: hasMasks === true ? 'pixels' : 'examples',
    tags: tags.map((tag, column) => ({
      name: tag,
      train: applies(train, column, tags.length),
      validation: applies(validation, column, tags.length),
      test: applies(test, column, tags.length),
    })),
    shape: [image.height, image.width, image.channels],
    element: { normalize: null, ...meaning, range },
    channels: described.map(({ middleCodes: _codes, ...channel }) => channel),
    targets: targets.map((target, column) => inUnitOf(target, moments(train.targets ?? [], column, targets.length))),
    equal: await equalExamples(dataset, turn),
    tallies: facts.tallies ?? [],
    spreads: facts.spreads ?? [],
    notes: [...notes, ...(facts.notes ?? []), ...(dataset.reals === undefined ? [] : codeNotes(described))],
  };
}

/** How many examples have a 1 in a column. */
function applies({ targets }: Split, column: number, columns: number): number {
  let count = 0;
  for (let at = column; at < (targets?.length ?? 0); at += columns) if (targets?.[at] === 1) count++;
  return count;
}

async function describeChannels(
  { image, reals, train }: Dataset,
  { min, max }: RealRange,
  turn: Turn,
): Promise<(ChannelDescription & { readonly middleCodes: number })[]> {
  const numChannels = reals?.channels.length ?? image.channels;
  const codeSize = (max - min) / 255;
  const measured = await channelMoments(train.inputs, numChannels, { min, max }, turn);
  const middle = middleSpreads(train.inputs, numChannels);
  return measured.map(({ clipped, ...found }, channel) => {
    const real = reals?.channels[channel];
    if (real === undefined) {
      // A code of the input is a pixel value.
      const name = channelName(channel, numChannels);
      return { name, ...found, codesPerDeviation: found.deviation, clipped: 0, middleCodes: middle[channel]! };
    }
    return {
      ...inUnitOf(real, found),
      codesPerDeviation: found.deviation / codeSize,
      clipped,
      middleCodes: middle[channel]! / codeSize,
    };
  });
}

/** Examples that show how values are spread. */
const numSampled = 500;

/**
 * By channel how wide the middle two thirds of its values are, which outliers do not change: of a normal distribution two
 * standard deviations.
 */
function middleSpreads(inputs: Inputs, channels: number): number[] {
  const values: number[][] = Array.from({ length: channels }, () => []);
  const read = inputReader(inputs);
  const step = Math.max(1, Math.floor(inputs.count / numSampled));
  for (let index = 0; index < inputs.count; index += step) {
    const input = read(index);
    for (let at = 0; at < input.length; at++) values[at % channels]!.push(input[at]!);
  }
  return values.map((found) => {
    const sorted = Float64Array.from(found).sort();
    const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
    return at(5 / 6) - at(1 / 6);
  });
}

/** Fewer codes than these for the middle two thirds lose much of what a channel says. */
const fewestCodes = 16;

/** Measured channels that eight bits hardly tell apart. One that hardly changes at all is left out: its middle is one value. */
function codeNotes(channels: readonly (ChannelDescription & { readonly middleCodes: number })[]): string[] {
  return channels
    .filter(({ middleCodes }) => middleCodes > 0 && middleCodes < fewestCodes)
    .map(({ name, middleCodes, min, max }) => {
      const reach = `${Number(min.toPrecision(3))} to ${Number(max.toPrecision(3))}`;
      return (
        `${name}: the middle two thirds of the values have ${middleCodes.toFixed(1)} of the 256 codes of the input, ` +
        `since the values reach from ${reach}; take outliers out, or measure on a logarithmic scale`
      );
    });
}

/** From what the network learns back to what was measured. */
function inUnitOf({ name, mean, deviation }: TargetColumn, found: Omit<Moments, 'name'>): Moments {
  const measured = (value: number): number => value * deviation + mean;
  return {
    name,
    min: measured(found.min),
    max: measured(found.max),
    mean: measured(found.mean),
    deviation: found.deviation * deviation,
  };
}

/** Of one column of values. */
function moments(values: ArrayLike<number>, column: number, columns: number): Omit<Moments, 'name'> {
  const count = values.length / columns;
  let [min, max, sum] = [Infinity, -Infinity, 0];
  for (let at = column; at < values.length; at += columns) {
    const value = values[at]!;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const mean = sum / count;
  let squares = 0;
  for (let at = column; at < values.length; at += columns) squares += (values[at]! - mean) ** 2;
  return { min, max, mean, deviation: Math.sqrt(squares / count) };
}

/** Of each channel, in two passes; with the part of the values that lie beyond a range. */
async function channelMoments(inputs: Inputs, channels: number, { min, max }: RealRange, turn: Turn) {
  const count = (inputs.count * inputs.size) / channels;
  const [lows, highs] = [new Float64Array(channels).fill(Infinity), new Float64Array(channels).fill(-Infinity)];
  const [sums, beyond, squares] = [new Float64Array(channels), new Float64Array(channels), new Float64Array(channels)];
  await eachInput(inputs, turn, (values) => {
    for (let at = 0; at < values.length; at++) {
      const [value, channel] = [values[at]!, at % channels];
      if (value < lows[channel]!) lows[channel] = value;
      if (value > highs[channel]!) highs[channel] = value;
      if (value < min || value > max) beyond[channel]!++;
      sums[channel]! += value;
    }
  });
  await eachInput(inputs, turn, (values) => {
    for (let at = 0; at < values.length; at++) {
      const channel = at % channels;
      squares[channel]! += (values[at]! - sums[channel]! / count) ** 2;
    }
  });
  return Array.from(sums, (sum, channel) => ({
    ...{ min: lows[channel]!, max: highs[channel]!, mean: sum / count },
    deviation: Math.sqrt(squares[channel]! / count),
    clipped: beyond[channel]! / count,
  }));
}

async function equalExamples(dataset: Dataset, turn: Turn): Promise<EqualExamples> {
  const splits = partNames.map((part) => dataset[part]);
  const { numbers, count } = await numberContents(
    splits.map(({ inputs }) => inputs),
    turn,
  );
  const within = { train: 0, validation: 0, test: 0 };
  const between: EqualExamples['between'][number][] = [];
  // By content: a bit for each part that has it, its first class, and whether it has another one.
  const [partsOf, classOf, isOfTwo] = [new Uint8Array(count), new Int32Array(count).fill(-1), new Uint8Array(count)];
  let first = 0;
  for (const [bit, part] of partNames.entries()) {
    const { count: examples, labels } = dataset[part];
    const own = numbers.subarray(first, (first += examples));
    for (const [otherBit, other] of partNames.slice(0, bit).entries()) {
      const found = own.reduce((sum, number) => sum + ((partsOf[number]! >> otherBit) & 1), 0);
      if (found > 0) between.push({ part, other, examples: found });
    }
    for (const [index, number] of own.entries()) {
      within[part] += (partsOf[number]! >> bit) & 1;
      partsOf[number]! |= 1 << bit;
      const label = labels?.[index] ?? -1;
      if (classOf[number] === -1) classOf[number] = label;
      else if (label !== -1 && classOf[number] !== label) isOfTwo[number] = 1;
    }
  }
  const ofOtherClass = numbers.reduce((sum, number) => sum + isOfTwo[number]!, 0);
  return { within, between, ofOtherClass };
}
