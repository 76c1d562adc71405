/** What quantization-aware training reached beyond calibration, from one float model and on the same test examples. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { object } from '../../core/schema.ts';
import { nullable } from '../../measurements/metrics.ts';
import type { Flips } from '../../measurements/metrics.ts';
import { percent, points, probability, seconds, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Interval as Span } from '../statistics.ts';
import { mcnemarExact, meanInterval } from '../statistics.ts';

const Interval = object({ low: Type.Number(), high: Type.Number() });

const Branch = object({
  method: Type.Union([Type.Literal('ptq'), Type.Literal('qat')]),
  stage: Type.String({ description: 'that quantizes' }),
  test: Type.String({ description: 'name of its test stage' }),
  value: Type.Number({ description: 'of int8: accuracy or score, or mean error' }),
  interval: Interval,
  bytes: Type.Integer({ description: 'of the .tflite file' }),
  seconds: Type.Number({ description: 'that the stage took' }),
});

export const QuantizationPair = object({
  float: Type.String({ description: 'name of the stage with the float model of both' }),
  measure: Type.String({ description: 'such as `top-1` or `error`' }),
  ptq: Branch,
  qat: Branch,
  gain: object(
    {
      mean: Type.Number({ description: 'by example, from PTQ to QAT; positive where QAT is better' }),
      interval: Interval,
      p: nullable(
        Type.Number({ description: 'exact McNemar test, two-sided; null where examples are not right or wrong' }),
      ),
    },
    { description: 'on the same examples, so that it tells less than the two intervals hide' },
  ),
  verdict: Type.Union([Type.Literal('worth_it'), Type.Literal('within_chance'), Type.Literal('harmful')]),
  sentence: Type.String(),
});
export type QuantizationPair = Static<typeof QuantizationPair>;

/** What is looked at of a stage. */
interface ReadingStage {
  readonly name: string;
  readonly kind: string;
  readonly seconds: number;
  readonly reads: readonly string[];
  readonly outputs: Readonly<Record<string, { readonly type: string }>>;
}

/** What is looked at of a test. */
export interface PairedTest {
  readonly stage: string;
  readonly kind: 'accuracy' | 'error' | 'score';
  readonly measure: string;
  readonly int8: { readonly value: number; readonly interval: Span };
  /** Of every example; left out by records of other versions. */
  readonly outcomes: string | undefined;
  readonly bytes: number;
}

/** Each `qat` with each `ptq` that began with the same float model and was tested on as many examples. */
export function quantizationPairs(stages: readonly ReadingStage[], tests: readonly PairedTest[]): QuantizationPair[] {
  const branches = tests.flatMap((test) => branchOf(stages, test));
  return branches.flatMap((qat) =>
    branches.flatMap((ptq) => {
      const isPair = qat.branch.method === 'qat' && ptq.branch.method === 'ptq' && qat.float === ptq.float;
      return isPair ? pairOf(qat.float, ptq, qat) : [];
    }),
  );
}

interface TestedBranch {
  readonly float: string;
  readonly branch: QuantizationPair['ptq'];
  readonly outcomes: Float32Array;
  readonly test: PairedTest;
}

function branchOf(stages: readonly ReadingStage[], test: PairedTest): TestedBranch[] {
  const reads = stages.find(({ name }) => name === test.stage)?.reads ?? [];
  const read = stages.filter(({ name }) => reads.includes(name));
  const quantizing = read.find(({ kind }) => kind === 'ptq' || kind === 'qat');
  const float = read.find(({ outputs }) => Object.values(outputs).some(({ type }) => type.startsWith('FloatModel/')));
  if (quantizing === undefined || float === undefined || test.outcomes === undefined) return [];
  const { value, interval } = test.int8;
  const branch = {
    method: quantizing.kind === 'ptq' ? ('ptq' as const) : ('qat' as const),
    ...{ stage: quantizing.name, test: test.stage, value, interval: { low: interval.low, high: interval.high } },
    ...{ bytes: test.bytes, seconds: quantizing.seconds },
  };
  // Copied, since a buffer may begin anywhere.
  const outcomes = new Float32Array(Uint8Array.from(Buffer.from(test.outcomes, 'base64')).buffer);
  return [{ float: float.name, branch, outcomes, test }];
}

