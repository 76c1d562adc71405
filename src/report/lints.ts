import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { object } from '../core/schema.ts';
import { counted } from '../core/words.ts';
import type { RunWarning } from '../runner/record.ts';
import { nullable } from '../measurements/metrics.ts';
import { witnesses } from '../measurements/runtime-titles.ts';
import type {
  ClassifyTest,
  ConvertMetrics,
  ImportMetrics,
  ReconstructTest,
  RegressTest,
  ScoreTest,
  TestMetrics,
  TrainMetrics,
} from '../measurements/metrics.ts';
import { fixed, integer, percent, points, significant } from './format.ts';
import { chainOf } from './lines-of-stages.ts';
import type { Interval } from './statistics.ts';
import { pairedShareInterval, wilsonInterval } from './statistics.ts';
import { accuracyName, stageTitle } from './titles.ts';

export const Lint = object({
  code: Type.String(),
  severity: Type.Union([Type.Literal('warning'), Type.Literal('note')]),
  stage: nullable(Type.String({ description: 'null where the pipeline or the run is meant' })),
  layer: nullable(Type.String({ description: 'the layer or the range; null where the whole stage is meant' })),
  found: Type.String({ description: 'with its subject left out: the layer, or the stage; whole without a stage' }),
  expected: nullable(Type.String({ description: 'and why it matters' })),
  remedy: nullable(Type.String()),
});
export type Lint = Static<typeof Lint>;
type Finding = Omit<Lint, 'code' | 'severity' | 'stage'>;

/** What is still sound. */
export const thresholds = {
  /** A kernel scales its int32 sums by less than 1 as a rule (gemmlowp's first kernels could do nothing else). */
  usualMultiplier: 1,
  /** From here on the smallest sum, 1, moves the output through all of its 256 codes. */
  largestMultiplier: 256,
  /** QuantizeMultiplier of LiteRT (quantization_util.cc) makes 0 of what needs a shift below -31. */
  smallestMultiplier: 2 ** -32,
  /** Share of a layer's channels that do nothing, from which a note becomes a warning. Our choice. */
  deadShare: 0.25,
  /** One scale for all channels: 4 of 8 bits are left for a channel whose range is 16 times smaller. */
  sharedWeightRatio: 16,
  /** A scale for each channel: folded batch norms are known to spread ranges by a few hundred. */
  ownWeightRatio: 1000,
  /** Our choice: rarer values seldom decide, and observers that average leave about that much out. */
  clippedShare: 0.01,
  /** Range over 99.9 % of the values: from here on two of the eight bits go to one value in a thousand. */
  headroom: 4,
  /** Fewer say little of a model: 8 images of two classes are of one class by chance once in 128 times. */
  countedExamples: 8,
  /** Channels are constant for want of images below that many. Our choice. */
  countedImages: 16,
  /** Four of eight bits, for values that are joined with wider ones. */
  keptCodes: 16,
  /** Five of eight bits. */
  usedCodes: 32,
  /** Below that many values few codes say nothing about the range. */
  countedValues: 1024,
  /** Share of a kernel's values within one step of fake-quant: rounding twice, as kernels do, stays above. */
  withinOneStep: 0.995,
  /** Same label on both kinds of devices, of which a phone or browser rounds some sums otherwise. */
  litertAgreement: 0.995,
} as const;

/** What the terminal says when a run begins. */
export function pipelineLint({ code, layer, message, hint }: RunWarning): Lint {
  return { code, severity: 'warning', stage: null, layer, found: message, expected: null, remedy: hint };
}

export function unreadableLint(stage: string): Lint {
  return lint(stage, 'metrics-unreadable', 'warning', {
    layer: null,
    found: 'its metrics are not shown: they contain a number that is not finite, or are of another version',
    expected: null,
    remedy: 'run the stage again with `--force`',
  });
}

type QatMetrics = Extract<TrainMetrics, { level: 'qat' }>;

