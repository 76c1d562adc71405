import { isCounted, isCountedTask } from '../../measurements/metrics.ts';
import type { CountedTrain } from '../../measurements/metrics.ts';
import { tickText } from '../charts/axes.ts';
import { curveChart } from '../charts/curve-chart.ts';
import type { CurveChart, Series } from '../charts/curve-chart.ts';
import { rangeChart } from '../charts/range-chart.ts';
import { NOT_MEASURED, fixed, integer, orNone, percent, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Report } from '../report.ts';
import { sharedName } from '../titles.ts';

export function trainingSection(report: Pick<Report, 'training' | 'stages'>): Markup | null {
  const { training } = report;
  const [first] = training;
  if (first === undefined) return null;
  return markup`<p class="lead">A stage that continues another starts at the step where that one ended. Pale lines are single batches, strong lines their moving average over about a twentieth of the training${hasValidation(report) ? ', points the validation after each epoch' : '; nothing was validated'}. The delay ends where training begins to simulate rounding.</p>
<div class="charts">${trainingCharts(report).map(curveChart)}</div>
${table(training, [...trainingColumns, validationColumn(first), speedColumn], { sorting: 'fixed', width: 'full' })}
${training.map(outputsTable)}
${training.map(rangeTracks)}`;
}

const hasValidation = ({ training }: Pick<Report, 'training'>): boolean =>
  training.some(({ metrics }) => metrics.epochs.some(({ validationLoss }) => validationLoss !== null));

/** Loss, accuracy where there is one, and learning rate of all trainings, in a row. */
export function trainingCharts({ training, stages }: Pick<Report, 'training' | 'stages'>): CurveChart[] {
  const classifiers = training.filter(isClassifier);
  const common = { xName: 'step', marks: marksOf(training, stages) };
  const loss: CurveChart = {
    ...{ ...common, title: 'Loss', yName: 'loss', scale: 'logarithmic', floor: 0, tick: tickText },
    series: curves(
      training,
      ({ history }) => history.map(({ step, loss }) => ({ step, y: loss })),
      ({ epochs }) => epochs.map(({ step, validationLoss }) => ({ step, y: validationLoss })),
    ),
  };
  const accuracy: CurveChart = {
    ...{ ...common, title: 'Accuracy', yName: 'accuracy', scale: 'linear', floor: accuracyFloor(classifiers) },
    tick: (share) => `${tickText(share * 100)} %`,
    series: curves(
      classifiers,
      ({ history }) => history.map(({ step, accuracy }) => ({ step, y: accuracy })),
      ({ epochs }) => epochs.map(({ step, validationAccuracy }) => ({ step, y: validationAccuracy })),
    ),
  };
  const rate: CurveChart = {
    ...{ ...common, title: 'Learning rate', yName: 'learning rate', scale: 'linear', floor: 0, tick: tickText },
    series: training.map(({ stage, stepsBefore, metrics }, color): Series => {
      const points = metrics.history.map(({ step, learningRate }) => ({ x: stepsBefore + step, y: learningRate }));
      return { name: stage, color: color % 6, kind: 'exact', points };
    }),
  };
  return classifiers.length === 0 ? [loss, rate] : [loss, accuracy, rate];
}

/** Where stages start, go on after an interruption, and where the quantization delay ends. */
function marksOf(training: Report['training'], stages: Report['stages']): CurveChart['marks'] {
  return training.flatMap(({ stage, stepsBefore, metrics }) => {
    const resumes = stages.find(({ name }) => name === stage)?.resumedAt ?? [];
    return [
      ...(stepsBefore === 0 ? [] : [{ x: stepsBefore, label: `${stage} starts` }]),
      ...(metrics.level === 'qat' && metrics.delay > 0 && metrics.delay <= metrics.steps
        ? [{ x: stepsBefore + metrics.delay, label: training.length > 2 ? `delay of ${stage} ends` : 'delay ends' }]
        : []),
      ...resumes.map((step) => ({ x: stepsBefore + step, label: 'resumed' })),
    ];
  });
}

type Training = Report['training'][number];
type Classifier = Training & { readonly metrics: CountedTrain };

function isClassifier(training: Training): training is Classifier {
  return isCounted(training.metrics);
}

type ObservedRange = Extract<Training['metrics'], { level: 'qat' }>['ranges'][number];

interface CurvePoint {
  readonly step: number;
  readonly y: number | null;
}

