/** `report.json` from the record of a run: what its stages measured, put side by side. */
import { present, unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import type { MatrixRecord, RunRecord, StageRecord } from '../runner/record.ts';
import { readStageMetrics } from '../measurements/metrics.ts';
import type { RuntimeName, TestMetrics } from '../measurements/metrics.ts';
import type { Lint } from './lints.ts';
import { conversionLints, importLints, pipelineLint, testLints, trainingLints, unreadableLint } from './lints.ts';
import type { CellMeasure, CellTest } from './matrix.ts';
import { matrixReport } from './matrix.ts';
import { branchesAsMatrix, lineReader, readsOf } from './lines-of-stages.ts';
import type { PairedTest } from './sections/quantizations.ts';
import { quantizationPairs } from './sections/quantizations.ts';
import { accuracyName } from './titles.ts';
import { limitsOf } from './gate-text.ts';
import { headlineOf, headlineTest, locateModel, sideBySide } from './report.ts';
import type { Report, ReportGate, Test } from './report.ts';
import { testSentence, verdictSentence } from './sentence.ts';
import { beforeTest, summarizeTest } from './tested.ts';

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
  const limits = limitsOf(gatesOf([test, ...others]));
  return {
    test: test.stage,
    ...{ outcomes, examples, limits },
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

/** Most stages have no metrics that the report knows; those that claim to must not vanish without a word. */
function isUnreadable({ metrics }: StageRecord): boolean {
  return 'kind' in metrics && readStageMetrics(metrics) === null;
}
