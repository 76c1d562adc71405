/** What to change next, for a reader who reads nothing else of the report. */
import { isCounted } from '../measurements/metrics.ts';
import { mostNoise, noisiestRange } from './diagnosis.ts';
import { integer, percent, points } from './format.ts';
import { ignorantAnswer, lintsShown, placeText } from './lints.ts';
import { chainOf } from './lines-of-stages.ts';
import type { MatrixReport } from './matrix.ts';
import { gateText } from './gate-text.ts';
import { headlineTest, headlineTests, sideBySide } from './report.ts';
import type { Report, ReportGate, Test } from './report.ts';

interface Subject {
  readonly report: Report;
  readonly test: Test;
}

/** A sentence where it applies. */
type Rule = (subject: Subject) => string | null;

/** The first that applies is said: what makes later numbers meaningless stands before them. */
const rules: readonly Rule[] = [
  faultStep,
  ignoranceStep,
  gateStep,
  choiceStep,
  lossStep,
  longerStep,
  warningStep,
  overfittingStep,
  baselineStep,
];

/** Of the model whose numbers stand at the top; there is always something to say, also that nothing needs to change. */
export function nextStep(report: Report): string {
  const { status } = report.run;
  if (status === 'error') {
    return 'Mend what stopped the run (`qpipe logs` shows it) and run the pipeline again: finished stages are kept.';
  }
  if (status === 'interrupted') return 'Run the pipeline again: finished stages are kept.';
  if (status === 'running') return 'Wait until the run has ended.';
  const test = headlineTest(report);
  if (test === undefined) return 'Run the stages up to `test`, so that int8 is measured.';
  for (const rule of rules) {
    const said = rule({ report, test });
    if (said !== null) return said;
  }
  return enoughStep({ report, test });
}

/** What is wrong with a model or its data, in any output. */
function faultStep({ report }: Subject): string | null {
  const test = headlineTests(report).find(({ diagnosis }) => (diagnosis?.cause ?? null) !== null);
  return test === undefined ? null : remedyOf(test);
}

function remedyOf({ output, diagnosis }: Test): string | null {
  const remedy = diagnosis?.remedy ?? null;
  return remedy === null || output === undefined ? remedy : `For ${output}: ${lowered(remedy)}`;
}

function ignoranceStep({ report }: Subject): string | null {
  return headlineTests(report).some(({ metrics }) => ignorantAnswer(metrics) !== null)
    ? 'Make the model look at its input first: check labels and learning rate, balance the classes, or train longer.'
    : null;
}

/** The first gate that is not met, of the model at the top. */
function gateStep({ report, test }: Subject): string | null {
  const gate = report.gates.find(({ ok, stage }) => !ok && stage === test.stage);
  if (gate === undefined) return null;
  const start = `To meet ${gate.name} (${gateText(gate)}), `;
  if (gate.unit === 'bytes') return `${start}give the largest layers fewer filters or units.`;
  const owner = headlineTests(report).find(({ output }) => output !== undefined && gate.name.startsWith(`${output}: `));
  const { diagnosis } = owner ?? test;
  const remedy = diagnosis?.remedy ?? null;
  if (diagnosis?.costs.whole?.loss === 'real' && remedy !== null) return `${start}${lowered(remedy)}`;
  return isRelative(gate)
    ? `${start}test on more examples first: the loss against float is within chance.`
    : `${start}${floatMisses(gate, owner ?? test)}`;
}

/** Of the difference to float. */
const isRelative = ({ unit, name }: Pick<ReportGate, 'unit' | 'name'>): boolean =>
  unit === 'share_difference' || name.includes('rise');