function pairOf(float: string, ptq: TestedBranch, qat: TestedBranch): QuantizationPair[] {
  const n = ptq.outcomes.length;
  const { kind, measure } = qat.test;
  if (n === 0 || qat.outcomes.length !== n || ptq.test.kind !== kind) return [];
  const isError = kind === 'error';
  const gains = Float64Array.from(qat.outcomes, (value, index) => (value - ptq.outcomes[index]!) * (isError ? -1 : 1));
  const sum = gains.reduce((total, gain) => total + gain, 0);
  const squares = gains.reduce((total, gain) => total + (gain - sum / n) ** 2, 0);
  // A score is not the mean of what its examples contribute, but its difference is.
  const mean = (qat.branch.value - ptq.branch.value) * (isError ? -1 : 1);
  const interval = meanInterval(mean, n > 1 ? Math.sqrt(squares / (n - 1)) : 0, n);
  const p = kind === 'accuracy' ? mcnemar(gains) : null;
  const isReal = p === null ? interval.low > 0 || interval.high < 0 : p < 0.05;
  const verdict = !isReal ? 'within_chance' : mean > 0 ? 'worth_it' : 'harmful';
  const pair = { float, measure, ptq: ptq.branch, qat: qat.branch };
  const result = { ...pair, gain: { mean, interval, p }, verdict } as const;
  return [{ ...result, sentence: sentenceOf(result, isError) }];
}

function mcnemar(gains: Float64Array): number {
  const flips: Flips = {
    rightToWrong: gains.filter((gain) => gain < 0).length,
    wrongToRight: gains.filter((gain) => gain > 0).length,
  };
  return mcnemarExact(flips.rightToWrong, flips.wrongToRight);
}

const verdicts = {
  worth_it: 'QAT was worth it',
  within_chance: 'QAT was not worth it',
  harmful: 'QAT did harm',
} as const;

function sentenceOf(pair: Omit<QuantizationPair, 'sentence'>, isError: boolean): string {
  const { measure, ptq, qat, gain, verdict } = pair;
  const amount = isError ? significant : percent;
  const difference = isError ? significant(-gain.mean) : points(gain.mean);
  const doubt = verdict === 'within_chance' ? ', which is within chance' : '';
  const test = gain.p === null ? '' : `, p = ${probability(gain.p)}`;
  return (
    `${verdicts[verdict]}: int8 ${measure} is ${amount(qat.value)} after \`${qat.stage}\` and ${amount(ptq.value)} ` +
    `after \`${ptq.stage}\`, a difference of ${difference}${doubt}${test}. ` +
    `\`${qat.stage}\` took ${seconds(qat.seconds)}, \`${ptq.stage}\` ${seconds(ptq.seconds)}.`
  );
}

/** Of `report.html`; null where there is nothing to compare. */
export function quantizationsSection(quantizations: readonly QuantizationPair[]): Markup | null {
  if (quantizations.length === 0) return null;
  return markup`${quantizations.map(({ sentence, ptq, qat, float, measure }) => {
    const amount = measure === 'error' ? significant : percent;
    return markup`<p class="lead">${sentence}</p>
${table(
  [ptq, qat],
  [
    { head: `From ${float}`, kind: 'text', cell: ({ stage }) => stage },
    { head: `int8 ${measure}`, kind: 'number', cell: ({ value }) => amount(value) },
    {
      head: '95 % interval',
      kind: 'number',
      cell: ({ interval }) => `${amount(interval.low)} \u2013 ${amount(interval.high)}`,
    },
    { head: 'Test', kind: 'text', cell: ({ test }) => test },
    { head: 'Time', kind: 'number', cell: (branch) => seconds(branch.seconds) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
  })}`;
}
