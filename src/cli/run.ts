import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadPipeline } from '../config/load.ts';
import { makePlan } from '../config/plan.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { warnings } from '../config/semantics.ts';
import type { Report } from '../report/report.ts';
import type { RunEvent } from '../runner/event.ts';
import { execute } from '../runner/execute.ts';
import type { RunRecord } from '../runner/record.ts';
import { writeReport } from './report.ts';

export interface RunOptions {
  /** Path of the pipeline file. */
  readonly pipeline: string;
  /** Changes to it, each `path=value` as in `stages.qat.delay=1000`. */
  readonly set?: readonly string[];
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
  /** Threads of the engine when the pipeline does not say; default: all cores. */
  readonly threads?: number;
  /** Names of stages that run again even if they have a result. */
  readonly force?: readonly string[];
  readonly signal?: AbortSignal;
  onEvent?(event: RunEvent): void;
  /** What is allowed but seldom meant. */
  onWarning?(warning: Diagnostic): void;
}

export interface RunResult {
  readonly record: RunRecord;
  readonly report: Report;
  /** Absolute path of the run's folder. */
  readonly folder: string;
}

/**
 * Runs a pipeline: stages with a result are taken from the store, the others are executed; then the report is
 * written.
 *
 * @returns a record whose status is `pass`, or `fail` when a gate was not met
 * @throws UserError for mistakes in the pipeline or its data; Interrupted after `signal`
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const loaded = await loadPipeline(options.pipeline, options.set ?? []);
  for (const warning of warnings(loaded.pipeline, loaded.locate)) options.onWarning?.(warning);
  const plan = makePlan(loaded, {
    threads: options.threads ?? os.availableParallelism(),
    now: () => performance.now(),
  });
  const runs = path.resolve(options.runs ?? 'runs');
  const record = await execute(plan, {
    store: path.resolve(options.store ?? '.qpipe/store'),
    runs,
    emit: (event) => options.onEvent?.(event),
    signal: options.signal ?? new AbortController().signal,
    clock: () => new Date(),
    randomHex: () => randomBytes(16).toString('hex'),
    force: options.force ?? [],
    provenance: {
      commandLine: process.argv.slice(2),
      node: process.version,
      platform: process.platform,
      arch: process.arch,
      cpus: os.availableParallelism(),
      qpipeVersion: packageVersion(),
    },
  });
  const folder = path.join(runs, record.id);
  return { record, report: await writeReport(folder), folder };
}

export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version; // our own package.json
}
