/** Which classes are taken for which, and what quantization changes in it. */
import type { ClassifyTest } from '../../measurements/metrics.ts';
import { fixed, integer, NOT_MEASURED, percent, points } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import { scrollArea } from '../scroll-area.ts';

/** Classes of which a matrix is shown at most. */
const LARGEST_MATRIX = 24;
const TOP_PAIRS = 20;
/** Classes that are shown at once; the others are folded in. */
const MOST_CLASSES = 16;

type Counts = readonly (readonly number[])[];
type Measured = Pick<ClassifyTest, 'classes' | 'confusion' | 'confusionBefore'>;

/** @param id of the section, which the parts of the page are named after */
export function confusionSection(metrics: Measured, id: string): Markup | null {
  const { classes, confusion, confusionBefore: before } = metrics;
  if (confusion.length === 0) return null;
  const name = before?.model === 'qat_float' ? 'float (QAT weights)' : 'float';
  const pairs = confusion.length <= LARGEST_MATRIX ? matrices(metrics, name, id) : worstPairs(metrics, name);
  return markup`${pairs}
${before === null ? null : markup`<div class="shares">${(['Recall', 'Precision'] as const).map((kind) => sharesTable(kind, name, classes, before.counts, confusion))}</div>`}`;
}

const at = (counts: Counts, label: number, guess: number): number => counts[label]?.[guess] ?? 0;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function matrices({ classes, confusion, confusionBefore: before }: Measured, name: string, id: string): Markup {
  const counts = matrix(classes, confusion, 'int8', (label, guess) => countCell(confusion, label, guess));
  if (before === null) return markup`<p class="lead">${countsLead}</p>${counts}`;
  const largest = Math.max(
    1,
    ...confusion.flatMap((row, label) => row.map((value, guess) => Math.abs(value - at(before.counts, label, guess)))),
  );
  const changes = matrix(classes, confusion, `int8 minus ${name}`, (label, guess) =>
    changeCell(at(confusion, label, guess) - at(before.counts, label, guess), label === guess, largest),
  );
  return markup`<div class="toggle"><input type="radio" name="${id}" id="${id}-counts" checked><label for="${id}-counts">int8</label><input type="radio" name="${id}" id="${id}-change"><label for="${id}-change">int8 minus ${name}</label>
<div class="pane"><p class="lead">${countsLead}</p>${counts}</div>
<div class="pane"><p class="lead">Rows are true classes, columns are answers: how many examples more (+) or fewer (\u2212) int8 puts there than ${name}. Blue is better: more right answers, fewer mistakes. Orange is worse.</p>${changes}</div></div>`;
}

const countsLead =
  'Rows are true classes, columns are answers of int8. Darker blue: a larger part of the class is right. Darker orange: more mistakes.';

interface Cell {
  readonly tone: string;
  /** 0..1 */
  readonly depth: number;
  readonly text: string;
}

function countCell(confusion: Counts, label: number, guess: number): Cell {
  const value = at(confusion, label, guess);
  const most = Math.max(1, ...confusion.flatMap((row, of) => row.filter((_, other) => other !== of)));
  const depth = value / Math.max(1, guess === label ? sum(confusion[label] ?? []) : most);
  return { tone: guess === label ? 'right' : 'wrong', depth, text: integer(value) };
}

function changeCell(change: number, isDiagonal: boolean, largest: number): Cell {
  const isBetter = isDiagonal ? change > 0 : change < 0;
  const text = change > 0 ? `+${integer(change)}` : integer(change);
  return { tone: isBetter ? 'right' : 'wrong', depth: Math.abs(change) / largest, text };
}

function matrix(
  classes: readonly string[],
  confusion: Counts,
  title: string,
  cellOf: (label: number, guess: number) => Cell,
): Markup {
  const className = (index: number): string => classes[index] ?? String(index);
  return scrollArea(
    `confusion, ${title}`,
    markup`<table class="confusion"><thead><tr><td></td>${classes.map(
      (name) => markup`<th scope="col">${name}</th>`,
    )}</tr></thead><tbody>
${confusion.map(
  (row, label) => markup`<tr><th scope="row">${className(label)}</th>${row.map((_, guess) => {
    const { tone, depth, text } = cellOf(label, guess);
    const classNames = `${tone}${depth === 0 ? ' zero' : ''}`;
    return markup`<td class="${classNames}" style="--v:${depth.toFixed(3)}" title="${className(label)}, answered ${className(guess)}">${text}</td>`;
  })}</tr>
`,
)}</tbody></table>`,
  );
}

interface Pair {
  readonly label: number;
  readonly guess: number;
  readonly value: number;
  readonly earlier: number | null;
}

