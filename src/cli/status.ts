/** `qpipe status`: how far a run is, and what of it has changed since. */
import type { createColors } from 'picocolors';
import { UserError } from '../core/diagnostic.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { counted } from '../core/words.ts';
import { textTable } from '../report/text-table.ts';
import { eventReader } from '../runner/event-reader.ts';
import type { RunEvent } from '../runner/event.ts';
import { waitingText } from '../runner/lease.ts';
import type { RunRecord, RunStatus } from '../runner/record.ts';
import type { FindRunOptions, FoundRun } from './find-run.ts';
import { findRun } from './find-run.ts';
import { foreseePipeline, pipelineOr } from './foresee.ts';
import { colorOf } from './ls.ts';
import type { EventOf } from './event-text.ts';
import { finishedText, progressText, skippedText } from './event-text.ts';

export interface StatusOptions extends FindRunOptions {
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
}

export interface RunState extends Pick<RunRecord, 'id' | 'pipeline' | 'startedAt'> {
  readonly status: RunStatus;
  /** In the order of the plan. */
  readonly stages: readonly StageState[];
  /** Why it is not known what has changed since, for example that the pipeline file is gone; null when it is known. */
  readonly unknown: Diagnostic | null;
}

export interface StageState {
  readonly name: string;
  /** `stopped` is one that an interruption of the run has stopped. */
  readonly state: 'done' | 'running' | 'waiting' | 'failed' | 'skipped' | 'stopped' | 'not-reached';
  /** The last event that says so; null for a stage that was not reached. */
  readonly event: StageEvent | null;
  /** The last that a training, a test or the like said of how far it is. */
  readonly progress: EventOf<'stage-progress'> | null;
  /**
   * Whether a run of the pipeline as it is now would use this result: `changed` when the stage has another key now,
   * `unknown` while that depends on a stage that would run. Null for a stage that is not done.
   */
  readonly since: 'same' | 'changed' | 'unknown' | null;
}

type StageEvent = EventOf<'stage-started' | 'stage-waiting' | 'stage-finished' | 'stage-failed' | 'stage-skipped'>;

/** @throws UserError when there is no such run, or none at all */
export async function status(options: StatusOptions = {}): Promise<RunState> {
  const found = await findRun(options);
  const events = await eventReader(found.folder)();
  const { keys, unknown } = await keysNow(found, options);
  const { id, pipeline, startedAt, status: now } = found.record;
  return { id, pipeline, startedAt, status: now, stages: stagesOf(events, now, keys), unknown };
}

/** By stage; null where the key depends on what a stage before it will write. */
type Keys = ReadonlyMap<string, string | null>;

async function keysNow(
  { record }: FoundRun,
  { store }: StatusOptions,
): Promise<Pick<RunState, 'unknown'> & { keys: Keys }> {
  try {
    const { stages } = await foreseePipeline(pipelineOr(record, { ...(store !== undefined && { store }) }));
    return { keys: new Map(stages.map(({ stage, key }) => [stage.name, key])), unknown: null };
  } catch (error) {
    // What the run did is known all the same.
    if (!(error instanceof UserError)) throw error;
    return { keys: new Map(), unknown: error.diagnostics[0] ?? null };
  }
}

/** @param now keys of the stages as they would be now; empty where nobody asks what has changed */
export function stagesOf(events: readonly RunEvent[], run: RunStatus, now: Keys): StageState[] {
  const names = events.flatMap((event) => (event.kind === 'run-started' ? event.stages : []));
  return names.map((name) => {
    const own = events.filter((event) => 'stage' in event && event.stage === name);
    const event = own.findLast(isStateEvent) ?? null;
    const progress = own.findLast((one) => one.kind === 'stage-progress') ?? null;
    const key = own.findLast((one) => one.kind === 'stage-started')?.key;
    const state = stateOf(event, run);
    return {
      name,
      state,
      event,
      progress,
      since: state !== 'done' || now.size === 0 ? null : sinceOf(key, now.get(name)),
    };
  });
}

function isStateEvent(event: RunEvent): event is StageEvent {
  switch (event.kind) {
    case 'stage-started':
    case 'stage-waiting':
    case 'stage-finished':
    case 'stage-failed':
    case 'stage-skipped':
      return true;
    default:
      return false;
  }
}

function stateOf(event: StageEvent | null, run: RunStatus): StageState['state'] {
  switch (event?.kind) {
    case undefined:
      return 'not-reached';
    case 'stage-finished':
      return 'done';
    case 'stage-failed':
      return 'failed';
    case 'stage-skipped':
      return 'skipped';
    case 'stage-started':
      return run === 'running' ? 'running' : 'stopped';
    case 'stage-waiting':
      return run === 'running' ? 'waiting' : 'stopped';
  }
}

function sinceOf(key: string | undefined, now: string | null | undefined): StageState['since'] {
  if (now === null) return 'unknown';
  return now === key ? 'same' : 'changed';
}

/** @param width columns of the terminal; Infinity breaks nothing */
export function statusText(state: RunState, width: number, colors: ReturnType<typeof createColors>): string {
  const { id, status: now, stages, unknown } = state;
  const rows = stages.map((stage) => [stage.name, doingText(stage, Math.max(20, width - 24)), sinceText(stage)]);
  const hasChanged = rows.some(([, , since]) => since !== '');
  const shown = hasChanged ? 3 : 2;
  const columns = ['stage', 'state', 'since then'].map((head) => ({ head, kind: 'words' as const }));
  const table = textTable(
    columns.slice(0, shown),
    rows.map((row) => row.slice(0, shown)),
    width,
    (text, row, column) => (row < 0 ? colors.dim(text) : column === 2 ? colors.yellow(text) : text),
  );
  const head = `run ${id}: ${colorOf(now, colors)(now)}`;
  const changed = stages.filter(({ since }) => since === 'changed').length;
  const tail =
    unknown !== null
      ? [`what has changed since is not known: ${unknown.place.file}: ${unknown.message}`]
      : changed > 0
        ? [`${counted(changed, 'stage')} changed since; \`qpipe why STAGE\` says how`]
        : [];
  return [head, ...table, ...tail].join('\n');
}

/** What a stage does or did, in a line. */
export function doingText({ state, event, progress }: StageState, width: number): string {
  const far = progress === null ? '' : progressText(progress, Math.min(width, 60)).replace(/^[━─]+ {2}/, '');
  switch (event?.kind) {
    case undefined:
      return 'not reached';
    case 'stage-finished':
      return `done, ${finishedText(event)}`;
    case 'stage-failed':
      return `failed: ${event.message}`;
    case 'stage-skipped':
      return skippedText(event);
    case 'stage-waiting':
      return state === 'waiting' ? `waiting for ${waitingText(event)}` : 'stopped while it waited';
    case 'stage-started':
      return [state, far].filter((part) => part !== '').join('  ');
  }
}

function sinceText({ since }: StageState): string {
  switch (since) {
    case 'changed':
      return 'changed';
    case 'unknown':
      return 'may have changed';
    default:
      return '';
  }
}
