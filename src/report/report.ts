import { Type } from '@sinclair/typebox';
import type { Static, TSchema } from '@sinclair/typebox';
import type { Json } from '../core/json.ts';
import { object } from '../core/schema.ts';
import { runRecordSchema, stageRecordSchema } from '../runner/record.ts';
import type { StageRecord } from '../runner/record.ts';
import {
  ClassifyTest,
  ConvertMetrics,
  ImportMetrics,
  Gate,
  ModelFile,
  nullable,
  ReconstructTest,
  RegressTest,
  ScoreTest,
  TrainMetrics,
  PtqMetrics,
  oneOf,
  classTasks,
  errorTasks,
  isClassTask,
  isErrorTask,
  scoreTasks,
} from '../measurements/metrics.ts';
import type { TestMetrics } from '../measurements/metrics.ts';
import { Diagnosis } from './diagnosis.ts';
import { Lint } from './lints.ts';
import { MatrixReport } from './matrix.ts';
import { QuantizationPair } from './sections/quantizations.ts';

const Measured = object({
  top1: Type.Number({ minimum: 0, maximum: 1 }),
  correct: Type.Integer(),
  n: Type.Integer(),
  interval: Type.Object({ low: Type.Number(), high: Type.Number() }, { description: '95 %, Wilson' }),
  drop: nullable(Type.Number({ description: 'float top1 minus this top1, as a fraction' })),
});

const perRuntime = <T extends TSchema>(schema: T) =>
  object({
    float: nullable(schema),
    qat_float: nullable(schema),
    fake_quant: nullable(schema),
    int8: nullable(schema),
    int8_litert: nullable(schema),
  });

const Accuracy = perRuntime(Measured);

const MeasuredError = object({
  mean: Type.Number({ description: 'squared error, over the values of all images' }),
  n: Type.Integer(),
  interval: Type.Object(
    { low: Type.Number(), high: Type.Number() },
    { description: '95 %: 1.96 standard errors of the mean over the images' },
  ),
  rise: nullable(Type.Number({ description: 'this error over that of float, minus 1' })),
});

const ReconstructionError = perRuntime(MeasuredError);

const MeasuredScore = object({
  value: Type.Number({ description: 'of all examples together' }),
  n: Type.Integer(),
  interval: Type.Object(
    { low: Type.Number(), high: Type.Number() },
    { description: '95 %: 1.96 standard errors of the jackknife over the examples' },
  ),
  drop: nullable(Type.Number({ description: 'the score of float minus this one' })),
});

const Score = perRuntime(MeasuredScore);

const testProperties = {
  stage: Type.String(),
  output: Type.Optional(Type.String({ description: 'of a network with several, which has a test of each' })),
  diagnosis: nullable(Diagnosis),
  lossInterval: nullable(
    object(
      { low: Type.Number(), high: Type.Number() },
      {
        description:
          'of `drop` or `rise` of int8, 95 %, paired on the same examples: shares by Agresti and Min (2005), others by 1.96 standard errors of the mean difference',
      },
    ),
  ),
};

const ClassifyResult = object({
  ...testProperties,
  task: oneOf(classTasks),
  accuracy: Accuracy,
  mcnemarP: nullable(Type.Number({ description: 'float against int8 on the same examples, exact, two-sided' })),
  metrics: ClassifyTest,
});

const RegressResult = object({
  ...testProperties,
  task: Type.Literal('regress'),
  error: ReconstructionError,
  metrics: RegressTest,
});

const ReconstructResult = object({
  ...testProperties,
  task: Type.Literal('reconstruct'),
  error: ReconstructionError,
  metrics: ReconstructTest,
});

const ScoreResult = object({
  ...testProperties,
  task: oneOf(scoreTasks),
  score: Score,
  metrics: ScoreTest,
});

const Test = Type.Union([ClassifyResult, RegressResult, ReconstructResult, ScoreResult]);

const Stage = Type.Composite([
  Type.Omit(stageRecordSchema, ['metrics']),
  Type.Object({
    reads: Type.Array(Type.String(), { description: 'names of the stages whose outputs are its inputs' }),
  }),
]);

/** What the last test stage measured, by the task of the network. */
const Headline = Type.Union([
  Type.Object({ task: oneOf(classTasks), accuracy: Accuracy }),
  Type.Object({ task: oneOf(errorTasks), error: ReconstructionError }),
  Type.Object({ task: oneOf(scoreTasks), score: Score }),
  Type.Object({ task: Type.Null({ description: 'no stage had a result that says the task' }) }),
]);

const Body = Type.Object({
  schema: Type.Literal('qpipe-report-1'),
  run: Type.Omit(runRecordSchema, ['schema', 'resolved', 'matrix', 'warnings', 'stages']),
  sentence: Type.String(),
  gates: Type.Array(Type.Composite([Gate, Type.Object({ stage: Type.String() })], { additionalProperties: false })),
  model: nullable(
    Type.Composite([ModelFile, Type.Object({ path: Type.String({ description: 'relative to the run folder' }) })], {
      additionalProperties: false,
    }),
  ),
  lints: Type.Array(Lint),
  stages: Type.Array(Stage),
  training: Type.Array(
    object({
      stage: Type.String(),
      stepsBefore: Type.Integer({ description: 'steps of the training it continues' }),
      metrics: TrainMetrics,
    }),
  ),
  imports: Type.Array(object({ stage: Type.String(), metrics: ImportMetrics })),
  calibrations: Type.Array(object({ stage: Type.String(), metrics: PtqMetrics })),
  conversions: Type.Array(object({ stage: Type.String(), metrics: ConvertMetrics })),
  tests: Type.Array(Test),
  matrix: Type.Optional(MatrixReport),
  branches: Type.Optional(
    Type.Composite([MatrixReport], {
      description:
        'without a matrix, the tests side by side if there are several: each is a cell, and the settings that differ on their ways are the axes',
    }),
  ),
  quantizations: Type.Array(QuantizationPair, { description: '`ptq` and `qat` from one float model' }),
  config: Type.Unsafe<Json>({}),
});

