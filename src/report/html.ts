import { unreachable } from '../core/assert.ts';
import type { Json } from '../core/json.ts';
import { isCounted, isCountedTask, runtimes } from '../measurements/metrics.ts';
import { counted } from '../core/words.ts';
import type { ConvertMetrics, CountedTrain, RuntimeName, TestMetrics } from '../measurements/metrics.ts';
import { bandSparkline, bar, flowChart, lineChart, thumbnail } from './charts.ts';
import type { Series } from './charts.ts';
import { deviceCode } from '../export/device-code.ts';
import { noiseShares } from './diagnosis.ts';
import {
  bytes,
  capitalized,
  change,
  fixed,
  fullScale,
  integer,
  NOT_MEASURED,
  orNone,
  percent,
  points,
  probability,
  seconds,
  shapeText,
  shortDigest,
  significant,
} from './format.ts';
import { foundText, groupLints, lintsShown, idleChannels, weightRangeRatio } from './lints.ts';
import { markup, nothing } from './markup.ts';
import type { Markup } from './markup.ts';
import type { MatrixReport } from './matrix.ts';
import { measureText } from './matrix.ts';
import { cellId, matrixSection } from './matrix-page.ts';
import { page, table } from './page.ts';
import type { Column } from './page.ts';
import { errorSection, reconstructionsSection } from './reconstruction.ts';
import { answersSection, regressionSection } from './regression.ts';
import { quantizationsSection } from './quantizations.ts';
import { gateNumber, headlineDiagnosis, headlineTest, partOf } from './report.ts';
import type { ClassifyResult, Measured, Report, ReportGate, Test } from './report.ts';
import { scoredExamplesSection, scoreSection } from './score.ts';
import { taskTables } from './task-tables.ts';
import { accuracyName, fileLead, sharedName } from './titles.ts';
import { runtimeTitles } from '../measurements/runtime-titles.ts';

/** `report.html`: one page that opens from disk without a network. Equal reports give equal bytes. */
export function renderReport(report: Report): string {
  const { matrix } = report;
  const sections = [
    ...(matrix === undefined
      ? lineSections(report)
      : [
          section('matrix', 'Matrix', matrixSection(matrix)),
          section('quantizations', 'PTQ or QAT', quantizationsSection(report.quantizations)),
          section('cells', 'Cells', cellsSection(report, matrix)),
        ]),
    section('provenance', 'Provenance', provenanceSection(report)),
  ].filter((part) => part !== null);
  return page(
    `${report.run.pipeline} \u2013 qpipe report`,
    markup`${headSection(report)}
<nav>${sections.map(({ id, title }) => markup`<a href="#${id}">${title}</a>`)}</nav>
${sections.map(
  ({ id, title, body }) => markup`<section id="${id}"><h2>${title}</h2>
${body}</section>
`,
)}`,
  );
}

/** What was measured along one line of stages, or several. */
function lineSections(report: Report): (Section | null)[] {
  const suffixOf = ({ stage }: Test): string => (report.tests.length > 1 ? `: ${stage}` : '');
  return [
    section('quantizations', 'PTQ or QAT', quantizationsSection(report.quantizations)),
    ...report.tests.flatMap((test) => resultSections(test, suffixOf(test))),
    section('training', 'Training', trainingSection(report)),
    ...report.tests.flatMap((test) => [
      section(`layers-${test.stage}`, `Layers${suffixOf(test)}`, layersSection(test)),
      section(`examples-${test.stage}`, `Examples${suffixOf(test)}`, examplesOf(test)),
    ]),
    section('footprint', 'Footprint', footprintSection(report)),
  ];
}

/** Each cell as a report of its own, folded. */
function cellsSection(report: Report, { rows }: MatrixReport): Markup {
  const cells = [...new Set(rows.map(({ cell }) => cell))];
  return markup`<p class="lead">All that was measured of each cell.</p>
${cells.map((cell, index) => {
  const own = rows.filter((row) => row.cell === cell);
  const names = new Set(own.flatMap(({ test }) => [...chainOf(report.stages, test)]));
  const part = partOf(report, names);
  const reached = own.map(({ kind, int8, measure }) => `int8 ${measure} ${measureText(kind, int8)}`).join(', ');
  return markup`<details class="cell"><summary>${index + 1}. ${cell}: ${reached}</summary><div id="${cellId(index)}">
${diagnosisLine(part)}
${part.gates.length === 0 ? null : table(part.gates, gateColumns(part), { sorting: 'fixed', width: 'full' })}
${part.lints.length === 0 ? null : lintList(part)}
${lineSections(part).map((one) =>
  one === null
    ? null
    : markup`<h3 class="part">${one.title}</h3>
${one.body}
`,
)}</div></details>
`;
})}`;
}

