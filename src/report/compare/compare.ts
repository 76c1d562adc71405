/** What differs between runs, and whether it made a difference: one structure, which text, Markdown and page show. */
import type { Json } from '../../core/json.ts';
import type { RunRecord } from '../../runner/record.ts';
import { placeText } from '../lints.ts';
import type { Lint } from '../lints.ts';
import { buildReport } from '../build-report.ts';
import type { Report } from '../report.ts';
import { answersAlike, contrastApart, contrastInt8, flippedExamples, judgeTogether } from './contrast.ts';
import { measuresOf } from './measures.ts';
import { nameOf } from './names.ts';
import { notesOf, sentenceOf } from './sentence.ts';
import { differs, pairSettings } from './settings.ts';
import type { FindPlace } from './settings.ts';
import type { Comparison, Contrast, MeasuredModel, TestComparison, Training } from './schema.ts';
import type { MatchedTest, Tested } from './tested.ts';
import { measuredRuntimes, testsOf } from './tested.ts';
import { tradeoffOf } from './tradeoff.ts';

export interface ComparedRun {
  readonly record: RunRecord;
  /** The resolved pipeline; null when it was not kept. */
  readonly config: Json;
  /** Where the pipeline says a setting; without it no setting has a place. */
  readonly findPlace?: FindPlace;
}

/**
 * Compares every run with the first.
 *
 * @param runs two or more
 * @param rows whether equal settings and measures are listed too
 */
export function compareRuns(runs: readonly ComparedRun[], rows: 'differing' | 'all' = 'differing'): Comparison {
  const reports = runs.map(({ record }) => buildReport(record));
  const wanted = <T>(all: T[], isDifferent: (one: T) => boolean): T[] =>
    rows === 'all' ? all : all.filter(isDifferent);
  const configs = runs.map(({ config }) => config);
  const settings = pairSettings(
    configs,
    runs.map(({ findPlace }) => findPlace ?? null),
  );
  const { tests, unmatched, matched } = pairTests(reports);
  const facts = {
    schema: 'qpipe-comparison-2' as const,
    runs: runs.map(({ record }, index) => describeRun(record, index)),
    ...{ tests, unmatched },
    settings: wanted(settings, differs),
    environment: environmentOf(runs).filter(differs),
    measures: wanted(measuresOf(reports), ({ values }) => values.some((value) => value !== values[0])),
    training: pairTrainings(reports),
    artifacts: pairArtifacts(reports),
    lints: pairLints(reports),
    tradeoff: tradeoffOf(reports.map(testsOf)),
  };
  const changed = settings.filter(differs);
  return { ...facts, sentence: sentenceOf(facts, changed, matched), notes: notesOf(facts, matched) };
}

function describeRun({ id, pipeline, startedAt, status }: RunRecord, index: number): Comparison['runs'][number] {
  return { name: nameOf(index), id, pipeline, startedAt, status };
}

/** How a run was called is left out: what it changed is among the settings. */
function environmentOf(runs: readonly ComparedRun[]): Comparison['environment'] {
  const all = runs.map(({ record }): Json => {
    const { commandLine: _commandLine, ...environment } = record.provenance;
    return environment;
  });
  return pairSettings(all).map(({ path, values }) => ({ path, values }));
}

function pairTests(
  reports: readonly Report[],
): Pick<Comparison, 'tests' | 'unmatched'> & { readonly matched: readonly MatchedTest[] } {
  const all = reports.map(testsOf);
  const matched = matchTests(all);
  const taken = new Set(matched.flatMap(({ tests }) => tests));
  const unmatched = all.flatMap((tests, run) => {
    const left = tests.filter((test) => !taken.has(test)).map(({ name }) => name);
    return left.length === 0 ? [] : [{ run: nameOf(run), tests: left }];
  });
  return { tests: contrastTests(matched), unmatched, matched };
}

/** By name; where every run has a single test stage, these belong together whatever they are called. */
function matchTests(all: readonly (readonly Tested[])[]): MatchedTest[] {
  const isSingle = all.every((tests) => new Set(tests.map(({ stage }) => stage)).size === 1);
  const keyOf = (test: Tested): string => (isSingle ? (test.output ?? '') : test.name);
  const keys = [...new Set(all.flatMap((tests) => tests.map(keyOf)))];
  return keys
    .map((key) => {
      const tests = all.map((each) => each.find((test) => keyOf(test) === key) ?? null);
      return { name: tests.find((test) => test !== null)?.name ?? key, tests };
    })
    .filter(({ tests }) => tests.filter((test) => test !== null).length > 1);
}