export function trainingLints(stage: string, metrics: TrainMetrics): Lint[] {
  if (metrics.level === 'float') return [];
  const { delay, estimator, ranges, steps } = metrics;
  // Extremes hold from the first batch on; an average has to forget where it began.
  const memory = estimator.kind === 'moving_average' ? Math.round(1 / (1 - estimator.decay)) : 0;
  const cold = ranges
    .filter(({ updates }) => updates < memory)
    .map(({ name, updates }) =>
      lint(stage, 'cold-range', 'warning', {
        layer: name,
        found: `its range has seen ${integer(updates)} batches`,
        expected: `at least ${integer(memory)}, the memory of a moving average with decay ${estimator.decay}; with fewer, the first batches have too much weight`,
        remedy: 'train longer, or lower `ema_decay`',
      }),
    );
  const delays: Lint[] = [];
  if (delay >= steps) {
    delays.push(
      lint(stage, 'delay-too-long', 'warning', {
        layer: null,
        found: `its delay of ${integer(delay)} steps did not end within ${integer(steps)} steps of training, so fake quantization was never applied`,
        expected: `a delay below ${integer(steps)}`,
        remedy: 'lower `delay`, or train longer',
      }),
    );
  }
  return [...emptyRanges(stage, ranges), ...cold, ...delays];
}

/** A range of no width makes zero of every value, on every runtime. */
function emptyRanges(stage: string, ranges: QatMetrics['ranges']): Lint[] {
  return ranges
    .filter(({ min, max }) => min === 0 && max === 0)
    .map(({ name, history }) => {
      const fired = history.some(({ min, max }) => min !== 0 || max !== 0);
      return lint(stage, 'empty-range', 'warning', {
        layer: name,
        found: fired
          ? 'its values became 0 for all training examples, so its range is empty: the layer is dead'
          : 'its values were 0 for all training examples, so no range was observed',
        expected: 'some values other than 0; with an empty range, the model outputs 0 here for any input',
        remedy: fired
          ? 'lower the learning rate, or give the layer batch norm or a `leaky_relu`'
          : 'check the training examples and the layers before it',
      });
    });
}

export function importLints(stage: string, metrics: ImportMetrics): Lint[] {
  return metrics.notes.map((found) =>
    lint(stage, 'imported', 'note', { layer: null, found, expected: null, remedy: null }),
  );
}

export function conversionLints(stage: string, metrics: ConvertMetrics): Lint[] {
  return [
    ...metrics.adjustments.map((found) =>
      lint(stage, 'adjusted', 'note', { layer: null, found, expected: null, remedy: null }),
    ),
    ...(metrics.targets ?? []).flatMap(({ leaves }) =>
      leaves.map((found) =>
        lint(stage, 'target-leaves', 'warning', { layer: null, found, expected: null, remedy: null }),
      ),
    ),
  ];
}

export function testLints(stage: string, metrics: TestMetrics): Lint[] {
  return [...ignoranceLints(stage, metrics), ...layerLints(stage, metrics), ...outcomeLints(stage, metrics)];
}

function ignoranceLints(stage: string, metrics: TestMetrics): Lint[] {
  const found = ignorantAnswer(metrics);
  if (found === null) return [];
  return [
    lint(stage, 'ignores-input', 'warning', {
      layer: null,
      found,
      expected: 'more than an answer that does not look at the input',
      remedy:
        'accuracy' in metrics
          ? 'balance the classes, look at the labels and the learning rate, and set the gate `worst_recall_min`'
          : 'train longer, or look at the learning rate and the data',
    }),
  ];
}

/** What is wrong with a model whose answers do not depend on the input, or might as well not; null for any other. */
export function ignorantAnswer(metrics: TestMetrics): string | null {
  if ('accuracy' in metrics) return ignorantClasses(metrics);
  if ('score' in metrics) {
    const { answer, score } = metrics.ignorant;
    return metrics.n > 1 && metrics.score.int8.value <= score
      ? `the int8 model is no better than always answering ${answer}, whose ${metrics.scoreName} is ${percent(score)}`
      : null;
  }
  if (metrics.task === 'regress') {
    return metrics.n > 1 && metrics.error.int8.mean >= metrics.meanAnswer
      ? `the int8 model is no better than always answering the mean of the test targets, whose mean absolute error is ${significant(metrics.meanAnswer)}`
      : null;
  }
  return metrics.n > 1 && metrics.error.int8.mean >= metrics.meanImageError
    ? `the int8 model is no better than the mean of all examples, whose mean squared error is ${significant(metrics.meanImageError)}`
    : null;
}

