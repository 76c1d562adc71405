import { Listr } from 'listr2';
import type { ListrTaskWrapper, DefaultRenderer, SimpleRenderer } from 'listr2';
import { unreachable } from '../core/assert.ts';
import type { Deferred } from '../core/promise.ts';
import { withResolvers } from '../core/promise.ts';
import type { DownloadProgress } from '../data/download.ts';
import type { RunEvent } from '../runner/event.ts';
import { waitingText } from '../runner/lease.ts';
import { clockText } from './words.ts';

/** Shows the events of a run. `finish` returns when everything is drawn. */
export interface Progress {
  show(event: RunEvent): void;
  finish(): Promise<void>;
}

/** One JSON object a line, for programs. */
export function jsonProgress(write: (line: string) => void): Progress {
  return {
    show: (event) => write(JSON.stringify(event)),
    finish: () => Promise.resolve(),
  };
}

/** A line for what matters, for logs and pipes. */
export function plainProgress(write: (line: string) => void): Progress {
  return {
    show(event) {
      const line = plainLine(event);
      if (line !== null) write(line);
    },
    finish: () => Promise.resolve(),
  };
}

function plainLine(event: RunEvent): string | null {
  switch (event.kind) {
    case 'run-started':
      return `run ${event.run}: ${stagesText(event.stages)}`;
    case 'stage-started':
      return event.cached ? null : `${event.stage}: started`;
    case 'stage-waiting':
      return `${event.stage}: waiting for ${waitingText(event)}`;
    case 'stage-log':
      return `${event.stage}: ${event.message}`;
    case 'stage-finished':
      return `${event.stage}: ${finishedText(event)}`;
    case 'stage-failed':
      return `${event.stage}: failed`;
    case 'stage-skipped':
      return `${event.stage}: ${skippedText(event)}`;
    case 'cache-repaired':
    case 'nondeterminism':
    case 'stage-resumed':
    case 'checkpoint-damaged':
    case 'checkpoint-refused':
      return `${event.stage}: ${remarkText(event)}`;
    case 'stage-progress':
    case 'run-finished':
      return null;
    default:
      return unreachable(event);
  }
}

/** More than that are counted. */
const mostNames = 12;

function stagesText(stages: readonly string[]): string {
  const called = [...new Set(stages.map((stage) => stage.replace(/@.*/, '')))].join(', ');
  return stages.length <= mostNames ? stages.join(', ') : `${stages.length} stages of ${called}`;
}

type TaskView = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface StageView {
  /** Null until the list reaches the stage, which may be after the stage has ended. */
  task: TaskView | null;
  title: string;
  /** What must stay readable when the stage is done. */
  readonly remarks: string[];
  readonly ended: Deferred<void>;
}

/** What Listr puts before a line of output and leaves free behind it. */
const outputIndent = 8;

/** A list of stages in a terminal, each with its progress while it runs. */
export function terminalProgress(terminal: { readonly columns: number }): Progress {
  const views = new Map<string, StageView>();
  let drawn: Promise<unknown> = Promise.resolve();
  const end = (stage: string, ending: string, failure: Error | null): void => {
    const view = views.get(stage);
    if (view === undefined) return;
    view.title = [`${stage}  ${ending}`, ...view.remarks].join('\n');
    if (view.task !== null) view.task.title = view.title;
    if (failure === null) view.ended.resolve();
    else view.ended.reject(failure);
  };
  // Stages that never began must not keep the list waiting.
  const endAll = (): void => {
    for (const { ended } of views.values()) ended.reject(new Error('not run'));
  };
  let running: string | null = null;
  return {
    show(event) {
      switch (event.kind) {
        case 'run-started': {
          for (const stage of event.stages) {
            views.set(stage, { task: null, title: stage, remarks: [], ended: withResolvers() });
          }
          for (const { ended } of views.values()) ended.promise.catch(() => undefined);
          const list = new Listr(
            event.stages.map((stage) => ({
              title: stage,
              task: (_context: unknown, task: TaskView) => {
                const view = views.get(stage);
                if (view === undefined) return;
                view.task = task;
                task.title = view.title;
                return view.ended.promise;
              },
              rendererOptions: { outputBar: 1 },
            })),
            {
              concurrent: false,
              exitOnError: true,
              // We handle Ctrl-C: the stage stops between two steps, and the run is recorded.
              registerSignalListeners: false,
              rendererOptions: { collapseErrors: false, showErrorMessage: false },
            },
          );
          drawn = list.run().catch(() => undefined);
          return;
        }
        case 'stage-waiting': {
          const task = views.get(event.stage)?.task;
          if (task != null) task.output = `waiting for ${waitingText(event)}`;
          return;
        }
        case 'stage-progress': {
          const task = views.get(event.stage)?.task;
          if (task != null) task.output = progressText(event, terminal.columns - outputIndent);
          return;
        }
        case 'stage-finished':
          end(event.stage, finishedText(event), null);
          running = null;
          return;
        case 'stage-failed':
          end(event.stage, 'failed', new Error(event.message));
          return;
        case 'stage-skipped':
          end(event.stage, skippedText(event), new Error(skippedText(event)));
          return;
        case 'cache-repaired':
        case 'nondeterminism':
        case 'stage-resumed':
        case 'checkpoint-damaged':
        case 'checkpoint-refused':
          views.get(event.stage)?.remarks.push(remarkText(event));
          return;
        case 'run-finished':
          if (event.status === 'interrupted' && running !== null) end(running, 'interrupted', new Error('interrupted'));
          endAll();
          return;
        case 'stage-started':
          running = event.stage;
          return;
        case 'stage-log':
          return;
        default:
          unreachable(event);
      }
    },
    async finish() {
      endAll();
      await drawn;
    },
  };
}

