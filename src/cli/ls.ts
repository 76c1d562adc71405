/** `qpipe ls`: the runs of a folder. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { createColors } from 'picocolors';
import { percent, significant } from '../report/format.ts';
import type { Test } from '../report/report.ts';
import { buildReport } from '../report/build-report.ts';
import { errorName } from '../report/titles.ts';
import { textTable } from '../report/text-table.ts';
import { accuracyName } from '../report/titles.ts';
import { thisOwner } from '../runner/owner.ts';
import type { RunRecord, RunStatus } from '../runner/record.ts';
import { listRuns } from '../runner/runs.ts';
import { settleRun } from '../runner/settle.ts';
import { durationText, shortened } from './words.ts';

export interface LsOptions {
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** How many of the newest; default: all. */
  readonly limit?: number;
}

export interface ListedRun extends Pick<RunRecord, 'id' | 'pipeline' | 'startedAt'> {
  readonly status: RunStatus;
  /** So far, of a run that goes on; of one that was killed, until its last sign of life. */
  readonly seconds: number;
  /** Of the int8 model; null before a test stage has ended. */
  readonly measured: MeasuredRun | null;
}

export interface MeasuredRun {
  /** What is measured, for example `top-1` or `mean absolute error`. */
  readonly name: string;
  readonly kind: 'share' | 'error';
  /** Of each test stage, in the order of the plan; a matrix has several. */
  readonly values: readonly number[];
}

/** The newest first. Empty without the folder. */
export async function ls({ runs = 'runs', limit = Infinity }: LsOptions = {}): Promise<readonly ListedRun[]> {
  const folder = resolve(runs);
  const records = await listRuns(folder, limit);
  return Promise.all(records.map((record) => describe(join(folder, record.id), record)));
}

async function describe(folder: string, record: RunRecord): Promise<ListedRun> {
  const now = Date.now();
  const settled = await settleRun(folder, record, thisOwner(), now);
  const { id, pipeline, startedAt, status } = settled;
  // A record without a time is that of a run that has not ended, or that could not say so.
  const isOpen = settled.seconds === 0;
  const until = status === 'running' ? now : await lastSign(folder);
  const seconds = isOpen ? Math.max(0, (until - Date.parse(startedAt)) / 1000) : settled.seconds;
  return { id, pipeline, startedAt, status, seconds, measured: measuredBy(buildReport(settled).tests) };
}

/** Milliseconds since 1970. */
async function lastSign(folder: string): Promise<number> {
  return stat(join(folder, 'events.ndjson')).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

function measuredBy(tests: readonly Test[]): MeasuredRun | null {
  const measured = tests.flatMap((test) => measureOf(test) ?? []);
  const [first] = measured;
  if (first === undefined) return null;
  const alike = measured.filter(({ name }) => name === first.name);
  return { name: first.name, kind: first.kind, values: alike.map(({ value }) => value) };
}

function measureOf(test: Test): (Pick<MeasuredRun, 'name' | 'kind'> & { readonly value: number }) | null {
  if ('accuracy' in test) {
    const { int8 } = test.accuracy;
    return int8 === null ? null : { name: accuracyName(test), kind: 'share', value: int8.top1 };
  }
  if ('score' in test) {
    const { int8 } = test.score;
    return int8 === null ? null : { name: test.metrics.scoreName, kind: 'share', value: int8.value };
  }
  const { int8 } = test.error;
  return int8 === null ? null : { name: errorName(test.metrics), kind: 'error', value: int8.mean };
}

const columns = [
  ...['run', 'status'].map((head) => ({ head, kind: 'words' as const })),
  { head: 'started', kind: 'words' as const },
  { head: 'took', kind: 'numbers' as const },
  { head: 'int8', kind: 'words' as const },
];

/** Which columns there are, the first that fits. The id names the run for other commands and begins with the time. */
const layouts: readonly (readonly number[])[] = [
  [0, 1, 2, 3, 4],
  [0, 1, 3, 4],
  [0, 1, 4],
  [0, 1],
];

/**
 * A line for each run. The id begins with the time and the name of the pipeline, so that neither has a column.
 *
 * @param width columns of the terminal; Infinity shortens nothing
 */
export function lsText(runs: readonly ListedRun[], width: number, colors: ReturnType<typeof createColors>): string {
  if (runs.length === 0) return 'no runs yet; `qpipe run` makes one';
  const rows = runs.map(({ id, status, startedAt, seconds, measured }) => [
    ...[id, status, whenText(startedAt), durationText(seconds), measured === null ? '' : measuredText(measured)],
  ]);
  const shown = layouts.find((layout) => tableWidth(rows, layout) <= width) ?? [0];
  const paint = (text: string, row: number, column: number): string => {
    if (row < 0) return colors.dim(text);
    return column === 1 ? colorOf(runs[row]?.status, colors)(text) : text;
  };
  const lines = textTable(
    columns.filter((_, column) => shown.includes(column)),
    rows.map((row) => row.filter((_, column) => shown.includes(column))),
    Infinity,
    paint,
  );
  const narrow = shown.length === 1 ? lines.map((line) => shortened(line, width)) : lines;
  return narrow.join('\n').replaceAll('\u202f', ' ');
}

function tableWidth(rows: readonly (readonly string[])[], layout: readonly number[]): number {
  const cells = [columns.map(({ head }) => head), ...rows];
  const widths = layout.map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return widths.reduce((sum, one) => sum + one, 2 * (layout.length - 1));
}

function measuredText({ name, kind, values }: MeasuredRun): string {
  const format = kind === 'share' ? percent : significant;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = low === high ? format(low) : `${format(low)} to ${format(high)}`;
  return `${name} ${text}`;
}

/** In the time of this machine, to the minute. */
export function whenText(startedAt: string): string {
  const date = new Date(startedAt);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function colorOf(status: RunStatus | undefined, colors: ReturnType<typeof createColors>) {
  switch (status) {
    case 'pass':
      return colors.green;
    case 'fail':
    case 'error':
      return colors.red;
    case 'interrupted':
      return colors.yellow;
    default:
      return colors.cyan;
  }
}
