/** Sizes, trainings and times of runs side by side. */
import type { CountedTask, TrainMetrics } from '../../measurements/metrics.ts';
import { isCounted } from '../../measurements/metrics.ts';
import type { Report } from '../report.ts';
import { sharedName } from '../titles.ts';
import type { Judgement, Measure } from './schema.ts';

type Values = readonly (number | null | undefined)[];

export function measuresOf(reports: readonly Report[]): Measure[] {
  return [...sizes(reports), ...trainings(reports), ...times(reports)].filter(({ values }) =>
    values.some((value) => value !== null),
  );
}

function sizes(reports: readonly Report[]): Measure[] {
  const stages = namesOf(reports.map(({ conversions }) => conversions));
  return stages.flatMap((stage) => {
    const prefix = stages.length === 1 ? '' : `${stage}: `;
    const found = reports.map((report) => report.conversions.find((one) => one.stage === stage)?.metrics);
    return [
      measure(
        `${prefix}model file`,
        'bytes',
        found.map((one) => one?.bytes),
        'less_is_better',
      ),
      measure(
        `${prefix}tensor arena`,
        'bytes',
        found.map((one) => one?.memory?.arena),
        'less_is_better',
      ),
      measure(
        `${prefix}multiply-accumulates`,
        'count',
        found.map((one) => one?.memory?.macs),
        'less_is_better',
      ),
    ];
  });
}

function trainings(reports: readonly Report[]): Measure[] {
  return namesOf(reports.map(({ training }) => training)).flatMap((stage) => {
    const found = reports.map((report) => report.training.find((one) => one.stage === stage)?.metrics);
    const share = sharedName(
      found.flatMap((one) => (one === undefined ? [] : (countedTaskOf(one) ?? [])))[0] ?? 'classify',
    );
    const of = (read: (metrics: TrainMetrics) => number | null): Values =>
      found.map((one) => (one === undefined ? null : read(one)));
    return [
      measure(
        `${stage}: validation ${share}, last epoch`,
        'share',
        of((one) => accuracyOf(one, lastEpoch(one))),
      ),
      measure(
        `${stage}: validation ${share}, best epoch`,
        'share',
        of((one) => accuracyOf(one, one.bestEpoch)),
      ),
      measure(
        `${stage}: validation loss, last epoch`,
        'error',
        of((one) => lossOf(one, lastEpoch(one))),
      ),
      measure(
        `${stage}: validation loss, best epoch`,
        'error',
        of((one) => lossOf(one, one.bestEpoch)),
      ),
    ];
  });
}

function times(reports: readonly Report[]): Measure[] {
  const rates = namesOf(reports.map(({ training }) => training)).map((stage) =>
    measure(
      `${stage}: examples per second`,
      'per_second',
      reports.map((report) => report.training.find((one) => one.stage === stage)?.metrics.imagesPerSecond),
    ),
  );
  const work = ({ stages }: Report) => stages.reduce((sum, stage) => sum + stage.seconds, 0);
  return [...rates, measure('time of all stages', 'seconds', reports.map(work))];
}

/** In the order in which the first run that has one has it. */
const namesOf = (lists: readonly (readonly { readonly stage: string }[])[]): readonly string[] => [
  ...new Set(lists.flatMap((list) => list.map(({ stage }) => stage))),
];

function measure(
  name: string,
  unit: Measure['unit'],
  found: Values,
  better: 'less_is_better' | 'not_judged' = 'not_judged',
): Measure {
  const values = found.map((value) => value ?? null);
  const [first = null] = values;
  const judgements = values.map((value) => (better === 'not_judged' ? better : judgeSize(first, value)));
  return { name, unit, values, judgements };
}

function judgeSize(a: number | null, b: number | null): Judgement {
  if (a === null || b === null) return 'not_judged';
  return a === b ? 'same' : b < a ? 'better' : 'worse';
}

const countedTaskOf = (metrics: TrainMetrics): CountedTask | null => (isCounted(metrics) ? metrics.task : null);

const lastEpoch = ({ epochs }: TrainMetrics): number | null => epochs.at(-1)?.epoch ?? null;

function accuracyOf(metrics: TrainMetrics, epoch: number | null): number | null {
  if (!isCounted(metrics)) return null;
  return metrics.epochs.find((one) => one.epoch === epoch)?.validationAccuracy ?? null;
}

const lossOf = ({ epochs }: TrainMetrics, epoch: number | null): number | null =>
  epochs.map(({ epoch: number, validationLoss }) => ({ number, validationLoss })).find(({ number }) => number === epoch)
    ?.validationLoss ?? null;
