/** What a stage reached, in a few words: for the line that stays of it in a terminal or a log. */
import type { JsonObject } from '../core/json.ts';
import { counted } from '../core/words.ts';
import type { StageMetrics, TestMetrics } from '../measurements/metrics.ts';
import { readStageMetrics } from '../measurements/metrics.ts';
import type { StageResult } from '../runner/plan.ts';
import { kib } from '../targets/file.ts';

type TrainMetrics = Extract<StageMetrics, { kind: 'train' }>;

/**
 * @param keep which epoch of a training the stage kept
 * @returns null for a stage whose file says all, and for metrics of another version
 */
export function stageResult(metrics: JsonObject, keep: 'last' | 'best'): StageResult | null {
  const read = readStageMetrics(metrics);
  switch (read?.kind) {
    case undefined:
      return null;
    case 'train':
      return trainingResult(read, keep);
    case 'import':
      return words(counted(read.parameters, 'parameter'));
    case 'ptq':
      return words(`${counted(read.ranges.length, 'range')} from ${counted(read.examples, 'example')}`);
    case 'convert':
      return words(kib(read.bytes) + (read.memory === undefined ? '' : `, arena ${kib(read.memory.arena)}`));
    case 'export':
      return words(counted(Object.keys(read.sizes).length, 'file'));
    case 'test':
      return words(testText(read));
    case 'tests':
      return words(read.outputs.map(({ name, test }) => `${name} ${testText(test)}`).join('; '));
  }
}

const words = (text: string): StageResult => ({ text, curve: [] });

function trainingResult(metrics: TrainMetrics, keep: 'last' | 'best'): StageResult | null {
  const curve = qualities(metrics);
  const kept = keep === 'best' && metrics.bestEpoch !== null ? metrics.bestEpoch - 1 : curve.values.length - 1;
  const value = curve.values[kept];
  if (value === undefined) return null;
  // A single epoch has no curve but that of its steps.
  const steps = metrics.history.map((point) => ('accuracy' in point ? point.accuracy : point.loss));
  return {
    text: `${curve.name} ${curve.format(value)}`,
    curve: curve.values.length > 1 ? curve.values : steps,
  };
}

interface Qualities {
  readonly name: string;
  readonly values: readonly number[];
  readonly format: (value: number) => string;
}

/** Of each epoch what says most: the validation where there is one, a share before a loss. */
function qualities({ epochs }: TrainMetrics): Qualities {
  const all = (name: string, format: Qualities['format'], read: (epoch: Epoch) => number | null): Qualities | null => {
    const values = epochs.map(read);
    return values.every((value) => value !== null) ? { name, values, format } : null;
  };
  return (
    all('val', percent, validatedShare) ??
    all('val loss', decimals, ({ validationLoss }) => validationLoss) ??
    all('accuracy', percent, (epoch) => ('trainAccuracy' in epoch ? epoch.trainAccuracy : null)) ?? {
      ...{ name: 'loss', format: decimals },
      values: epochs.map(({ trainLoss }) => trainLoss),
    }
  );
}
type Epoch = TrainMetrics['epochs'][number];

/** Null for the loss of a network with several outputs, of which no share says all. */
function validatedShare(epoch: Epoch): number | null {
  if ('outputs' in epoch) return null;
  return 'trainAccuracy' in epoch ? epoch.validationAccuracy : (epoch.validationScore ?? null);
}

function testText(metrics: TestMetrics): string {
  if ('accuracy' in metrics) {
    const { int8, float } = metrics.accuracy;
    return beside(percent(int8.top1), float === null ? null : percent(float.top1));
  }
  if ('score' in metrics) {
    const { int8, float } = metrics.score;
    return beside(percent(int8.value), float === null ? null : percent(float.value));
  }
  const { int8, float } = metrics.error;
  return beside(`error ${decimals(int8.mean)}`, float === null ? null : decimals(float.mean));
}

const beside = (int8: string, float: string | null): string =>
  `int8 ${int8}${float === null ? '' : `, float ${float}`}`;
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const decimals = (value: number): string => String(Number(value.toPrecision(3)));
