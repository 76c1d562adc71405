import { Type } from '@sinclair/typebox';
import type { Static, TProperties, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { JsonObject } from '../core/json.ts';
import { object } from '../core/schema.ts';
import { Examples } from './examples.ts';
import { Layer, ModelInput } from './layers.ts';
import { nullable } from './nullable.ts';

/**
 * The `metrics` that stages pass to the report. Shares are in 0..1, times in seconds, sizes in bytes, sizes of
 * disagreement in steps (multiples of the scale). `null` says "not measured"; what can be derived is not stored.
 */

export { nullable };
const share = Type.Number({ minimum: 0, maximum: 1 });
const count = Type.Integer({ minimum: 0 });
const shape = Type.Array(count);

/**
 * The tasks, by how their answers are measured: examples that are right, an error of every example, or a score of all
 * examples together. A report shows what is measured, so that a task need not be known to it.
 */
export const classTasks = ['classify', 'binary'] as const;
export const errorTasks = ['regress', 'reconstruct'] as const;
export const scoreTasks = ['multi_label', 'segment'] as const;

/** Of these, training also counts how many answers are right; of the others it records the loss. */
export const countedTasks = ['classify', 'binary', 'segment'] as const;
const uncountedTasks = ['regress', 'reconstruct', 'multi_label'] as const;

export type Task = (typeof classTasks | typeof errorTasks | typeof scoreTasks)[number];
export const taskNames: readonly [Task, ...Task[]] = [...classTasks, ...errorTasks, ...scoreTasks];

type Tasks = readonly Task[];
export const isClassTask = (task: Task): task is (typeof classTasks)[number] => (classTasks as Tasks).includes(task);
export const isErrorTask = (task: Task): task is (typeof errorTasks)[number] => (errorTasks as Tasks).includes(task);

export type CountedTask = (typeof countedTasks)[number];
export const isCountedTask = (task: Task | 'several'): task is CountedTask =>
  countedTasks.some((counted) => counted === task);

export const oneOf = <const T extends readonly [string, ...string[]]>(names: T) =>
  Type.Unsafe<T[number]>(
    names.length === 1 ? Type.Literal(names[0]) : Type.Union(names.map((name) => Type.Literal(name))),
  );

// Training

const lossPoint = { step: count, loss: Type.Number(), learningRate: Type.Number() };

const lossEpoch = {
  epoch: Type.Integer({ minimum: 1, description: 'counted from 1' }),
  step: Type.Integer({ minimum: 0, description: 'the last step of the epoch' }),
  trainLoss: Type.Number(),
  validationLoss: nullable(Type.Number()),
  seconds: Type.Number(),
};

/** What a training shows over its steps: the loss, and what else its task measures. */
const curves = <const T extends readonly [string, ...string[]], P extends TProperties, E extends TProperties>(
  tasks: T,
  point: P,
  epoch: E,
) => ({
  task: oneOf(tasks),
  history: Type.Array(object({ ...lossPoint, ...point }), { maxItems: 500, description: 'of the training, sampled' }),
  epochs: Type.Array(object({ ...lossEpoch, ...epoch }), { description: 'the epochs that were run' }),
});

export const countedCurves = curves(
  countedTasks,
  { accuracy: share },
  { trainAccuracy: share, validationAccuracy: nullable(share) },
);
export const lossCurves = curves(
  uncountedTasks,
  {},
  { validationScore: Type.Optional(nullable(Type.Number({ description: 'of tasks with a score' }))) },
);

/** Of a network with several outputs: losses are sums, each output's times its weight. */
export const severalCurves = curves(
  ['several'],
  {},
  {
    outputs: Type.Array(
      object({
        name: Type.String({ description: 'of the output' }),
        trainLoss: Type.Number({ description: 'without its weight' }),
        validationLoss: nullable(Type.Number()),
        trainAccuracy: nullable(share),
        validationShare: nullable(share),
      }),
      { description: 'in the order of the network' },
    ),
  },
);

const ObservedRange = object({
  name: Type.String(),
  min: Type.Number(),
  max: Type.Number(),
  updates: Type.Integer({ minimum: 0, description: 'how often the observer has seen a batch' }),
  history: Type.Array(object({ step: count, min: Type.Number(), max: Type.Number() }), {
    maxItems: 100,
    description: 'sampled; may be empty',
  }),
});

const trainProperties = {
  kind: Type.Literal('train'),
  batch: count,
  devices: Type.Integer({ minimum: 1 }),
  stepsPerEpoch: count,
  steps: count,
  parameters: count,
  imagesPerSecond: Type.Number(),
  bestEpoch: nullable(count),
  stoppedEarly: Type.Boolean(),
};

const floatProperties = { ...trainProperties, level: Type.Literal('float') };

const qatProperties = {
  ...trainProperties,
  level: Type.Literal('qat'),
  delay: Type.Integer({ minimum: 0, description: 'fake quantization is applied from this step on' }),
  estimator: object(
    {
      kind: Type.Union([Type.Literal('running_extremes'), Type.Literal('moving_average')]),
      decay: Type.Number({ minimum: 0, maximum: 1, description: 'fraction of the old value that each step keeps' }),
    },
    { description: 'of the ranges of activations' },
  ),
  judgedFrom: Type.Integer({
    minimum: 1,
    description: 'the first epoch that is quantized from its first step on; none before it can be the best',
  }),
  ranges: Type.Array(ObservedRange, { description: 'activation ranges in the order of the graph' }),
};

/** Two levels of three kinds of curves, told apart by `level` and `task`. */
export const TrainMetrics = Type.Union([
  object({ ...floatProperties, ...countedCurves }),
  object({ ...floatProperties, ...lossCurves }),
  object({ ...floatProperties, ...severalCurves }),
  object({ ...qatProperties, ...countedCurves }),
  object({ ...qatProperties, ...lossCurves }),
  object({ ...qatProperties, ...severalCurves }),
]);

// Import

export const ImportMetrics = object({
  kind: Type.Literal('import'),
  format: Type.String({ description: 'what the file is, for people' }),
  parameters: count,
  operators: Type.Array(object({ op: Type.String(), name: Type.String(), outputShape: shape })),
  notes: Type.Array(Type.String(), { description: 'sentences on what was changed on the way' }),
});

// Calibration

export const PtqMetrics = object({
  kind: Type.Literal('ptq'),
  examples: Type.Integer({ minimum: 1, description: 'training examples that were calibrated on' }),
  method: Type.String({ description: 'how ranges were chosen, such as `mse`' }),
  ranges: Type.Array(
    object({
      name: Type.String(),
      min: Type.Number(),
      max: Type.Number(),
      observed: object({ min: Type.Number(), max: Type.Number() }, { description: 'of all values of the examples' }),
    }),
    { description: 'activation ranges in the order of the graph' },
  ),
  equalized: Type.Array(object({ first: Type.String(), second: Type.String() }), { description: 'pairs of layers' }),
  corrected: Type.Array(Type.String(), { description: 'layers whose biases were corrected' }),
  reestimatedBatches: count,
  seconds: Type.Number(),
});

// Conversion

export const ConvertMetrics = object({
  kind: Type.Literal('convert'),
  scheme: Type.Union([Type.Literal('int8'), Type.Literal('uint8')]),
  bytes: Type.Integer({ minimum: 0, description: 'of the .tflite file' }),
  floatBytes: Type.Integer({ minimum: 0, description: '4 x the number of parameters' }),
  sections: object({ weights: count, biases: count, other: count }),
  operators: Type.Array(
    object({
      ...{ op: Type.String(), name: Type.String(), outputShape: shape },
      macs: Type.Optional(count),
    }),
  ),
  adjustments: Type.Array(Type.String(), {
    description: 'sentences, e.g. about dead channels whose weight scale was raised',
  }),
  // Left out by records of before there were targets.
  memory: Type.Optional(
    object({
      arena: Type.Integer({
        minimum: 0,
        description: 'bytes of the tensor arena of TensorFlow Lite Micro: what its allocator reports as head',
      }),
      macs: Type.Integer({
        minimum: 0,
        description: 'multiplications of convolutions and dense layers for one example',
      }),
      buffers: Type.Optional(
        Type.Array(
          object({
            name: Type.String({ description: 'of the tensor, or `<op>/scratch` for memory of a kernel while it runs' }),
            bytes: Type.Integer({ minimum: 0, description: 'a multiple of 16' }),
            offset: Type.Integer({ minimum: 0, description: 'from the start of the arena' }),
            first: Type.Integer({
              minimum: 0,
              description: 'step from which it is in use: 0 is the input, n the n-th op',
            }),
            last: Type.Integer({ minimum: 0, description: 'the last step at which it is in use' }),
          }),
          { description: 'what lies in the arena, as the planner places it' },
        ),
      ),
    }),
  ),
  targets: Type.Optional(
    Type.Array(
      object({
        name: Type.String(),
        title: Type.String(),
        leaves: Type.Array(Type.String(), { description: 'sentences on ops that run on the processor beside it' }),
      }),
    ),
  ),
});

// Export

export const ExportMetrics = object({
  kind: Type.Literal('export'),
  name: Type.String({ description: 'of the model in the code' }),
  vectors: Type.Integer({ minimum: 1, description: 'test vectors' }),
  sizes: Type.Record(Type.String(), count, { description: 'bytes of each file' }),
});

// Test

/** Something of every model in the table; null where it was not measured. */
const byRuntime = <T extends TSchema>(schema: T) =>
  object({
    float: nullable(schema),
    qat_float: nullable(schema),
    fake_quant: nullable(schema),
    int8: schema,
    int8_litert: nullable(schema),
  });

const AccuracyCount = object({ top1: share, correct: count, n: count });

/**
 * In the order of every table: from the trained model to the .tflite file on both runtimes. `qat_float` is the weights
 * of QAT without any quantizer: the loss before it comes from training, the loss after it from quantization.
 */
export const runtimes = ['float', 'qat_float', 'fake_quant', 'int8', 'int8_litert'] as const;
export type RuntimeName = (typeof runtimes)[number];

export const Gate = object({
  name: Type.String(),
  rule: Type.Union([Type.Literal('at_least'), Type.Literal('at_most')]),
  limit: Type.Number(),
  value: nullable(Type.Number()),
  unit: Type.Union(
    [
      Type.Literal('share'),
      Type.Literal('share_difference'),
      Type.Literal('error'),
      Type.Literal('bytes'),
      Type.Literal('number'),
    ],
    { description: 'shares and their differences are in 0..1, whatever they are printed as' },
  ),
  ok: Type.Boolean(),
});

const Port = object({
  name: Type.String(),
  dtype: Type.String(),
  shape,
  scale: nullable(Type.Number()),
  zeroPoint: nullable(Type.Integer()),
});

export const ModelFile = object({
  bytes: count,
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  input: Port,
  output: Port,
});

/** What a task has measured beside what every report shows, to be read as it is. */
export const Table = object({
  title: Type.String(),
  lead: nullable(Type.String({ description: 'a sentence that says how to read it' })),
  columns: Type.Array(
    object({
      head: Type.String(),
      unit: Type.Union([Type.Literal('text'), Type.Literal('share'), Type.Literal('count'), Type.Literal('number')], {
        description: 'of the numbers below; shares are in 0..1',
      }),
    }),
  ),
  rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Number(), Type.Null()])), {
    description: 'a value for each column; null where nothing was measured',
  }),
});
export type Table = Static<typeof Table>;

