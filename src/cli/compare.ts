import { dirname } from 'node:path';
import { UserError } from '../core/diagnostic.ts';
import type { ComparedRun, Comparison, TextOptions } from '../report/compare/index.ts';
import {
  compareRuns,
  renderComparisonHtml,
  renderComparisonMarkdown,
  renderComparisonText,
} from '../report/compare/index.ts';
import { writingTo } from '../runner/disk-error.ts';
import { replaceFile } from '../runner/durable.ts';
import { runFolder } from './find-run.ts';
import { readRunFolder } from './report.ts';
import { settingPlaces } from './setting-places.ts';

export interface CompareOptions {
  /** Folders or ids of two or more runs. Each is compared with the first. */
  readonly runs: readonly [string, string, ...string[]];
  /** Where ids are looked for; default `runs` in the current folder. */
  readonly folder?: string;
  /** Settings and measures that differ, or all of them. */
  readonly rows?: 'differing' | 'all';
  /** Where to write a page; none by default. */
  readonly html?: string;
}

/**
 * What differs between runs, and its effect.
 *
 * @throws UserError when one of them is no run
 */
export async function compare({
  runs,
  folder = 'runs',
  rows = 'differing',
  html,
}: CompareOptions): Promise<Comparison> {
  const compared = await readAll(runs.map((run) => runFolder(run, folder)));
  const comparison = compareRuns(compared, rows);
  if (html !== undefined) {
    await writingTo(dirname(html), 'the page', () =>
      replaceFile(html, `${html}.tmp`, renderComparisonHtml(comparison)),
    );
  }
  return comparison;
}

/** All that are no runs are named at once. */
async function readAll(folders: readonly string[]): Promise<readonly ComparedRun[]> {
  const read = await Promise.allSettled(folders.map(readComparedRun));
  const failures = read.flatMap((one): Error[] =>
    one.status === 'rejected' && one.reason instanceof Error ? [one.reason] : [],
  );
  const other = failures.find((failure) => !(failure instanceof UserError));
  if (other !== undefined) throw other;
  const mistakes = failures.flatMap((failure) => (failure instanceof UserError ? failure.diagnostics : []));
  if (mistakes.length > 0) throw new UserError(mistakes);
  return read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/** @param folder of the run */
export async function readComparedRun(folder: string): Promise<ComparedRun> {
  const { record, config } = await readRunFolder(folder);
  return { record, config, findPlace: settingPlaces(folder, record) };
}

export function comparisonText(comparison: Comparison, options: TextOptions): string {
  return renderComparisonText(comparison, options);
}

/** For a pull request: a sentence, a short table, and the rest folded. */
export function comparisonMarkdown(comparison: Comparison): string {
  return renderComparisonMarkdown(comparison);
}
