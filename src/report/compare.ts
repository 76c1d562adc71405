import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { createColors } from 'picocolors';
import { unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import { object } from '../core/schema.ts';
import type { RunRecord } from '../runner/record.ts';
import { isCounted, nullable, runtimes } from '../measurements/metrics.ts';
import type { CountedTask, RuntimeName, TrainMetrics } from '../measurements/metrics.ts';
import {
  bytes,
  decibel,
  fixed,
  integer,
  NOT_MEASURED,
  percent,
  points,
  seconds,
  shortDigest,
  significant,
} from './format.ts';
import { Lint, placeText } from './lints.ts';
import { markup } from './markup.ts';
import type { Markup } from './markup.ts';
import { page, table } from './page.ts';
import type { Column } from './page.ts';
import { buildReport, headlineTest } from './report.ts';
import type { Measured, MeasuredError, MeasuredScore, Report } from './report.ts';
import { overlaps } from './statistics.ts';
import { textTable, wrap } from './text-table.ts';
import { accuracyName, sharedName } from './titles.ts';
import { runtimeTitles } from '../measurements/runtime-titles.ts';

const Run = object({ id: Type.String(), pipeline: Type.String(), startedAt: Type.String(), status: Type.String() });

const Setting = object({
  path: Type.String({ description: 'keys joined by dots' }),
  a: nullable(Type.String({ description: 'as JSON; null where the run does not have it' })),
  b: nullable(Type.String()),
});

const Metric = object({
  name: Type.String(),
  unit: Type.Union([
    Type.Literal('share'),
    Type.Literal('error'),
    Type.Literal('bytes'),
    Type.Literal('seconds'),
    Type.Literal('per_second'),
  ]),
  a: nullable(Type.Number()),
  b: nullable(Type.Number()),
  judgement: Type.Union(
    [
      Type.Literal('better'),
      Type.Literal('worse'),
      Type.Literal('noise'),
      Type.Literal('same'),
      Type.Literal('not_judged'),
    ],
    { description: 'of B against A; noise: the 95 % intervals overlap' },
  ),
});

const Artifact = object({
  name: Type.String({ description: 'stage/output' }),
  a: nullable(Type.String()),
  b: nullable(Type.String()),
  identical: Type.Boolean({ description: 'the same bytes, not merely the same results' }),
});

const LayerDifference = object({
  name: Type.String(),
  a: Type.Number({ description: 'SQNR of int8 against float in dB' }),
  b: Type.Number(),
});

const LintDifference = object({
  change: Type.Union([Type.Literal('came'), Type.Literal('went')], { description: 'from A to B' }),
  lint: Lint,
});

export const Comparison = object({
  schema: Type.Literal('qpipe-comparison-1'),
  a: Run,
  b: Run,
  notes: Type.Array(Type.String()),
  config: Type.Array(Setting),
  environment: Type.Array(Setting, { description: 'only what differs' }),
  metrics: Type.Array(Metric),
  artifacts: Type.Array(Artifact),
  layers: Type.Array(LayerDifference, { description: 'the largest change first' }),
  lints: Type.Array(LintDifference, { description: 'those that only one run has' }),
});
export type Comparison = Static<typeof Comparison>;
type Metric = Static<typeof Metric>;

export interface ComparedRun {
  readonly record: RunRecord;
  /** The resolved pipeline; null when it was not kept. */
  readonly config: Json;
}

/** @param rows whether equal settings are listed too */
export function compareRuns(a: ComparedRun, b: ComparedRun, rows: 'differing' | 'all' = 'differing'): Comparison {
  const reportA = buildReport(a.record);
  const reportB = buildReport(b.record);
  const config = pairSettings(a.config, b.config);
  return {
    schema: 'qpipe-comparison-1',
    a: describeRun(a.record),
    b: describeRun(b.record),
    notes: notes(reportA, reportB),
    config: rows === 'all' ? config : config.filter(differs),
    environment: pairSettings(a.record.provenance, b.record.provenance).filter(differs),
    metrics: pairMetrics(reportA, reportB),
    artifacts: pairArtifacts(reportA, reportB),
    layers: pairLayers(reportA, reportB),
    lints: pairLints(reportA, reportB),
  };
}

function describeRun({ id, pipeline, startedAt, status }: RunRecord): Static<typeof Run> {
  return { id, pipeline, startedAt, status };
}

function notes(a: Report, b: Report): string[] {
  const data = (report: Report): string =>
    report.stages
      .filter(({ name }) => name === headlineTest(report)?.stage)
      .flatMap(({ inputs }) => Object.values(inputs))
      .filter(({ type }) => type.startsWith('Dataset'))
      .map(({ digest }) => digest)
      .join(' ');
  const found: string[] = [];
  if (a.tests.length === 0 || b.tests.length === 0) {
    found.push('At least one run has no test stage: accuracy cannot be compared.');
  } else if (a.task !== b.task) {
    found.push('The networks of the runs have different tasks: their results cannot be compared.');
  } else if (data(a) !== data(b)) {
    found.push('The runs were tested on different data: this may explain a difference in accuracy.');
  }
  if (a.model !== null && a.model.sha256 === b.model?.sha256) {
    found.push('Both runs made the same model file, byte for byte.');
  }
  return found;
}

function differs(setting: Static<typeof Setting>): boolean {
  return setting.a !== setting.b;
}

function pairSettings(a: Json, b: Json): Static<typeof Setting>[] {
  const [left, right] = [leaves(a), leaves(b)];
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort();
  return paths.map((path) => ({ path, a: left.get(path) ?? null, b: right.get(path) ?? null }));
}

/** Every value that is not an object, by its path. Lists are values: their places are not names. */
function leaves(value: Json, path = ''): Map<string, string> {
  if (value === null && path === '') return new Map();
  const isList = Array.isArray(value) && !value.some((item) => typeof item === 'object' && item !== null);
  if (typeof value !== 'object' || value === null || isList) {
    return new Map([[path, JSON.stringify(value)]]);
  }
  return new Map(
    Object.entries(value).flatMap(([key, child]) => [...leaves(child, path === '' ? key : `${path}.${key}`)]),
  );
}

function pairMetrics(a: Report, b: Report): Metric[] {
  const result: Metric[] = [...pairAccuracies(a, b), ...pairErrors(a, b), ...pairScores(a, b)];
  const add = (
    name: string,
    unit: Metric['unit'],
    left: number | null | undefined,
    right: number | null | undefined,
    judge: 'less_is_better' | 'not_judged',
  ): void => {
    const [x, y] = [left ?? null, right ?? null];
    if (x === null && y === null) return;
    result.push({ name, unit, a: x, b: y, judgement: judge === 'not_judged' ? judge : judgeSize(x, y) });
  };
  add('model file', 'bytes', a.model?.bytes, b.model?.bytes, 'less_is_better');
  const trained = [...new Set([...a.training, ...b.training].map(({ stage }) => stage))];
  for (const stage of trained) {
    const [left, right] = [a, b].map((report) => report.training.find((one) => one.stage === stage)?.metrics);
    add(
      `${stage}: validation ${sharedName(countedTaskOf(left) ?? countedTaskOf(right) ?? 'classify')}`,
      'share',
      lastAccuracy(left),
      lastAccuracy(right),
      'not_judged',
    );
    add(`${stage}: validation error`, 'error', lastError(left), lastError(right), 'not_judged');
    add(`${stage}: images per second`, 'per_second', left?.imagesPerSecond, right?.imagesPerSecond, 'not_judged');
  }
  const work = (report: Report) => report.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  add('time of all stages', 'seconds', work(a), work(b), 'not_judged');
  return result;
}

function countedTaskOf(metrics: TrainMetrics | undefined): CountedTask | null {
  return metrics !== undefined && isCounted(metrics) ? metrics.task : null;
}

function lastAccuracy(metrics: TrainMetrics | undefined): number | null {
  return metrics !== undefined && isCounted(metrics) ? (metrics.epochs.at(-1)?.validationAccuracy ?? null) : null;
}

function lastError(metrics: TrainMetrics | undefined): number | null {
  return metrics !== undefined && !isCounted(metrics) ? (metrics.epochs.at(-1)?.validationLoss ?? null) : null;
}

/** What of a report belongs to a task; nothing of a report of another. */
function pairAccuracies(a: Report, b: Report): Metric[] {
  const measured = (report: Report, runtime: RuntimeName) => ('accuracy' in report ? report.accuracy[runtime] : null);
  return runtimes.flatMap((runtime): Metric[] => {
    const [left, right] = [measured(a, runtime), measured(b, runtime)];
    if (left === null && right === null) return [];
    const judgement = judgeAccuracy(left, right);
    const name = `${'accuracy' in a ? accuracyName(a) : 'top-1'} ${runtimeTitles[runtime]}`;
    return [{ name, unit: 'share', a: left?.top1 ?? null, b: right?.top1 ?? null, judgement }];
  });
}

function pairErrors(a: Report, b: Report): Metric[] {
  const measured = (report: Report, runtime: RuntimeName) => ('error' in report ? report.error[runtime] : null);
  return runtimes.flatMap((runtime): Metric[] => {
    const [left, right] = [measured(a, runtime), measured(b, runtime)];
    if (left === null && right === null) return [];
    const judgement = judgeError(left, right);
    const kind = a.task === 'regress' || b.task === 'regress' ? 'absolute' : 'squared';
    const name = `mean ${kind} error ${runtimeTitles[runtime]}`;
    return [{ name, unit: 'error', a: left?.mean ?? null, b: right?.mean ?? null, judgement }];
  });
}

function pairScores(a: Report, b: Report): Metric[] {
  const measured = (report: Report, runtime: RuntimeName) => ('score' in report ? report.score[runtime] : null);
  const [last] = [a, b].flatMap(({ tests }) =>
    tests.flatMap((test) => ('score' in test ? [test.metrics.scoreName] : [])),
  );
  return runtimes.flatMap((runtime): Metric[] => {
    const [left, right] = [measured(a, runtime), measured(b, runtime)];
    if (left === null && right === null) return [];
    const judgement = judgeScore(left, right);
    const name = `${last ?? 'score'} ${runtimeTitles[runtime]}`;
    return [{ name, unit: 'share', a: left?.value ?? null, b: right?.value ?? null, judgement }];
  });
}

function judgeScore(a: MeasuredScore | null, b: MeasuredScore | null): Metric['judgement'] {
  if (a === null || b === null) return 'not_judged';
  if (a.value === b.value && a.n === b.n) return 'same';
  if (overlaps(a.interval, b.interval)) return 'noise';
  return b.value > a.value ? 'better' : 'worse';
}

function judgeError(a: MeasuredError | null, b: MeasuredError | null): Metric['judgement'] {
  if (a === null || b === null) return 'not_judged';
  if (a.mean === b.mean && a.n === b.n) return 'same';
  if (overlaps(a.interval, b.interval)) return 'noise';
  return b.mean < a.mean ? 'better' : 'worse';
}

function judgeAccuracy(a: Measured | null, b: Measured | null): Metric['judgement'] {
  if (a === null || b === null) return 'not_judged';
  if (a.correct === b.correct && a.n === b.n) return 'same';
  if (overlaps(a.interval, b.interval)) return 'noise';
  return b.top1 > a.top1 ? 'better' : 'worse';
}

function judgeSize(a: number | null, b: number | null): Metric['judgement'] {
  if (a === null || b === null) return 'not_judged';
  return a === b ? 'same' : b < a ? 'better' : 'worse';
}

function pairArtifacts(a: Report, b: Report): Static<typeof Artifact>[] {
  const digests = (report: Report): Map<string, string> =>
    new Map(
      report.stages.flatMap((stage) =>
        Object.entries(stage.outputs).map(([output, { digest }]) => [`${stage.name}/${output}`, digest] as const),
      ),
    );
  const [left, right] = [digests(a), digests(b)];
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const [x, y] = [left.get(name) ?? null, right.get(name) ?? null];
    return { name, a: x, b: y, identical: x !== null && x === y };
  });
}

