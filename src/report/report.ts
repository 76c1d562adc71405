import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import { object } from '../core/schema.ts';
import { exp } from '../core/math.ts';
import { type RunRecord, runRecordSchema, type StageRecord, stageRecordSchema } from '../runner/record.ts';
import {
  ClassifyTest,
  ConvertMetrics,
  Gate,
  ModelFile,
  nullable,
  readStageMetrics,
  ReconstructTest,
  type RuntimeName,
  type TestMetrics,
  TrainMetrics,
} from '../stages/metrics.ts';
import { bytes, fixed, integer, percent, points, significant } from './format.ts';
import { mcnemarExact, meanInterval, wilsonInterval } from './statistics.ts';

const Measured = object({
  top1: Type.Number({ minimum: 0, maximum: 1 }),
  correct: Type.Integer(),
  n: Type.Integer(),
  interval: Type.Object({ low: Type.Number(), high: Type.Number() }, { description: '95 %, Wilson' }),
  drop: nullable(Type.Number({ description: 'float top1 minus this top1, as a share' })),
});

const perRuntime = <T extends TSchema>(schema: T) =>
  object({
    float: nullable(schema),
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

const Diagnosis = object({
  layer: Type.String({ description: 'the layer after which the most noise has been added' }),
  blame: Type.Union([Type.Literal('ranges'), Type.Literal('integer_kernel')]),
  sqnrDb: Type.Number({ description: 'int8 against float at that layer' }),
  kernelShare: Type.Number({ description: 'of the noise power there, what the integer kernels explain; 0..1' }),
});

const testProperties = { stage: Type.String(), diagnosis: nullable(Diagnosis) };

const ClassifyResult = object({
  ...testProperties,
  task: Type.Literal('classify'),
  accuracy: Accuracy,
  mcnemarP: nullable(Type.Number({ description: 'float against int8 on the same examples, exact, two-sided' })),
  metrics: ClassifyTest,
});

const ReconstructResult = object({
  ...testProperties,
  task: Type.Literal('reconstruct'),
  error: ReconstructionError,
  metrics: ReconstructTest,
});

const Test = Type.Union([ClassifyResult, ReconstructResult]);

const Stage = Type.Composite([
  Type.Omit(stageRecordSchema, ['metrics']),
  Type.Object({
    reads: Type.Array(Type.String(), { description: 'names of the stages whose outputs are its inputs' }),
  }),
]);

/** What the last test stage measured, by the task of the network. */
const Headline = Type.Union([
  Type.Object({ task: Type.Literal('classify'), accuracy: Accuracy }),
  Type.Object({ task: Type.Literal('reconstruct'), error: ReconstructionError }),
  Type.Object({ task: Type.Null({ description: 'no stage had a result that says the task' }) }),
]);

const Body = Type.Object({
  schema: Type.Literal('qpipe-report-1'),
  run: Type.Omit(runRecordSchema, ['schema', 'stages']),
  sentence: Type.String(),
  gates: Type.Array(Type.Composite([Gate, Type.Object({ stage: Type.String() })], { additionalProperties: false })),
  model: nullable(
    Type.Composite([ModelFile, Type.Object({ path: Type.String({ description: 'relative to the run folder' }) })], {
      additionalProperties: false,
    }),
  ),
  lints: Type.Array(object({ code: Type.String(), message: Type.String() })),
  stages: Type.Array(Stage),
  training: Type.Array(
    object({
      stage: Type.String(),
      stepsBefore: Type.Integer({ description: 'steps of the training it continues' }),
      metrics: TrainMetrics,
    }),
  ),
  conversions: Type.Array(object({ stage: Type.String(), metrics: ConvertMetrics })),
  tests: Type.Array(Test),
  config: Type.Unsafe<Json>({}),
});

/** `report.json`. What was measured and `model` are those of the last test stage; `gates` are those of all of them. */
export const Report = Type.Intersect([Body, Headline]);

export type Report = Static<typeof Report>;
export type Accuracy = Static<typeof Accuracy>;
export type Measured = Static<typeof Measured>;
export type ReportGate = Report['gates'][number];
export type ClassifyResult = Static<typeof ClassifyResult>;
export type ReconstructResult = Static<typeof ReconstructResult>;
export type MeasuredError = Static<typeof MeasuredError>;
type Test = ClassifyResult | ReconstructResult;
type Headline = Static<typeof Headline>;
type Lint = Report['lints'][number];

/** @param config the resolved pipeline, shown as it is; null when it was not kept */
export function buildReport(record: RunRecord, config: Json = null): Report {
  const stages = record.stages.map((stage) => describeStage(stage, record.stages));
  const measured = record.stages.map((stage) => ({ stage: stage.name, metrics: readStageMetrics(stage.metrics) }));
  const training: Report['training'] = [];
  const conversions: Report['conversions'] = [];
  const tests: Test[] = [];
  for (const { stage, metrics } of measured) {
    if (metrics === null) continue;
    switch (metrics.kind) {
      case 'train':
        training.push({ stage, stepsBefore: stepsBefore(stage, stages, training), metrics });
        break;
      case 'convert':
        conversions.push({ stage, metrics });
        break;
      case 'test':
        tests.push(summarizeTest(stage, metrics));
        break;
      default:
        unreachable(metrics);
    }
  }
  const headline = tests.at(-1);
  const gates = tests.flatMap((test) => test.metrics.gates.map((gate) => ({ stage: test.stage, ...gate })));
  const { id, pipeline, status, startedAt, seconds, provenance } = record;
  return {
    schema: 'qpipe-report-1',
    run: { id, pipeline, status, startedAt, seconds, provenance },
    sentence: verdictSentence(record, headline, gates),
    ...headlineOf(headline, training),
    gates,
    model: headline === undefined ? null : locateModel(headline.metrics.model, record.stages),
    lints: [
      ...record.stages.flatMap((stage) => (isUnreadable(stage) ? [unreadable(stage.name)] : [])),
      ...training.flatMap(({ stage, metrics }) => trainingLints(stage, metrics)),
      ...conversions.flatMap(({ stage, metrics }) =>
        metrics.adjustments.map((message) => ({ code: 'adjusted', message: `${stage}: ${message}` })),
      ),
      ...tests.flatMap(testLints),
    ],
    stages,
    training,
    conversions,
    tests,
    config,
  };
}

/** Before a test stage has run, only the task is known, by what was trained. */
function headlineOf(test: Test | undefined, training: Report['training']): Headline {
  const nothing = { float: null, fake_quant: null, int8: null, int8_litert: null };
  const task = test?.task ?? training.at(-1)?.metrics.task ?? null;
  switch (task) {
    case 'classify':
      return { task, accuracy: test?.task === task ? test.accuracy : nothing };
    case 'reconstruct':
      return { task, error: test?.task === task ? test.error : nothing };
    case null:
      return { task };
    default:
      return unreachable(task);
  }
}

/** The tested file, found among the outputs by its digest. */
function locateModel(model: TestMetrics['model'], stages: readonly StageRecord[]): Report['model'] {
  const output = stages
    .flatMap(({ outputs }) => Object.values(outputs))
    .find(({ digest }) => digest === `sha256:${model.sha256}`);
  return output === undefined ? null : { ...model, path: output.path };
}

function describeStage(stage: StageRecord, all: readonly StageRecord[]): Report['stages'][number] {
  const { name, kind, key, cached, seconds, verdict, inputs, outputs } = stage;
  const digests = new Set<string>(Object.values(stage.inputs).map(({ digest }) => digest));
  const earlier = all.slice(0, all.indexOf(stage));
  const reads = earlier.filter((other) => Object.values(other.outputs).some(({ digest }) => digests.has(digest)));
  return { name, kind, key, cached, seconds, verdict, inputs, outputs, reads: reads.map((other) => other.name) };
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

function summarizeTest(stage: string, metrics: TestMetrics): Test {
  switch (metrics.task) {
    case 'classify':
      return summarizeClassification(stage, metrics);
    case 'reconstruct':
      return summarizeReconstruction(stage, metrics);
    default:
      return unreachable(metrics);
  }
}

function summarizeClassification(stage: string, metrics: ClassifyTest): ClassifyResult {
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
  const { flips } = metrics;
  return {
    task: 'classify',
    stage,
    accuracy: forEachRuntime(measure),
    mcnemarP: flips === null ? null : mcnemarExact(flips.rightToWrong, flips.wrongToRight),
    diagnosis: diagnose(metrics.layers),
    metrics,
  };
}

function summarizeReconstruction(stage: string, metrics: ReconstructTest): ReconstructResult {
  const { n, error } = metrics;
  const measure = (runtime: RuntimeName): MeasuredError | null => {
    const measured = error[runtime];
    if (measured === null) return null;
    const { mean, deviation } = measured;
    const rise = error.float === null || runtime === 'float' ? null : mean / error.float.mean - 1;
    return { mean, n, interval: meanInterval(mean, deviation, n), rise };
  };
  const diagnosis = diagnose(metrics.layers);
  return { task: 'reconstruct', stage, error: forEachRuntime(measure), diagnosis, metrics };
}

function forEachRuntime<T>(measure: (runtime: RuntimeName) => T): Record<RuntimeName, T> {
  return {
    float: measure('float'),
    fake_quant: measure('fake_quant'),
    int8: measure('int8'),
    int8_litert: measure('int8_litert'),
  };
}

/**
 * The layer after which the noise against float has grown most, in shares of the signal's power, and whether the
 * integer kernels (int8 against fake-quant) make up more than half of it.
 */
function diagnose(layers: TestMetrics['layers']): Test['diagnosis'] {
  let worst: Test['diagnosis'] = null;
  let largestGrowth = 0;
  let before = 0;
  for (const { name, sqnrDb, floatSqnrDb } of layers) {
    if (floatSqnrDb === null) continue;
    const noise = powerRatio(-floatSqnrDb);
    if (noise - before > largestGrowth) {
      largestGrowth = noise - before;
      const kernelShare = sqnrDb === null ? 0 : Math.min(1, powerRatio(-sqnrDb) / noise);
      worst = {
        layer: name,
        blame: kernelShare > 0.5 ? 'integer_kernel' : 'ranges',
        sqnrDb: floatSqnrDb,
        kernelShare,
      };
    }
    before = noise;
  }
  return worst;
}

function powerRatio(decibel: number): number {
  return exp((decibel / 10) * Math.LN10);
}

function verdictSentence(record: RunRecord, test: Test | undefined, gates: readonly ReportGate[]): string {
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
      return testSentence(test, gates);
    default:
      return unreachable(record.status);
  }
}

function testSentence(test: Test | undefined, gates: readonly ReportGate[]): string {
  const result = test === undefined ? null : resultClause(test);
  if (result === null) return 'No test stage ran, so nothing was measured.';
  const unmet = gates.filter(({ ok }) => !ok);
  const [first] = unmet;
  if (gates.length === 0) return `${result}. No gate was set.`;
  if (first === undefined)
    return `${result}. ${gates.length === 1 ? 'The gate is' : `All ${gates.length} gates are`} met.`;
  const others =
    unmet.length === 1 ? '' : `, nor ${unmet.length === 2 ? 'is 1 other' : `are ${unmet.length - 1} others`}`;
  return `${result}. Gate ${first.name} is not met${others}: ${gateText(first)}.`;
}

function resultClause(test: Test): string | null {
  switch (test.task) {
    case 'classify': {
      const { float, int8 } = test.accuracy;
      if (int8 === null) return null;
      return float === null || int8.drop === null
        ? `int8 top-1 is ${percent(int8.top1)}; float was not measured`
        : `int8 top-1 is ${percent(int8.top1)} against ${percent(float.top1)} for float: ${describeDrop(int8.drop)}`;
    }
    case 'reconstruct': {
      const { float, int8 } = test.error;
      if (int8 === null) return null;
      return float === null || int8.rise === null
        ? `int8 mean squared error is ${significant(int8.mean)}; float was not measured`
        : `int8 mean squared error is ${significant(int8.mean)} against ${significant(float.mean)} for float: ${describeRise(int8.rise)}`;
    }
    default:
      return unreachable(test);
  }
}

function describeRise(rise: number): string {
  if (rise === 0) return 'no difference';
  return `${percent(Math.abs(rise))} ${rise > 0 ? 'more' : 'less'}`;
}

function describeDrop(drop: number): string {
  if (drop === 0) return 'no difference';
  return `a ${drop > 0 ? 'drop' : 'gain'} of ${points(Math.abs(drop)).replace('+', '')}`;
}

/** `98.20 %, at least 99.00 % wanted` */
export function gateText(gate: Gate): string {
  const rule = gate.rule === 'at_least' ? 'at least' : 'at most';
  const value = gate.value === null ? 'not measured' : gateNumber(gate.value, gate.unit);
  return `${value}, ${rule} ${gateNumber(gate.limit, gate.unit)} wanted`;
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

function unreadable(stage: string): Lint {
  const message = `${stage}: its metrics are left out, they hold a number that is not finite or are of another version.`;
  return { code: 'metrics-unreadable', message };
}

function trainingLints(stage: string, metrics: TrainMetrics): Lint[] {
  if (metrics.level === 'float') return [];
  const lints: Lint[] = [];
  const { delay, decay, ranges, steps } = metrics;
  const memory = Math.round(1 / (1 - decay));
  const cold = ranges.filter(({ updates }) => updates < memory);
  if (cold.length > 0) {
    const some = cold.slice(0, 3).map(({ name, updates }) => `${name} (${integer(updates)})`);
    const rest = cold.length > 3 ? ` and ${cold.length - 3} more` : '';
    lints.push({
      code: 'ranges-not-warm',
      message: `${stage}: fewer range updates than the moving average remembers (${integer(memory)} at decay ${decay}): ${some.join(', ')}${rest}. Train longer or lower the decay.`,
    });
  }
  if (delay >= steps) {
    lints.push({
      code: 'delay-too-long',
      message: `${stage}: the delay of ${integer(delay)} steps is not over after ${integer(steps)} steps, so fake quantization was never applied.`,
    });
  } else if (delay > 0 && delay < memory) {
    lints.push({
      code: 'delay-too-short',
      message: `${stage}: fake quantization starts at step ${integer(delay)}, before the ranges are warm (${integer(memory)} updates at decay ${decay}).`,
    });
  }
  return lints;
}

function testLints(test: Test): Lint[] {
  const { stage, metrics } = test;
  const lints: Lint[] = [];
  if (measurements(test).float === null) {
    lints.push({
      code: 'no-baseline',
      message: `${stage}: float was not measured, so the cost of quantization is unknown.`,
    });
  }
  if (metrics.litertNote !== null) {
    lints.push({ code: 'litert', message: `${stage}: ${metrics.litertNote}` });
  }
  switch (test.task) {
    case 'classify':
      return [...sizeLints(test), ...lints, ...agreementLints(test)];
    case 'reconstruct':
      return [...lints, ...errorLints(test)];
    default:
      return unreachable(test);
  }
}

/** What a test says of each model, whatever the task. */
export function measurements(test: Test): Record<RuntimeName, Measured | MeasuredError | null> {
  switch (test.task) {
    case 'classify':
      return test.accuracy;
    case 'reconstruct':
      return test.error;
    default:
      return unreachable(test);
  }
}

/** Top-1 of few images says little. */
function sizeLints({ stage, accuracy: { int8 }, metrics }: ClassifyResult): Lint[] {
  if (int8 === null) return [];
  const half = (int8.interval.high - int8.interval.low) / 2;
  const limits = metrics.gates.filter(({ unit }) => unit === 'share_difference').map(({ limit }) => limit);
  const wanted = Math.min(...limits, 0.02);
  if (half <= wanted) return [];
  const message = `${stage}: ${integer(int8.n)} examples give top-1 only to within ${points(half).replace('+', '\u00b1')}; differences of ${points(wanted).replace('+', '')} cannot be told from chance by accuracy alone.`;
  return [{ code: 'n-too-small', message }];
}

function agreementLints({ stage, metrics }: ClassifyResult): Lint[] {
  const { int8_vs_litert: agreement } = metrics.agreement;
  if (agreement === null || agreement >= 0.995) return [];
  const message = `${stage}: LiteRT and the reference give the same label for ${percent(agreement)} of the examples.`;
  return [{ code: 'runtimes-disagree', message }];
}

function errorLints({ stage, error: { int8, int8_litert: litert } }: ReconstructResult): Lint[] {
  if (int8 === null || litert === null || Math.abs(litert.mean - int8.mean) <= 0.005 * int8.mean) return [];
  const message = `${stage}: the mean squared error is ${significant(litert.mean)} with LiteRT and ${significant(int8.mean)} with the reference.`;
  return [{ code: 'runtimes-disagree', message }];
}
