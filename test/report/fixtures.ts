import type { Json, JsonObject } from '../../src/core/json.ts';
import type { RunRecord, StageRecord } from '../../src/runner/record.ts';
import type { ShownExample } from '../../src/measurements/examples.ts';
import type {
  ClassifyTest,
  ConvertMetrics,
  CountedTrain,
  ReconstructTest,
  TestMetrics,
  TrainMetrics,
} from '../../src/measurements/metrics.ts';

/** A MNIST LeNet-5 run as the stages would record it; the curves are formulas, the counts are written by hand. */

/** 64 hexadecimal digits that start with `prefix`. */
export const hex = (prefix: string): string => prefix.padEnd(64, '0');
const digest = (prefix: string): `sha256:${string}` => `sha256:${hex(prefix)}`;

const curve = (
  steps: number,
  start: number,
  end: number,
  startRate: number,
): { step: number; loss: number; accuracy: number; learningRate: number }[] =>
  Array.from({ length: 160 }, (_, index) => {
    const progress = index / 159;
    const wiggle = 1 + 0.35 * Math.sin(index * 2.399) * Math.cos(index * 0.71);
    const loss = end + (start - end) * Math.exp(-9 * progress) * wiggle + 0.012 * Math.abs(Math.sin(index * 1.7));
    return {
      step: 1 + Math.round(progress * (steps - 1)),
      loss,
      accuracy: Math.min(1, Math.max(0.08, 1 - loss * 0.32)),
      learningRate: startRate * (1 - progress * 0.95),
    };
  });

type ClassifyEpochs = CountedTrain['epochs'];

const epochs = (count: number, perEpoch: number, loss: number, accuracy: number): ClassifyEpochs =>
  Array.from({ length: count }, (_, index) => ({
    epoch: index + 1,
    step: (index + 1) * perEpoch,
    trainLoss: loss * (1 + 2 / (index + 1)),
    trainAccuracy: accuracy - 0.02 / (index + 1),
    validationLoss: loss * (1.2 + 1.6 / (index + 1)),
    validationAccuracy: accuracy - 0.03 / (index + 1) ** 1.5,
    seconds: 6.4 + 0.1 * (index % 3),
  }));

export const floatTraining: TrainMetrics = {
  kind: 'train',
  level: 'float',
  task: 'classify',
  batch: 128,
  devices: 2,
  stepsPerEpoch: 430,
  steps: 3440,
  parameters: 61706,
  history: curve(3440, 2.31, 0.028, 0.002),
  epochs: epochs(8, 430, 0.031, 0.9921),
  imagesPerSecond: 8612,
  bestEpoch: 8,
  stoppedEarly: false,
};

const rangeNames = ['input', 'conv1/relu', 'conv2/relu', 'dense1/relu', 'dense2/relu', 'logits'];

export const qatTraining: TrainMetrics = {
  kind: 'train',
  level: 'qat',
  task: 'classify',
  batch: 128,
  devices: 2,
  stepsPerEpoch: 430,
  steps: 1720,
  parameters: 61706,
  delay: 600,
  estimator: { kind: 'moving_average', decay: 0.99 },
  history: curve(1720, 0.06, 0.021, 0.0004),
  epochs: epochs(4, 430, 0.024, 0.9924),
  ranges: rangeNames.map((name, index) => {
    const low = index === 0 ? -0.4242 : index === 5 ? -14.2 : 0;
    const high = [2.821, 4.35, 7.91, 9.24, 8.02, 21.7][index] ?? 1;
    return {
      name,
      min: low,
      max: high,
      updates: 1720,
      history: Array.from({ length: 60 }, (_, point) => ({
        step: 1 + point * 29,
        min: low * (1 - 0.4 * Math.exp(-point / 6)),
        max: high * (1 - 0.4 * Math.exp(-point / 6) + 0.02 * Math.sin(point + index)),
      })),
    };
  }),
  imagesPerSecond: 8055,
  bestEpoch: 4,
  judgedFrom: 3,
  stoppedEarly: false,
};