const testProperties = {
  kind: Type.Literal('test'),
  n: Type.Integer({ minimum: 0, description: 'examples in the test split' }),
  compared: Type.Integer({ minimum: 0, description: 'examples on which layers are compared, spread over the split' }),
  litertNote: nullable(Type.String({ description: 'why LiteRT did not run, or ran on fewer examples' })),
  layers: Type.Array(Layer, { description: 'in the order of execution' }),
  input: Type.Optional(ModelInput),
  preparation: nullable(
    Type.Array(object({ name: Type.String(), mean: Type.Number(), deviation: Type.Number() }), {
      description:
        'by channel what a device computes before the model, input = (measured - mean) / deviation; null for pixels',
    }),
  ),
  tables: Type.Optional(Type.Array(Table)),
  outcomes: Type.Optional(
    Type.String({
      description:
        'base64 of float32, little-endian, of int8 by example: 1 where it is right and 0 where not, its error, or its ' +
        'pseudo-value of the score',
    }),
  ),
  examples: Examples,
  gates: Type.Array(Gate),
  model: ModelFile,
  seconds: byRuntime(Type.Number()),
};

const Flips = object(
  { rightToWrong: count, wrongToRight: count },
  { description: 'examples on which two models differ, one of them being right' },
);
export type Flips = Static<typeof Flips>;