function contrastTests(matched: readonly MatchedTest[]): TestComparison[] {
  const pairs = matched.flatMap(({ tests }, at) =>
    tests.flatMap((test, run) => {
      const [first = null] = tests;
      const contrast = run === 0 ? null : contrastInt8(first, test);
      if (contrast === null || first === null || test === null) return [];
      return [{ at, run, kind: first.kind, contrast, sameAnswers: answersAlike(first, test) }];
    }),
  );
  const judged = judgeTogether(pairs);
  return matched.map((one, at) =>
    describeTest(one, (run) => judged[pairs.findIndex((pair) => pair.at === at && pair.run === run)] ?? null),
  );
}

function describeTest({ name, tests }: MatchedTest, int8Of: (run: number) => Contrast | null): TestComparison {
  const [first = null] = tests;
  const known = tests.find((test) => test !== null);
  const { kind, measure } = known ?? { kind: 'accuracy' as const, measure: '' };
  const alike = (test: Tested | null): boolean => test !== null && test.kind === kind && test.measure === measure;
  const models = measuredRuntimes(tests).map((runtime): MeasuredModel => {
    const values = tests.map((test) => (alike(test) ? (test?.values[runtime] ?? null) : null));
    return {
      runtime,
      values: values.map((one) => one && { value: one.value, ...one.interval, n: one.n }),
      against: values.map((value, run) => {
        if (run === 0) return null;
        return runtime === 'int8' ? int8Of(run) : contrastApart(kind, values[0] ?? null, value);
      }),
    };
  });
  const flips = tests.flatMap((test, run) => {
    const found = run === 0 || first === null || test === null ? null : flippedExamples(first, test);
    return found === null ? [] : [{ run: nameOf(run), ...found }];
  });
  return { test: name, kind, measure, models, flips, layers: pairLayers(tests) };
}

function pairLayers(tests: readonly (Tested | null)[]): TestComparison['layers'] {
  const names = [...new Set(tests.flatMap((test) => test?.layers.map(({ name }) => name) ?? []))];
  return names
    .map((name) => ({
      name,
      values: tests.map((test) => test?.layers.find((layer) => layer.name === name)?.sqnrDb ?? null),
    }))
    .filter(({ values }) => changeOf(values) > 0)
    .sort((x, y) => changeOf(y.values) - changeOf(x.values));
}

/** The largest against the first. */
const changeOf = ([first = null, ...others]: readonly (number | null)[]): number =>
  Math.max(0, ...others.map((value) => (value === null || first === null ? 0 : Math.abs(value - first))));

function pairTrainings(reports: readonly Report[]): Training[] {
  const stages = [...new Set(reports.flatMap(({ training }) => training.map(({ stage }) => stage)))];
  return stages.map((stage) => {
    const models = reports.map((report) => outputDigests(report, stage));
    const curves = reports.map(({ training }) => {
      const metrics = training.find((one) => one.stage === stage)?.metrics;
      if (metrics === undefined) return null;
      return {
        steps: metrics.steps,
        delay: metrics.level === 'qat' ? metrics.delay : null,
        loss: metrics.history.map(({ step, loss }): [number, number] => [step, loss]),
        validation: metrics.epochs.flatMap(({ step, validationLoss }): [number, number][] =>
          validationLoss === null ? [] : [[step, validationLoss]],
        ),
      };
    });
    return { stage, identical: models.every((digests) => digests !== '' && digests === models[0]), curves };
  });
}

const outputDigests = ({ stages }: Report, stage: string): string =>
  Object.values(stages.find(({ name }) => name === stage)?.outputs ?? {})
    .map(({ digest }) => digest)
    .join(' ');

function pairArtifacts(reports: readonly Report[]): Comparison['artifacts'] {
  const all = reports.map(
    ({ stages }) =>
      new Map(
        stages.flatMap((stage) =>
          Object.entries(stage.outputs).map(([output, { digest }]) => [`${stage.name}/${output}`, digest] as const),
        ),
      ),
  );
  return [...new Set(all.flatMap((digests) => [...digests.keys()]))].map((name) => {
    const digests = all.map((found) => found.get(name) ?? null);
    return { name, digests, identical: digests.every((digest) => digest !== null && digest === digests[0]) };
  });
}

/** The same lint of the same layer is the same, whatever its numbers; of a pipeline, only its words tell it from others. */
function pairLints(reports: readonly Report[]): Comparison['lints'] {
  const keyOf = ({ stage, code, layer, found }: Lint): string =>
    JSON.stringify([stage, code, layer, stage === null && layer === null ? found : null]);
  const all = reports.map(({ lints }) => new Map(lints.map((lint) => [keyOf(lint), lint])));
  const every = new Map(all.flatMap((lints) => [...lints]));
  return [...every].flatMap(([key, lint]) => {
    const values = all.map((lints) => lints.get(key)?.found ?? null);
    if (!values.includes(null)) return [];
    return [{ code: lint.code, place: placeText(lint), severity: lint.severity, values }];
  });
}