export const conversion: ConvertMetrics = {
  kind: 'convert',
  scheme: 'int8',
  bytes: 66_808,
  floatBytes: 246_824,
  sections: { weights: 61_470, biases: 944, other: 4394 },
  operators: [
    { op: 'conv_2d', name: 'conv1/relu', outputShape: [1, 28, 28, 6] },
    { op: 'max_pool_2d', name: 'pool1', outputShape: [1, 14, 14, 6] },
    { op: 'conv_2d', name: 'conv2/relu', outputShape: [1, 10, 10, 16] },
    { op: 'max_pool_2d', name: 'pool2', outputShape: [1, 5, 5, 16] },
    { op: 'reshape', name: 'flatten', outputShape: [1, 400] },
    { op: 'fully_connected', name: 'dense1/relu', outputShape: [1, 120] },
    { op: 'fully_connected', name: 'dense2/relu', outputShape: [1, 84] },
    { op: 'fully_connected', name: 'logits', outputShape: [1, 10] },
    { op: 'softmax', name: 'probabilities', outputShape: [1, 10] },
  ],
  adjustments: [],
};

const classCounts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
/** Rows sum to the class counts; 10,000 - 96 on the diagonal. */
const mistakes: readonly (readonly [label: number, guess: number, count: number])[] = [
  [0, 6, 3], [0, 8, 2], [1, 3, 2], [1, 7, 1], [2, 3, 3], [2, 7, 7], [3, 5, 8], [3, 2, 2], [4, 9, 11], [4, 6, 2],
  [5, 3, 9], [5, 6, 3], [6, 0, 5], [6, 1, 3], [7, 2, 6], [7, 9, 4], [8, 3, 4], [8, 5, 3], [8, 9, 3], [9, 4, 8],
  [9, 7, 4], [9, 8, 3],
]; // prettier-ignore
const confusion = classCounts.map((count, label) => {
  const row = classCounts.map(() => 0);
  for (const [from, guess, times] of mistakes) if (from === label) row[guess] = times;
  row[label] = count - row.reduce((sum, value) => sum + value, 0);
  return row;
});

/** Eleven examples of digit 4 that int8 takes for 9 are right in float, but for four of them. */
const earlier = confusion.map((row, label) =>
  row.map((value, guess) => (label === 4 && guess === 9 ? value - 7 : label === 4 && guess === 4 ? value + 7 : value)),
);

/** The same fraction of each class. */
const recognized = (share: number): number[] => classCounts.map((count) => Math.round(share * count));

const digit = (label: number): string =>
  Buffer.from(
    Array.from({ length: 28 * 28 }, (_, index) => {
      const [y, x] = [Math.floor(index / 28) - 13.5, (index % 28) - 13.5];
      const ring = Math.abs(Math.hypot(x * (1 + label / 12), y * 0.8) - 8 + (label % 3));
      return Math.round(255 * Math.max(0, 1 - ring / 2.2));
    }),
  ).toString('base64');

const picture = (label: number) => ({
  kind: 'picture' as const,
  ...{ width: 28, height: 28, channels: 1 as const, pixels: digit(label) },
});

/** Outputs are 1 for the answer, 0.6 for the label and little for the others. */
const example = (group: number, index: number, label: number, predicted: number, floatPredicted: number) => {
  const real = (answer: number, at: number): number => (at === answer ? 0.875 : at === label ? 0.59375 : 0.015625);
  const answer = (of: number) => ({ text: String(of), right: of === label, margin: 0.28125, error: null });
  const shown: ShownExample = {
    ...{ index, name: `digits/${label}/${index}.png`, group, truth: String(label), hidden: 0 },
    answers: [
      { model: 'float', ...answer(floatPredicted) },
      { model: 'fake_quant', ...answer(predicted) },
      { model: 'int8', ...answer(predicted) },
    ],
    values: classCounts.map((_, at) => ({
      ...{ name: String(at), truth: null, first: real(floatPredicted, at), fakeQuant: real(predicted, at) },
      ...{ int8: real(predicted, at), code: 256 * real(predicted, at) - 128 },
    })),
    views: [{ title: 'input', view: picture(label) }],
  };
  return shown;
};