function ignorantClasses({ n, classes, confusion, accuracy, correctByClass }: ClassifyTest): string | null {
  const sizes = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const present = sizes.filter((size) => size > 0).length;
  const largest = sizes.indexOf(Math.max(...sizes));
  const share = n === 0 ? 0 : (sizes[largest] ?? 0) / n;
  if (n < thresholds.countedExamples) return null;
  if (present === 1)
    return `all test examples are of one class, ${classes[largest] ?? ''}, so the accuracy says nothing`;
  const answers = classes.map((_, label) => confusion.reduce((sum, row) => sum + (row[label] ?? 0), 0));
  const [only, ...others] = classes.filter((_, label) => (answers[label] ?? 0) > 0);
  const recalls = (counts: readonly number[]): string =>
    classes
      .flatMap((name, label) =>
        (sizes[label] ?? 0) > 0 ? [`${name} ${percent((counts[label] ?? 0) / (sizes[label] ?? 1))}`] : [],
      )
      .slice(0, 10)
      .join(', ');
  if (only !== undefined && others.length === 0) {
    return `the int8 model answers ${only} for every example (recall: ${recalls(correctByClass.int8)})`;
  }
  const { correct, n: tested } = accuracy.int8;
  return correct / tested <= share
    ? `the int8 model is no better than always answering ${classes[largest] ?? ''}, which is right for ${percent(share)} (recall: ${recalls(correctByClass.int8)})`
    : null;
}

type Layer = TestMetrics['layers'][number];

/** How much further the weights of one channel reach than those of another; dead channels do not count. */
export function weightRangeRatio(filter: Layer['filter']): number | null {
  return filter === null || filter.ranges === null ? null : filter.ranges.max / filter.ranges.min;
}

/** Channels that say the same whatever the input: with dead weights, or constant for another reason. */
export function idleChannels({ deadChannels, constantChannels }: NonNullable<Layer['filter']>): number {
  return Math.max(deadChannels, constantChannels);
}

/** One rule of the layers; those found come worst first. */
interface LayerRule {
  readonly code: string;
  /** How bad, the more the worse; null where nothing is wrong or nothing was measured. */
  readonly badness: (layer: Layer, n: number) => number | null;
  readonly severity: (layer: Layer) => Lint['severity'];
  readonly describe: (layer: Layer) => Omit<Finding, 'layer'>;
}

const always = (severity: Lint['severity']) => () => severity;
const over = (value: number | null | undefined, limit: number): number | null =>
  value !== null && value !== undefined && value > limit ? value : null;

const clippedOf = ({ clipped }: Layer): number | null => (clipped === null ? null : clipped.below + clipped.above);
const idleChannelsOf = ({ filter }: Layer): number => (filter === null ? 0 : idleChannels(filter));
const deadChannelsOf = ({ filter }: Layer): number => filter?.deadChannels ?? 0;
const hasScalePerChannel = ({ weightScales }: Layer): boolean => weightScales !== null && weightScales.count > 1;
/** Of a layer, on so many examples. */
export const numValues = ({ shape }: Layer, compared: number): number =>
  compared * shape.reduce((product, size) => product * size, 1);

