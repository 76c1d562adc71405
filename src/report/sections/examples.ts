/** The section of test examples: what quantization turned comes first. */
import type { Examples, ExampleValue, ShownExample } from '../../measurements/examples.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { fullScale, integer, orNone, significant } from '../format.ts';
import { scrollArea } from '../scroll-area.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { drawView, maskColors } from '../views.ts';

/** Null where the test shows no example. */
export function examplesSection({ examples, n }: { readonly examples: Examples; readonly n: number }): Markup | null {
  const { shown, groups } = examples;
  if (shown.length === 0) return null;
  const legend = shown.some(({ views }) => views.some(({ view }) => view.kind === 'mask'));
  return markup`<p class="lead">${leadOf(examples)}</p>${legend ? maskLegend(examples) : null}
${groups.map(({ title, lead, found }, group) => {
  const cards = shown.filter((example) => example.group === group);
  if (cards.length === 0)
    return found === 0 ? markup`<p class="lead"><strong>${title}</strong>: none of ${integer(n)}.</p>` : null;
  return markup`<h3>${title} <span class="muted">${countText(cards.length, found, n)}</span></h3>
<p class="lead">${lead}</p>
<div class="cards">${cards.map((example) => card(example, examples))}</div>`;
})}`;
}

/** How many there are, and how many of them are shown. */
function countText(shown: number, found: number, n: number): string {
  // Where every example is of the kind, only the order says something.
  if (found === n) return `${shown} of ${integer(n)} shown`;
  const which = shown < found ? `, ${shown} shown` : found === 1 ? '' : ', all shown';
  return `${integer(found)} of ${integer(n)}${which}`;
}

function leadOf({ unit, scale, zeroPoint, shown }: Examples): string {
  const some = (of: 'margin' | 'error'): boolean =>
    shown.some(({ answers }) => answers.some((one) => one[of] !== null));
  const measure = some('margin')
    ? `Margin: how far the answer is ahead of the next one, or from the threshold (${unit}).${tieText(shown)} `
    : some('error')
      ? `Errors: ${unit}. `
      : `${unit} `;
  const hasValues = shown.some(({ values }) => values.length > 0);
  const codes = `In the .tflite file, an output is an integer q (its code), which means ${codeMeaning(scale, zeroPoint)}.`;
  return `${measure}${hasValues ? codes : ''}`.trim();
}

/** Which answer counts where several outputs are equal; nothing where none are. */
function tieText(shown: readonly ShownExample[]): string {
  const isTied = shown.some(({ answers }) => answers.some(({ margin }) => margin === 0));
  return isTied ? ' Tie: two outputs are equal, and the first of them is the answer.' : '';
}

/** `0.5 × (q + 3)`: the zero point with its sign turned, as people write it. */
function codeMeaning(scale: number, zeroPoint: number): string {
  if (zeroPoint === 0) return `${fullScale(scale)} \u00d7 q`;
  return `${fullScale(scale)} \u00d7 (q\u00a0${zeroPoint < 0 ? '+' : '\u2212'}\u00a0${integer(Math.abs(zeroPoint))})`;
}

function maskLegend({ classes }: Examples): Markup {
  return markup`<p class="mask-legend">${classes.map((name, label) => {
    const [red = 0, green = 0, blue = 0] = maskColors[label % maskColors.length] ?? [];
    return markup`<span><i style="background:rgb(${red},${green},${blue})"></i>${name}</span>`;
  })}</p>`;
}

const models = {
  float: 'float',
  qat_float: runtimeTitles.qat_float,
  fake_quant: 'fake-quant',
  int8: 'int8',
} as const;

function card(example: ShownExample, examples: Examples): Markup {
  const { index, name, views, truth } = example;
  const label = `example ${index}${truth === null ? '' : `, ${truth}`}`;
  return markup`<article class="card"><header>#${index}${name === null ? null : markup` <span class="muted">${name}</span>`}</header>
${
  views.length === 0
    ? null
    : markup`<div class="views">${views.map(
        ({ title, view }) =>
          markup`<figure>${drawView(view, `${title} of ${label}`)}${views.length > 1 ? markup`<figcaption>${title}</figcaption>` : null}</figure>`,
      )}</div>`
}
${answersTable(example)}${valuesTable(example, examples)}</article>`;
}

