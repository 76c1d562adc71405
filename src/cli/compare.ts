import { dirname } from 'node:path';
import { writingTo } from '../runner/disk-error.ts';
import { replaceFile } from '../runner/durable.ts';
import type { Comparison, TextOptions } from '../report/compare.ts';
import { compareRuns, renderComparisonHtml, renderComparisonText } from '../report/compare.ts';
import { readRunFolder } from './report.ts';

export interface CompareOptions {
  /** Folders of the two runs. */
  readonly a: string;
  readonly b: string;
  /** Settings and metrics that differ, or all of them. */
  readonly rows?: 'differing' | 'all';
  /** Where to write a page; none by default. */
  readonly html?: string;
}

/** What differs between two runs, and its effect. */
export async function compare({ a, b, rows = 'differing', html }: CompareOptions): Promise<Comparison> {
  const comparison = compareRuns(await readRunFolder(a), await readRunFolder(b), rows);
  if (html !== undefined) {
    await writingTo(dirname(html), 'the page', () =>
      replaceFile(html, `${html}.tmp`, renderComparisonHtml(comparison)),
    );
  }
  return comparison;
}

export function comparisonText(comparison: Comparison, options: TextOptions): string {
  return renderComparisonText(comparison, options);
}