const layerRules: readonly LayerRule[] = [
  {
    code: 'multiplier-out-of-range',
    badness: ({ filter }) => {
      const multipliers = filter?.multipliers;
      if (multipliers === null || multipliers === undefined) return null;
      if (multipliers.min < thresholds.smallestMultiplier) return 1 / multipliers.min;
      return multipliers.max >= thresholds.usualMultiplier ? multipliers.max : null;
    },
    severity: ({ filter }) => {
      const multipliers = filter?.multipliers ?? { min: 0, max: 0 };
      const usable = multipliers.min >= thresholds.smallestMultiplier && multipliers.max < thresholds.largestMultiplier;
      return usable ? 'note' : 'warning';
    },
    describe: ({ filter }) => {
      const { min, max } = filter?.multipliers ?? { min: 0, max: 0 };
      return {
        found: `its integer sums are scaled by ${significant(min)} to ${significant(max)}`,
        expected:
          min < thresholds.smallestMultiplier
            ? `at least ${significant(thresholds.smallestMultiplier)}: kernels treat smaller multipliers as 0, so the channel is constant`
            : max < thresholds.largestMultiplier
              ? `below 1: otherwise the output has finer steps than the sums, and some devices refuse the model`
              : `below ${thresholds.largestMultiplier}: otherwise one step of a sum moves the output through all its codes`,
        remedy:
          min < thresholds.smallestMultiplier
            ? 'check the range of the output, which is far too wide for its weights'
            : 'check the range of the output, which is narrow for its weights; train longer with quantization applied',
      };
    },
  },
  {
    code: 'dead-channels',
    badness: (layer, compared) =>
      // With few images, channels that only some inputs move look as if they never did.
      over(compared < thresholds.countedImages ? deadChannelsOf(layer) : idleChannelsOf(layer), 0),
    severity: (layer) =>
      idleChannelsOf(layer) / (layer.filter?.channels ?? 1) > thresholds.deadShare ? 'warning' : 'note',
    describe: (layer) => ({
      found: `${integer(idleChannelsOf(layer))} of its ${integer(layer.filter?.channels ?? 0)} channels ${
        idleChannelsOf(layer) === 1 ? 'has' : 'have'
      } the same value whatever the input${
        deadChannelsOf(layer) === 0 ? '' : `, ${integer(deadChannelsOf(layer))} because all their weights are 0`
      }`,
      expected: 'none: such a channel costs bytes and time without carrying information',
      remedy: 'lower the learning rate or the weight decay, or give the layer fewer filters',
    }),
  },
  {
    code: 'weight-range-ratio',
    badness: (layer) =>
      over(
        weightRangeRatio(layer.filter),
        hasScalePerChannel(layer) ? thresholds.ownWeightRatio : thresholds.sharedWeightRatio,
      ),
    severity: (layer) => (hasScalePerChannel(layer) ? 'note' : 'warning'),
    describe: (layer) => ({
      found: `the largest weight of one channel is ${fixed(weightRangeRatio(layer.filter) ?? 0, 0)} times that of another`,
      ...(hasScalePerChannel(layer)
        ? {
            expected: `at most ${integer(thresholds.ownWeightRatio)} times: the weaker channel is nearly dead`,
            remedy: 'check the batch norm of that layer, or give the layer fewer filters',
          }
        : {
            expected: `at most ${thresholds.sharedWeightRatio} times if all channels share one scale: the weaker channel keeps less than 4 bits`,
            remedy: 'use a scale for each channel: `scheme: int8`, and `dense_weights: per_channel` for a dense layer',
          }),
    }),
  },
  {
    code: 'clipped-share',
    badness: (layer) => over(layer.range === 'own' ? clippedOf(layer) : null, thresholds.clippedShare),
    severity: always('warning'),
    describe: ({ clipped }) => ({
      found: `${percent(clipped?.below ?? 0)} of its values lie below its range and ${percent(clipped?.above ?? 0)} above`,
      expected: `at most ${percent(thresholds.clippedShare)} in total: values outside the range are clipped`,
      remedy:
        'use `ranges: running_extremes` with `merge_ranges: min_max` (the default), and train on examples like those of the test',
    }),
  },
  {
    code: 'outlier-range',
    badness: ({ range, headroom }) => over(range === 'own' ? headroom : null, thresholds.headroom),
    severity: always('warning'),
    describe: ({ headroom }) => ({
      found: `its range is ${fixed(headroom ?? 0, 1)} times as wide as 99.9 % of its values need`,
      expected: `at most ${thresholds.headroom} times: the rest of the codes is used by few values`,
      remedy: 'limit the values (relu6, weight decay), or lower `range_window` so that old extremes decay sooner',
    }),
  },
  {
    code: 'narrow-branch',
    badness: (layer, compared) =>
      layer.narrowed === null ||
      layer.narrowed.codes >= thresholds.keptCodes ||
      layer.narrowed.times < 2 ||
      layer.narrowed.codes <= 1 ||
      numValues(layer, compared) < thresholds.countedValues
        ? null
        : 1 / layer.narrowed.codes,
    severity: always('warning'),
    describe: ({ narrowed }) => ({
      found: `only ${integer(narrowed?.codes ?? 0)} of 256 codes are left of its values in ${narrowed?.by ?? ''}, where ${narrowed?.widest ?? ''} is ${fixed(narrowed?.times ?? 0, 0)} times wider`,
      expected: `at least ${thresholds.keptCodes}: values that are joined or added have one scale together`,
      remedy: `scale ${narrowed?.widest ?? 'the wider branch'} down, for example by batch norm or a bounded activation, before they meet`,
    }),
  },
  {
    code: 'few-codes',
    badness: (layer, n) =>
      layer.range !== 'own' ||
      layer.usedCodes === null ||
      layer.usedCodes >= thresholds.usedCodes ||
      numValues(layer, n) < thresholds.countedValues
        ? null
        : -layer.usedCodes,
    severity: always('warning'),
    describe: ({ usedCodes }) => ({
      found: `its output uses ${integer(usedCodes ?? 0)} of 256 codes`,
      expected: `at least ${thresholds.usedCodes}: fewer mean less than 5 bits of precision`,
      remedy: 'compare its range with its values: the range is too wide, or nearly all values are outside it',
    }),
  },
  {
    code: 'kernel-disagreement',
    badness: ({ kernel }) =>
      kernel !== null && kernel.withinOneStep < thresholds.withinOneStep ? 1 - kernel.withinOneStep : null,
    severity: always('warning'),
    describe: ({ kernel }) => ({
      found: `on the same inputs, ${percent(kernel?.withinOneStep ?? 0)} of its integers are within one step of fake-quant`,
      expected: `at least ${percent(thresholds.withinOneStep)}: a larger difference is not rounding: training did not simulate what the device computes`,
      remedy: 'check its multipliers and zero point; if they are sound, this is a bug in qpipe: please report it',
    }),
  },
];

