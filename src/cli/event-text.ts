/** What is said of an event, in a terminal and in a log. */
import { unreachable } from '../core/assert.ts';
import { textWidth } from '../core/screen-text.ts';
import type { RunEvent } from '../runner/event.ts';
import { sparkline } from './sparkline.ts';
import { clockText, durationText } from './words.ts';

export type EventOf<K extends RunEvent['kind']> = Extract<RunEvent, { kind: K }>;

/** A piece of a line that may be left out where the line is too long. */
interface Part {
  readonly text: string;
  /** What is least important goes first. */
  readonly weight: number;
}

/** The parts that fit into `width` columns, in their order; at least the most important one. */
function fitting(parts: readonly Part[], width: number, gap: number): readonly Part[] {
  const length = parts.reduce((sum, { text }) => sum + textWidth(text) + gap, -gap);
  if (length <= width || parts.length <= 1) return parts;
  const least = Math.min(...parts.map(({ weight }) => weight));
  const at = parts.findIndex(({ weight }) => weight === least);
  return fitting(parts.toSpliced(at, 1), width, gap);
}

/** Between the parts of a line about a stage that has ended. */
const dot = ' · ';

/** The longest curve behind the result of a stage. */
const resultColumns = 12;

/** `3.9 s · val 98.44 %`. */
export function finishedText(event: EventOf<'stage-finished'>): string {
  return finishedParts(event)
    .map(({ text }) => text)
    .join(dot);
}

/** The same with the curve behind it, `3.9 s · val 98.44 % ▁▄▆▇█`, in one line of `width` columns. */
export function finishedLine(event: EventOf<'stage-finished'>, width: number): string {
  const parts = fitting(finishedParts(event), width, dot.length);
  const { text = '', curve = [] } = event.result ?? {};
  const used = parts.reduce((sum, part) => sum + textWidth(part.text) + dot.length, -dot.length);
  const drawn = sparkline(curve, Math.min(resultColumns, width - used - 1));
  // Fewer points than the curve has epochs would be another curve.
  const tail = drawn.length < Math.min(curve.length, 4) ? '' : ` ${drawn}`;
  return parts.map((part) => (part.text === text ? part.text + tail : part.text)).join(dot);
}

function finishedParts({ cached, seconds, verdict, result }: EventOf<'stage-finished'>): Part[] {
  return [
    { text: cached ? `cached (${durationText(seconds)} when it ran)` : durationText(seconds), weight: 1 },
    ...(result === undefined ? [] : [{ text: result.text, weight: 2 }]),
    ...(verdict === 'fail' ? [{ text: 'gate not met', weight: 3 }] : []),
  ];
}

export const skippedText = ({ because }: EventOf<'stage-skipped'>): string => `not run, since ${because} failed`;

export type Remark =
  'cache-repaired' | 'nondeterminism' | 'stage-resumed' | 'checkpoint-damaged' | 'checkpoint-refused';

/** What must be readable when the stage is done. */
export function remarkText(event: EventOf<Remark>): string {
  switch (event.kind) {
    case 'cache-repaired':
    case 'checkpoint-damaged':
      return `damage in the store: ${event.found}`;
    case 'nondeterminism':
      return `NONDETERMINISM: ${event.output} was ${event.before.slice(0, 19)}, is now ${event.now.slice(0, 19)}`;
    case 'stage-resumed':
      return `continues after step ${count(event.step)} of ${count(event.totalSteps)} (epoch ${event.epoch})`;
    case 'checkpoint-refused':
      return `it goes on, but would begin again if it were interrupted: ${event.message}`;
    default:
      return unreachable(event);
  }
}

const bar = { longest: 20, shortest: 8 } as const;
const curveColumns = { most: 10, fewest: 3 } as const;

/**
 * `━━━━━━──────  epoch 1/3  loss 0.3201 █▅▃▂▁  val 91.20 %  12,000 images/s  0:14 left`, in one line of `width` columns.
 * The curve, then the bar, get the remaining width; if there is none, the least important parts are left out.
 *
 * @param losses of the stage so far, oldest first
 */
export function progressText(event: EventOf<'stage-progress'>, width: number, losses: readonly number[] = []): string {
  const gap = 2;
  const shown = fitting(progressParts(event), width, gap);
  let room = width - shown.reduce((sum, { text }) => sum + textWidth(text) + gap, -gap);
  const curve = sparkline(losses, Math.min(curveColumns.most, room - 1), 'logarithmic');
  const hasCurve = curve.length >= curveColumns.fewest && shown.some(({ text }) => text.startsWith('loss '));
  if (hasCurve) room -= curve.length + 1;
  const columns = Math.min(bar.longest, room - gap);
  const filled = Math.round((columns * event.step) / Math.max(1, event.totalSteps));
  const drawn = columns < bar.shortest ? [] : ['━'.repeat(filled) + '─'.repeat(columns - filled)];
  const texts = shown.map(({ text }) => (hasCurve && text.startsWith('loss ') ? `${text} ${curve}` : text));
  return [...drawn, ...texts].join(' '.repeat(gap));
}

function progressParts({ step, totalSteps, values }: EventOf<'stage-progress'>): Part[] {
  const { epoch, epochs, loss, accuracy, images, images_per_second: rate, eta_seconds: eta } = values;
  const parts: Part[] = [];
  if (epoch != null && epochs != null) parts.push({ text: `epoch ${epoch}/${epochs}`, weight: 4 });
  const steps = `${count(step)}/${count(totalSteps)}`;
  if (images != null) parts.push({ text: `${steps} images`, weight: 6 });
  else if (epoch == null) parts.push({ text: `step ${steps}`, weight: 6 });
  if (loss != null) parts.push({ text: `loss ${loss.toFixed(4)}`, weight: 5 });
  const validation = validationText(values);
  if (validation !== null) parts.push({ text: validation, weight: 3 });
  else if (accuracy != null) parts.push({ text: `accuracy ${percent(accuracy)}`, weight: 3 });
  // The first step is not representative: the engine has only just started.
  if (rate != null && step > 1) parts.push({ text: `${count(rate)} images/s`, weight: 2 });
  if (eta != null && step > 1) parts.push({ text: `${clockText(eta)} left`, weight: 7 });
  return parts;
}

function validationText(values: EventOf<'stage-progress'>['values']): string | null {
  const { validation_accuracy: accuracy, validation_score: score, validation_loss: loss } = values;
  const share = accuracy ?? score;
  if (share != null) return `val ${percent(share)}`;
  return loss == null ? null : `val loss ${loss.toFixed(4)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