function worstPairs({ classes, confusion, confusionBefore: before }: Measured, name: string): Markup {
  const pairs = confusion
    .flatMap((row, label) =>
      row.map((value, guess): Pair => ({
        ...{ label, guess, value },
        earlier: before === null ? null : at(before.counts, label, guess),
      })),
    )
    .filter(({ label, guess }) => label !== guess);
  const top = (rank: (pair: Pair) => number): Pair[] =>
    pairs
      .filter((pair) => rank(pair) > 0)
      .sort((a, b) => rank(b) - rank(a) || a.label - b.label || a.guess - b.guess)
      .slice(0, TOP_PAIRS);
  const changed = top(({ value, earlier }) => (earlier === null ? 0 : Math.abs(value - earlier)));
  return markup`<p class="lead">${confusion.length} classes are too many for a matrix: these are the pairs that are confused most.</p>
${pairsTable(
  top(({ value }) => value),
  classes,
  name,
)}
${
  changed.length === 0
    ? null
    : markup`<h3>Pairs that quantization changes most</h3>${pairsTable(changed, classes, name)}`
}`;
}

function pairsTable(pairs: readonly Pair[], classes: readonly string[], name: string): Markup {
  const isCompared = pairs.some(({ earlier }) => earlier !== null);
  const className = (index: number): string => classes[index] ?? String(index);
  return table(
    pairs,
    [
      { head: 'True class', kind: 'text', cell: ({ label }) => className(label) },
      { head: 'Answer', kind: 'text', cell: ({ guess }) => className(guess) },
      ...(isCompared
        ? [{ head: name, kind: 'number' as const, cell: ({ earlier }: Pair) => integer(earlier ?? 0) }]
        : []),
      { head: 'int8', kind: 'number', cell: ({ value }) => integer(value) },
    ],
    { sorting: 'fixed', width: 'narrow' },
  );
}

interface ClassShare {
  readonly name: string;
  readonly n: number;
  readonly before: number | null;
  readonly after: number | null;
}

/** Of the examples of a class, or of the answers with it, what share is right. */
function sharesOf(kind: 'Recall' | 'Precision', counts: Counts): { right: number; whole: number }[] {
  return counts.map((row, label) => ({
    right: row[label] ?? 0,
    whole: sum(kind === 'Recall' ? row : counts.map((other) => other[label] ?? 0)),
  }));
}

function sharesTable(
  kind: 'Recall' | 'Precision',
  name: string,
  classes: readonly string[],
  before: Counts,
  after: Counts,
): Markup {
  const share = ({ right, whole } = { right: 0, whole: 0 }): number | null => (whole === 0 ? null : right / whole);
  const [earlier, later] = [sharesOf(kind, before), sharesOf(kind, after)];
  const rows = classes.map((className, label): ClassShare => ({
    ...{ name: className, n: later[label]?.whole ?? 0 },
    ...{ before: share(earlier[label]), after: share(later[label]) },
  }));
  const known = rows.flatMap(({ before: was, after: is }) => [was, is]).filter((value) => value !== null);
  const low = Math.floor(10 * Math.min(0.9, ...known)) / 10;
  const change = ({ before: was, after: is }: ClassShare): number => (was === null || is === null ? 0 : is - was);
  const ordered = rows.length <= MOST_CLASSES ? rows : rows.toSorted((a, b) => change(a) - change(b));
  const rest = ordered.slice(MOST_CLASSES);
  const what =
    kind === 'Recall'
      ? 'Of the examples of a class, the share that is'
      : 'Of the answers with a class, the share that is';
  const order = rest.length === 0 ? '' : ` The classes that lose most come first.`;
  return markup`<div><h3>${kind} by class</h3><p class="lead">${what} right, from ${name} (ring) to int8 (dot); blue where int8 is as good or better, orange where it is worse.${order}</p>
${dumbbells(kind, ordered.slice(0, MOST_CLASSES), low)}${
    rest.length === 0
      ? null
      : markup`<details><summary>${rest.length} more classes</summary>${dumbbells(kind, rest, low)}</details>`
  }</div>`;
}

function dumbbells(kind: string, rows: readonly ClassShare[], low: number): Markup {
  const place = (value: number): number => (100 * (value - low)) / (1 - low);
  return markup`<table class="dumbbells"><thead><tr><th scope="col">Class</th><th scope="col" class="axis"><span>${fixed(100 * low, 0)}</span><span>100 %</span></th><th scope="col" class="n">int8</th><th scope="col" class="n">change</th></tr></thead><tbody>
${rows.map(({ name, n, before, after }) => {
  if (before === null || after === null)
    return markup`<tr><th scope="row">${name}</th><td></td><td class="n">${after === null ? NOT_MEASURED : percent(after)}</td><td class="n">${NOT_MEASURED}</td></tr>`;
  const [from, to] = [place(Math.min(before, after)), place(Math.max(before, after))];
  const tone = after < before ? 'worse' : 'better';
  return markup`<tr><th scope="row">${name}</th><td><span class="track ${tone}" role="img" aria-label="${kind} of ${name} from ${percent(before)} to ${percent(after)}, n = ${n}"><span class="span" style="left:${from.toFixed(1)}%;width:${(to - from).toFixed(1)}%"></span><span class="ring" style="left:${place(before).toFixed(1)}%"></span><span class="dot" style="left:${place(after).toFixed(1)}%"></span></span></td><td class="n">${percent(after)}</td><td class="n">${points(after - before)}</td></tr>
`;
})}</tbody></table>`;
}
