import { Type } from '@sinclair/typebox';
import type { Static, TSchema } from '@sinclair/typebox';
import { present, unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import { object } from '../core/schema.ts';
import { runRecordSchema, stageRecordSchema } from '../runner/record.ts';
import type { MatrixRecord, RunRecord, StageRecord } from '../runner/record.ts';
import {
  ClassifyTest,
  ConvertMetrics,
  ImportMetrics,
  Gate,
  ModelFile,
  nullable,
  readStageMetrics,
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
import type { Flips, ImageErrors, RuntimeName, TestMetrics } from '../measurements/metrics.ts';
import { witnesses } from '../measurements/runtime-titles.ts';
import { diagnose, Diagnosis } from './diagnosis.ts';
import type { Cost, QuantizedBy } from './diagnosis.ts';
import type { Learned } from './faults.ts';
import { bytes, fixed, integer, percent, points, significant } from './format.ts';
import { learnedBefore } from './learned.ts';
import {
  conversionLints,
  importLints,
  ignorantAnswer,
  Lint,
  pipelineLint,
  testLints,
  trainingLints,
  unreadableLint,
} from './lints.ts';
import type { CellMeasure, CellTest } from './matrix.ts';
import { MatrixReport, matrixReport } from './matrix.ts';
import { branchesAsMatrix, chainOf, lineReader, readsOf } from './lines-of-stages.ts';
import type { PairedTest } from './sections/quantizations.ts';
import { QuantizationPair, quantizationPairs } from './sections/quantizations.ts';
import type { Interval } from './statistics.ts';
import { mcnemarExact, meanInterval, pairedShareInterval, wilsonInterval } from './statistics.ts';
import { accuracyName } from './titles.ts';

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

/** @param config the resolved pipeline, shown as it is; null when it was not kept */
export function buildReport(record: RunRecord, config: Json = null): Report {
  const lineOf = lineReader(config, record.matrix);
  const stages = record.stages.map((stage) => describeStage(stage, readsOf(stage, record.stages, lineOf)));
  const found = measuredBy(record.stages, stages);
  const { training, tests } = found;
  const several = severalTests(record, stages, tests, config);
  const headline = headlineTest({ tests, ...several });
  const gates = gatesOf(tests);
  const { id, pipeline, origin, status, startedAt, seconds, provenance } = record;
  return {
    schema: 'qpipe-report-1',
    run: { id, pipeline, origin, status, startedAt, seconds, provenance },
    sentence: verdictSentence(record, sideBySide(several)?.sentence ?? testSentence(headline, tests, gates)),
    ...headlineOf(headline, training),
    gates,
    model: headline === undefined ? null : locateModel(headline.metrics.model, record.stages),
    lints: lintsOf(record, found),
    stages,
    ...found,
    ...several,
    quantizations: quantizationPairs(stages, tests.flatMap(pairedTest)).filter(
      ({ ptq, qat }) => record.matrix === undefined || inOneCell(record.matrix, ptq.test, qat.test),
    ),
    config,
  };
}

/** What the stages measured, by kind; of kinds without a place in the report nothing. */
type Found = Pick<Report, 'training' | 'imports' | 'calibrations' | 'conversions' | 'tests'>;

function measuredBy(records: readonly StageRecord[], stages: Report['stages']): Found {
  const found: Found = { training: [], imports: [], calibrations: [], conversions: [], tests: [] };
  const { training } = found;
  for (const { name: stage, metrics: recorded } of records) {
    const metrics = readStageMetrics(recorded);
    if (metrics === null) continue;
    switch (metrics.kind) {
      case 'train':
        training.push({ stage, stepsBefore: stepsBefore(stage, stages, training), metrics });
        break;
      case 'import':
        found.imports.push({ stage, metrics });
        break;
      case 'ptq':
        found.calibrations.push({ stage, metrics });
        break;
      case 'convert':
        found.conversions.push({ stage, metrics });
        break;
      case 'test':
        found.tests.push(summarizeTest(stage, metrics, beforeTest(stage, stages, training)));
        break;
      case 'tests': {
        const before = beforeTest(stage, stages, training);
        for (const { name, test } of metrics.outputs) {
          found.tests.push({ ...summarizeTest(stage, test, before), output: name });
        }
        break;
      }
      case 'export':
        break;
      default:
        unreachable(metrics);
    }
  }
  return found;
}

/** The tests of a matrix, or of several branches, side by side. */
function severalTests(
  record: RunRecord,
  stages: Report['stages'],
  tests: readonly Test[],
  config: Json,
): Pick<Report, 'matrix' | 'branches'> {
  const examples = examplesIn(record);
  // Of a network with several outputs the first, which the others stand behind.
  const lines = tests.filter(({ stage }, index) => tests.findIndex((test) => test.stage === stage) === index);
  const cells = (): CellTest[] => lines.map((test) => cellTest(test, tests, examples(test.stage)));
  if (record.matrix !== undefined) return { matrix: matrixReport(record.matrix, cells()) };
  if (lines.length < 2) return {};
  const names = lines.map(({ stage }) => stage);
  return { branches: matrixReport(branchesAsMatrix(names, stages, config), cells(), 'branch') };
}

function gatesOf(tests: readonly Test[]): ReportGate[] {
  return tests.flatMap(({ stage, output, metrics }) =>
    metrics.gates.map((gate) => ({
      stage,
      ...gate,
      ...(output !== undefined && { name: `${output}: ${gate.name}` }),
    })),
  );
}

function lintsOf(record: RunRecord, { training, imports, conversions, tests }: Found): Lint[] {
  return [
    ...record.warnings.map(pipelineLint),
    ...record.stages.flatMap((stage) => (isUnreadable(stage) ? [unreadableLint(stage.name)] : [])),
    ...training.flatMap(({ stage, metrics }) => trainingLints(stage, metrics)),
    ...imports.flatMap(({ stage, metrics }) => importLints(stage, metrics)),
    ...conversions.flatMap(({ stage, metrics }) => conversionLints(stage, metrics)),
    ...tests.flatMap((test, index) => testLints(test.stage, lintedMetrics(test, tests.slice(0, index)))),
  ];
}

/** Without what is of the whole network where the test of an earlier output says it: its layers, and whether LiteRT ran. */
function lintedMetrics({ stage, metrics }: Test, earlier: readonly Test[]): TestMetrics {
  return earlier.some((other) => other.stage === stage) ? { ...metrics, layers: [], litertNote: null } : metrics;
}

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
export function headlineDiagnosis(report: Report): string | undefined {
  const said = headlineTests(report).flatMap(({ output, diagnosis }) =>
    diagnosis === null ? [] : [output === undefined ? diagnosis.sentence : `${output}: ${diagnosis.sentence}`],
  );
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

/** What a test stage was tested on. */
function examplesIn({ stages }: RunRecord): (stage: string) => string | null {
  const byName = new Map(stages.map(({ name, inputs }) => [name, inputs['data']?.digest ?? null]));
  return (stage) => byName.get(stage) ?? null;
}

function inOneCell({ cells }: MatrixRecord, ...names: readonly string[]): boolean {
  return cells.some(({ stages }) => {
    const here = new Set(Object.values(stages));
    return names.every((name) => here.has(name));
  });
}

/**
 * What a matrix says of a test stage, by its first output.
 *
 * @param all tests of the run, those of the other outputs among them
 */
function cellTest(test: Test, all: readonly Test[], examples: string | null): CellTest {
  const { model, outcomes } = test.metrics;
  const [, ...others] = all.filter(({ stage }) => stage === test.stage);
  const gates = [test, ...others].flatMap(({ output, metrics }) =>
    metrics.gates.map(({ ok, name }) => ({ ok, name: output === undefined ? name : `${output}: ${name}` })),
  );
  const unmet = gates.flatMap(({ ok, name }) => (ok ? [] : [name]));
  return {
    test: test.stage,
    ...{ outcomes, examples },
    bytes: model.bytes,
    gates: { met: gates.length - unmet.length, all: gates.length, unmet },
    ...cellMeasure(test),
    ...(others.length > 0 && { others: others.map(cellMeasure) }),
  };
}

/** With the name of the output before what is measured, where there are several. */
function cellMeasure(test: Test): CellMeasure {
  const named = (measure: string): string => (test.output === undefined ? measure : `${test.output} ${measure}`);
  const all = <T>(values: Readonly<Record<RuntimeName, T | null>>, read: (value: T) => number) => {
    const of = (runtime: RuntimeName): number | null => {
      const value = values[runtime];
      return value === null ? null : read(value);
    };
    return { float: of('float'), fake_quant: of('fake_quant'), int8: present(of('int8'), 'what int8 reached') };
  };
  if ('accuracy' in test) {
    const values = all(test.accuracy, ({ top1 }) => top1);
    const loss = test.accuracy.int8?.drop ?? null;
    return { kind: 'accuracy', measure: named(accuracyName(test)), ...values, loss };
  }
  if ('score' in test) {
    const values = all(test.score, ({ value }) => value);
    return { kind: 'score', measure: named(test.metrics.scoreName), ...values, loss: test.score.int8?.drop ?? null };
  }
  const values = all(test.error, ({ mean }) => mean);
  return { kind: 'error', measure: named('error'), ...values, loss: test.error.int8?.rise ?? null };
}

/** Nothing of a network with several outputs: pairs are of one measurement each. */
function pairedTest(test: Test): PairedTest[] {
  if (test.output !== undefined) return [];
  const { outcomes, model } = test.metrics;
  const common = { stage: test.stage, outcomes, bytes: model.bytes };
  if ('accuracy' in test) {
    const { int8 } = test.accuracy;
    const measure = accuracyName(test);
    return int8 === null
      ? []
      : [{ ...common, kind: 'accuracy', measure, int8: { value: int8.top1, interval: int8.interval } }];
  }
  if ('score' in test) {
    const { int8 } = test.score;
    return int8 === null ? [] : [{ ...common, kind: 'score', measure: test.metrics.scoreName, int8 }];
  }
  const { int8 } = test.error;
  return int8 === null
    ? []
    : [{ ...common, kind: 'error', measure: 'error', int8: { value: int8.mean, interval: int8.interval } }];
}

/** Before a test stage has run, only the task is known, by what was trained. */
function headlineOf(test: Test | undefined, training: Report['training']): Headline {
  const nothing = { float: null, qat_float: null, fake_quant: null, int8: null, int8_litert: null };
  const task = test?.task ?? training.at(-1)?.metrics.task ?? null;
  if (task === null || task === 'several') return { task: null };
  if (isClassTask(task)) return { task, accuracy: test !== undefined && 'accuracy' in test ? test.accuracy : nothing };
  if (isErrorTask(task)) return { task, error: test !== undefined && 'error' in test ? test.error : nothing };
  return { task, score: test !== undefined && 'score' in test ? test.score : nothing };
}

/** The tested file, found among the outputs by its digest. */
function locateModel(model: TestMetrics['model'], stages: readonly Pick<StageRecord, 'outputs'>[]): Report['model'] {
  const output = stages
    .flatMap(({ outputs }) => Object.values(outputs))
    .find(({ digest }) => digest === `sha256:${model.sha256}`);
  return output === undefined ? null : { ...model, path: output.path };
}

function describeStage(stage: StageRecord, reads: string[]): Report['stages'][number] {
  const { name, kind, key, cached, seconds, verdict, inputs, outputs, resumedAt } = stage;
  return {
    ...{ name, kind, key, cached, seconds, verdict, inputs, outputs },
    ...(resumedAt !== undefined && { resumedAt }),
    reads,
  };
}

/** Steps of the longest chain of trainings that lead to this stage. */
function stepsBefore(name: string, stages: Report['stages'], earlier: Report['training']): number {
  const reads = stages.find((stage) => stage.name === name)?.reads ?? [];
  return Math.max(
    0,
    ...reads.map((parent) => {
      const trained = earlier.find(({ stage }) => stage === parent);
      return trained === undefined ? stepsBefore(parent, stages, earlier) : trained.stepsBefore + trained.metrics.steps;
    }),
  );
}

/** What came before a test. */
interface Before {
  readonly method: QuantizedBy;
  readonly learned: (metrics: ClassifyTest) => Learned | null;
}

function beforeTest(stage: string, stages: Report['stages'], training: Report['training']): Before {
  const chain = new Set(chainOf(stages, stage));
  const isTrained = training.some((one) => chain.has(one.stage) && one.metrics.level === 'qat');
  return {
    method: isTrained ? 'qat' : 'ptq',
    learned: (metrics) => learnedBefore(stage, metrics, stages, training),
  };
}

function summarizeTest(stage: string, metrics: TestMetrics, { method, learned }: Before): Test {
  if ('accuracy' in metrics) return summarizeClassification(stage, metrics, method, learned(metrics));
  if ('score' in metrics) return summarizeScore(stage, metrics, method);
  const summary = { stage, ...summarizeErrors(metrics, method) };
  return metrics.task === 'regress'
    ? { task: metrics.task, ...summary, metrics }
    : { task: metrics.task, ...summary, metrics };
}

function summarizeScore(stage: string, metrics: ScoreTest, method: QuantizedBy): ScoreResult {
  const { n, score, scoreName } = metrics;
  const measure = (runtime: RuntimeName): MeasuredScore | null => {
    const measured = score[runtime];
    if (measured === null) return null;
    const { value, deviation } = measured;
    const { low, high } = meanInterval(value, deviation, n);
    const drop = score.float === null || runtime === 'float' ? null : score.float.value - value;
    return { value, n, interval: { low: Math.max(0, low), high: Math.min(1, high) }, drop };
  };
  const { whole, training, quantization } = metrics.costs;
  const between = score.fake_quant?.value ?? score.int8.value;
  const before = score.int8.value + quantization.mean;
  const diagnosis = diagnose(
    { ...metrics, learned: null, method },
    {
      whole: whole === null ? null : costOfErrors(whole, n),
      training: training === null ? null : costOfErrors(training, n),
      quantization: costOfErrors(quantization, n),
      ranges: before - between,
      kernels: between - score.int8.value,
    },
    (change) => `${points(change).replace('+', '')} of the ${scoreName}`,
  );
  const lossInterval = whole === null ? null : meanInterval(whole.mean, whole.deviation, n);
  return { task: metrics.task, stage, score: forEachRuntime(measure), lossInterval, diagnosis, metrics };
}

function summarizeClassification(
  stage: string,
  metrics: ClassifyTest,
  method: QuantizedBy,
  learned: Learned | null,
): ClassifyResult {
  const measure = (runtime: RuntimeName): Measured | null => {
    const counted = metrics.accuracy[runtime];
    if (counted === null) return null;
    const { float } = metrics.accuracy;
    return {
      ...counted,
      interval: wilsonInterval(counted.correct, counted.n),
      drop: float === null || runtime === 'float' ? null : float.top1 - counted.top1,
    };
  };
  const { flips, costs, n } = metrics;
  const accuracy = forEachRuntime(measure);
  const mcnemarP = flips === null ? null : mcnemarExact(flips.rightToWrong, flips.wrongToRight);
  const { qat_float: qatFloat, fake_quant: fakeQuant, int8 } = metrics.accuracy;
  const before = qatFloat?.top1 ?? int8.top1;
  const between = fakeQuant?.top1 ?? before;
  const diagnosis = diagnose(
    { ...metrics, learned, method },
    {
      whole: flips === null ? null : costOfFlips(flips, n),
      training: costs.training === null ? null : costOfFlips(costs.training, n),
      quantization: costOfFlips(costs.quantization, n),
      ranges: before - between,
      kernels: between - int8.top1,
    },
    (change) => points(change).replace('+', ''),
  );
  const lossInterval = flips === null ? null : pairedShareInterval(flips.rightToWrong, flips.wrongToRight, n);
  return { task: metrics.task, stage, accuracy, mcnemarP, lossInterval, diagnosis, metrics };
}

/** Paired, since the same examples were counted. */
function costOfFlips({ rightToWrong, wrongToRight }: Flips, n: number): Cost {
  const change = n === 0 ? 0 : (rightToWrong - wrongToRight) / n;
  if (change <= 0) return { change, loss: 'none' };
  return { change, loss: mcnemarExact(rightToWrong, wrongToRight) < 0.05 ? 'real' : 'within_chance' };
}

function summarizeErrors(
  metrics: RegressTest | ReconstructTest,
  method: QuantizedBy,
): Pick<ReconstructResult, 'error' | 'diagnosis' | 'lossInterval'> {
  const { n, error } = metrics;
  const measure = (runtime: RuntimeName): MeasuredError | null => {
    const measured = error[runtime];
    if (measured === null) return null;
    const { mean, deviation } = measured;
    const rise = error.float === null || runtime === 'float' ? null : mean / error.float.mean - 1;
    return { mean, n, interval: meanInterval(mean, deviation, n), rise };
  };
  const errors = forEachRuntime(measure);
  const { whole, training, quantization } = metrics.costs;
  const between = error.fake_quant?.mean ?? error.int8.mean;
  const diagnosis = diagnose(
    { ...metrics, learned: null, method },
    {
      whole: whole === null ? null : costOfErrors(whole, n),
      training: training === null ? null : costOfErrors(training, n),
      quantization: costOfErrors(quantization, n),
      ranges: between - (error.int8.mean - quantization.mean),
      kernels: error.int8.mean - between,
    },
    (change) => `${significant(change)} of the ${errorName(metrics)}`,
  );
  return { error: errors, lossInterval: riseInterval(metrics), diagnosis };
}

/** Of the error's rise as a fraction of that of float, which is taken as exact. */
function riseInterval({ n, error, costs }: RegressTest | ReconstructTest): Interval | null {
  if (costs.whole === null || error.float === null || error.float.mean === 0) return null;
  const { low, high } = meanInterval(costs.whole.mean, costs.whole.deviation, n);
  return { low: low / error.float.mean, high: high / error.float.mean };
}

/** What a task's error is called. */
export function errorName({ task }: Pick<RegressTest | ReconstructTest, 'task'>): string {
  switch (task) {
    case 'regress':
      return 'mean absolute error';
    case 'reconstruct':
      return 'mean squared error';
    default:
      return unreachable(task);
  }
}

/** Paired: by the interval of the mean difference on the same examples. */
function costOfErrors({ mean, deviation }: ImageErrors, n: number): Cost {
  if (mean <= 0) return { change: mean, loss: 'none' };
  return { change: mean, loss: n > 1 && meanInterval(mean, deviation, n).low > 0 ? 'real' : 'within_chance' };
}

function forEachRuntime<T>(measure: (runtime: RuntimeName) => T): Record<RuntimeName, T> {
  return {
    float: measure('float'),
    qat_float: measure('qat_float'),
    fake_quant: measure('fake_quant'),
    int8: measure('int8'),
    int8_litert: measure('int8_litert'),
  };
}

function verdictSentence(record: RunRecord, finished: string): string {
  const last = record.stages.at(-1)?.name;
  const reached = last === undefined ? 'before any stage had a result' : `after stage ${last}`;
  switch (record.status) {
    case 'error':
      return `The run failed ${reached}.`;
    case 'interrupted':
      return `The run was interrupted ${reached}; run it again to go on.`;
    case 'running':
      return `The run is not finished: it is going on, or was killed, ${reached}.`;
    case 'pass':
    case 'fail':
      return finished;
    default:
      return unreachable(record.status);
  }
}

/** @param tests all, of which those of the other outputs of the network are said too */
function testSentence(test: Test | undefined, tests: readonly Test[], gates: readonly ReportGate[]): string {
  const outputs = tests.filter(({ stage, output }) => stage === test?.stage && output !== undefined);
  const clauses = outputs.flatMap((one) => {
    const clause = resultClause(one);
    return clause === null ? [] : [`${one.output ?? ''}: ${clause}`];
  });
  const single = test === undefined ? null : resultClause(test);
  const result = clauses.length > 0 ? clauses.join('; ') : single;
  if (result === null) return 'No test stage ran, so nothing was measured.';
  const ignorant = test === undefined ? null : ignorantAnswer(test.metrics);
  if (ignorant !== null) return `${sentenceOf(ignorant)} ${result}. ${gatesOfIgnorance(gates, test)}`;
  const unmet = gates.filter(({ ok }) => !ok);
  const [first] = unmet;
  if (gates.length === 0) return `${result}. No gate was set.`;
  if (first === undefined)
    return `${result}. ${gates.length === 1 ? 'The gate is' : gates.length === 2 ? 'Both gates are' : `All ${gates.length} gates are`} met.`;
  const others =
    unmet.length === 1 ? '' : `, nor ${unmet.length === 2 ? 'is 1 other' : `are ${unmet.length - 1} others`}`;
  return `${result}. Gate ${first.name} is not met${others}: ${gateText(first)}.`;
}

const sentenceOf = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** Gates say nothing in favour of a model that ignores its input. */
function gatesOfIgnorance(gates: readonly ReportGate[], test: Test | undefined): string {
  const remedy = test !== undefined && 'accuracy' in test ? 'add `worst_recall_min`, or mend' : 'train longer, or mend';
  const met = gates.filter(({ ok }) => ok).length;
  if (gates.length === 0) return 'No gate was set.';
  return met === 0
    ? 'No gate is met.'
    : `${met} of ${gates.length} ${gates.length === 1 ? 'gate is' : 'gates are'} met, by a model that has learned nothing: ${remedy} the data.`;
}

/** A value of int8 on both kinds of devices, beside that of float. */
interface DeviceValues {
  readonly name: string;
  readonly int8: number;
  /** Null where it was not tested. */
  readonly litert: number | null;
  readonly float: number | null;
  readonly text: (value: number) => string;
  /** From float to int8: `a drop of 0.18 pp`. */
  readonly change: (float: number, int8: number) => string;
}

/** `int8 top-1 is 98.20 % on a microcontroller and 98.10 % on a phone or browser, against 98.50 % for float: …` */
function devicesClause({ name, int8, litert, float, text, change }: DeviceValues): string {
  const isSame = litert !== null && text(litert) === text(int8);
  const where = isSame ? 'on a microcontroller, phone or browser' : 'on a microcontroller';
  const other = litert === null || isSame ? '' : ` and ${text(litert)} on a phone or browser`;
  const start = `int8 ${name} is ${text(int8)} ${where}${other}`;
  if (float === null) return `${start}; float was not measured`;
  const changed = change(float, int8);
  const both = other === '' || litert === null ? changed : bothChanges(changed, change(float, litert));
  return `${start}, against ${text(float)} for float: ${both}`;
}

/** `a drop of 0.18 pp and 0.10 pp`: what both begin with is said once. */
function bothChanges(first: string, second: string): string {
  const start = ['a drop of ', 'a gain of '].find((words) => first.startsWith(words) && second.startsWith(words)) ?? '';
  return `${first} and ${second.slice(start.length)}`;
}

function resultClause(test: Test): string | null {
  if ('accuracy' in test) {
    const { float, int8, int8_litert: litert } = test.accuracy;
    if (int8 === null) return null;
    const values = { int8: int8.top1, litert: litert?.top1 ?? null, float: float?.top1 ?? null };
    return devicesClause({ ...values, name: accuracyName(test), text: percent, change: describeDrop });
  }
  if ('score' in test) {
    const { float, int8, int8_litert: litert } = test.score;
    if (int8 === null) return null;
    const values = { int8: int8.value, litert: litert?.value ?? null, float: float?.value ?? null };
    return devicesClause({ ...values, name: test.metrics.scoreName, text: percent, change: describeDrop });
  }
  const { float, int8, int8_litert: litert } = test.error;
  if (int8 === null) return null;
  const values = { int8: int8.mean, litert: litert?.mean ?? null, float: float?.mean ?? null };
  return devicesClause({ ...values, name: errorName(test.metrics), text: significant, change: describeRise });
}

function describeRise(float: number, int8: number): string {
  const rise = int8 / float - 1;
  if (rise === 0) return 'no difference';
  return `${percent(Math.abs(rise))} ${rise > 0 ? 'more' : 'less'}`;
}

function describeDrop(float: number, int8: number): string {
  const drop = float - int8;
  if (drop === 0) return 'no difference';
  return `a ${drop > 0 ? 'drop' : 'gain'} of ${points(Math.abs(drop)).replace('+', '')}`;
}

/** `98.20 %, at least 99.00 % wanted` */
export function gateText(gate: Gate): string {
  const value = gate.value === null ? 'not measured' : gateNumber(gate.value, gate.unit);
  // The size of the file is the same everywhere, and gates of fake-quant say so in their names.
  const isAnywhere = gate.unit === 'bytes' || gate.name.startsWith('fake_quant');
  const device = isAnywhere ? '' : ` on a ${witnesses.microcontroller}`;
  return `${value}${device}, ${gateLimit(gate)} wanted`;
}

/** `at least 99.00 %` */
export function gateLimit({ rule, limit, unit }: Gate): string {
  return `${rule === 'at_least' ? 'at least' : 'at most'} ${gateNumber(limit, unit)}`;
}

export function gateNumber(value: number, unit: Gate['unit']): string {
  switch (unit) {
    case 'share':
      return percent(value);
    case 'share_difference':
      return points(value).replace('+', '');
    case 'error':
      return significant(value);
    case 'bytes':
      return bytes(value);
    case 'number':
      return Number.isInteger(value) ? integer(value) : fixed(value, 3);
    default:
      return unreachable(unit);
  }
}

/** Most stages have no metrics that the report knows; those that claim to must not vanish without a word. */
function isUnreadable({ metrics }: StageRecord): boolean {
  return 'kind' in metrics && readStageMetrics(metrics) === null;
}