const layer = (
  name: string,
  op: string,
  shape: number[],
  scale: number,
  zeroPoint: number,
  weights: [number, number, number] | null,
  noise: [number | null, number, number | null, number],
  clippedShare: number,
  usedCodes: number,
): TestMetrics['layers'][number] => ({
  name,
  op,
  shape,
  sharedRange: null,
  narrowed: null,
  range: op === 'softmax' ? 'fixed' : op === 'max_pool_2d' || op === 'reshape' ? 'shared' : 'own',
  scale,
  zeroPoint,
  weightScales: weights === null ? null : { min: weights[0], max: weights[1], count: weights[2] },
  filter:
    weights === null
      ? null
      : {
          channels: weights[2],
          deadChannels: 0,
          constantChannels: 0,
          ranges: { min: 127 * weights[0], max: 127 * weights[1] },
          multipliers: { min: weights[0], max: weights[1] },
        },
  fakeQuantSqnrDb: noise[1] + 0.2,
  sqnrDb: noise[0],
  floatSqnrDb: noise[1],
  withinOneStep: noise[2],
  largestDifference: noise[3],
  kernel: { sqnrDb: 54, withinOneStep: 1 },
  outputNoise: weights === null ? null : 1e-4 * weights[2] ** 0.5,
  clipped: { below: 0, above: clippedShare, noiseShare: 0.1 },
  usedCodes,
  headroom: 1.3,
});

export const test: ClassifyTest = {
  kind: 'test',
  task: 'classify',
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  n: 10_000,
  compared: 64,
  accuracy: {
    float: { top1: 0.9912, correct: 9912, n: 10_000 },
    qat_float: { top1: 0.9909, correct: 9909, n: 10_000 },
    fake_quant: { top1: 0.9906, correct: 9906, n: 10_000 },
    int8: { top1: 0.9904, correct: 9904, n: 10_000 },
    int8_litert: { top1: 0.9905, correct: 9905, n: 10_000 },
  },
  litertNote: null,
  preparation: null,
  confusion,
  confusionBefore: { model: 'float', counts: earlier },
  agreement: { fake_quant_vs_float: 0.9968, int8_vs_fake_quant: 0.9992, int8_vs_litert: 0.9998 },
  flips: { rightToWrong: 15, wrongToRight: 7 },
  costs: {
    training: { rightToWrong: 9, wrongToRight: 6 },
    quantization: { rightToWrong: 10, wrongToRight: 5 },
  },
  correctByClass: {
    float: recognized(0.9912),
    qat_float: recognized(0.9909),
    fake_quant: recognized(0.9906),
    int8: confusion.map((row, label) => row[label]!),
    int8_litert: recognized(0.9905),
  },
  layers: [
    layer('input', 'quantize', [1, 28, 28, 1], 0.012729, -95, null, [null, 47.2, 1, 0], 0, 256),
    layer(
      'conv1/relu',
      'conv_2d',
      [1, 28, 28, 6],
      0.017059,
      -128,
      [0.0011, 0.0046, 6],
      [52.1, 39.4, 1, 1],
      0.0008,
      255,
    ),
    layer('pool1', 'max_pool_2d', [1, 14, 14, 6], 0.017059, -128, null, [53.0, 39.9, 1, 1], 0.0012, 249),
    layer(
      'conv2/relu',
      'conv_2d',
      [1, 10, 10, 16],
      0.03102,
      -128,
      [0.0009, 0.0052, 16],
      [48.3, 35.2, 0.9999, 2],
      0.0011,
      251,
    ),
    layer('pool2', 'max_pool_2d', [1, 5, 5, 16], 0.03102, -128, null, [49.0, 35.8, 0.9999, 2], 0.0019, 250),
    layer('flatten', 'reshape', [1, 400], 0.03102, -128, null, [49.0, 35.8, 0.9999, 2], 0.0019, 250),
    layer(
      'dense1/relu',
      'fully_connected',
      [1, 120],
      0.036235,
      -128,
      [0.0007, 0.0031, 120],
      [46.7, 33.1, 0.9996, 2],
      0.0009,
      243,
    ),
    layer(
      'dense2/relu',
      'fully_connected',
      [1, 84],
      0.031451,
      -128,
      [0.0012, 0.0038, 84],
      [45.2, 32.0, 0.9993, 2],
      0.0007,
      238,
    ),
    layer(
      'logits',
      'fully_connected',
      [1, 10],
      0.14078,
      -27,
      [0.0021, 0.0029, 10],
      [44.8, 31.4, 0.9998, 2],
      0.0001,
      221,
    ),
    layer('probabilities', 'softmax', [1, 10], 0.00390625, -128, null, [41.6, 30.9, 0.9999, 3], 0, 243),
  ],
  examples: {
    ...{ unit: 'probability', scale: 0.00390625, zeroPoint: -128, threshold: null, classes: [] },
    groups: [
      { title: 'Turned wrong', lead: 'Right in float, wrong in int8.', found: 31 },
      { title: 'Turned right', lead: 'Wrong in float, right in int8.', found: 0 },
      { title: 'Wrong in both', lead: 'Wrong in float and in int8.', found: 2 },
      { title: 'Right in both', lead: 'Right in float and in int8.', found: 9_880 },
    ],
    shown: [example(0, 8, 5, 6, 5), example(0, 321, 2, 7, 2), example(2, 115, 4, 9, 9)],
  },
  gates: [
    { name: 'int8_top1', rule: 'at_least', limit: 0.985, value: 0.9904, unit: 'share', ok: true },
    { name: 'int8_drop', rule: 'at_most', limit: 0.003, value: 0.0008, unit: 'share_difference', ok: true },
    { name: 'model_bytes', rule: 'at_most', limit: 102_400, value: 66_808, unit: 'bytes', ok: true },
  ],
  model: {
    bytes: 66_808,
    sha256: hex('c0ffee'),
    input: { name: 'input', dtype: 'int8', shape: [1, 28, 28, 1], scale: 0.012729, zeroPoint: -95 },
    output: { name: 'probabilities', dtype: 'int8', shape: [1, 10], scale: 0.00390625, zeroPoint: -128 },
  },
  seconds: { float: 2.1, qat_float: 2.1, fake_quant: 2.6, int8: 7.4, int8_litert: 3.3 },
};

