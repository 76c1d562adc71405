/** What a comparison looks at of a test, whatever its task. */
import { runtimes } from '../../measurements/metrics.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import { outcomesOf } from '../matrix.ts';
import type { Report, Test } from '../report.ts';
import { errorName } from '../titles.ts';
import type { Interval } from '../statistics.ts';
import { accuracyName } from '../titles.ts';
import type { Kind } from './schema.ts';

export interface Value {
  readonly value: number;
  readonly interval: Interval;
  readonly n: number;
}

export interface Tested {
  /** Its stage, of a network with several outputs with the name of the output behind it. */
  readonly name: string;
  readonly stage: string;
  /** Of a network with several. */
  readonly output: string | null;
  readonly kind: Kind;
  readonly measure: string;
  readonly values: Readonly<Record<RuntimeName, Value | null>>;
  /** Of int8, by example: right or not, an error, or a pseudo-value of the score. Empty where they were not kept. */
  readonly outcomes: Float32Array;
  /** Digest of the examples; null where the record does not say it. */
  readonly examples: string | null;
  /** Before the last ones, the same for all outputs: only the first has them. */
  readonly layers: readonly { readonly name: string; readonly sqnrDb: number | null }[];
  readonly model: { readonly bytes: number; readonly sha256: string };
}

/** A test that several runs have, as each has it. */
export interface MatchedTest {
  readonly name: string;
  readonly tests: readonly (Tested | null)[];
}

export function testsOf(report: Report): readonly Tested[] {
  const inputs = new Map(report.stages.map(({ name, inputs: read }) => [name, read]));
  const isFirst = (test: Test): boolean => report.tests.find(({ stage }) => stage === test.stage) === test;
  return report.tests.map((test) => ({
    name: test.output === undefined ? test.stage : `${test.stage}, ${test.output}`,
    ...{ stage: test.stage, output: test.output ?? null },
    ...measured(test),
    outcomes: outcomesOf(test.metrics.outcomes),
    examples: inputs.get(test.stage)?.['data']?.digest ?? null,
    layers: isFirst(test) ? test.metrics.layers.map(({ name, floatSqnrDb }) => ({ name, sqnrDb: floatSqnrDb })) : [],
    model: test.metrics.model,
  }));
}

function measured(test: Test): Pick<Tested, 'kind' | 'measure' | 'values'> {
  if ('accuracy' in test) {
    const values = eachOf(test.accuracy, ({ top1, interval, n }) => ({ value: top1, interval, n }));
    return { kind: 'accuracy', measure: accuracyName(test), values };
  }
  if ('score' in test) {
    const values = eachOf(test.score, ({ value, interval, n }) => ({ value, interval, n }));
    return { kind: 'score', measure: test.metrics.scoreName, values };
  }
  const values = eachOf(test.error, ({ mean, interval, n }) => ({ value: mean, interval, n }));
  return { kind: 'error', measure: errorName(test.metrics), values };
}

function eachOf<T>(
  all: Readonly<Record<RuntimeName, T | null>>,
  read: (one: T) => Value,
): Readonly<Record<RuntimeName, Value | null>> {
  const of = (runtime: RuntimeName): Value | null => {
    const one = all[runtime];
    return one === null ? null : read(one);
  };
  return {
    float: of('float'),
    qat_float: of('qat_float'),
    fake_quant: of('fake_quant'),
    int8: of('int8'),
    int8_litert: of('int8_litert'),
  };
}

/** Those that were measured in some run, in the order of every table. */
export const measuredRuntimes = (tests: readonly (Tested | null)[]): readonly RuntimeName[] =>
  runtimes.filter((runtime) => tests.some((test) => test !== null && test.values[runtime] !== null));
