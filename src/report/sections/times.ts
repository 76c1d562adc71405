/** How long a test took, apart from its results, where it would read like what a device needs. */
import type { RuntimeName } from '../../measurements/metrics.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { integer, seconds } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';

interface TimedRow {
  readonly runtime: RuntimeName;
  readonly measured: { readonly n: number };
  readonly seconds: number | null;
}

/** Null where nothing was timed. */
export function timesOf(rows: readonly TimedRow[]): Markup | null {
  const timed = rows.flatMap(({ runtime, seconds: time, measured }) =>
    time === null ? [] : [{ runtime, time, n: measured.n }],
  );
  if (timed.length === 0) return null;
  return markup`<details><summary>How long this test took</summary><p class="lead">All test examples, on the computer that ran qpipe. This says nothing of how fast a device is.</p>${table(
    timed,
    [
      { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
      { head: 'Examples', kind: 'number', cell: ({ n }) => integer(n) },
      { head: 'Took', kind: 'number', cell: ({ time }) => seconds(time) },
    ],
    { sorting: 'fixed', width: 'narrow' },
  )}</details>`;
}
