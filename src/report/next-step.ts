/** What to change next: one sentence for a reader who reads nothing else of the report. */
import { isCounted } from '../measurements/metrics.ts';
import type { Cause } from './faults.ts';
import { integer, percent, points } from './format.ts';
import { ignorantAnswer, lintsShown, placeText } from './lints.ts';
import { chainOf } from './lines-of-stages.ts';
import { gateText, headlineTest, headlineTests, sideBySide } from './report.ts';
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

const remedies: Readonly<Record<Cause, (layer: string) => string>> = {
  dead_layer: (layer) => `Bring ${layer} back to life: lower the learning rate, or give it batch norm or a leaky_relu.`,
  nothing_learned: () => 'Make the float model learn first: check labels, normalization and learning rate.',
  labels: () => 'Check the labels first: until they belong to their examples, no other number counts.',
  normalization: () => 'Prepare the test examples like those of the training.',
  kernel: (layer) => `Convert again and check ${layer}: its integer kernel adds most of the noise.`,
  bias: (layer) => `Convert again and check the bias of ${layer}: its integers do not do what training simulated.`,
  shared_range: (layer) =>
    `Give ${layer} a range of its own scale, for example by batch norm before the layers are joined.`,
  range_too_narrow: (layer) => `Widen the range of ${layer}: observe it longer, with \`ranges: running_extremes\`.`,
  range_too_wide: (layer) => `Narrow the range of ${layer}: use relu6 or weight decay, or a lower \`range_window\`.`,
  rounding: (layer) => `Give ${layer} more filters, or train longer with quantization.`,
};

/** Of any output. */
function faultStep({ report }: Subject): string | null {
  const test = headlineTests(report).find(({ diagnosis }) => (diagnosis?.cause ?? null) !== null);
  const { cause = null, layer = null } = test?.diagnosis ?? {};
  if (test === undefined || cause === null) return null;
  const output = test.output === undefined ? '' : `For ${test.output}: `;
  const said =
    cause === 'rounding' && !trainsQuantized(report, test)
      ? `Train with quantization (\`qat\` may start from this \`ptq\`), or give ${layer ?? 'the layer'} more filters.`
      : remedies[cause](layer ?? 'the layer');
  return output === '' ? said : `${output}${lowered(said)}`;
}

const trainQuantized = 'Train with quantization: `qat` may start from this `ptq`.';

function trainsQuantized({ stages, training }: Report, { stage }: Test): boolean {
  const chain = new Set(chainOf(stages, stage));
  return training.some((one) => chain.has(one.stage) && one.metrics.level === 'qat');
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
  if (diagnosis?.costs.whole?.loss === 'real') return `${start}${lowered(blameStep(report, owner ?? test))}`;
  const isRelative = gate.unit === 'share_difference' || gate.name.includes('rise');
  return isRelative
    ? `${start}test on more examples first: the loss against float is within chance.`
    : `${start}${floatMisses(gate, owner ?? test)}`;
}

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

/** Which cell or branch to take. */
function choiceStep({ report }: Subject): string | null {
  const sides = sideBySide(report);
  const best = sides?.best ?? null;
  if (sides === undefined || best === null || best.leads.length === 0) return null;
  const name = best.name === '' ? 'the best cell' : best.name;
  if (best.leads.every(({ beyondNoise }) => beyondNoise))
    return `Take ${name}: it is better than the others beyond noise.`;
  const ties = best.leads.filter(({ beyondNoise }) => !beyondNoise).length;
  const sharper = best.pairedBy === 'seeds' ? 'run more seeds' : 'test on more examples, or run several seeds';
  const others = ties === 1 ? 'one other is' : `${integer(ties)} others are`;
  return `Take ${name}, or a smaller or cheaper one: ${others} within noise of it. To tell them apart, ${sharper}.`;
}

function lossStep({ report }: Subject): string | null {
  const test = headlineTests(report).find(({ diagnosis }) => diagnosis?.costs.whole?.loss === 'real');
  return test === undefined ? null : blameStep(report, test);
}

/** By what costs most. */
function blameStep(report: Report, test: Test): string {
  switch (test.diagnosis?.blame) {
    case 'training':
      return 'Lower the learning rate of `qat`, or train it longer: its weights lose accuracy before anything is rounded.';
    case 'integer_kernel':
      return 'Look at the layers with the most noise from integer kernels, and convert again.';
    default:
      return trainsQuantized(report, test) ? 'Train longer with quantization.' : trainQuantized;
  }
}

function warningStep({ report }: Subject): string | null {
  const lint = lintsShown(report).find(({ severity, remedy }) => severity === 'warning' && remedy !== null);
  if (lint === undefined) return null;
  if (lint.code === 'runtimes-disagree') {
    return 'Judge by the device that you ship to: microcontroller and phone or browser answer differently here.';
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
  const longer = report.training.find(({ stage, metrics }) => {
    const [before, last] = metrics.epochs.slice(-2).map(({ validationLoss }) => validationLoss);
    return chain.has(stage) && metrics.level === 'float' && before != null && last != null && last < improving * before;
  });
  return longer === undefined
    ? null
    : `Train ${longer.stage.replace(/@.*/, '')} longer: the validation loss was still falling in its last epoch.`;
}

/** Our choice: part of the validation loss that is left after an epoch which is worth another one. */
const improving = 0.95;

function baselineStep({ test }: Subject): string | null {
  return floatOf(test) === null ? 'Add a `float-pretrain` stage, so that the cost of int8 is known.' : null;
}

function enoughStep({ report, test }: Subject): string {
  const change = (one: Test): number => one.diagnosis?.costs.whole?.change ?? 0;
  const [judged = test] = headlineTests(report).toSorted((a, b) => change(b) - change(a));
  const most = judged.lossInterval?.high ?? null;
  if (most === null) return 'Nothing needs to change.';
  const n = integer(judged.metrics.n);
  const amount = 'error' in judged ? `${percent(most)} of the error` : points(most).replace('+', '');
  const loses = `int8${judged.output === undefined ? '' : ` of ${judged.output}`} loses ${most <= 0 ? 'nothing' : `at most ${amount}`} (95 %)`;
  const isVague = report.lints.some(({ code, stage }) => code === 'n-too-small' && stage === judged.stage);
  return isVague
    ? `Nothing needs to change for int8. The number of test examples limits what can be said: ${n} only show that ${loses}. Test on more to tell smaller losses.`
    : `Nothing needs to change: ${n} test examples show that ${loses}.`;
}
