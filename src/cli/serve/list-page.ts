/** The list of all runs: filtered, sorted and picked by one form, so that it needs no script. */
import { counted } from '../../core/words.ts';
import { percent, significant } from '../../report/format.ts';
import { markup, trustedMarkup } from '../../report/markup.ts';
import type { Markup } from '../../report/markup.ts';
import type { RunStatus } from '../../runner/record.ts';
import type { ListedRun } from '../ls.ts';
import { whenText } from '../ls.ts';
import { durationText } from '../words.ts';
import { servedPage } from './frame.ts';

const statuses: readonly RunStatus[] = ['pass', 'fail', 'running', 'interrupted', 'error'];

interface ListColumn {
  readonly key: string;
  readonly head: string;
  readonly kind: 'text' | 'number';
  readonly cell: (run: ListedRun) => Markup | string;
  /** What it is sorted by; null is last. */
  readonly value: (run: ListedRun) => string | number | null;
}

const columns: readonly ListColumn[] = [
  {
    key: 'run',
    head: 'Run',
    kind: 'text',
    cell: ({ id }) => markup`<a class="mono" href="/runs/${encodeURIComponent(id)}/">${id}</a>`,
    value: ({ id }) => id,
  },
  {
    key: 'pipeline',
    head: 'Pipeline',
    kind: 'text',
    cell: ({ pipeline }) => pipeline,
    value: ({ pipeline }) => pipeline,
  },
  {
    key: 'status',
    head: 'Status',
    kind: 'text',
    cell: ({ status }) => markup`<span class="status-${status}">${status}</span>`,
    value: ({ status }) => status,
  },
  {
    key: 'started',
    head: 'Started',
    kind: 'text',
    cell: ({ startedAt }) => whenText(startedAt),
    value: ({ startedAt }) => startedAt,
  },
  {
    key: 'took',
    head: 'Took',
    kind: 'number',
    cell: ({ seconds }) => durationText(seconds),
    value: ({ seconds }) => seconds,
  },
  {
    key: 'int8',
    head: 'int8',
    kind: 'number',
    cell: ({ measured }) => (measured === null ? '' : measuredText(measured)),
    value: ({ measured }) => measured?.values.at(-1) ?? null,
  },
];

function measuredText({ name, kind, values }: NonNullable<ListedRun['measured']>): Markup {
  const format = kind === 'share' ? percent : significant;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return markup`${low === high ? format(low) : `${format(low)} to ${format(high)}`}<small>${name}</small>`;
}

/** What the list is asked to show. */
interface Wanted {
  readonly filter: string;
  readonly status: string;
  readonly column: ListColumn | undefined;
  readonly direction: 1 | -1;
  readonly sort: string;
  readonly picked: ReadonlySet<string>;
}

function wantedOf(query: URLSearchParams): Wanted {
  // A head that was clicked follows the order of before.
  const sort = query.getAll('sort').at(-1) ?? '-started';
  const key = sort.replace(/^-/, '');
  return {
    filter: query.get('filter')?.trim() ?? '',
    status: query.get('status') ?? '',
    column: columns.find((column) => column.key === key),
    direction: sort.startsWith('-') ? -1 : 1,
    sort,
    picked: new Set(query.getAll('run')),
  };
}

/** @param folder that holds the runs, as it was named */
export function listPage(runs: readonly ListedRun[], folder: string, query: URLSearchParams): string {
  const wanted = wantedOf(query);
  const shown = arranged(runs, wanted);
  const hidden = [...wanted.picked].filter(
    (id) => runs.some((run) => run.id === id) && !shown.some((run) => run.id === id),
  );
  return servedPage(
    'Runs',
    markup`<header><h1>Runs</h1><p class="byline"><span><span id="count">${countText(shown, runs)}</span> in <span class="mono">${folder}</span></span></p></header>
<form method="get" action="/">
<input type="hidden" name="sort" value="${wanted.sort}">${hidden.map((id) => markup`<input type="hidden" name="run" value="${id}">`)}
<div class="bar-form"><label>Name or pipeline contains<input type="search" name="filter" value="${wanted.filter}"></label>
<label>Status<select name="status"><option value="">any</option>${statuses.map(
      (status) => markup`<option${status === wanted.status ? markup` selected` : null}>${status}</option>`,
    )}</select></label>
<button>Filter</button><button class="strong" formaction="/compare">Compare the picked runs</button></div>
${hidden.length === 0 ? null : markup`<p class="muted">${counted(hidden.length, 'picked run')} ${hidden.length === 1 ? 'is' : 'are'} not among those shown.</p>`}
<div id="live">${tableOrWords(shown, runs, wanted)}</div>
</form>
${script}`,
  );
}

