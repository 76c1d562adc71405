import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { JsonObject } from '../core/json.ts';
import { object } from '../core/schema.ts';

/**
 * What stages hand to the report as their `metrics`. Shares are in 0..1, times in seconds, sizes in bytes, sizes of
 * disagreement in steps (multiples of the scale). `null` says "not measured"; what can be derived is not stored.
 */

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const share = Type.Number({ minimum: 0, maximum: 1 });
const count = Type.Integer({ minimum: 0 });
const shape = Type.Array(count);

// Training

const TrainPoint = object({ step: count, loss: Type.Number(), accuracy: share, learningRate: Type.Number() });

const TrainEpoch = object({
  epoch: Type.Integer({ minimum: 1, description: 'counted from 1' }),
  step: Type.Integer({ minimum: 0, description: 'the last step of the epoch' }),
  trainLoss: Type.Number(),
  trainAccuracy: share,
  validationLoss: nullable(Type.Number()),
  validationAccuracy: nullable(share),
  seconds: Type.Number(),
});

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
  history: Type.Array(TrainPoint, { maxItems: 500, description: 'training loss and accuracy, sampled' }),
  epochs: Type.Array(TrainEpoch, { description: 'the epochs that were run' }),
  imagesPerSecond: Type.Number(),
  bestEpoch: nullable(count),
  stoppedEarly: Type.Boolean(),
};

const FloatTrainMetrics = object({ ...trainProperties, level: Type.Literal('float') });

const QatTrainMetrics = object({
  ...trainProperties,
  level: Type.Literal('qat'),
  delay: Type.Integer({ minimum: 0, description: 'fake quantization is applied from this step on' }),
  decay: Type.Number({ minimum: 0, maximum: 1, description: 'of the moving average of activation ranges' }),
  ranges: Type.Array(ObservedRange, { description: 'activation ranges in the order of the graph' }),
});

export const TrainMetrics = Type.Union([FloatTrainMetrics, QatTrainMetrics]);

// Conversion

export const ConvertMetrics = object({
  kind: Type.Literal('convert'),
  scheme: Type.Union([Type.Literal('int8'), Type.Literal('uint8')]),
  bytes: Type.Integer({ minimum: 0, description: 'of the .tflite file' }),
  floatBytes: Type.Integer({ minimum: 0, description: '4 x the number of parameters' }),
  sections: object({ weights: count, biases: count, other: count }),
  operators: Type.Array(object({ op: Type.String(), name: Type.String(), outputShape: shape })),
  adjustments: Type.Array(Type.String(), {
    description: 'sentences, e.g. about dead channels whose weight scale was raised',
  }),
});

// Test

const AccuracyCount = object({ top1: share, correct: count, n: count });

/** In the order of every table: from the model that was trained to the file that ships and its witness. */
export const runtimes = ['float', 'fake_quant', 'int8', 'int8_litert'] as const;
export type RuntimeName = (typeof runtimes)[number];

const span = (description: string) => object({ min: Type.Number(), max: Type.Number() }, { description });

const Filter = object({
  channels: Type.Integer({ minimum: 1, description: 'output channels' }),
  deadChannels: Type.Integer({ minimum: 0, description: 'whose weights are all zero' }),
  constantChannels: Type.Integer({ minimum: 0, description: 'with one and the same code on all compared examples' }),
  ranges: nullable(span('largest magnitude of the weights of a channel that is not dead')),
  multipliers: nullable(span('input scale * filter scale / output scale of a channel that is not dead')),
});

