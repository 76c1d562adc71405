/** Stages in a terminal, never more lines than it has: for runs of many stages, or of several at once. */
import { unreachable } from '../core/assert.ts';
import { counted } from '../core/words.ts';
import type { RunEvent } from '../runner/event.ts';
import { waitingText } from '../runner/lease.ts';
import type { Progress } from './progress.ts';
import { finishedText, progressText, remarkText, skippedText, terminalProgress } from './progress.ts';

export interface ProgressTerminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

/** Lines of the terminal that the list of stages leaves free. */
const margin = 4;

/** Every stage has its line where they fit, and stages run one after the other; else the view is bounded. */
export function stageProgress(terminal: ProgressTerminal, jobs: number, now: () => number): Progress {
  let view: Progress | null = null;
  return {
    show(event) {
      if (event.kind === 'run-started') {
        const fits = jobs === 1 && event.stages.length <= terminal.rows - margin;
        view = fits ? terminalProgress(terminal) : boundedProgress(terminal, now);
      }
      view?.show(event);
    },
    finish: () => view?.finish() ?? Promise.resolve(),
  };
}

/** Milliseconds between two drawings of nothing but progress. */
const pause = 100;

/** The stages that run, what ended last, and how many others there are. */
export function boundedProgress(terminal: ProgressTerminal, now: () => number): Progress {
  let total = 0;
  let stored = 0;
  const running = new Map<string, string>();
  /** In the order in which they ended. */
  const ended: string[] = [];
  const remarks: string[] = [];
  let drawn = 0;
  let last = -Infinity;
  const end = (stage: string, mark: string, text: string): void => {
    running.delete(stage);
    ended.push(`${mark} ${stage}  ${text}`);
  };
  const draw = (): void => {
    const state = {
      running: [...running].map(([stage, text]) => `▸ ${stage}  ${text}`),
      ended,
      remarks,
      stored,
      total,
    };
    const lines = frame(state, terminal.rows - margin).map((line) => clipped(line, terminal.columns - 1));
    const back = drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`;
    terminal.write(`${back}${lines.map((line) => `${line}\n`).join('')}`);
    drawn = lines.length;
    last = now();
  };
  return {
    show(event) {
      if (event.kind === 'run-started') total = event.stages.length;
      if (event.kind === 'stage-finished' && event.cached) stored += 1;
      take(event, { running, remarks, end, columns: terminal.columns });
      const isFrequent = event.kind === 'stage-progress' || event.kind === 'stage-log';
      if (!isFrequent || now() - last >= pause) draw();
    },
    finish() {
      if (drawn > 0) draw();
      return Promise.resolve();
    },
  };
}

interface View {
  readonly running: Map<string, string>;
  readonly remarks: string[];
  readonly end: (stage: string, mark: string, text: string) => void;
  readonly columns: number;
}

function take(event: RunEvent, { running, remarks, end, columns }: View): void {
  switch (event.kind) {
    case 'stage-started':
      running.set(event.stage, '');
      return;
    case 'stage-waiting':
      running.set(event.stage, `waiting for ${waitingText(event)}`);
      return;
    case 'stage-progress':
      running.set(event.stage, progressText(event, columns - event.stage.length - '▸   '.length - 1));
      return;
    case 'stage-finished':
      return end(event.stage, event.verdict === 'fail' ? '✖' : '✔', finishedText(event));
    case 'stage-failed':
      return end(event.stage, '✖', `failed: ${event.message.split('\n')[0] ?? ''}`);
    case 'stage-skipped':
      return end(event.stage, '✖', skippedText(event));
    case 'cache-repaired':
    case 'nondeterminism':
    case 'stage-resumed':
    case 'checkpoint-damaged':
    case 'checkpoint-refused':
      remarks.push(`! ${event.stage}: ${remarkText(event)}`);
      return;
    case 'run-finished':
      running.clear();
      return;
    case 'run-started':
    case 'stage-log':
      return;
    default:
      unreachable(event);
  }
}

interface Frame {
  readonly running: readonly string[];
  readonly ended: readonly string[];
  readonly remarks: readonly string[];
  readonly stored: number;
  readonly total: number;
}

/** At most `rows` lines, of which what runs, and what went wrong, has the first claim. */
function frame({ running, ended, remarks, stored, total }: Frame, rows: number): string[] {
  const waiting = total - ended.length - running.length;
  const fromStore = stored === 0 ? '' : `, ${stored} from the store`;
  const count = `${ended.length} of ${counted(total, 'stage')} done${fromStore}${waiting > 0 ? `, ${waiting} to go` : ''}`;
  const wrong = [...remarks, ...ended.filter((line) => line.startsWith('✖'))];
  const right = ended.filter((line) => !line.startsWith('✖'));
  const room = Math.max(1, rows - 1);
  const shownRunning = running.slice(0, room);
  const shownWrong = lastOf(wrong, room - shownRunning.length);
  const shownRight = lastOf(right, room - shownRunning.length - shownWrong.length);
  return [...shownRight, ...shownWrong, ...shownRunning, count];
}

const lastOf = (lines: readonly string[], count: number): readonly string[] => (count <= 0 ? [] : lines.slice(-count));

const clipped = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