export const ClassifyTest = object({
  ...testProperties,
  task: oneOf(classTasks),
  classes: Type.Array(Type.String()),
  // int8 is the reference interpreter: the SIMD kernels compute its codes, and the stage compares some with its loops.
  accuracy: byRuntime(AccuracyCount),
  confusion: Type.Array(Type.Array(count), { description: 'int8; rows are true classes, columns predicted ones' }),
  confusionBefore: nullable(
    object({
      model: Type.Union([Type.Literal('float'), Type.Literal('qat_float')], {
        description: 'float, or where there is none the QAT weights without quantizers',
      }),
      counts: Type.Array(Type.Array(count)),
    }),
  ),
  agreement: object({
    fake_quant_vs_float: nullable(share),
    int8_vs_fake_quant: nullable(share),
    int8_vs_litert: nullable(share),
  }),
  flips: nullable(Flips),
  costs: object(
    { training: nullable(Flips), quantization: Flips },
    { description: 'flips from float to the QAT weights without quantizers, and from those to int8' },
  ),
  correctByClass: byRuntime(Type.Array(count, { description: 'by class: examples of it that were recognized' })),
  decision: Type.Optional(
    object(
      {
        auc: byRuntime(nullable(share)),
        threshold: byRuntime(
          Type.Number({ description: 'real value of the output from which on it is the second class' }),
        ),
        code: Type.Integer({ description: 'the same of the integer model, as a code of its output' }),
      },
      { description: 'of a single output that decides between two classes' },
    ),
  ),
});

