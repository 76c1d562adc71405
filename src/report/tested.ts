/** What one test says: intervals, costs with their chance, and the diagnosis. */
import type {
  ClassifyTest,
  Flips,
  ImageErrors,
  ReconstructTest,
  RegressTest,
  RuntimeName,
  ScoreTest,
  TestMetrics,
} from '../measurements/metrics.ts';
import { diagnose } from './diagnosis.ts';
import type { Cost, QuantizedBy } from './diagnosis.ts';
import type { Learned } from './faults.ts';
import { points, significant } from './format.ts';
import { learnedBefore } from './learned.ts';
import { chainOf } from './lines-of-stages.ts';
import type { Interval } from './statistics.ts';
import { mcnemarExact, meanInterval, pairedShareInterval, wilsonInterval } from './statistics.ts';
import type {
  ClassifyResult,
  Measured,
  MeasuredError,
  MeasuredScore,
  ReconstructResult,
  Report,
  ScoreResult,
  Test,
} from './report.ts';
import { errorName } from './titles.ts';

/** What came before a test. */
interface Before {
  readonly method: QuantizedBy;
  readonly learned: (metrics: ClassifyTest) => Learned | null;
}

export function beforeTest(stage: string, stages: Report['stages'], training: Report['training']): Before {
  const chain = new Set(chainOf(stages, stage));
  const isTrained = training.some((one) => chain.has(one.stage) && one.metrics.level === 'qat');
  return {
    method: isTrained ? 'qat' : 'ptq',
    learned: (metrics) => learnedBefore(stage, metrics, stages, training),
  };
}

export function summarizeTest(stage: string, metrics: TestMetrics, { method, learned }: Before): Test {
  if ('accuracy' in metrics) return summarizeClassification(stage, metrics, method, learned(metrics));
  if ('score' in metrics) return summarizeScore(stage, metrics, method);
  const summary = { stage, ...summarizeErrors(metrics, method) };
  return metrics.task === 'regress'
    ? { task: metrics.task, ...summary, metrics }
    : { task: metrics.task, ...summary, metrics };
}

function summarizeScore(stage: string, metrics: ScoreTest, method: QuantizedBy): ScoreResult {
  const { n, score, scoreName } = metrics;
  const measure = (runtime: RuntimeName): MeasuredScore | null => {
    const measured = score[runtime];
    if (measured === null) return null;
    const { value, deviation } = measured;
    const { low, high } = meanInterval(value, deviation, n);
    const drop = score.float === null || runtime === 'float' ? null : score.float.value - value;
    return { value, n, interval: { low: Math.max(0, low), high: Math.min(1, high) }, drop };
  };
  const { whole, training, quantization } = metrics.costs;
  const between = score.fake_quant?.value ?? score.int8.value;
  const before = score.int8.value + quantization.mean;
  const diagnosis = diagnose(
    { ...metrics, learned: null, method },
    {
      whole: whole === null ? null : costOfErrors(whole, n),
      training: training === null ? null : costOfErrors(training, n),
      quantization: costOfErrors(quantization, n),
      ranges: before - between,
      kernels: between - score.int8.value,
    },
    (change) => `${points(change).replace('+', '')} of the ${scoreName}`,
  );
  const lossInterval = whole === null ? null : meanInterval(whole.mean, whole.deviation, n);
  return { task: metrics.task, stage, score: forEachRuntime(measure), lossInterval, diagnosis, metrics };
}