/**
 * `report.json`. What was measured and `model` are those of the test stage, of several or of a matrix of that of the best;
 * `gates` are those of all of them. Where the best cannot be said, it is the last.
 */
export const Report = Type.Intersect([Body, Headline]);

export type Report = Static<typeof Report>;
export type Accuracy = Static<typeof Accuracy>;
export type Measured = Static<typeof Measured>;
export type ReportGate = Report['gates'][number];
export type ClassifyResult = Static<typeof ClassifyResult>;
export type RegressResult = Static<typeof RegressResult>;
export type ReconstructResult = Static<typeof ReconstructResult>;
export type MeasuredError = Static<typeof MeasuredError>;
export type ScoreResult = Static<typeof ScoreResult>;
export type MeasuredScore = Static<typeof MeasuredScore>;
/** What is measured decides what a report shows: `accuracy`, `error` or `score`. */
export type Test = ClassifyResult | RegressResult | ReconstructResult | ScoreResult;
type Headline = Static<typeof Headline>;

/** The cells of the matrix, or the branches; undefined where there is one test. */
export function sideBySide({ matrix, branches }: Pick<Report, 'matrix' | 'branches'>): MatrixReport | undefined {
  return matrix ?? branches;
}

/** The test whose numbers stand at the top: that of the best cell or branch, else the last; of several outputs the first. */
export function headlineTest(report: Pick<Report, 'tests' | 'matrix' | 'branches'>): Test | undefined {
  const best = sideBySide(report)?.best?.test;
  const last = report.tests.at(-1)?.stage;
  return report.tests.find(({ stage }) => stage === best) ?? report.tests.find(({ stage }) => stage === last);
}

/** The same for every output of the network, in their order; none where nothing was tested. */
export function headlineTests(report: Pick<Report, 'tests' | 'matrix' | 'branches'>): readonly Test[] {
  const stage = headlineTest(report)?.stage;
  return report.tests.filter((test) => test.stage === stage);
}

/** The cell or branch whose numbers stand at the top; undefined where there is one test. */
export function headlineCell(report: Pick<Report, 'tests' | 'matrix' | 'branches'>): string | undefined {
  const test = headlineTest(report)?.stage;
  return sideBySide(report)?.rows.find((row) => row.test === test)?.cell;
}

/** Where the headline's accuracy went, of every output; of several with the name of the cell or branch. Undefined where no test says it. */
export function headlineDiagnosis(report: Report, detail: 'cause' | 'cause_and_noise'): string | undefined {
  const said = headlineTests(report).flatMap(({ output, diagnosis }) => {
    if (diagnosis === null) return [];
    const noise = detail === 'cause' || diagnosis.noise === null ? '' : ` ${diagnosis.noise}`;
    return [`${output === undefined ? '' : `${output}: `}${diagnosis.sentence}${noise}`];
  });
  const sentence = said.length === 0 ? undefined : said.join(' ');
  const cell = headlineCell(report);
  return sentence === undefined || cell === undefined ? sentence : `${cell}: ${sentence}`;
}

/** The report as it would be of these stages alone. */
export function partOf(report: Report, names: ReadonlySet<string>): Report {
  const isHere = ({ stage }: { readonly stage: string }): boolean => names.has(stage);
  const { matrix: _matrix, branches: _branches, ...whole } = report;
  const tests = report.tests.filter(isHere);
  const test = headlineTest({ tests });
  const stages = report.stages.filter(({ name }) => names.has(name));
  const training = report.training.filter(isHere);
  return {
    ...whole,
    ...headlineOf(test, training),
    ...{ stages, training, tests },
    imports: report.imports.filter(isHere),
    calibrations: report.calibrations.filter(isHere),
    conversions: report.conversions.filter(isHere),
    gates: report.gates.filter(isHere),
    lints: report.lints.filter(({ stage }) => stage !== null && names.has(stage)),
    model: test === undefined ? null : locateModel(test.metrics.model, stages),
    quantizations: [],
  };
}

/** Before a test stage has run, only the task is known, by what was trained. */
export function headlineOf(test: Test | undefined, training: Report['training']): Headline {
  const nothing = { float: null, qat_float: null, fake_quant: null, int8: null, int8_litert: null };
  const task = test?.task ?? training.at(-1)?.metrics.task ?? null;
  if (task === null || task === 'several') return { task: null };
  if (isClassTask(task)) return { task, accuracy: test !== undefined && 'accuracy' in test ? test.accuracy : nothing };
  if (isErrorTask(task)) return { task, error: test !== undefined && 'error' in test ? test.error : nothing };
  return { task, score: test !== undefined && 'score' in test ? test.score : nothing };
}

/** The tested file, found among the outputs by its digest. */
export function locateModel(
  model: TestMetrics['model'],
  stages: readonly Pick<StageRecord, 'outputs'>[],
): Report['model'] {
  const output = stages
    .flatMap(({ outputs }) => Object.values(outputs))
    .find(({ digest }) => digest === `sha256:${model.sha256}`);
  return output === undefined ? null : { ...model, path: output.path };
}