/** The same run, had the network given its images back. */
export const reconstruction: ReconstructTest = {
  kind: 'test',
  task: 'reconstruct',
  n: 10_000,
  compared: 64,
  error: {
    float: { mean: 0.02, deviation: 0.01 },
    qat_float: { mean: 0.0203, deviation: 0.01 },
    fake_quant: { mean: 0.0205, deviation: 0.01 },
    int8: { mean: 0.0206, deviation: 0.01 },
    int8_litert: { mean: 0.0206, deviation: 0.01 },
  },
  meanImageError: 0.067,
  costs: {
    whole: { mean: 0.0006, deviation: 0.001 },
    training: { mean: 0.0003, deviation: 0.001 },
    quantization: { mean: 0.0003, deviation: 0.001 },
  },
  litertNote: null,
  preparation: null,
  layers: test.layers,
  examples: {
    ...{ unit: 'mean squared error', scale: 0.00390625, zeroPoint: -128, threshold: null, classes: [] },
    groups: [{ title: 'Largest errors', lead: 'First come those with the largest error of int8.', found: 10_000 }],
    shown: [0, 1].map((index) => ({
      ...{ index, name: null, group: 0, truth: null, values: [], hidden: 0 },
      answers: [
        { model: 'float' as const, text: null, right: null, margin: null, error: 0.0119 },
        { model: 'fake_quant' as const, text: null, right: null, margin: null, error: 0.0121 },
        { model: 'int8' as const, text: null, right: null, margin: null, error: 0.0123 },
      ],
      views: [
        { title: 'input', view: picture(index) },
        { title: 'float', view: picture(index + 1) },
        { title: 'int8', view: picture(index + 2) },
      ],
    })),
  },
  gates: [{ name: 'error_rise_max', rule: 'at_most', limit: 0.05, value: 0.03, unit: 'share', ok: true }],
  model: test.model,
  seconds: test.seconds,
};

interface StageSketch {
  readonly name: string;
  readonly kind: string;
  readonly cached: boolean;
  readonly seconds: number;
  readonly inputs: Readonly<Record<string, readonly [type: string, digest: string]>>;
  readonly outputs: Readonly<Record<string, readonly [type: string, digest: string, bytes: number, file: string]>>;
  readonly metrics: JsonObject;
  readonly verdict?: 'pass' | 'fail';
}

export const stage = (sketch: StageSketch): StageRecord => ({
  name: sketch.name,
  kind: sketch.kind,
  key: hex(Buffer.from(sketch.name).toString('hex').slice(0, 24)),
  cached: sketch.cached,
  seconds: sketch.seconds,
  verdict: sketch.verdict ?? 'pass',
  inputs: Object.fromEntries(
    Object.entries(sketch.inputs).map(([name, [type, prefix]]) => [name, { type, digest: digest(prefix) }]),
  ),
  outputs: Object.fromEntries(
    Object.entries(sketch.outputs).map(([name, [type, prefix, bytes, file]]) => [
      name,
      { type, digest: digest(prefix), bytes, path: `stages/${sketch.name}/${file}` },
    ]),
  ),
  metrics: sketch.metrics,
});