/** One line for a download: it counts in a terminal and is printed once elsewhere. */
export function downloadNotes(stream: {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}): (progress: DownloadProgress) => void {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  return ({ url, receivedBytes, totalBytes }) => {
    const total = totalBytes === null ? '' : ` of ${megabytes(totalBytes)}`;
    const ended = receivedBytes === totalBytes;
    if (stream.isTTY === true) stream.write(`\r${url}: ${megabytes(receivedBytes)}${total} MB${ended ? '\n' : ''}`);
    else if (receivedBytes === 0) stream.write(`downloading ${url}\n`);
  };
}

export type EventOf<K extends RunEvent['kind']> = Extract<RunEvent, { kind: K }>;

export function finishedText({ cached, seconds, verdict }: EventOf<'stage-finished'>): string {
  const time = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${cached ? `cached (${time} when it ran)` : time}${verdict === 'fail' ? ', gate not met' : ''}`;
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

const bar = { longest: 24, shortest: 8 } as const;

/**
 * `━━━━━━──────  epoch 1/3  step 120/1718  loss 0.3201  accuracy 91.20 %  12,000 images/s  eta 0:14`, in one line of
 * `width` columns: the bar gets the remaining width; if there is none, the least important parts are left out.
 */
export function progressText({ step, totalSteps, values }: EventOf<'stage-progress'>, width: number): string {
  const { epoch, epochs, loss, accuracy, images, images_per_second: rate, eta_seconds: eta } = values;
  const parts: { readonly text: string; readonly weight: number }[] = [];
  if (epoch != null && epochs != null) parts.push({ text: `epoch ${epoch}/${epochs}`, weight: 3 });
  const steps = `${count(step)}/${count(totalSteps)}`;
  parts.push({ text: images == null ? `step ${steps}` : `${steps} images`, weight: images == null ? 1 : 6 });
  if (loss != null) parts.push({ text: `loss ${loss.toFixed(4)}`, weight: 5 });
  if (accuracy != null) parts.push({ text: `accuracy ${(100 * accuracy).toFixed(2)} %`, weight: 4 });
  // The first step is not representative: the engine has only just started.
  if (rate != null && step > 1) parts.push({ text: `${count(rate)} images/s`, weight: 2 });
  if (eta != null && step > 1) parts.push({ text: `eta ${clockText(eta)}`, weight: 6 });

  const length = (): number => parts.reduce((sum, { text }) => sum + text.length + 2, 0);
  while (length() - 2 > width && parts.length > 1) {
    const least = Math.min(...parts.map(({ weight }) => weight));
    parts.splice(
      parts.findIndex(({ weight }) => weight === least),
      1,
    );
  }
  const columns = Math.min(bar.longest, width - length());
  const filled = Math.round((columns * step) / Math.max(1, totalSteps));
  const drawn = columns < bar.shortest ? [] : ['━'.repeat(filled) + '─'.repeat(columns - filled)];
  return [...drawn, ...parts.map(({ text }) => text)].join('  ');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
