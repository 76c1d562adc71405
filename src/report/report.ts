import { type Static, Type } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import { object } from '../core/schema.ts';
import { type RunRecord, runRecordSchema, type StageRecord, stageRecordSchema } from '../runner/record.ts';
import {
  ConvertMetrics,
  Gate,
  ModelFile,
  nullable,
  readStageMetrics,
  type RuntimeName,
  TestMetrics,
  TrainMetrics,
} from '../stages/metrics.ts';
import { diagnose, Diagnosis, type Loss } from './diagnosis.ts';
import { bytes, fixed, integer, percent, points } from './format.ts';
import { conversionLints, Lint, testLints, trainingLints, unreadableLint } from './lints.ts';
import { mcnemarExact, wilsonInterval } from './statistics.ts';

const Measured = object({
  top1: Type.Number({ minimum: 0, maximum: 1 }),
  correct: Type.Integer(),
  n: Type.Integer(),
  interval: Type.Object({ low: Type.Number(), high: Type.Number() }, { description: '95 %, Wilson' }),
  drop: nullable(Type.Number({ description: 'float top1 minus this top1, as a share' })),
});

const Accuracy = object({
  float: nullable(Measured),
  fake_quant: nullable(Measured),
  int8: nullable(Measured),
  int8_litert: nullable(Measured),
});

const Test = object({
  stage: Type.String(),
  accuracy: Accuracy,
  mcnemarP: nullable(Type.Number({ description: 'float against int8 on the same examples, exact, two-sided' })),
  diagnosis: nullable(Diagnosis),
  metrics: TestMetrics,
});

const Stage = Type.Composite([
  Type.Omit(stageRecordSchema, ['metrics']),
  Type.Object({
    reads: Type.Array(Type.String(), { description: 'names of the stages whose outputs are its inputs' }),
  }),
]);

/** `report.json`. `accuracy` and `model` are those of the last test stage; `gates` are those of all of them. */
export const Report = object({
  schema: Type.Literal('qpipe-report-1'),
  run: Type.Omit(runRecordSchema, ['schema', 'stages']),
  sentence: Type.String(),
  accuracy: Accuracy,
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
  conversions: Type.Array(object({ stage: Type.String(), metrics: ConvertMetrics })),
  tests: Type.Array(Test),
  config: Type.Unsafe<Json>({}),
});

export type Report = Static<typeof Report>;
export type Accuracy = Static<typeof Accuracy>;
export type Measured = Static<typeof Measured>;
export type ReportGate = Report['gates'][number];
type Test = Static<typeof Test>;

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
    accuracy: headline?.accuracy ?? { float: null, fake_quant: null, int8: null, int8_litert: null },
    gates,
    model: headline === undefined ? null : locateModel(headline.metrics.model, record.stages),
    lints: [
      ...record.stages.flatMap((stage) => (isUnreadable(stage) ? [unreadableLint(stage.name)] : [])),
      ...training.flatMap(({ stage, metrics }) => trainingLints(stage, metrics)),
      ...conversions.flatMap(({ stage, metrics }) => conversionLints(stage, metrics)),
      ...tests.flatMap(({ stage, metrics }) => testLints(stage, metrics)),
    ],
    stages,
    training,
    conversions,
    tests,
    config,
  };
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
  const accuracy = {
    float: measure('float'),
    fake_quant: measure('fake_quant'),
    int8: measure('int8'),
    int8_litert: measure('int8_litert'),
  };
  const mcnemarP = flips === null ? null : mcnemarExact(flips.rightToWrong, flips.wrongToRight);
  return { stage, accuracy, mcnemarP, diagnosis: diagnose(metrics.layers, lossOf({ accuracy, mcnemarP })), metrics };
}

/** Of accuracy, from float to int8: paired where the same examples were counted. */
function lossOf({ accuracy, mcnemarP }: Pick<Test, 'accuracy' | 'mcnemarP'>): Loss {
  const drop = accuracy.int8?.drop ?? null;
  if (drop === null || mcnemarP === null) return 'not_measured';
  if (drop <= 0) return 'none';
  return mcnemarP < 0.05 ? 'real' : 'within_chance';
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
  const int8 = test?.accuracy.int8;
  if (test === undefined || int8 === null || int8 === undefined) return 'No test stage ran, so nothing was measured.';
  const { float } = test.accuracy;
  const accuracy =
    float === null || int8.drop === null
      ? `int8 top-1 is ${percent(int8.top1)}; float was not measured`
      : `int8 top-1 is ${percent(int8.top1)} against ${percent(float.top1)} for float: ${describeDrop(int8.drop)}`;
  const unmet = gates.filter(({ ok }) => !ok);
  const [first] = unmet;
  if (gates.length === 0) return `${accuracy}. No gate was set.`;
  if (first === undefined)
    return `${accuracy}. ${gates.length === 1 ? 'The gate is' : `All ${gates.length} gates are`} met.`;
  const others =
    unmet.length === 1 ? '' : `, nor ${unmet.length === 2 ? 'is 1 other' : `are ${unmet.length - 1} others`}`;
  return `${accuracy}. Gate ${first.name} is not met${others}: ${gateText(first)}.`;
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