function layerLints(stage: string, { layers, compared }: TestMetrics): Lint[] {
  return layerRules.flatMap(({ code, badness, severity, describe }) =>
    layers
      .flatMap((layer) => {
        const bad = badness(layer, compared);
        return bad === null ? [] : [{ layer, bad }];
      })
      .sort((a, b) => b.bad - a.bad)
      .map(({ layer }) => lint(stage, code, severity(layer), { layer: layer.name, ...describe(layer) })),
  );
}

function outcomeLints(stage: string, metrics: TestMetrics): Lint[] {
  const { litertNote } = metrics;
  const ofTask = taskLints(stage, metrics);
  if (litertNote === null) return ofTask;
  const found = `the file was not tested as on a ${witnesses.phone}: ${litertNote}`;
  return [...ofTask, lint(stage, 'litert', 'note', { layer: null, found, expected: null, remedy: null })];
}

function taskLints(stage: string, metrics: TestMetrics): Lint[] {
  if ('accuracy' in metrics) return classifyLints(stage, metrics);
  return 'score' in metrics ? scoreLints(stage, metrics) : errorLints(stage, metrics);
}

function scoreLints(stage: string, { score: { float, int8, int8_litert: litert }, scoreName }: ScoreTest): Lint[] {
  const lints = float === null ? [noBaseline(stage)] : [];
  if (litert === null || Math.abs(litert.value - int8.value) <= 1 - thresholds.litertAgreement) return lints;
  const found = `the ${scoreName} is ${percent(litert.value)} on a ${witnesses.phone} and ${percent(int8.value)} on a ${witnesses.microcontroller}`;
  return [...lints, disagreement(stage, 'warning', found)];
}