function pairLayers(a: Report, b: Report): Static<typeof LayerDifference>[] {
  const others = new Map(headlineTest(b)?.metrics.layers.map((layer) => [layer.name, layer.floatSqnrDb]));
  return (headlineTest(a)?.metrics.layers ?? [])
    .flatMap(({ name, floatSqnrDb }) => {
      const other = others.get(name) ?? null;
      return floatSqnrDb === null || other === null ? [] : [{ name, a: floatSqnrDb, b: other }];
    })
    .sort((x, y) => Math.abs(y.b - y.a) - Math.abs(x.b - x.a));
}

/** The same lint of the same layer is the same, whatever its numbers; of a pipeline, only its words tell it from others. */
function pairLints(a: Report, b: Report): Static<typeof LintDifference>[] {
  const keyOf = ({ stage, code, layer, found }: Lint): string =>
    JSON.stringify([stage, code, layer, stage === null && layer === null ? found : null]);
  const missingFrom = (lints: readonly Lint[], others: readonly Lint[]): Lint[] => {
    const known = new Set(others.map(keyOf));
    return lints.filter((lint) => !known.has(keyOf(lint)));
  };
  return [
    ...missingFrom(b.lints, a.lints).map((lint) => ({ change: 'came' as const, lint })),
    ...missingFrom(a.lints, b.lints).map((lint) => ({ change: 'went' as const, lint })),
  ];
}