/** What changes on the page while it is open, as it is asked for. */
export function listState(runs: readonly ListedRun[], query: URLSearchParams): { count: string; table: string } {
  const wanted = wantedOf(query);
  const shown = arranged(runs, wanted);
  return { count: countText(shown, runs), table: tableOrWords(shown, runs, wanted).markup };
}

const countText = (shown: readonly ListedRun[], all: readonly ListedRun[]): string =>
  shown.length === all.length ? counted(all.length, 'run') : `${shown.length} of ${counted(all.length, 'run')}`;

const tableOrWords = (shown: readonly ListedRun[], all: readonly ListedRun[], wanted: Wanted): Markup =>
  shown.length === 0 ? markup`<p>${emptyText(all.length)}</p>` : runsTable(shown, wanted);

/** Puts what the server says in its place; what was picked meanwhile stays picked, and the focus where it was. */
const script = trustedMarkup(`<script>
const live = document.getElementById('live');
new EventSource('/events' + location.search).addEventListener('state', ({ data }) => {
  const { count, table } = JSON.parse(data);
  const picked = new Map([...live.querySelectorAll('input')].map((box) => [box.value, box.checked]));
  const focused = live.contains(document.activeElement) ? document.activeElement.value : null;
  document.getElementById('count').textContent = count;
  live.innerHTML = table;
  for (const box of live.querySelectorAll('input')) box.checked = picked.get(box.value) ?? box.checked;
  if (focused !== null) [...live.querySelectorAll('input, button')].find(({ value }) => value === focused)?.focus();
});
</script>`);

const emptyText = (runs: number): string =>
  runs === 0 ? 'There are no runs yet: `qpipe run` makes one, which then appears here.' : 'No run is like that.';

function arranged(runs: readonly ListedRun[], { filter, status, column, direction }: Wanted): readonly ListedRun[] {
  const words = filter.toLowerCase().split(/\s+/);
  const kept = runs.filter(
    (run) =>
      (status === '' || run.status === status) &&
      words.every((word) => `${run.id} ${run.pipeline}`.toLowerCase().includes(word)),
  );
  return column === undefined ? kept : kept.toSorted((a, b) => order(column.value(a), column.value(b), direction));
}

function order(a: string | number | null, b: string | number | null, direction: 1 | -1): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a === b ? 0 : (a < b ? -1 : 1) * direction;
}

function runsTable(runs: readonly ListedRun[], { column: sorted, direction, picked }: Wanted): Markup {
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="runs"><table class="full runs"><thead><tr><th scope="col">Pick</th>${columns.map(
    ({ key, head, kind }) => {
      const isSorted = key === sorted?.key;
      const state = !isSorted
        ? null
        : direction === 1
          ? markup` aria-sort="ascending"`
          : markup` aria-sort="descending"`;
      const next = isSorted && direction === 1 ? `-${key}` : key;
      return markup`<th scope="col" class="${kind === 'number' ? 'n' : ''}"${state}><button name="sort" value="${next}">${head}</button></th>`;
    },
  )}</tr></thead><tbody>
${runs.map(
  (run) => markup`<tr><td><label><input type="checkbox" name="run" value="${run.id}" aria-label="pick ${run.id}"${
    picked.has(run.id) ? markup` checked` : null
  }></label></td>${columns.map(({ kind, cell }) => markup`<td class="${kind === 'number' ? 'n' : ''}">${cell(run)}</td>`)}</tr>
`,
)}</tbody></table></div>`;
}