const Layer = object({
  name: Type.String(),
  op: Type.String(),
  shape,
  range: Type.Union([Type.Literal('own'), Type.Literal('shared'), Type.Literal('fixed')], {
    description: "of the output: trained for it, its input's, or given by the int8 specification",
  }),
  scale: Type.Number(),
  zeroPoint: Type.Integer(),
  weightScales: nullable(object({ min: Type.Number(), max: Type.Number(), count })),
  filter: nullable(Filter),
  fakeQuantSqnrDb: nullable(Type.Number({ description: 'fake-quant against float; null when not measured or exact' })),
  sqnrDb: nullable(Type.Number({ description: 'int8 against fake-quant; null when not measured or exact' })),
  floatSqnrDb: nullable(Type.Number({ description: 'int8 against float; null when not measured or exact' })),
  withinOneStep: nullable(share),
  largestDifference: nullable(Type.Number({ description: 'int8 against fake-quant, in steps; 0 says exact' })),
  kernel: nullable(
    object(
      { sqnrDb: nullable(Type.Number()), withinOneStep: share },
      { description: "the integer kernel alone, on the codes of the fake-quant graph's inputs, against its output" },
    ),
  ),
  outputNoise: nullable(
    Type.Number({
      minimum: 0,
      description: "noise power at the model's output, over the signal's, when only this layer is fake-quantized",
    }),
  ),
  clipped: nullable(
    object(
      { below: share, above: share, noiseShare: share },
      { description: 'float values more than half a step outside the range; their share of the fake-quant noise' },
    ),
  ),
  usedCodes: nullable(Type.Integer({ minimum: 0, maximum: 256 })),
  headroom: nullable(
    Type.Number({ minimum: 0, description: 'largest magnitude of the range over that of 99.9 % of the values' }),
  ),
});

const Example = object({
  index: count,
  label: count,
  raw: Type.Array(Type.Integer(), { description: 'output codes of the integer model, one per class' }),
  scale: Type.Number(),
  zeroPoint: Type.Integer(),
  dequantized: Type.Array(Type.Number()),
  predicted: count,
  floatPredicted: nullable(count),
  image: nullable(
    object({
      width: Type.Integer({ minimum: 1 }),
      height: Type.Integer({ minimum: 1 }),
      channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
      pixels: Type.String({ description: 'base64 of height x width x channels bytes, 0..255' }),
    }),
  ),
});

export const Gate = object({
  name: Type.String(),
  rule: Type.Union([Type.Literal('at_least'), Type.Literal('at_most')]),
  limit: Type.Number(),
  value: nullable(Type.Number()),
  unit: Type.Union(
    [Type.Literal('share'), Type.Literal('share_difference'), Type.Literal('bytes'), Type.Literal('number')],
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

export const TestMetrics = object({
  kind: Type.Literal('test'),
  classes: Type.Array(Type.String()),
  n: Type.Integer({ minimum: 0, description: 'examples in the test split' }),
  accuracy: object({
    float: nullable(AccuracyCount),
    fake_quant: nullable(AccuracyCount),
    // The reference interpreter's codes: the SIMD kernels compute them, and the stage compares some with its loops.
    int8: AccuracyCount,
    int8_litert: nullable(AccuracyCount),
  }),
  litertNote: nullable(Type.String({ description: 'why LiteRT did not run, or ran on fewer examples' })),
  confusion: Type.Array(Type.Array(count), { description: 'int8; rows are true classes, columns predicted ones' }),
  agreement: object({
    fake_quant_vs_float: nullable(share),
    int8_vs_fake_quant: nullable(share),
    int8_vs_litert: nullable(share),
  }),
  flips: nullable(object({ rightToWrong: count, wrongToRight: count })),
  layers: Type.Array(Layer, { description: 'in the order of execution' }),
  examples: Type.Array(Example),
  gates: Type.Array(Gate),
  model: ModelFile,
  seconds: object({
    float: nullable(Type.Number()),
    fake_quant: nullable(Type.Number()),
    int8: Type.Number(),
    int8_litert: nullable(Type.Number()),
  }),
});

export type TrainMetrics = Static<typeof TrainMetrics>;
export type ConvertMetrics = Static<typeof ConvertMetrics>;
export type TestMetrics = Static<typeof TestMetrics>;
export type Gate = Static<typeof Gate>;

const byKind = { train: TrainMetrics, convert: ConvertMetrics, test: TestMetrics } as const;
export type StageMetrics = TrainMetrics | ConvertMetrics | TestMetrics;

/** Metrics read back from a record; null for stages of other kinds and for records of another version. */
export function readStageMetrics(metrics: JsonObject): StageMetrics | null {
  for (const schema of Object.values(byKind)) if (Value.Check(schema, metrics)) return metrics;
  return null;
}