/** For each training its steps, and its validations as points. */
function curves<T extends Training>(
  trainings: readonly T[],
  train: (metrics: T['metrics']) => readonly CurvePoint[],
  validate: (metrics: T['metrics']) => readonly CurvePoint[],
): Series[] {
  const shifted = (points: readonly CurvePoint[], stepsBefore: number) =>
    points.flatMap(({ step, y }) => (y === null ? [] : [{ x: stepsBefore + step, y }]));
  return trainings
    .flatMap(({ stage, stepsBefore, metrics }, color): Series[] => [
      { name: stage, color: color % 6, kind: 'noisy', points: shifted(train(metrics), stepsBefore) },
      {
        name: `${stage}, validation`,
        color: color % 6,
        kind: 'points',
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
      metrics.bestEpoch === null
        ? markup`${NOT_MEASURED}<small>${metrics.epochs.every(({ validationLoss }) => validationLoss === null) ? 'no validation' : 'none was judged'}, so the last is kept</small>`
        : markup`${integer(metrics.bestEpoch)}${
            metrics.level === 'qat' && metrics.judgedFrom > 1
              ? markup`<small>chosen from epoch ${integer(metrics.judgedFrom)} on, when every step is quantized</small>`
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
    head: 'Last train loss',
    kind: 'number',
    cell: ({ metrics }) => orNone(metrics.epochs.at(-1)?.trainLoss ?? null, (loss) => fixed(loss, 4)),
  },
];

/** What the last epoch's validation said. */
function validationColumn({ metrics: { task } }: Training): Column<Training> {
  if (!isCountedTask(task)) {
    return {
      head: 'Last validation loss',
      kind: 'number',
      cell: ({ metrics }) => orNone(metrics.epochs.at(-1)?.validationLoss ?? null, (loss) => fixed(loss, 4)),
    };
  }
  return {
    head: `Last validation ${sharedName(task)}`,
    kind: 'number',
    cell: (training) =>
      isClassifier(training) ? orNone(training.metrics.epochs.at(-1)?.validationAccuracy ?? null, percent) : '',
  };
}

const speedColumn: Column<Training> = {
  head: 'Examples/s',
  kind: 'number',
  cell: ({ metrics }) => integer(metrics.imagesPerSecond),
};

const rangeColumns: readonly Column<ObservedRange>[] = [
  { head: 'Tensor', kind: 'text', cell: ({ name }) => name },
  { head: 'Min', kind: 'number', cell: ({ min }) => significant(min) },
  { head: 'Max', kind: 'number', cell: ({ max }) => significant(max) },
  { head: 'Updates', kind: 'number', cell: ({ updates }) => integer(updates) },
];

const TRACKS_SHOWN = 12;

/** Of a network with several outputs, each as the last epoch found it. */
function outputsTable({ stage, metrics }: Training): Markup | null {
  const last = metrics.epochs.at(-1);
  if (last === undefined || !('outputs' in last)) return null;
  return markup`<h3>Outputs: ${stage}</h3>
<p class="lead">In the last epoch. Losses are without their weights; the loss above is their weighted sum, by which the best epoch is chosen.</p>
${table(
  last.outputs,
  [
    { head: 'Output', kind: 'text', cell: ({ name }) => name },
    { head: 'Train loss', kind: 'number', cell: ({ trainLoss }) => fixed(trainLoss, 4) },
    {
      head: 'Last validation loss',
      kind: 'number',
      cell: ({ validationLoss }) => orNone(validationLoss, (loss) => fixed(loss, 4)),
    },
    { head: 'Validation', kind: 'number', cell: ({ validationShare }) => orNone(validationShare, percent) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}`;
}

/** How the ranges of activations came about, a small chart for each. */
function rangeTracks({ stage, metrics }: Training): Markup | null {
  if (metrics.level !== 'qat' || metrics.ranges.length === 0) return null;
  const { delay, ranges } = metrics;
  const tracked = ranges.filter(({ history }) => history.length > 1);
  const charts = (some: typeof ranges): Markup =>
    markup`<div class="charts tracks">${some.map((range) => rangeChart(range, delay))}</div>`;
  const more = tracked.slice(TRACKS_SHOWN);
  return markup`<h3>Activation ranges: ${stage}</h3>
<p class="lead">The range of each tensor during training, as its observer recorded it. The 256 codes are spread between the two lines. A range that is still growing at the end needs more steps.</p>
${charts(tracked.slice(0, TRACKS_SHOWN))}
${more.length === 0 ? null : markup`<details><summary>${more.length} more ranges</summary>${charts(more)}</details>`}
<details><summary>As a table</summary>${table(ranges, rangeColumns, { sorting: 'fixed', width: 'full' })}</details>`;
}
