/** A list of stages in a terminal, each with a line: how far it is, then what it reached. */
import type { createColors } from 'picocolors';
import { unreachable } from '../core/assert.ts';
import { clipped, padded, textWidth, wrap } from '../core/screen-text.ts';
import { visible } from '../core/source-line.ts';
import type { RunEvent } from '../runner/event.ts';
import { waitingText } from '../runner/lease.ts';
import type { EventOf } from './event-text.ts';
import { finishedLine, progressText, remarkText, skippedText } from './event-text.ts';
import type { LiveLine, StageBlock, StageMark } from './live-lines.ts';
import { liveLines } from './live-lines.ts';
import type { Progress } from './progress.ts';

export interface ViewTerminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

export interface ViewOptions {
  readonly colors: ReturnType<typeof createColors>;
  /** Milliseconds on a clock. */
  readonly now: () => number;
}

/** Milliseconds between two drawings of nothing but progress. */
const pause = 100;

/** Rows that the list leaves free: the command above it and the cursor below. */
const margin = 2;

/** Names are padded to the longest, up to that many columns. */
const nameColumns = 20;

const marks: Readonly<Record<StageMark, string>> = { waiting: ' ', running: '▸', done: '✔', wrong: '✖' };

const [hideCursor, showCursor] = ['\u001b[?25l', '\u001b[?25h'];

export function liveView(terminal: ViewTerminal, { colors, now }: ViewOptions): Progress {
  const stages = new Map<string, StageView>();
  let drawn: readonly string[] = [];
  /** Null before the first drawing. */
  let last: number | null = null;

  const draw = (): void => {
    const columns = Math.max(1, terminal.columns - 1);
    const lines = liveLines(blocksOf(stages, columns), Math.max(1, terminal.rows - margin));
    // A narrower terminal has broken the lines that were drawn before.
    const up = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / terminal.columns)), 0);
    const back = up === 0 ? '' : `\u001b[${up}A\r`;
    const plain = lines.map((line) => clipped(lineText(line), columns));
    const painted = lines.map((line, index) => paint(line, plain[index] ?? '', colors));
    terminal.write(
      `${last === null ? hideCursor : ''}${back}${painted.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`,
    );
    drawn = plain;
    last = now();
  };

  return {
    show(event) {
      if (event.kind === 'run-started') {
        for (const stage of event.stages) stages.set(stage, waiting(stage));
        terminal.on('resize', draw);
      }
      const stage = 'stage' in event ? stages.get(event.stage) : undefined;
      if (stage !== undefined) take(event, stage);
      if (event.kind === 'run-finished') endAll(stages, event);
      const isFrequent = event.kind === 'stage-progress' || event.kind === 'stage-log';
      if (!isFrequent || last === null || now() - last >= pause) draw();
    },
    finish() {
      terminal.off('resize', draw);
      if (last !== null) {
        draw();
        terminal.write(showCursor);
        last = null;
      }
      return Promise.resolve();
    },
  };
}

interface StageView {
  readonly name: string;
  state: StageMark;
  isStored: boolean;
  /** The line behind the name, in a number of columns. */
  text: (columns: number) => string;
  readonly remarks: string[];
  /** Of a training so far, thinned out. */
  losses: number[];
}

const nothing = (): string => '';

const waiting = (name: string): StageView => ({
  ...{ name, state: 'waiting', isStored: false, text: nothing, remarks: [], losses: [] },
});

function take(event: RunEvent, stage: StageView): void {
  const say = (state: StageMark, text: (columns: number) => string): void => void Object.assign(stage, { state, text });
  switch (event.kind) {
    case 'stage-started':
      // One that is taken from the store is over at once.
      if (!event.cached) say('running', nothing);
      return;
    case 'stage-waiting':
      return say('running', () => `waiting for ${waitingText(event)}`);
    case 'stage-progress':
      noteLoss(stage, event);
      return say('running', (columns) => progressText(event, columns, stage.losses));
    case 'stage-finished':
      stage.isStored = event.cached;
      return say(event.verdict === 'fail' ? 'wrong' : 'done', (columns) => finishedLine(event, columns));
    case 'stage-failed':
      return say('wrong', () => `failed: ${event.message.split('\n')[0] ?? ''}`);
    case 'stage-skipped':
      return say('wrong', () => skippedText(event));
    case 'cache-repaired':
    case 'nondeterminism':
    case 'stage-resumed':
    case 'checkpoint-damaged':
    case 'checkpoint-refused':
      stage.remarks.push(remarkText(event));
      return;
    case 'run-started':
    case 'run-finished':
    case 'stage-log':
      return;
    default:
      unreachable(event);
  }
}

/** More points than any curve has columns. */
const mostLosses = 256;

function noteLoss(stage: StageView, { values: { loss } }: EventOf<'stage-progress'>): void {
  if (loss == null) return;
  stage.losses.push(loss);
  if (stage.losses.length > mostLosses) stage.losses = stage.losses.filter((_, index) => index % 2 === 0);
}

function endAll(stages: ReadonlyMap<string, StageView>, { status }: EventOf<'run-finished'>): void {
  for (const stage of stages.values()) {
    if (stage.state === 'running') {
      Object.assign(stage, { state: 'wrong', text: () => (status === 'interrupted' ? 'interrupted' : 'stopped') });
    } else if (stage.state === 'waiting') {
      stage.text = () => 'not run';
    }
  }
}

function blocksOf(stages: ReadonlyMap<string, StageView>, columns: number): readonly StageBlock[] {
  const longest = Math.max(0, ...[...stages.keys()].map((name) => textWidth(name)));
  const most = Math.min(nameColumns, Math.floor(columns / 3));
  return [...stages.values()].map(({ name, state, isStored, text, remarks }) => {
    const head = `${padded(visible(name), Math.min(longest, most))}  `;
    const room = columns - 2 - textWidth(head);
    const remarkLines = remarks.flatMap((remark) => wrap(visible(remark), Math.max(1, columns - 4)));
    return { state, isStored, lines: [`${head}${visible(text(room))}`.trimEnd(), ...remarkLines] };
  });
}

function lineText({ state, text, isFirst }: LiveLine): string {
  if (!isFirst) return `    ${text}`;
  return state === null ? `⋮ ${text}` : `${marks[state]} ${text}`;
}

function paint({ state, isFirst }: LiveLine, text: string, colors: ReturnType<typeof createColors>): string {
  const mark = { done: colors.green, wrong: colors.red, running: colors.cyan };
  if (!isFirst) return colors.yellow(text);
  if (state === null || state === 'waiting') return colors.dim(text);
  return `${mark[state](text.slice(0, 1))}${text.slice(1)}`;
}
