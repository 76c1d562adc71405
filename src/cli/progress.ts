import { unreachable } from '../core/assert.ts';
import type { DownloadProgress } from '../data/download.ts';
import type { RunEvent } from '../runner/event.ts';
import { waitingText } from '../runner/lease.ts';
import { finishedText, remarkText, skippedText } from './event-text.ts';

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

/** Null for what a log does not say. */
export function plainLine(event: RunEvent): string | null {
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