/** Names of a stage and of all that it depends on. */
function chainOf(stages: Report['stages'], name: string): ReadonlySet<string> {
  const reads = stages.find((stage) => stage.name === name)?.reads ?? [];
  return new Set([name, ...reads.flatMap((before) => [...chainOf(stages, before)])]);
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

function section(id: string, title: string, body: Markup | null): Section | null {
  return body === null ? null : { id, title, body };
}

function resultSections(test: Test, suffix: string): (Section | null)[] {
  const withTables = (id: string, title: string, body: Markup): Section | null =>
    section(
      `${id}-${test.stage}`,
      `${title}${suffix}`,
      markup`${body}
${taskTables(test.metrics)}`,
    );
  if ('accuracy' in test) {
    return [
      withTables('accuracy', 'Accuracy', accuracySection(test)),
      section(`confusion-${test.stage}`, `Confusion${suffix}`, confusionSection(test)),
    ];
  }
  if ('score' in test) return [withTables('score', 'Score', scoreSection(test))];
  switch (test.task) {
    case 'regress':
      return [withTables('error', 'Error', regressionSection(test))];
    case 'reconstruct':
      return [withTables('error', 'Reconstruction error', errorSection(test))];
    default:
      return unreachable(test);
  }
}

function examplesOf(test: Test): Markup | null {
  if ('accuracy' in test) return examplesSection(test);
  if ('score' in test) return scoredExamplesSection(test);
  return test.task === 'regress' ? answersSection(test) : reconstructionsSection(test);
}

// Verdict

const tones: Readonly<Record<Report['run']['status'], { tone: string; word: string }>> = {
  pass: { tone: 'good', word: '\u2713 Pass' },
  fail: { tone: 'bad', word: '\u2717 Fail' },
  error: { tone: 'bad', word: '\u2717 Error' },
  interrupted: { tone: 'plain', word: 'Interrupted' },
  running: { tone: 'plain', word: 'Unfinished' },
};

function headSection(report: Report): Markup {
  const { run } = report;
  const { tone, word } = tones[run.status];
  return markup`<header><h1>${run.pipeline}</h1>
<p class="byline"><span>${run.startedAt.replace('T', ' ').replace(/\.\d+Z$/, 'Z')}</span><span>${seconds(run.seconds)}</span><span class="mono">${run.id}</span></p></header>
<div class="verdict ${tone}"><p><strong>${word}</strong>${report.sentence}</p>${diagnosisLine(report)}</div>
${factsList(report)}
${report.gates.length === 0 || report.matrix !== undefined ? null : table(report.gates, gateColumns(report), { sorting: 'fixed', width: 'full' })}
${report.lints.length === 0 ? null : lintList(report)}`;
}

function diagnosisLine(report: Report): Markup | null {
  const sentence = headlineDiagnosis(report);
  return sentence === undefined ? null : markup`<p class="diagnosis">${sentence}</p>`;
}

function lintList(report: Report): Markup {
  return markup`<ul class="lints">${groupLints(lintsShown(report)).map((group) => {
    const { severity, code, expected, remedy } = group.worst;
    return markup`
<li class="${severity}"><span class="code">${severity} <code>${code}</code></span>${foundText(group)}${
      expected === null ? '.' : markup`; expected ${expected}.`
    }${remedy === null ? null : markup` <span class="remedy">${capitalized(remedy)}.</span>`}${
      group.others.length === 0
        ? null
        : markup`<details><summary>all ${group.others.length + 1}</summary><ul>${[group.worst, ...group.others].map(
            ({ layer, found }) => markup`<li><strong>${layer ?? ''}</strong> ${found}</li>`,
          )}</ul></details>`
    }</li>`;
  })}
</ul>`;
}

function factsList(report: Report): Markup {
  const conversion = conversionOf(report)?.metrics;
  const facts = resultFacts(report);
  const size = report.model?.bytes ?? conversion?.bytes;
  if (size !== undefined) {
    const note = conversion === undefined ? '' : sizeNote(conversion.floatBytes / size);
    facts.push({ name: 'model file', value: bytes(size), note });
  }
  if (report.matrix !== undefined) {
    const { rows, untested, best } = report.matrix;
    const cells = new Set(rows.map(({ cell }) => cell)).size + untested.length;
    const shown = rows.find(({ test }) => test === best?.test)?.cell;
    facts.push({ name: 'cells', value: String(cells), note: shown === undefined ? '' : `the numbers are of ${shown}` });
  }
  if (report.stages.length > 0) {
    const cached = report.stages.filter((stage) => stage.cached).length;
    facts.push({ name: 'stages', value: String(report.stages.length), note: `${cached} from the cache` });
  }
  if (facts.length === 0) return nothing;
  return markup`<dl class="facts">${facts.map(
    ({ name, value, note }) => markup`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`,
  )}</dl>`;
}

/** That of the model whose numbers stand at the top, else the last. */
function conversionOf({ conversions, model, stages }: Report): Report['conversions'][number] | undefined {
  const maker = stages.find(({ outputs }) =>
    Object.values(outputs).some(({ digest }) => model !== null && digest === `sha256:${model.sha256}`),
  );
  return conversions.find(({ stage }) => stage === maker?.name) ?? conversions.at(-1);
}

/** @param times bytes of the float parameters over those of the file */
function sizeNote(times: number): string {
  return times >= 1 ? `${fixed(times, 2)}\u00d7 smaller than float` : `${fixed(1 / times, 2)}\u00d7 as large as float`;
}

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

function resultFacts(report: Report): Fact[] {
  if ('accuracy' in report) {
    const { int8 } = report.accuracy;
    if (int8 === null) return [];
    const name = accuracyName(report);
    const share = { name: `int8 ${name}`, value: percent(int8.top1), note: `of ${integer(int8.n)} examples` };
    return int8.drop === null ? [share] : [share, { name: 'against float', value: points(-int8.drop), note: name }];
  }
  if ('score' in report) {
    const { int8 } = report.score;
    const last = headlineTest(report);
    if (int8 === null || last === undefined || !('score' in last)) return [];
    const { scoreName } = last.metrics;
    const score = { name: `int8 ${scoreName}`, value: percent(int8.value), note: `${integer(int8.n)} examples` };
    return int8.drop === null
      ? [score]
      : [score, { name: 'against float', value: points(-int8.drop), note: scoreName }];
  }
  if (report.task === null) return [];
  const { int8 } = report.error;
  if (int8 === null) return [];
  const kind = report.task === 'regress' ? 'mean absolute' : 'mean square';
  const note = `${kind}, ${integer(int8.n)} examples`;
  const error = { name: 'int8 error', value: significant(int8.mean), note };
  if (int8.rise === null) return [error];
  return [error, { name: 'against float', value: change(int8.rise), note: 'error' }];
}

function gateColumns(report: Report): Column<ReportGate>[] {
  const columns: Column<ReportGate>[] = [
    { head: 'Gate', kind: 'text', cell: (gate) => gate.name },
    {
      head: 'Value',
      kind: 'number',
      cell: ({ value, unit }) => (value === null ? 'not measured' : gateNumber(value, unit)),
    },
    {
      head: 'Limit',
      kind: 'number',
      cell: ({ rule, limit, unit }) => `${rule === 'at_least' ? '\u2265' : '\u2264'} ${gateNumber(limit, unit)}`,
    },
    { head: 'Result', kind: 'number', cell: ({ ok }) => mark(ok ? 'good' : 'bad', ok ? 'met' : 'not met') },
  ];
  if (report.tests.length > 1) columns.splice(1, 0, { head: 'Stage', kind: 'text', cell: ({ stage }) => stage });
  return columns;
}

function mark(tone: 'good' | 'bad', text: string): Markup {
  return markup`<span class="mark-${tone}">${tone === 'good' ? '\u2713' : '\u2717'} ${text}</span>`;
}

// Accuracy

interface AccuracyRow {
  readonly runtime: RuntimeName;
  readonly measured: Measured;
  readonly seconds: number | null;
}

function accuracySection(test: ClassifyResult): Markup {
  const rows: AccuracyRow[] = runtimes.flatMap((runtime) => {
    const measured = test.accuracy[runtime];
    return measured === null ? [] : [{ runtime, measured, seconds: test.metrics.seconds[runtime] }];
  });
  const { flips, agreement } = test.metrics;
  const agreements = [
    { pair: 'fake-quant and float', share: agreement.fake_quant_vs_float },
    { pair: `${runtimeTitles.int8} and fake-quant`, share: agreement.int8_vs_fake_quant },
    {
      pair: `${runtimeTitles.int8} and ${runtimeTitles.int8_litert.replace('int8 ', '')}`,
      share: agreement.int8_vs_litert,
    },
  ];
  return markup`<p class="lead">${test.task === 'classify' ? 'Top-1 accuracy' : 'Accuracy'} on the test split. ${fileLead} Intervals are 95 % (Wilson).</p>
${table(rows, accuracyColumns(accuracyName(test)), { sorting: 'fixed', width: 'full' })}
${
  flips === null || test.mcnemarP === null
    ? null
    : markup`<p>From float to int8, ${integer(flips.rightToWrong)} examples become wrong and ${integer(flips.wrongToRight)} become right. If there were no real difference, the probability of a split at least this uneven would be ${probability(test.mcnemarP)} (exact McNemar test): ${
        test.mcnemarP < 0.05 ? 'unlikely to be chance' : 'consistent with chance'
      }.</p>`
}
<h3>Same predicted class</h3>
${table(
  agreements.filter(({ share }) => share !== null),
  [
    { head: 'Pair', kind: 'text', cell: ({ pair }) => pair },
    { head: 'Share of examples', kind: 'number', cell: ({ share }) => orNone(share, percent) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}`;
}

const accuracyColumns = (name: string): readonly Column<AccuracyRow>[] => [
  { head: 'Model', kind: 'text', cell: ({ runtime }) => runtimeTitles[runtime] },
  { head: capitalized(name), kind: 'number', cell: ({ measured }) => percent(measured.top1) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${fixed(interval.low * 100, 2)} \u2013 ${percent(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.drop, (drop) => points(-drop)) },
  { head: 'Correct', kind: 'number', cell: ({ measured }) => integer(measured.correct) },
  { head: 'n', kind: 'number', cell: ({ measured }) => integer(measured.n) },
  { head: 'Time', kind: 'number', cell: (row) => orNone(row.seconds, seconds) },
];

// Confusion

const LARGEST_HEAT_MAP = 24;
const TOP_CONFUSIONS = 20;

function confusionSection({ metrics }: ClassifyResult): Markup | null {
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

// Training

function trainingSection({ training }: Report): Markup | null {
  const [first] = training;
  if (first === undefined) return null;
  const marks = training.flatMap(({ stage, stepsBefore, metrics }) => [
    ...(stepsBefore === 0 ? [] : [{ x: stepsBefore, label: `${stage} starts` }]),
    ...(metrics.level === 'qat' && metrics.delay > 0
      ? [{ x: stepsBefore + metrics.delay, label: `delay ends (${stage})` }]
      : []),
  ]);
  const classifiers = training.filter(isClassifier);
  const rate: Series[] = training.map(({ stage, stepsBefore, metrics }, color) => ({
    name: stage,
    color: color % 6,
    stroke: 'faint',
    points: metrics.history.map(({ step, learningRate }) => ({ x: stepsBefore + step, y: learningRate })),
  }));
  return markup`<p class="lead">The x-axis counts optimizer steps. A stage that continues another starts where that one ended.</p>
<div class="charts">
${lineChart({
  title: 'Loss',
  series: curves(
    training,
    ({ history }) => history.map(({ step, loss }) => ({ step, y: loss })),
    ({ epochs }) => epochs.map(({ step, validationLoss }) => ({ step, y: validationLoss })),
  ),
  marks,
  scale: 'logarithmic',
  floor: 0,
  tick: significant,
})}
${
  classifiers.length === 0
    ? null
    : lineChart({
        title: 'Accuracy',
        series: curves(
          classifiers,
          ({ history }) => history.map(({ step, accuracy }) => ({ step, y: accuracy })),
          ({ epochs }) => epochs.map(({ step, validationAccuracy }) => ({ step, y: validationAccuracy })),
        ),
        marks,
        scale: 'linear',
        floor: accuracyFloor(classifiers),
        tick: (share) => `${fixed(share * 100, 0)} %`,
      })
}
${lineChart({ title: 'Learning rate', series: rate, marks, scale: 'linear', floor: 0, tick: significant })}
</div>
${table(training, [...trainingColumns, validationColumn(first), speedColumn], { sorting: 'fixed', width: 'full' })}
${training.map(rangesTable)}`;
}

type Training = Report['training'][number];
type Classifier = Training & { readonly metrics: CountedTrain };

function isClassifier(training: Training): training is Classifier {
  return isCounted(training.metrics);
}

interface CurvePoint {
  readonly step: number;
  readonly y: number | null;
}

/** For each training its steps, and its validations dotted. */
function curves<T extends Training>(
  trainings: readonly T[],
  train: (metrics: T['metrics']) => readonly CurvePoint[],
  validate: (metrics: T['metrics']) => readonly CurvePoint[],
): Series[] {
  const shifted = (points: readonly CurvePoint[], stepsBefore: number) =>
    points.flatMap(({ step, y }) => (y === null ? [] : [{ x: stepsBefore + step, y }]));
  return trainings
    .flatMap(({ stage, stepsBefore, metrics }, color): Series[] => [
      { name: stage, color: color % 6, stroke: 'faint', points: shifted(train(metrics), stepsBefore) },
      {
        name: `${stage}, validation`,
        color: color % 6,
        stroke: 'dotted',
        points: shifted(validate(metrics), stepsBefore),
      },
    ])
    .filter((series) => series.points.length > 0);
}

/** Three times as far from 1 as the worst epoch: what matters is near the top. */
function accuracyFloor(training: readonly Classifier[]): number {
  const lowest = training.flatMap(({ metrics }) =>
    metrics.epochs.map((epoch) => epoch.validationAccuracy ?? epoch.trainAccuracy),
  );
  return lowest.length === 0 ? 0 : Math.max(0, 1 - 3 * (1 - Math.min(...lowest)));
}

const trainingColumns: readonly Column<Training>[] = [
  { head: 'Stage', kind: 'text', cell: ({ stage }) => stage },
  { head: 'Steps', kind: 'number', cell: ({ metrics }) => integer(metrics.steps) },
  {
    head: 'Epochs',
    kind: 'number',
    cell: ({ metrics }) =>
      markup`${metrics.epochs.length}${metrics.stoppedEarly ? markup`<small>stopped early</small>` : null}`,
  },
  {
    head: 'Best epoch',
    kind: 'number',
    cell: ({ metrics }) =>
      markup`${orNone(metrics.bestEpoch, integer)}${
        metrics.level === 'qat' && metrics.judgedFrom > 1
          ? markup`<small>judged from epoch ${integer(metrics.judgedFrom)} on, quantized from its first step</small>`
          : null
      }`,
  },
  { head: 'Batch', kind: 'number', cell: ({ metrics }) => integer(metrics.batch) },
  { head: 'Devices', kind: 'number', cell: ({ metrics }) => integer(metrics.devices) },
  {
    head: 'Delay',
    kind: 'number',
    cell: ({ metrics }) => (metrics.level === 'qat' ? integer(metrics.delay) : NOT_MEASURED),
  },
  {
    head: 'Train loss',
    kind: 'number',
    cell: ({ metrics }) => orNone(metrics.epochs.at(-1)?.trainLoss ?? null, (loss) => fixed(loss, 4)),
  },
];

/** What the last validation said. */
function validationColumn({ metrics: { task } }: Training): Column<Training> {
  if (!isCountedTask(task)) {
    return {
      head: 'Validation loss',
      kind: 'number',
      cell: ({ metrics }) => orNone(metrics.epochs.at(-1)?.validationLoss ?? null, (loss) => fixed(loss, 4)),
    };
  }
  return {
    head: `Validation ${sharedName(task)}`,
    kind: 'number',
    cell: (training) =>
      isClassifier(training) ? orNone(training.metrics.epochs.at(-1)?.validationAccuracy ?? null, percent) : '',
  };
}

const speedColumn: Column<Training> = {
  head: 'Images/s',
  kind: 'number',
  cell: ({ metrics }) => integer(metrics.imagesPerSecond),
};

function rangesTable({ stage, metrics }: Training): Markup | null {
  if (metrics.level !== 'qat' || metrics.ranges.length === 0) return null;
  const { delay } = metrics;
  return markup`<h3>Activation ranges: ${stage}</h3>
${table(
  metrics.ranges,
  [
    { head: 'Tensor', kind: 'text', cell: ({ name }) => name },
    { head: 'Min', kind: 'number', cell: ({ min }) => significant(min), value: ({ min }) => min },
    { head: 'Max', kind: 'number', cell: ({ max }) => significant(max), value: ({ max }) => max },
    { head: 'Updates', kind: 'number', cell: ({ updates }) => integer(updates), value: ({ updates }) => updates },
    { head: 'Over steps', kind: 'text', cell: ({ history }) => bandSparkline(history, delay) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}

// Layers

type Layer = Test['metrics']['layers'][number];

function layersSection({ metrics, diagnosis }: Test): Markup | null {
  if (metrics.layers.length === 0) return null;
  return markup`<p class="lead">SQNR is the signal-to-quantization-noise ratio; higher is better. Float to fake-quant shows the cost of ranges and 8 bits, fake-quant to int8 the cost of integer kernels. Share of output error: the effect of this layer's quantizers alone on the output of the network. Within 1 step: share of outputs within one step (one unit of the scale) of fake-quant, for this kernel alone; below, for the whole network so far.</p>
${diagnosis === null ? null : markup`<p>${diagnosis.sentence}</p>`}
${table(metrics.layers, layerColumns(metrics.layers), { sorting: 'sortable', width: 'full' })}`;
}

function layerColumns(layers: readonly Layer[]): Column<Layer>[] {
  const shares = noiseShares(layers);
  return [
    {
      head: 'Layer',
      kind: 'text',
      cell: ({ name, op, shape }) =>
        markup`${breakable(name)}<small>${name.endsWith(op) ? '' : `${op} `}${shapeText(shape)}</small>`,
    },
    {
      head: 'Scale',
      kind: 'number',
      cell: ({ scale, zeroPoint }) => markup`${significant(scale)}<small>zero ${integer(zeroPoint)}</small>`,
      value: ({ scale }) => scale,
    },
    {
      head: 'Weight range ratio',
      kind: 'number',
      cell: ({ filter }) => (filter === null ? NOT_MEASURED : filterCell(filter)),
      value: ({ filter }) => weightRangeRatio(filter),
    },
    {
      head: 'Largest multiplier',
      kind: 'number',
      cell: ({ filter }) =>
        filter === null || filter.multipliers === null
          ? NOT_MEASURED
          : markup`${significant(filter.multipliers.max)}<small>smallest ${significant(filter.multipliers.min)}</small>`,
      value: ({ filter }) => filter?.multipliers?.max ?? null,
    },
    {
      head: 'Float to fake-quant, dB',
      kind: 'number',
      cell: ({ fakeQuantSqnrDb }) => orNone(fakeQuantSqnrDb, (value) => fixed(value, 1)),
      value: ({ fakeQuantSqnrDb }) => fakeQuantSqnrDb,
    },
    {
      head: 'Fake-quant to int8, dB',
      kind: 'number',
      cell: ({ sqnrDb, largestDifference }) =>
        sqnrDb === null && largestDifference === 0 ? 'exact' : orNone(sqnrDb, (value) => fixed(value, 1)),
      value: ({ sqnrDb }) => sqnrDb,
    },
    {
      head: 'Float to int8, dB',
      kind: 'number',
      cell: ({ floatSqnrDb }) => orNone(floatSqnrDb, (value) => fixed(value, 1)),
      value: ({ floatSqnrDb }) => floatSqnrDb,
    },
    {
      head: 'Share of output error',
      kind: 'number',
      cell: ({ name }) => {
        const part = shares.get(name);
        return part === undefined ? NOT_MEASURED : markup`${fixed(100 * part, 1)} %<small>${bar(part, 1)}</small>`;
      },
      value: ({ name }) => shares.get(name) ?? null,
    },
    {
      head: 'Within 1 step',
      kind: 'number',
      cell: ({ kernel, withinOneStep }) =>
        markup`${orNone(kernel?.withinOneStep ?? null, percent)}<small>so far ${orNone(withinOneStep, percent)}</small>`,
      value: ({ kernel }) => kernel?.withinOneStep ?? null,
    },
    {
      head: 'Clipped',
      kind: 'number',
      cell: ({ clipped }) => (clipped === null ? NOT_MEASURED : clippedCell(clipped)),
      value: ({ clipped }) => (clipped === null ? null : clipped.below + clipped.above),
    },
    {
      head: 'Codes of 256',
      kind: 'number',
      cell: ({ usedCodes, headroom }) =>
        markup`${orNone(usedCodes, integer)}${
          headroom === null ? null : markup`<small>headroom ${fixed(headroom, 1)}\u00d7</small>`
        }`,
      value: ({ usedCodes }) => usedCodes,
    },
  ];
}

/** A path may be broken behind its slashes. */
function breakable(name: string): Markup {
  return markup`${name.split('/').map((part, index) => (index === 0 ? part : markup`/<wbr>${part}`))}`;
}

function filterCell(filter: NonNullable<Layer['filter']>): Markup {
  const ratio = orNone(weightRangeRatio(filter), (value) => `${fixed(value, value < 100 ? 1 : 0)}\u00d7`);
  const idle = idleChannels(filter);
  return markup`${ratio}<small>${idle === 0 ? '' : `${integer(idle)} of `}${integer(filter.channels)} ${
    idle === 0 ? 'channels' : 'dead'
  }</small>`;
}

function clippedCell({ below, above }: NonNullable<Layer['clipped']>): Markup {
  const sides = [below > 0 ? `${percent(below)} below` : null, above > 0 ? `${percent(above)} above` : null];
  return markup`${percent(below + above)}${
    below > 0 && above > 0 ? sides.map((side) => markup`<small>${side}</small>`) : null
  }`;
}

// Examples

const MOST_EXAMPLES = 16;
const MOST_CLASSES = 10;

function examplesSection({ metrics }: ClassifyResult): Markup | null {
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

// Footprint

function footprintSection({ conversions, model, tests }: Report): Markup | null {
  if (conversions.length === 0 && model === null) return null;
  return markup`${conversions.map(({ stage, metrics }) => {
    const parts = [
      { name: 'weights', size: metrics.sections.weights },
      { name: 'biases', size: metrics.sections.biases },
      { name: 'other', size: metrics.sections.other },
    ];
    return markup`<p class="lead">${stage}: ${metrics.scheme}, ${bytes(metrics.bytes)} against ${bytes(metrics.floatBytes)} of float parameters (${fixed(metrics.floatBytes / metrics.bytes, 2)}\u00d7).</p>
${memoryText(metrics)}
<div class="stack" aria-hidden="true">${parts.map(
      ({ size }, color) =>
        markup`<span class="c${color}" style="width:${((100 * size) / metrics.bytes).toFixed(2)}%"></span>`,
    )}</div>
${table(
  parts.map((part, color) => ({ ...part, color })),
  [
    {
      head: 'Section',
      kind: 'text',
      cell: ({ name, color }) => markup`<span class="key dotted c${color}">${name}</span>`,
    },
    { head: 'Bytes', kind: 'number', cell: ({ size }) => integer(size) },
    { head: 'Share', kind: 'number', cell: ({ size }) => percent(size / metrics.bytes) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}
<details><summary>${metrics.operators.length} operators</summary>${table(
      metrics.operators,
      [
        { head: 'Operator', kind: 'text', cell: ({ op }) => op },
        { head: 'Output', kind: 'text', cell: ({ name }) => name },
        { head: 'Shape', kind: 'number', cell: ({ outputShape }) => shapeText(outputShape) },
      ],
      { sorting: 'fixed', width: 'narrow' },
    )}</details>`;
  })}
${model === null ? null : modelTable(model)}
${preparationTable(tests.at(-1)?.metrics)}`;
}

/** What the file takes on a device; nothing in records that do not say. */
function memoryText({ memory, targets = [] }: ConvertMetrics): Markup | null {
  if (memory === undefined) return null;
  const taken = targets.map(({ title, leaves }) =>
    leaves.length === 0 ? `${title} takes the whole model` : `${title} takes all but ${counted(leaves.length, 'op')}`,
  );
  return markup`<p class="lead">On TensorFlow Lite Micro its tensor arena takes ${bytes(memory.arena)} (activations and scratch memory; the interpreter's structures come on top). One example takes ${integer(memory.macs)} multiplications.${
    taken.length === 0 ? '' : ` ${sentence(taken.join('; '))}.`
  }</p>`;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const MOST_CHANNELS = 32;

/** What a device has to compute before the model; nothing where raw values are its codes. */
function preparationTable(metrics: TestMetrics | undefined): Markup | null {
  const channels = metrics?.preparation ?? [];
  const changed = channels.filter(({ mean, deviation }) => mean !== 0 || deviation !== 1);
  if (metrics === undefined || changed.length === 0) return null;
  const code = deviceCode(channels, metrics.model.input);
  const more = changed.length - MOST_CHANNELS;
  return markup`<h3>Before the model</h3>
<p>A device has to compute input = (measured \u2212 mean) / deviation, and then the input’s code.</p>
${table(
  changed.slice(0, MOST_CHANNELS),
  [
    { head: 'Channel', kind: 'text', cell: ({ name }) => name },
    { head: 'Mean', kind: 'number', cell: ({ mean }) => fullScale(mean) },
    { head: 'Deviation', kind: 'number', cell: ({ deviation }) => fullScale(deviation) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}${more > 0 ? markup`<p class="muted">${more} more are in report.json.</p>` : null}
<details><summary>As code</summary><pre>${code.c}</pre><pre>${code.javascript}</pre></details>`;
}

function modelTable(model: NonNullable<Report['model']>): Markup {
  const ports = [
    { role: 'input', ...model.input },
    { role: 'output', ...model.output },
  ];
  return markup`<h3>${model.path}</h3>
<p class="muted">${integer(model.bytes)} bytes, sha256 <code>${model.sha256}</code></p>
${table(
  ports,
  [
    { head: 'Tensor', kind: 'text', cell: ({ role, name }) => markup`${role}<small>${name}</small>` },
    { head: 'Type', kind: 'text', cell: ({ dtype }) => dtype },
    { head: 'Shape', kind: 'number', cell: ({ shape }) => shapeText(shape) },
    { head: 'Scale', kind: 'number', cell: ({ scale }) => orNone(scale, fullScale) },
    { head: 'Zero point', kind: 'number', cell: ({ zeroPoint }) => orNone(zeroPoint, integer) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}

// Provenance

function provenanceSection(report: Report): Markup {
  const { stages, run, config, matrix } = report;
  const artifacts = stages.flatMap((stage) =>
    Object.entries(stage.outputs).map(([output, artifact]) => ({ stage: stage.name, output, ...artifact })),
  );
  const { provenance } = run;
  const machine = [
    ['command', provenance.commandLine.join(' ')],
    ['qpipe', provenance.qpipeVersion],
    ['node', provenance.node],
    [
      'platform',
      `${provenance.platform} ${provenance.arch}, ${provenance.cpus} ${provenance.cpus === 1 ? 'CPU' : 'CPUs'}`,
    ],
    ['run', run.id],
  ] as const;
  return markup`<p class="lead">Inputs and outputs of each stage. “Cached” means that an earlier result was reused; the time is then that of the earlier execution.</p>
${matrix === undefined ? stageOverview(stages) : markup`<details><summary>${stages.length} stages</summary>${stageOverview(stages)}</details>`}
<details><summary>${artifacts.length} artifacts with full digests</summary>${table(
    artifacts,
    [
      { head: 'Artifact', kind: 'text', cell: ({ path, type }) => markup`${path}<small>${type}</small>` },
      { head: 'Bytes', kind: 'number', cell: (artifact) => integer(artifact.bytes) },
      { head: 'Digest', kind: 'text', cell: ({ digest }) => markup`<code>${digest}</code>` },
    ],
    { sorting: 'fixed', width: 'full' },
  )}</details>
<h3>Environment</h3>
${table(
  machine,
  [
    { head: 'Name', kind: 'text', cell: ([name]) => name },
    { head: 'Value', kind: 'text', cell: ([, value]) => markup`<code>${value}</code>` },
  ],
  { sorting: 'fixed', width: 'full' },
)}
${config === null ? null : configDetails(config)}`;
}

function stageOverview(stages: Report['stages']): Markup {
  return markup`${
    stages.length === 0
      ? null
      : flowChart(
          stages.map((stage) => ({
            name: stage.name,
            note: stage.cached ? `cached (took ${seconds(stage.seconds)})` : `ran for ${seconds(stage.seconds)}`,
            state: stage.verdict === 'fail' ? 'failed' : stage.cached ? 'hit' : 'run',
            parents: stage.reads.map((name) => stages.findIndex((other) => other.name === name)),
          })),
        )
  }
${table(
  stages,
  [
    { head: 'Stage', kind: 'text', cell: ({ name, kind }) => markup`${name}<small>${kind}</small>` },
    { head: 'Result', kind: 'text', cell: ({ cached }) => (cached ? 'cached' : 'computed') },
    { head: 'Time', kind: 'number', cell: (stage) => seconds(stage.seconds) },
    { head: 'Key', kind: 'text', cell: ({ key }) => markup`<code title="${key}">${shortDigest(key)}</code>` },
    { head: 'Reads', kind: 'text', cell: ({ inputs }) => digestList(inputs) },
    { head: 'Writes', kind: 'text', cell: ({ outputs }) => digestList(outputs) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}

function digestList(named: Readonly<Record<string, { readonly digest: string }>>): Markup {
  return markup`${Object.entries(named).map(
    ([name, { digest }]) => markup`<div>${name} <code title="${digest}">${shortDigest(digest)}</code></div>`,
  )}`;
}

function configDetails(config: Json): Markup {
  return markup`<details><summary>Resolved pipeline</summary><pre>${JSON.stringify(config, null, 2)}</pre></details>`;
}