// Rendering

/** What both renderers show, in cells of text. */
interface Sheet {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How each row went, for its last cell's colour. */
  readonly judgements: readonly Metric['judgement'][];
  readonly numbers: 'right' | 'left';
}

function sheets(comparison: Comparison): Sheet[] {
  const { config, environment, metrics, artifacts, layers, lints } = comparison;
  const settings = (title: string, rows: Comparison['config']): Sheet => ({
    title,
    head: ['Setting', 'A', 'B'],
    rows: rows.map(({ path, a, b }) => [path, a ?? NOT_MEASURED, b ?? NOT_MEASURED]),
    judgements: [],
    numbers: 'left',
  });
  const all: Sheet[] = [
    {
      title: 'Metrics',
      head: ['Metric', 'A', 'B', 'B \u2212 A', ''],
      rows: metrics.map((metric) => [
        metric.name,
        metricText(metric.a, metric.unit),
        metricText(metric.b, metric.unit),
        deltaText(metric),
        judgementTexts[metric.judgement],
      ]),
      judgements: metrics.map(({ judgement }) => judgement),
      numbers: 'right',
    },
    {
      title: 'Lints',
      head: ['Lint', 'Where', 'Found', 'B against A'],
      rows: lints.map(({ change, lint }) => [lint.code, placeText(lint), lint.found, change]),
      judgements: lints.map(({ change }) => (change === 'came' ? 'worse' : 'better')),
      numbers: 'left',
    },
    settings('Settings', config),
    settings('Environment', environment),
    {
      title: 'Artifacts',
      head: ['Artifact', 'A', 'B', ''],
      rows: artifacts.map(({ name, a, b, identical }) => [
        name,
        a === null ? NOT_MEASURED : shortDigest(a),
        b === null ? NOT_MEASURED : shortDigest(b),
        identical ? 'identical bytes' : 'differs',
      ]),
      judgements: [],
      numbers: 'left',
    },
    {
      title: 'SQNR per layer, int8 to float',
      head: ['Layer', 'A', 'B', 'B \u2212 A'],
      rows: layers.map(({ name, a, b }) => [name, decibel(a), decibel(b), signed(b - a, decibel)]),
      judgements: [],
      numbers: 'right',
    },
  ];
  return all.filter(({ rows }) => rows.length > 0);
}

