/** `comparison.json`: what differs between runs. Lists called `values` have an entry for each run, in the order of `runs`. */
import { Type } from '@sinclair/typebox';
import type { Static, TSchema } from '@sinclair/typebox';
import { object } from '../../core/schema.ts';
import { nullable, oneOf, runtimes } from '../../measurements/metrics.ts';
import { runStatusSchema } from '../../runner/record.ts';

const perRun = <T extends TSchema>(schema: T) => Type.Array(schema, { description: 'an entry for each run' });

const Run = object({
  name: Type.String({ description: 'A, B, C and so on, as everywhere in the comparison' }),
  id: Type.String(),
  pipeline: Type.String(),
  startedAt: Type.String({ description: 'ISO 8601, UTC' }),
  status: runStatusSchema,
});

const Setting = object({
  path: Type.String({ description: 'keys joined by dots' }),
  values: perRun(nullable(Type.String({ description: 'as JSON; null where the run does not have it' }))),
  places: perRun(
    nullable(Type.String({ description: 'file and line, or the option that set it; null where it was filled in' })),
  ),
});

const Environment = object({ path: Type.String(), values: perRun(nullable(Type.String())) });

const judgements = ['better', 'worse', 'chance', 'same', 'not_judged'] as const;
const Judgement = oneOf(judgements);

const Contrast = object(
  {
    difference: Type.Number({ description: 'this value minus that of the first run' }),
    low: nullable(Type.Number({ description: '95 % interval of the difference' })),
    high: nullable(Type.Number()),
    p: nullable(Type.Number({ description: 'two-sided, corrected for the number of pairs in this comparison (Holm)' })),
    method: Type.Union([
      Type.Literal('mcnemar', { description: 'exact, on the same examples; interval of Bonett and Price' }),
      Type.Literal('paired', { description: 'by the differences of the same examples, Student' }),
      Type.Literal('unpaired', { description: 'by the two intervals; Newcombe for shares' }),
    ]),
    unpairedBecause: nullable(Type.String({ description: 'why the same examples could not be paired' })),
    judgement: Judgement,
  },
  { description: 'of a run against the first' },
);

const MeasuredValue = object({ value: Type.Number(), low: Type.Number(), high: Type.Number(), n: Type.Integer() });

const MeasuredModel = object({
  runtime: oneOf(runtimes),
  values: perRun(nullable(MeasuredValue)),
  against: perRun(nullable(Contrast)),
});

const Flips = object({
  run: Type.String({ description: 'name of the run that is compared with the first' }),
  onlyFirst: Type.Integer({ description: 'examples that only the first run gets right, or gets less wrong' }),
  onlyThis: Type.Integer({ description: 'examples that only this run gets right, or gets less wrong' }),
  firstExamples: Type.Array(Type.Integer(), { description: 'indices of the former, at most 20, the largest first' }),
  thisExamples: Type.Array(Type.Integer(), { description: 'indices of the latter' }),
});

const Layer = object({
  name: Type.String(),
  values: perRun(nullable(Type.Number({ description: 'SQNR of int8 against float in dB' }))),
});

const TestComparison = object({
  test: Type.String({ description: 'name of the test stage' }),
  kind: Type.Union([Type.Literal('accuracy'), Type.Literal('error'), Type.Literal('score')]),
  measure: Type.String({ description: 'such as `top-1` or `mean absolute error`' }),
  models: Type.Array(MeasuredModel),
  flips: Type.Array(Flips, { description: 'of int8, where the same examples were tested' }),
  layers: Type.Array(Layer, { description: 'the largest change first' }),
});

const Measure = object({
  name: Type.String(),
  unit: Type.Union([
    ...(['share', 'error', 'bytes', 'count', 'seconds', 'per_second'] as const).map((unit) => Type.Literal(unit)),
  ]),
  values: perRun(nullable(Type.Number())),
  judgements: perRun(Judgement),
});

const CurvePoint = Type.Tuple([Type.Integer(), Type.Number()]);

const Curve = object({
  steps: Type.Integer(),
  delay: nullable(Type.Integer({ description: 'fake quantization is applied from this step on; null without' })),
  loss: Type.Array(CurvePoint, { description: 'step and loss of a batch' }),
  validation: Type.Array(CurvePoint, { description: 'step and validation loss' }),
});

const Training = object({
  stage: Type.String(),
  identical: Type.Boolean({ description: 'all runs trained the same model, byte for byte' }),
  curves: perRun(nullable(Curve)),
});

const Artifact = object({
  name: Type.String({ description: 'stage/output' }),
  digests: perRun(nullable(Type.String())),
  identical: Type.Boolean({ description: 'the same bytes, not merely the same results' }),
});

const LintDifference = object({
  code: Type.String(),
  place: Type.String({ description: 'stage and layer' }),
  severity: Type.Union([Type.Literal('warning'), Type.Literal('note')]),
  values: perRun(nullable(Type.String({ description: 'what was found; null where the run has no such lint' }))),
});

const Tradeoff = object(
  {
    measure: Type.String(),
    kind: TestComparison.properties.kind,
    points: Type.Array(
      object({
        run: Type.String(),
        test: Type.String(),
        value: Type.Number({ description: 'of int8' }),
        bytes: Type.Integer({ description: 'of the .tflite file' }),
        best: Type.Boolean({
          description: 'no other is at least as good and at most as large, and one of both strictly',
        }),
      }),
    ),
  },
  { description: 'what is reached against the size of the file' },
);

export const Comparison = object({
  schema: Type.Literal('qpipe-comparison-2'),
  sentence: Type.String({ description: 'what was changed, and whether it made a difference' }),
  notes: Type.Array(Type.String()),
  runs: Type.Array(Run, { minItems: 2, description: 'each is compared with the first' }),
  tests: Type.Array(TestComparison, { description: 'those that several runs have, by name' }),
  unmatched: Type.Array(object({ run: Type.String(), tests: Type.Array(Type.String()) }), {
    description: 'tests that only this run has',
  }),
  settings: Type.Array(Setting),
  environment: Type.Array(Environment, { description: 'only what differs' }),
  measures: Type.Array(Measure, { description: 'sizes, trainings and times' }),
  training: Type.Array(Training),
  artifacts: Type.Array(Artifact),
  lints: Type.Array(LintDifference, { description: 'those that not all runs have' }),
  tradeoff: nullable(Tradeoff),
});
export type Comparison = Static<typeof Comparison>;
export type Contrast = Static<typeof Contrast>;
export type Judgement = Static<typeof Judgement>;
export type Kind = TestComparison['kind'];
export type MeasuredModel = Static<typeof MeasuredModel>;
export type MeasuredValue = Static<typeof MeasuredValue>;
export type Measure = Static<typeof Measure>;
export type Setting = Static<typeof Setting>;
export type TestComparison = Static<typeof TestComparison>;
export type Training = Static<typeof Training>;
export type Tradeoff = Static<typeof Tradeoff>;
