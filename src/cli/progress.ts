import { Listr } from 'listr2';
import type { ListrTaskWrapper, DefaultRenderer, SimpleRenderer } from 'listr2';
import { unreachable } from '../core/assert.ts';
import type { RunEvent } from '../runner/event.ts';

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
      return `run ${event.run}: ${event.stages.join(', ')}`;
    case 'stage-started':
      return event.cached ? null : `${event.stage}: started`;
    case 'stage-log':
      return `${event.stage}: ${event.message}`;
    case 'stage-finished':
      return `${event.stage}: ${finishedText(event)}`;
    case 'stage-failed':
      return `${event.stage}: failed`;
    case 'cache-repaired':
      return `${event.stage}: ${repairText(event)}`;
    case 'nondeterminism':
      return `${event.stage}: ${nondeterminismText(event)}`;
    case 'stage-progress':
    case 'run-finished':
      return null;
    default:
      return unreachable(event);
  }
}

type TaskView = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface StageView {
  task: TaskView | null;
  readonly ended: PromiseWithResolvers<void>;
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

/** Node 20 has no `Promise.withResolvers`. */
function withResolvers(): PromiseWithResolvers<void> {
  let resolve: () => void = () => undefined;
  let reject: (reason: Error) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** A list of stages in a terminal, each with its progress while it runs. */
export function terminalProgress(): Progress {
  const views = new Map<string, StageView>();
  let drawn: Promise<unknown> = Promise.resolve();
  const end = (stage: string, title: string, failure: Error | null): void => {
    const view = views.get(stage);
    if (view === undefined) return;
    if (view.task !== null) view.task.title = title;
    if (failure === null) view.ended.resolve();
    else view.ended.reject(failure);
  };
  return {
    show(event) {
      switch (event.kind) {
        case 'run-started': {
          for (const stage of event.stages) views.set(stage, { task: null, ended: withResolvers() });
          for (const { ended } of views.values()) ended.promise.catch(() => undefined);
          const list = new Listr(
            event.stages.map((stage) => ({
              title: stage,
              task: (_context: unknown, task: TaskView) => {
                const view = views.get(stage);
                if (view !== undefined) view.task = task;
                return view?.ended.promise;
              },
              rendererOptions: { outputBar: 1 },
            })),
            {
              concurrent: false,
              exitOnError: true,
              rendererOptions: { collapseErrors: false, showErrorMessage: false },
            },
          );
          drawn = list.run().catch(() => undefined);
          return;
        }
        case 'stage-progress': {
          const task = views.get(event.stage)?.task;
          if (task != null) task.output = progressText(event);
          return;
        }
        case 'stage-finished':
          end(event.stage, `${event.stage}  ${finishedText(event)}`, null);
          return;
        case 'stage-failed':
          end(event.stage, `${event.stage}  failed`, new Error(event.message));
          return;
        case 'cache-repaired':
        case 'nondeterminism': {
          const task = views.get(event.stage)?.task;
          if (task != null)
            task.output = event.kind === 'nondeterminism' ? nondeterminismText(event) : repairText(event);
          return;
        }
        case 'run-finished':
          // Stages that never began must not keep the list waiting.
          for (const { ended } of views.values()) ended.reject(new Error('not run'));
          return;
        case 'stage-started':
        case 'stage-log':
          return;
        default:
          unreachable(event);
      }
    },
    async finish() {
      for (const { ended } of views.values()) ended.reject(new Error('not run'));
      await drawn;
    },
  };
}

type EventOf<K extends RunEvent['kind']> = Extract<RunEvent, { kind: K }>;

function finishedText({ cached, seconds, verdict }: EventOf<'stage-finished'>): string {
  const time = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${cached ? `cached (${time} when it ran)` : time}${verdict === 'fail' ? ', gate not met' : ''}`;
}

function repairText({ found }: EventOf<'cache-repaired'>): string {
  return `stored result was damaged (${found}); running again`;
}

function nondeterminismText({ output, before, now }: EventOf<'nondeterminism'>): string {
  return `NONDETERMINISM: ${output} was ${before.slice(0, 19)}, is now ${now.slice(0, 19)}`;
}

const barWidth = 24;

/** `[######------]  step 120/1718  epoch 1/3  loss 0.3201  accuracy 91.20 %  12,000 images/s  eta 0:14`. */
export function progressText({ step, totalSteps, values }: EventOf<'stage-progress'>): string {
  const filled = Math.round((barWidth * step) / Math.max(1, totalSteps));
  const bar = `${'━'.repeat(filled)}${'─'.repeat(barWidth - filled)}`;
  const parts = [bar, `step ${step}/${totalSteps}`];
  const { epoch, epochs, loss, accuracy, images_per_second: rate, eta_seconds: eta } = values;
  if (epoch != null && epochs != null) parts.push(`epoch ${epoch}/${epochs}`);
  if (loss != null) parts.push(`loss ${loss.toFixed(4)}`);
  if (accuracy != null) parts.push(`accuracy ${(100 * accuracy).toFixed(2)} %`);
  if (rate != null) parts.push(`${Math.round(rate).toLocaleString('en-US')} images/s`);
  if (eta != null) parts.push(`eta ${clockText(eta)}`);
  return parts.join('  ');
}

/** Minutes and seconds, with hours when there are any. */
function clockText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}