const ImageErrors = object(
  { mean: Type.Number(), deviation: Type.Number({ description: 'standard deviation over the images' }) },
  { description: 'squared difference to the input image, in real units, averaged over its values' },
);

const errorCosts = object(
  { whole: nullable(ImageErrors), training: nullable(ImageErrors), quantization: ImageErrors },
  {
    description:
      'what the error of an example grows by: from float to int8, from float to the QAT weights without quantizers, ' +
      'and from those to int8',
  },
);

export const ReconstructTest = object({
  ...testProperties,
  task: Type.Literal('reconstruct'),
  error: byRuntime(ImageErrors),
  meanImageError: Type.Number({ description: 'of answering every example with the mean of the test images' }),
  detection: Type.Optional(
    object(
      { anomaly: Type.String(), auc: byRuntime(nullable(share)) },
      { description: 'how well the error tells examples of the named class from the others: area under the ROC curve' },
    ),
  ),
  costs: errorCosts,
});

export const RegressTest = object({
  ...testProperties,
  task: Type.Literal('regress'),
  error: byRuntime(ImageErrors),
  unit: nullable(
    Type.String({ description: 'name of the only target, in whose unit errors are; null: in standard deviations' }),
  ),
  targets: Type.Array(
    object({
      name: Type.String(),
      mean: Type.Number({ description: 'target = mean + deviation * output of the network' }),
      deviation: Type.Number(),
      error: byRuntime(Type.Number({ description: 'mean absolute error, in the unit of the target' })),
      meanAnswer: Type.Number({ description: 'the same error of always answering with the mean of the test targets' }),
    }),
  ),
  meanAnswer: Type.Number({ description: 'error of always answering with the mean of the test targets' }),
  costs: errorCosts,
});