function errorLints(stage: string, metrics: RegressTest | ReconstructTest): Lint[] {
  const { float, int8, int8_litert: litert } = metrics.error;
  const lints = float === null ? [noBaseline(stage)] : [];
  if (litert === null || Math.abs(litert.mean - int8.mean) <= (1 - thresholds.litertAgreement) * int8.mean)
    return lints;
  const found = `the ${metrics.task === 'regress' ? 'mean absolute' : 'mean squared'} error is ${significant(litert.mean)} on a ${witnesses.phone} and ${significant(int8.mean)} on a ${witnesses.microcontroller}`;
  return [...lints, disagreement(stage, 'warning', found)];
}

function noBaseline(stage: string): Lint {
  return lint(stage, 'no-baseline', 'note', {
    layer: null,
    found: 'float was not measured, so the cost of quantization is unknown',
    expected: null,
    remedy: 'start the pipeline with a `float-pretrain` stage',
  });
}

function disagreement(stage: string, severity: Lint['severity'], found: string): Lint {
  return lint(stage, 'runtimes-disagree', severity, {
    layer: null,
    found,
    expected: `at most ${percent(1 - thresholds.litertAgreement)} as a rule: each kind of device rounds in its own way, and answers that are close turn`,
    remedy: 'judge by the kind of device that you ship to',
  });
}

function classifyLints(stage: string, metrics: ClassifyTest): Lint[] {
  return [
    ...precisionLints(stage, metrics),
    ...(metrics.accuracy.float === null ? [noBaseline(stage)] : []),
    ...answerLints(stage, metrics),
  ];
}

/** Our choice: a model is seldom worth a decision that needs less. */
const usualPrecision = 0.02;

/** Whether the examples are enough: for the smallest drop that a gate allows, and to know the accuracy at all. */
function precisionLints(stage: string, metrics: ClassifyTest): Lint[] {
  const { accuracy, flips, gates, n } = metrics;
  const halfOf = ({ low, high }: Interval): number => (high - low) / 2;
  const plusMinus = (share: number): string => points(share).replace('+', '\u00b1');
  const tooFew = (what: string, half: number, expected: string): Lint =>
    lint(stage, 'n-too-small', 'note', {
      layer: null,
      found: `${integer(n)} examples determine ${what} only to within ${plusMinus(half)}`,
      expected,
      remedy: 'test on more examples',
    });
  const ofDrop = gates.filter(({ unit }) => unit === 'share_difference').sort((a, b) => a.limit - b.limit)[0];
  if (ofDrop !== undefined && flips !== null) {
    const half = halfOf(pairedShareInterval(flips.rightToWrong, flips.wrongToRight, n));
    const expected = `${plusMinus(ofDrop.limit)}, the limit of ${ofDrop.name}: otherwise chance decides whether the gate is met`;
    if (half > ofDrop.limit) return [tooFew('the drop against float', half, expected)];
  }
  const half = halfOf(wilsonInterval(accuracy.int8.correct, accuracy.int8.n));
  const expected = `${plusMinus(usualPrecision)} for the accuracy of one model (differences on the same examples are known better)`;
  return half > usualPrecision ? [tooFew(accuracyName(metrics), half, expected)] : [];
}

/** Some answers differ on any network that is deep enough; a warning is what changes the accuracy. */
function answerLints(stage: string, metrics: ClassifyTest): Lint[] {
  const { int8, int8_litert: litert } = metrics.accuracy;
  const { int8_vs_litert: same } = metrics.agreement;
  if (same === null || litert === null || same >= thresholds.litertAgreement) return [];
  const severity = Math.abs(litert.top1 - int8.top1) > 1 - thresholds.litertAgreement ? 'warning' : 'note';
  const found = `a ${witnesses.microcontroller} and a ${witnesses.phone} give different answers to ${percent(1 - same)} of the examples (${accuracyName(metrics)} ${percent(int8.top1)} and ${percent(litert.top1)})`;
  return [disagreement(stage, severity, found)];
}

function lint(stage: string, code: string, severity: Lint['severity'], finding: Finding): Lint {
  return { code, severity, stage, ...finding };
}