export const stages = {
  pretrain: stage({
    name: 'pretrain',
    kind: 'float-pretrain',
    cached: true,
    seconds: 51.8,
    inputs: { data: ['Dataset/1', 'da7a'] },
    outputs: { model: ['FloatModel/1', 'f10a7', 247_912, 'model.safetensors'] },
    metrics: floatTraining,
  }),
  qat: stage({
    name: 'qat',
    kind: 'qat',
    cached: false,
    seconds: 27.6,
    inputs: { data: ['Dataset/1', 'da7a'], model: ['FloatModel/1', 'f10a7'] },
    outputs: { model: ['QatModel/1', '9a7', 249_304, 'model.safetensors'] },
    metrics: qatTraining,
  }),
  evalGraph: stage({
    name: 'eval-graph',
    kind: 'save-eval-graph',
    cached: false,
    seconds: 0.12,
    inputs: { model: ['QatModel/1', '9a7'] },
    outputs: {
      graph: ['GraphDef/1', 'e7a1', 12_480, 'eval_graph.pb'],
      variables: ['Safetensors/1', '5afe', 249_304, 'variables.safetensors'],
    },
    metrics: {},
  }),
  freeze: stage({
    name: 'freeze',
    kind: 'freeze',
    cached: false,
    seconds: 0.09,
    inputs: { graph: ['GraphDef/1', 'e7a1'], variables: ['Safetensors/1', '5afe'] },
    outputs: { graph: ['GraphDef/1', 'f7ee2e', 258_112, 'frozen.pb'] },
    metrics: {},
  }),
  convert: stage({
    name: 'convert',
    kind: 'convert',
    cached: false,
    seconds: 0.07,
    inputs: { graph: ['GraphDef/1', 'f7ee2e'] },
    outputs: { model: ['Tflite/1', 'c0ffee', 66_808, 'model.tflite'] },
    metrics: conversion,
  }),
  test: stage({
    name: 'test',
    kind: 'test',
    cached: false,
    seconds: 15.9,
    inputs: {
      data: ['Dataset/1', 'da7a'],
      float: ['FloatModel/1', 'f10a7'],
      graph: ['GraphDef/1', 'e7a1'],
      model: ['Tflite/1', 'c0ffee'],
    },
    outputs: { predictions: ['Predictions/1', '9ed1c7', 120_344, 'predictions.npz'] },
    metrics: test,
  }),
} as const;

export const run: RunRecord = {
  schema: 'qpipe-run-v2',
  id: '20261103T091500Z-mnist-lenet-7f3a',
  pipeline: 'mnist-lenet',
  origin: { file: '/home/me/mnist-lenet.yaml', set: [], data: null },
  status: 'pass',
  startedAt: '2026-11-03T09:15:00.000Z',
  seconds: 44.1,
  resolved: digest('5e77'),
  provenance: {
    commandLine: ['qpipe', 'run', 'pipelines/mnist-lenet.yaml'],
    node: 'v20.20.2',
    platform: 'linux',
    arch: 'x64',
    cpus: 2,
    qpipeVersion: '0.1.0',
  },
  warnings: [],
  stages: Object.values(stages),
};

/** @param metrics of the test stage of a network that reconstructs */
export function reconstructing(metrics: ReconstructTest = reconstruction): RunRecord {
  const losses = (training: TrainMetrics): JsonObject => ({
    ...training,
    task: 'reconstruct',
    history: training.history.map(({ step, loss, learningRate }) => ({ step, loss, learningRate })),
    epochs: training.epochs.map(({ epoch, step, trainLoss, validationLoss, seconds }) => {
      return { epoch, step, trainLoss, validationLoss, seconds };
    }),
  });
  const { pretrain, qat } = stages;
  const trained = [
    { ...pretrain, metrics: losses(floatTraining) },
    { ...qat, metrics: losses(qatTraining) },
  ];
  return { ...run, stages: [...trained, ...run.stages.slice(2, -1), { ...stages.test, metrics }] };
}

export const config: Json = {
  name: 'mnist-lenet',
  model: { preset: 'lenet5' },
  stages: {
    pretrain: { uses: 'float-pretrain', epochs: 8, learning_rate: 0.002 },
    qat: { uses: 'qat', epochs: 4, delay: 600, learning_rate: 0.0004 },
  },
};
