import { isCounted, isCountedTask } from '../../measurements/metrics.ts';
import type { CountedTrain } from '../../measurements/metrics.ts';
import { bandSparkline, lineChart } from '../charts.ts';
import type { Series } from '../charts.ts';
import { NOT_MEASURED, fixed, integer, orNone, percent, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Report } from '../report.ts';
import { sharedName } from '../titles.ts';

export function trainingSection({ training }: Report): Markup | null {
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
