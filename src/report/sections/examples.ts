import { bar, thumbnail } from '../charts.ts';
import { fixed, fullScale, integer } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { ClassifyResult } from '../report.ts';
import { mark } from './mark.ts';

const MOST_EXAMPLES = 16;
const MOST_CLASSES = 10;

export function examplesSection({ metrics }: ClassifyResult): Markup | null {
  const { classes, examples } = metrics;
  const [first] = examples;
  if (first === undefined) return null;
  const className = (index: number): string => classes[index] ?? String(index);
  // A single output is that of the second class.
  const outputClass = (index: number): number => (first.raw.length === 1 ? 1 : index);
  return markup`<p class="lead">Output codes q of the .tflite file and their real values: real = ${fullScale(first.scale)} \u00d7 (q \u2212 (${integer(first.zeroPoint)})).</p>
<div class="examples">${examples.slice(0, MOST_EXAMPLES).map((example) => {
    const largest = Math.max(1e-9, ...example.dequantized.map(Math.abs));
    const rows = example.raw
      .map((code, index) => ({ code, index, real: example.dequantized[index] ?? 0 }))
      .sort((a, b) => b.code - a.code || a.index - b.index)
      .slice(0, MOST_CLASSES);
    if (classes.length <= MOST_CLASSES) rows.sort((a, b) => a.index - b.index);
    const right = example.predicted === example.label;
    return markup`
<div class="example"><header>${
      example.image === null ? null : thumbnail(example.image, `example ${example.index}`)
    }<div><span class="muted">#${example.index}, true class ${className(example.label)}</span><br>${mark(
      right ? 'good' : 'bad',
      `int8: ${className(example.predicted)}`,
    )}${
      example.floatPredicted === null || example.floatPredicted === example.predicted
        ? null
        : markup`<br>float: ${className(example.floatPredicted)}`
    }</div></header>
<table><thead><tr><th scope="col">class</th><th scope="col" class="n">q</th><th scope="col" class="n">real</th><th scope="col"></th></tr></thead><tbody>${rows.map(
      ({ code, index, real }) => markup`
<tr class="${outputClass(index) === example.predicted ? 'top' : ''}"><th scope="row">${className(outputClass(index))}</th><td class="n">${integer(code)}</td><td class="n">${fixed(real, 4)}</td><td>${bar(Math.max(0, real) / largest, 0)}</td></tr>`,
    )}</tbody></table></div>`;
  })}</div>`;
}