function summarizeClassification(
  stage: string,
  metrics: ClassifyTest,
  method: QuantizedBy,
  learned: Learned | null,
): ClassifyResult {
  const measure = (runtime: RuntimeName): Measured | null => {
    const counted = metrics.accuracy[runtime];
    if (counted === null) return null;
    const { float } = metrics.accuracy;
    return {
      ...counted,
      interval: wilsonInterval(counted.correct, counted.n),
      drop: float === null || runtime === 'float' ? null : float.top1 - counted.top1,
    };
  };
  const { flips, costs, n } = metrics;
  const accuracy = forEachRuntime(measure);
  const mcnemarP = flips === null ? null : mcnemarExact(flips.rightToWrong, flips.wrongToRight);
  const { qat_float: qatFloat, fake_quant: fakeQuant, int8 } = metrics.accuracy;
  const before = qatFloat?.top1 ?? int8.top1;
  const between = fakeQuant?.top1 ?? before;
  const diagnosis = diagnose(
    { ...metrics, learned, method },
    {
      whole: flips === null ? null : costOfFlips(flips, n),
      training: costs.training === null ? null : costOfFlips(costs.training, n),
      quantization: costOfFlips(costs.quantization, n),
      ranges: before - between,
      kernels: between - int8.top1,
    },
    (change) => points(change).replace('+', ''),
  );
  const lossInterval = flips === null ? null : pairedShareInterval(flips.rightToWrong, flips.wrongToRight, n);
  return { task: metrics.task, stage, accuracy, mcnemarP, lossInterval, diagnosis, metrics };
}

/** Paired, since the same examples were counted. */
function costOfFlips({ rightToWrong, wrongToRight }: Flips, n: number): Cost {
  const change = n === 0 ? 0 : (rightToWrong - wrongToRight) / n;
  return costOf(change, mcnemarExact(rightToWrong, wrongToRight) >= 0.05);
}

function summarizeErrors(
  metrics: RegressTest | ReconstructTest,
  method: QuantizedBy,
): Pick<ReconstructResult, 'error' | 'diagnosis' | 'lossInterval'> {
  const { n, error } = metrics;
  const measure = (runtime: RuntimeName): MeasuredError | null => {
    const measured = error[runtime];
    if (measured === null) return null;
    const { mean, deviation } = measured;
    const rise = error.float === null || runtime === 'float' ? null : mean / error.float.mean - 1;
    return { mean, n, interval: meanInterval(mean, deviation, n), rise };
  };
  const errors = forEachRuntime(measure);
  const { whole, training, quantization } = metrics.costs;
  const between = error.fake_quant?.mean ?? error.int8.mean;
  const diagnosis = diagnose(
    { ...metrics, learned: null, method },
    {
      whole: whole === null ? null : costOfErrors(whole, n),
      training: training === null ? null : costOfErrors(training, n),
      quantization: costOfErrors(quantization, n),
      ranges: between - (error.int8.mean - quantization.mean),
      kernels: error.int8.mean - between,
    },
    (change) => `${significant(change)} of the ${errorName(metrics)}`,
  );
  return { error: errors, lossInterval: riseInterval(metrics), diagnosis };
}

/** Of the error's rise as a fraction of that of float, which is taken as exact. */
function riseInterval({ n, error, costs }: RegressTest | ReconstructTest): Interval | null {
  if (costs.whole === null || error.float === null || error.float.mean === 0) return null;
  const { low, high } = meanInterval(costs.whole.mean, costs.whole.deviation, n);
  return { low: low / error.float.mean, high: high / error.float.mean };
}

/** Paired: by the interval of the mean difference on the same examples. */
function costOfErrors({ mean, deviation }: ImageErrors, n: number): Cost {
  const { low, high } = meanInterval(mean, deviation, n);
  return costOf(mean, n <= 1 || (low <= 0 && high >= 0));
}

const costOf = (change: number, isChance: boolean): Cost => ({
  change,
  loss: change <= 0 ? 'none' : isChance ? 'within_chance' : 'real',
  isChance,
});

function forEachRuntime<T>(measure: (runtime: RuntimeName) => T): Record<RuntimeName, T> {
  return {
    float: measure('float'),
    qat_float: measure('qat_float'),
    fake_quant: measure('fake_quant'),
    int8: measure('int8'),
    int8_litert: measure('int8_litert'),
  };
}
