/** What `qpipe run` prints for people and for programs. */
import { relative } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { DownloadProgress } from '../data/download.ts';
import type { RunEvent } from '../runner/event.ts';
import { liveView } from './live-view.ts';
import type { Progress } from './progress.ts';
import { downloadNotes, jsonProgress, plainProgress } from './progress.ts';
import type { RunResult } from './run.ts';
import { summaryText } from './summary.ts';
import { noteDiagnostic, out, outputColumns, terminalColors } from './terminal.ts';

export interface RunOutput {
  readonly event: (event: RunEvent) => void;
  readonly download: (progress: DownloadProgress) => void;
  readonly warning: (warning: Diagnostic) => void;
  /** Returns when all events are shown, also behind a failure. */
  readonly finish: () => Promise<void>;
  readonly result: (result: RunResult) => void;
  /** What is said of a failure besides what every command says of it. */
  readonly failure: (error: unknown) => void;
}

export async function textOutput(): Promise<RunOutput> {
  const colors = await terminalColors();
  const progress: Progress = process.stdout.isTTY
    ? liveView(process.stdout, { colors, now: () => performance.now() })
    : plainProgress(out);
  return {
    event: (event) => progress.show(event),
    download: downloadNotes(process.stderr),
    warning: (warning) => noteDiagnostic(warning, 'warning'),
    finish: () => progress.finish(),
    result: ({ report, folder }) => out(summaryText(report, relative('.', folder), outputColumns(), colors)),
    failure: () => undefined,
  };
}

export function jsonOutput(): Promise<RunOutput> {
  const progress = jsonProgress(out);
  return Promise.resolve({
    event: (event) => progress.show(event),
    download: (state) => out(JSON.stringify({ kind: 'download', ...state })),
    warning: (diagnostic) => out(JSON.stringify({ kind: 'warning', diagnostic })),
    finish: () => progress.finish(),
    // The report is a file, whose place the events say.
    result: () => undefined,
    failure: () => undefined,
  });
}