function answersTable({ truth, answers, values }: ShownExample): Markup {
  const [only, ...others] = values;
  // One number says itself what the answer is; several stand in a table of their own.
  const single = only !== undefined && others.length === 0 && only.truth !== null ? only : null;
  const hasMargin = answers.some(({ margin }) => margin !== null);
  const hasError = answers.some(({ error }) => error !== null);
  const measure = hasMargin ? 'margin' : hasError ? 'error' : null;
  const hasAnswer = single !== null || answers.some(({ text }) => text !== null);
  const head = truth ?? (single?.truth == null ? null : significant(single.truth));
  const number = { float: single?.first, qat_float: single?.first, fake_quant: single?.fakeQuant, int8: single?.int8 };
  return markup`<table class="answers"><thead><tr><th scope="col"><span class="hidden">Model</span></th>${hasAnswer ? markup`<th scope="col"><span class="hidden">Answer</span></th>` : null}${measure === null ? null : markup`<th scope="col" class="n">${measure}</th>`}</tr></thead><tbody>
${head === null ? null : markup`<tr class="truth"><th scope="row">true</th><td>${head}</td><td></td></tr>`}
${answers.map(({ model, text, right, margin, error }) => {
  const value = number[model];
  const answer = text ?? (value === undefined ? '' : significant(value));
  const mark = right === null ? '' : right ? '\u2713\u00a0' : '\u2717\u00a0';
  const tone = right === null ? '' : right ? 'is-right' : 'is-wrong';
  return markup`<tr><th scope="row">${models[model]}</th>${hasAnswer ? markup`<td class="${tone}">${mark}${answer}</td>` : null}${measure === null ? null : markup`<td class="n">${hasMargin ? marginText(margin) : orNone(error, digits3)}</td>`}</tr>
`;
})}</tbody></table>`;
}

/** Equal outputs: the first of them is the answer. */
const marginText = (margin: number | null): string => (margin === 0 ? 'tie' : orNone(margin, digits3));

/** Enough to compare, and short enough for a card. */
const digits3 = (value: number): string => significant(Number(value.toPrecision(3)));

function valuesTable(example: ShownExample, { threshold }: Examples): Markup | null {
  const { values, hidden, answers } = example;
  if (values.length === 0) return null;
  const first = answers[0]?.model ?? 'float';
  const hasTruth = values.some(({ truth }) => truth !== null);
  const all = values.flatMap((value) => [value.first, value.int8]);
  const [low, high] = [Math.min(0, ...all), Math.max(...all, threshold ?? 0)];
  const share = (value: number): string => (high === low ? 0 : (100 * (value - low)) / (high - low)).toFixed(1);
  const bars = ({ first: before, int8 }: ExampleValue): Markup | null =>
    // Targets of several columns have different units.
    hasTruth && threshold === null
      ? null
      : markup`<span class="bars"><span class="before" style="width:${share(before)}%"></span><span class="after" style="width:${share(int8)}%"></span></span>`;
  const more = hidden === 0 ? '' : `, ${hidden} more are not shown`;
  return markup`<details><summary>Output by element${more}</summary>${scrollArea(
    `output of example ${example.index}`,
    markup`<table class="values"><thead><tr><th scope="col"><span class="hidden">Element</span></th>${hasTruth ? markup`<th scope="col" class="n">true</th>` : null}<th scope="col" class="n">${first === 'float' ? 'float' : 'QAT'}</th><th scope="col" class="n">int8</th><th scope="col" class="n">q</th></tr></thead><tbody>
${values.map(
  (value) => markup`<tr><th scope="row">${value.name}${bars(value)}</th>${
    hasTruth ? markup`<td class="n">${orNone(value.truth, significant)}</td>` : null
  }<td class="n">${significant(value.first)}</td><td class="n">${significant(value.int8)}</td><td class="n">${integer(value.code)}</td></tr>
`,
)}</tbody></table>`,
  )}</details>`;
}