const judgementTexts: Readonly<Record<Metric['judgement'], string>> = {
  better: 'better',
  worse: 'worse',
  noise: 'within noise',
  same: 'same',
  not_judged: '',
};

function metricText(value: number | null, unit: Metric['unit']): string {
  if (value === null) return NOT_MEASURED;
  switch (unit) {
    case 'share':
      return percent(value);
    case 'error':
      return significant(value);
    case 'bytes':
      return bytes(value);
    case 'seconds':
      return seconds(value);
    case 'per_second':
      return integer(value);
    default:
      return unreachable(unit);
  }
}

function deltaText({ a, b, unit }: Metric): string {
  if (a === null || b === null) return NOT_MEASURED;
  if (unit === 'share') return points(b - a);
  if (unit === 'bytes') return signed(b - a, (value) => `${integer(value)} B`);
  return a === 0 ? NOT_MEASURED : signed(100 * (b / a - 1), (value) => `${fixed(value, 1)} %`);
}

function signed(value: number, format: (value: number) => string): string {
  const text = format(value);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

export interface TextOptions {
  readonly color: 'color' | 'plain';
  /** Columns of the terminal; longer cells are broken into lines. */
  readonly width: number;
}

export function renderComparisonText(comparison: Comparison, options: TextOptions): string {
  const colors = createColors(options.color === 'color');
  const { a, b } = comparison;
  const heads = [`A  ${a.id}  ${a.status}`, `B  ${b.id}  ${b.status}`, ...comparison.notes];
  const lines = heads.flatMap((text) => wrap(text, options.width));
  for (const sheet of sheets(comparison)) {
    lines.push('', colors.bold(sheet.title), ...sheetText(sheet, options.width, colors));
  }
  if (comparison.config.length === 0) lines.push('', 'The settings are equal.');
  return `${lines.join('\n').replaceAll('\u202f', ' ')}\n`;
}

function sheetText(sheet: Sheet, width: number, colors: ReturnType<typeof createColors>): string[] {
  const { head, rows, judgements } = sheet;
  const paint = (text: string, row: number, column: number): string => {
    if (row < 0) return colors.dim(text);
    if (!isJudged(sheet, column)) return text;
    if (judgements[row] === 'better') return colors.green(text);
    if (judgements[row] === 'worse') return colors.red(text);
    return colors.dim(text);
  };
  const columns = head.map((title, column) => {
    return { head: title, kind: isNumber(sheet, column) ? ('numbers' as const) : ('words' as const) };
  });
  return textTable(columns, rows, width, paint);
}

const isNumber = ({ numbers }: Sheet, column: number): boolean => column > 0 && column < 4 && numbers === 'right';

/** The last column of metrics and lints says how it went. */
const isJudged = ({ numbers }: Sheet, column: number): boolean => column === 4 || (column === 3 && numbers === 'left');

/** One self-contained page, like the report. */
export function renderComparisonHtml(comparison: Comparison): string {
  const { a, b } = comparison;
  return page(
    `${a.id} and ${b.id} \u2013 qpipe compare`,
    markup`<header><h1>${a.pipeline === b.pipeline ? a.pipeline : `${a.pipeline} and ${b.pipeline}`}</h1>
<p class="byline"><span>A <span class="mono">${a.id}</span>, ${a.status}</span><span>B <span class="mono">${b.id}</span>, ${b.status}</span></p></header>
${
  comparison.notes.length === 0
    ? null
    : markup`<div class="verdict plain">${comparison.notes.map((note) => markup`<p>${note}</p>`)}</div>`
}
${sheets(comparison).map((sheet) => markup`<section><h2>${sheet.title}</h2>${htmlTable(sheet)}</section>`)}
${comparison.config.length === 0 ? markup`<section><p class="muted">The settings are equal.</p></section>` : null}`,
  );
}

function htmlTable(sheet: Sheet): Markup {
  const rows = sheet.rows.map((cells, index) => ({ cells, judgement: sheet.judgements[index] ?? 'not_judged' }));
  const columns = sheet.head.map((head, column): Column<(typeof rows)[number]> => ({
    head,
    kind: isNumber(sheet, column) ? 'number' : 'text',
    cell: ({ cells, judgement }) => {
      const text = cells[column] ?? '';
      return isJudged(sheet, column) ? markup`<span class="${judgement}">${text}</span>` : text;
    },
  }));
  return table(rows, columns, { sorting: 'fixed', width: 'full' });
}