const Score = object(
  {
    value: Type.Number(),
    deviation: Type.Number({
      description: 'standard deviation of the pseudo-values of the jackknife over the examples',
    }),
  },
  { description: 'of all test examples together' },
);

export const ScoreTest = object({
  ...testProperties,
  task: oneOf(scoreTasks),
  scoreName: Type.String({ description: 'such as mean IoU; more is better' }),
  score: byRuntime(Score),
  ignorant: object(
    { answer: Type.String(), score: Type.Number() },
    { description: 'the best score of an answer that does not depend on the input' },
  ),
  costs: object(
    { whole: nullable(ImageErrors), training: nullable(ImageErrors), quantization: ImageErrors },
    {
      description:
        'what the score falls by: from float to int8, from float to the QAT weights without quantizers, and from ' +
        'those to int8; deviations are of pseudo-values',
    },
  ),
});

export const TestMetrics = Type.Union([ClassifyTest, RegressTest, ReconstructTest, ScoreTest]);

/** Of a network with several outputs: a test of each, in their order. */
export const OutputTests = object({
  kind: Type.Literal('tests'),
  outputs: Type.Array(object({ name: Type.String(), test: TestMetrics })),
});

export type TrainMetrics = Static<typeof TrainMetrics>;
type CurveKey = 'task' | 'history' | 'epochs';
export type CountedTrain = Extract<TrainMetrics, { task: CountedTask }>;
export type CountedCurves = Pick<CountedTrain, CurveKey>;
type SeveralTrain = Extract<TrainMetrics, { task: 'several' }>;
export type LossCurves = Pick<Exclude<TrainMetrics, CountedTrain | SeveralTrain>, CurveKey>;
export type SeveralCurves = Pick<SeveralTrain, CurveKey>;
export type TrainCurves = CountedCurves | LossCurves | SeveralCurves;
export const isCounted = (metrics: TrainMetrics): metrics is CountedTrain => isCountedTask(metrics.task);
/** What every training records. */
export type CommonTrain = Omit<TrainMetrics, 'kind' | 'level' | CurveKey>;
export type ImportMetrics = Static<typeof ImportMetrics>;
export type PtqMetrics = Static<typeof PtqMetrics>;
export type ConvertMetrics = Static<typeof ConvertMetrics>;
export type ExportMetrics = Static<typeof ExportMetrics>;
export type TestMetrics = Static<typeof TestMetrics>;
export type OutputTests = Static<typeof OutputTests>;
/** What is measured, before the limits of a pipeline are compared with it. */
export type UnjudgedTest =
  Omit<ClassifyTest, 'gates'> | Omit<RegressTest, 'gates'> | Omit<ReconstructTest, 'gates'> | Omit<ScoreTest, 'gates'>;
/** The same of several outputs. */
export interface UnjudgedTests {
  readonly kind: 'tests';
  readonly outputs: readonly { readonly name: string; readonly test: UnjudgedTest }[];
}
export type ClassifyTest = Static<typeof ClassifyTest>;
export type RegressTest = Static<typeof RegressTest>;
export type ReconstructTest = Static<typeof ReconstructTest>;
export type ScoreTest = Static<typeof ScoreTest>;
export type ImageErrors = Static<typeof ImageErrors>;
export type Gate = Static<typeof Gate>;

const byKind = {
  import: ImportMetrics,
  train: TrainMetrics,
  ptq: PtqMetrics,
  convert: ConvertMetrics,
  test: TestMetrics,
  tests: OutputTests,
  export: ExportMetrics,
} as const;
export type StageMetrics =
  ImportMetrics | TrainMetrics | PtqMetrics | ConvertMetrics | TestMetrics | OutputTests | ExportMetrics;

/** Metrics read back from a record; null for stages of other kinds and for records of another version. */
export function readStageMetrics(metrics: JsonObject): StageMetrics | null {
  for (const schema of Object.values(byKind)) if (Value.Check(schema, metrics)) return metrics;
  return null;
}