const lowered = (text: string): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`;

function floatMisses({ rule, limit }: ReportGate, test: Test): string {
  const float = floatOf(test);
  const misses = float !== null && (rule === 'at_least' ? float < limit : float > limit);
  const better = 'train longer, add data, or use a larger network';
  return misses ? `${better}: float misses it too, so quantization is not the cause.` : `${better}.`;
}

function floatOf(test: Test): number | null {
  if ('accuracy' in test) return test.accuracy.float?.top1 ?? null;
  if ('score' in test) return test.score.float?.value ?? null;
  return test.error.float?.mean ?? null;
}

/** Which cell or branch to take, and where better ones may be. */
function choiceStep(subject: Subject): string | null {
  const sides = sideBySide(subject.report);
  const best = sides?.best ?? null;
  if (sides === undefined || best === null || best.leads.length === 0) return null;
  const name = best.name === '' ? 'the best cell' : best.name;
  if (best.leads.every(({ beyondChance }) => beyondChance)) {
    const further = [edgeText(sides), longerStep(subject)].filter((step) => step !== null);
    return [`Take ${name}: its lead over the others is more than chance.`, ...further].join(' ');
  }
  const ties = best.leads.filter(({ beyondChance }) => !beyondChance).length;
  const sharper = best.pairedBy === 'seeds' ? 'run more seeds' : 'test on more examples, or run several seeds';
  const others = ties === 1 ? 'the lead over one other' : `the lead over ${integer(ties)} others`;
  return `Take ${name}, or a smaller or cheaper one: ${others} may be chance. To tell them apart, ${sharper}.`;
}

/** Fewer values do not show a direction. */
const fewestValues = 3;

/** Where the best value of a number is the outermost that was tried. */
function edgeText({ axes, rows, best }: MatrixReport): string | null {
  const row = rows.find(({ test }) => test === best?.test);
  for (const [index, { name, isSeed }] of axes.entries()) {
    const values = [...new Set(rows.map(({ labels }) => Number(labels[index])))];
    const own = Number(row?.labels[index]);
    if (isSeed || values.length < fewestValues || !values.every(Number.isFinite)) continue;
    const tried = row?.labels[index] ?? '';
    if (own === Math.max(...values)) return `Try larger values of ${name} too: ${tried} is the largest so far.`;
    // Nothing is below a count of 0, and little that can be had below one of 1.
    const isLeast = own <= 0 || (own <= 1 && values.every(Number.isInteger));
    if (own === Math.min(...values) && !isLeast) {
      return `Try smaller values of ${name} too: ${tried} is the smallest so far.`;
    }
  }
  return null;
}

function lossStep({ report }: Subject): string | null {
  const test = headlineTests(report).find(({ diagnosis }) => diagnosis?.costs.whole?.loss === 'real');
  return test === undefined ? null : remedyOf(test);
}

function warningStep({ report }: Subject): string | null {
  const lint = lintsShown(report).here.find(({ severity, remedy }) => severity === 'warning' && remedy !== null);
  if (lint === undefined) return null;
  if (lint.code === 'runtimes-disagree') {
    return 'Judge by the kind of device that you ship to: microcontroller and phone or browser answer differently here.';
  }
  const remedy = lint.remedy ?? '';
  return `Look into ${placeText(lint)}: ${remedy}.`;
}

/** Our choice: share of right answers by which training examples are ahead of test examples, beyond chance. */
const overfittingGap = 0.05;

function overfittingStep({ report, test }: Subject): string | null {
  if (!('accuracy' in test) || test.accuracy.float === null) return null;
  const chain = new Set(chainOf(report.stages, test.stage));
  const trained = report.training.findLast(({ stage, metrics }) => chain.has(stage) && metrics.level === 'float');
  if (trained === undefined || !isCounted(trained.metrics)) return null;
  const known = trained.metrics.epochs.at(-1)?.trainAccuracy ?? 0;
  const { top1, interval } = test.accuracy.float;
  if (known - interval.high <= overfittingGap) return null;
  return `Add data, augmentation or dropout: the network knows ${percent(known)} of its training examples but ${percent(top1)} of the test examples, and int8 is not what limits it.`;
}

/** Where the last epoch was the best of several, and clearly so. */
function longerStep({ report, test }: Subject): string | null {
  const chain = new Set(chainOf(report.stages, test.stage));
  for (const { stage, metrics } of report.training) {
    if (!chain.has(stage) || metrics.level !== 'float') continue;
    const [before, last] = metrics.epochs.slice(-2);
    if (before === undefined || last === undefined || !isImproving(before, last)) continue;
    return `Give \`${stage.replace(/@.*/, '')}\` more epochs: its loss was still falling in the last one.`;
  }
  return null;
}

type Epoch = Report['training'][number]['metrics']['epochs'][number];

/**
 * Whether an epoch was worth another one. Our choice: validation improved clearly, or somewhat while training improved
 * a lot; the loss of training alone goes on falling when nothing more is learned.
 */
function isImproving(before: Epoch, last: Epoch): boolean {
  const training = last.trainLoss / before.trainLoss;
  if (before.validationLoss === null || last.validationLoss === null) return training < 0.9;
  const validation = last.validationLoss / before.validationLoss;
  return validation < 0.95 || (validation < 0.99 && training < 0.9);
}

function baselineStep({ test }: Subject): string | null {
  return floatOf(test) === null ? 'Add a `float-pretrain` stage, so that the cost of int8 is known.' : null;
}

function enoughStep({ report, test }: Subject): string {
  const change = (one: Test): number => one.diagnosis?.costs.whole?.change ?? 0;
  const [judged = test] = headlineTests(report).toSorted((a, b) => change(b) - change(a));
  return [enoughText(judged), furtherText(judged)].filter((text) => text !== null).join(' ');
}

function enoughText(test: Test): string {
  const most = test.lossInterval?.high ?? null;
  if (most === null) return 'Nothing needs to change.';
  const isError = 'error' in test;
  const amount = (loss: number): string => (isError ? percent(loss) : points(loss).replace('+', ''));
  const examples = `${integer(test.metrics.n)} test examples`;
  const of = test.output === undefined ? '' : ` of ${test.output}`;
  const gate = test.metrics.gates.find((one) => isRelative(one) && one.limit < most);
  if (gate !== undefined && gate.value !== null) {
    return `Nothing needs to change, but to be sure of the gate ${gate.name}, test on ${moreText(test, gate.limit)}: it allows ${amount(gate.limit)}, and with ${examples} int8${of} may ${isError ? 'raise the error by' : 'lose'} as much as ${amount(most)} (95 % confidence).`;
  }
  if (most <= 0) return `Nothing needs to change: int8${of} is better than float on ${examples} (95 % confidence).`;
  return `Nothing needs to change: with ${examples}, int8${of} ${isError ? 'raises the error by' : 'loses'} at most ${amount(most)} (95 % confidence).`;
}

/** How many examples would do if they went like these: the interval becomes narrower with their square root. */
function moreText({ lossInterval, metrics: { n } }: Test, limit: number): string {
  const { low, high } = lossInterval ?? { low: 0, high: 0 };
  const room = limit - (low + high) / 2;
  if (room <= 0) return 'more examples';
  const needed = n * ((high - low) / 2 / room) ** 2;
  const unit = 10 ** Math.floor(Math.log10(needed) - 1);
  return `about ${integer(unit * Math.ceil(needed / unit))} examples`;
}

/** Where nothing has to change, what could: only what is more than the cost of eight bits. */
function furtherText({ metrics: { layers, model } }: Test): string | null {
  const worst = noisiestRange(
    layers,
    layers.find(({ name }) => name === model.output.name),
  );
  if (worst === null || worst.share <= mostNoise || worst.fault.cause === 'rounding') return null;
  return `If less noise is wanted all the same: ${lowered(worst.fault.remedy)}`;
}
