/** `qpipe logs`: what a run printed. */
import { userError } from '../core/diagnostic.ts';
import { didYouMean } from '../config/suggest.ts';
import { eventReader } from '../runner/event-reader.ts';
import { followEvents } from '../runner/follow-events.ts';
import type { RunEvent } from '../runner/event.ts';
import { thisOwner } from '../runner/owner.ts';
import type { RunStatus } from '../runner/record.ts';
import { isNamed } from '../runner/select.ts';
import type { FindRunOptions } from './find-run.ts';
import { findRun } from './find-run.ts';
import { plainProgress } from './progress.ts';

export interface LogsOptions extends FindRunOptions {
  /** Only what this stage printed; in a matrix, each stage that it is in some cell. */
  readonly stage?: string;
  /** Whether to wait for what a run that goes on will print, until it ends. */
  readonly mode?: 'now' | 'follow';
  /** Ends the following; what it gives is thrown. */
  readonly signal?: AbortSignal;
  readonly write: (line: string) => void;
}

/**
 * Writes the lines that a run without a terminal prints, and why a stage failed.
 *
 * @returns the status of the run; after `follow` it is never `running`
 * @throws UserError when there is no such run, or it has no such stage
 */
export async function logs({ stage, mode = 'now', signal, write, ...which }: LogsOptions): Promise<RunStatus> {
  const { folder, record } = await findRun(which);
  const progress = plainProgress(write);
  const onEvent = (event: RunEvent): void => {
    if (event.kind === 'run-started' && stage !== undefined) checkStage(stage, event.stages);
    if (stage !== undefined && !('stage' in event && isNamed(event.stage, [stage]))) return;
    progress.show(event);
    if (event.kind === 'stage-failed') write(`${event.stage}: ${event.message}`);
  };
  if (mode === 'follow') {
    return followEvents(folder, {
      ...{ onEvent, self: thisOwner(), now: () => Date.now() },
      signal: signal ?? new AbortController().signal,
    });
  }
  for (const event of await eventReader(folder)()) onEvent(event);
  return record.status;
}

function checkStage(stage: string, stages: readonly string[]): void {
  if (stages.some((name) => isNamed(name, [stage]))) return;
  const message = `the run has no stage \`${stage}\``;
  throw userError('command line', 'unknown-stage', message, didYouMean(stage, stages), 64);
}
