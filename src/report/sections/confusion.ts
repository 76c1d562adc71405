import { NOT_MEASURED, fixed, integer, percent } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { ClassifyResult } from '../report.ts';

const LARGEST_HEAT_MAP = 24;
const TOP_CONFUSIONS = 20;

export function confusionSection({ metrics }: ClassifyResult): Markup | null {
  const { classes, confusion } = metrics;
  if (confusion.length === 0) return null;
  const className = (index: number): string => classes[index] ?? String(index);
  const support = confusion.map((row) => row.reduce((sum, value) => sum + value, 0));
  const predicted = confusion.map((_, column) => confusion.reduce((sum, row) => sum + (row[column] ?? 0), 0));
  const diagonal = (index: number): number => confusion[index]?.[index] ?? 0;
  const ratio = (part: number, whole: number): string => (whole === 0 ? NOT_MEASURED : percent(part / whole));
  if (confusion.length <= LARGEST_HEAT_MAP) {
    const mostMistakes = Math.max(...confusion.flatMap((row, label) => row.filter((_, guess) => guess !== label)));
    return markup`<p class="lead">int8. Rows are true classes, columns are predicted classes. Darker blue: a larger fraction is right. Darker orange: more mistakes.</p>
<div class="scroll"><table class="confusion"><thead><tr><th scope="col"></th>${classes.map(
      (name) => markup`<th scope="col">${name}</th>`,
    )}<th scope="col">Recall</th></tr></thead><tbody>
${confusion.map(
  (row, label) => markup`<tr><th scope="row">${className(label)}</th>${row.map((value, guess) => {
    const depth = value / Math.max(1, guess === label ? (support[label] ?? 0) : mostMistakes);
    const tone = `${guess === label ? 'right' : 'wrong'}${depth > 0.78 ? ' strong' : ''}${value === 0 ? ' zero' : ''}`;
    return markup`<td class="${tone}" style="--v:${depth.toFixed(3)}" title="true class ${className(label)}, predicted ${className(guess)}">${integer(value)}</td>`;
  })}<td class="side">${ratio(diagonal(label), support[label] ?? 0)}</td></tr>
`,
)}<tr><th scope="row">Precision</th>${predicted.map(
      (whole, index) =>
        markup`<td class="side">${whole === 0 ? NOT_MEASURED : fixed((100 * diagonal(index)) / whole, 1)}</td>`,
    )}<td class="side"></td></tr></tbody></table></div>`;
  }
  const mistakes = confusion
    .flatMap((row, label) => row.map((value, guess) => ({ label, guess, value })))
    .filter(({ label, guess, value }) => label !== guess && value > 0)
    .sort((a, b) => b.value - a.value || a.label - b.label || a.guess - b.guess)
    .slice(0, TOP_CONFUSIONS);
  return markup`<p class="lead">int8. ${confusion.length} classes are too many for a matrix, so this table shows the most frequent mistakes.</p>
${table(
  mistakes,
  [
    { head: 'True class', kind: 'text', cell: ({ label }) => className(label) },
    { head: 'Predicted class', kind: 'text', cell: ({ guess }) => className(guess) },
    { head: 'Examples', kind: 'number', cell: ({ value }) => integer(value) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}
`;
}