/** Lints of one kind in one stage, which are read as one: the worst, and where else. */
export interface LintGroup {
  readonly worst: Lint;
  readonly others: readonly Lint[];
}

interface Linted {
  readonly lints: readonly Lint[];
  readonly stages: readonly { readonly name: string; readonly kind: string; readonly reads: readonly string[] }[];
  readonly matrix?: Several;
  readonly branches?: Several;
}

interface Several {
  readonly best: { readonly test: string } | null;
}

/** Of cells or branches side by side, those of the best, and those of others only. */
export interface ShownLints {
  readonly here: readonly Lint[];
  readonly elsewhere: readonly Lint[];
}

/** What cells or branches have in common is one lint, which says in how many of them it was found. */
export function lintsShown({ lints, stages, matrix, branches }: Linted): ShownLints {
  const several = matrix ?? branches;
  if (several === undefined) return { here: lints, elsewhere: [] };
  const kindOf = new Map(stages.map(({ name, kind }) => [name, kind]));
  const best = new Set(several.best === null ? [] : chainOf(stages, several.best.test));
  const isHere = ({ stage }: Lint): boolean => stage === null || best.size === 0 || best.has(stage);
  const alike = new Map<string, Lint[]>();
  for (const one of lints) {
    const called =
      one.stage === null ? null : matrix === undefined ? kindOf.get(one.stage) : one.stage.replace(/@.*/, '');
    const key = JSON.stringify([one.code, one.severity, called, one.layer, called === null ? one.found : null]);
    alike.set(key, [...(alike.get(key) ?? []), one]);
  }
  const shown = [...alike.values()].flatMap((all) => {
    const first = all.find(isHere) ?? all[0];
    if (first === undefined) return [];
    const others = all.length - 1;
    const more = matrix === undefined ? counted(others, 'other') : counted(others, 'other cell');
    const stage = first.stage === null || others === 0 ? first.stage : `${stageTitle(first.stage)} and ${more}`;
    return [{ lint: { ...first, stage }, here: isHere(first) }];
  });
  const those = (wanted: boolean): Lint[] => shown.flatMap(({ lint: one, here }) => (here === wanted ? [one] : []));
  return { here: those(true), elsewhere: those(false) };
}

/** `1 warning and 2 notes` */
export function countLints(groups: readonly LintGroup[]): string {
  const of = (severity: Lint['severity']): string[] => {
    const count = groups.filter(({ worst }) => worst.severity === severity).length;
    return count === 0 ? [] : [counted(count, severity)];
  };
  return [...of('warning'), ...of('note')].join(' and ');
}

/** Warnings first, otherwise in the order of the stages. */
export function groupLints(lints: readonly Lint[]): LintGroup[] {
  const groups = new Map<string, Lint[]>();
  for (const one of lints) {
    // What concerns a whole stage stands alone: there is no list of layers to shorten it to.
    const key = JSON.stringify([one.stage, one.code, one.severity, one.layer === null ? one.found : null]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const all = [...groups.values()].flatMap(([worst, ...others]) => (worst === undefined ? [] : [{ worst, others }]));
  return [
    ...all.filter(({ worst }) => worst.severity === 'warning'),
    ...all.filter(({ worst }) => worst.severity === 'note'),
  ];
}

/** `test, conv1`; `test (seed=1), conv1` */
export function placeText({ stage, layer }: Lint): string {
  return [stage === null ? 'pipeline' : stageTitle(stage), ...(layer === null ? [] : [layer])].join(', ');
}

/** `test, conv1: 3.20 % of ... above (also conv2, conv3 and 4 more)` */
export function foundText({ worst, others }: LintGroup): string {
  const names = others.slice(0, 2).map(({ layer }) => layer ?? '');
  const rest = others.length - names.length;
  const more = rest === 0 ? names.join(' and ') : `${names.join(', ')} and ${rest} more`;
  const where = worst.stage === null ? '' : `${placeText(worst)}: `;
  return `${where}${worst.found}${others.length === 0 ? '' : ` (also ${more})`}`;
}
