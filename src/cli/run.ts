import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { loadPipeline } from '../config/load.ts';
import { checkWithoutData, makePlan, threadsOf } from '../config/plan.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { didYouMean } from '../config/suggest.ts';
import { dataSource } from '../data/config.ts';
import type { DownloadProgress } from '../data/download.ts';
import { downloadFile, missingFiles } from '../data/download.ts';
import { sourceFiles } from '../data/load.ts';
import type { Report } from '../report/report.ts';
import type { RunEvent } from '../runner/event.ts';
import type { ExecuteOptions } from '../runner/execute.ts';
import { execute, Interrupted } from '../runner/execute.ts';
import type { Plan, StageWork } from '../runner/plan.ts';
import type { RunRecord } from '../runner/record.ts';
import { dataFolders, openStore, remembered } from '../runner/store.ts';
import { writeReport } from './report.ts';
import { qpipeHome } from '../install/home.ts';
import { packageVersion } from '../core/version.ts';
import type { StageJob } from '../stages/job.ts';
import { stageWork } from '../stages/job.ts';
import { openResources } from '../stages/resources.ts';

export interface RunOptions {
  /** Path of the pipeline file. */
  readonly pipeline: string;
  /** Changes to it, each `path=value` as in `stages.qat.delay=1000`. */
  readonly set?: readonly string[];
  /** Replaces the engine of the pipeline. */
  readonly engine?: string;
  /** Folder with data sets for which the pipeline gives no path; default: see `loadPipeline`. */
  readonly data?: string;
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
  /** Threads of the engine, at most one per core; default: what the pipeline says, else all cores. */
  readonly threads?: number;
  /** Names of stages that run again even if they have a result. */
  readonly force?: readonly string[];
  /** What to do when another process makes a result that this run needs; default: wait for it, and use it. */
  readonly busy?: 'wait' | 'fail';
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  /** Called while missing data are downloaded, before all events. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** What is allowed but probably not intended. */
  readonly onWarning?: (warning: Diagnostic) => void;
}

export interface RunResult {
  readonly record: RunRecord;
  readonly report: Report;
  /** Absolute path of the run's folder. */
  readonly folder: string;
}

/**
 * Runs a pipeline: data that are missing are downloaded if it says from where; stages with a result are taken from the
 * store, the others are executed; then the report is written.
 *
 * @returns a record whose status is `pass`, or `fail` when a gate was not met
 * @throws UserError for mistakes in the pipeline or its data; Interrupted after `signal`
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const signal = options.signal ?? new AbortController().signal;
  const randomHex = (): string => randomBytes(16).toString('hex');
  const engine = options.engine === undefined ? [] : [`engine=${options.engine}`];
  const loaded = await loadPipeline(options.pipeline, [...(options.set ?? []), ...engine], options.data);
  await checkWithoutData(loaded);
  for (const file of missingFiles(sourceFiles(dataSource(loaded.pipeline.data)))) {
    const onProgress = (progress: DownloadProgress): void => options.onDownload?.(progress);
    await downloadFile(file, { signal, randomHex, onProgress }).catch((error: unknown) => {
      throw signal.aborted ? new Interrupted({ cause: error }) : error;
    });
  }
  const storeFolder = resolve(options.store ?? '.qpipe/store');
  const store = await openStore(storeFolder, randomHex);
  const threads = threadsOf(loaded, os.availableParallelism(), options.threads ?? null);
  const resources = openResources({
    identities: (key, make) => remembered(store, key, make),
    cache: dataFolders(store),
    ...{ signal, threads, home: qpipeHome(), now: () => performance.now() },
  });
  try {
    const { plan } = await makePlan(loaded, { resources, threads }).catch((error: unknown) => {
      throw signal.aborted ? new Interrupted({ cause: error }) : error;
    });
    return await runPlan(plan, stageWork(resources), options, { store: storeFolder, signal, randomHex });
  } finally {
    resources.close();
  }
}

async function runPlan(
  plan: Plan<StageJob>,
  work: StageWork<StageJob>,
  options: RunOptions,
  where: Pick<ExecuteOptions, 'store' | 'signal' | 'randomHex'>,
): Promise<RunResult> {
  for (const warning of plan.warnings) options.onWarning?.(warning);
  const force = options.force ?? [];
  checkForced(
    force,
    plan.stages.map(({ name }) => name),
  );
  const runs = resolve(options.runs ?? 'runs');
  const record = await execute(plan, {
    ...where,
    ...{ runs, work, force, busy: options.busy ?? 'wait' },
    emit: (event) => options.onEvent?.(event),
    clock: () => new Date(),
    now: () => performance.now(),
    provenance: {
      commandLine: process.argv.slice(2),
      node: process.version,
      platform: process.platform,
      arch: process.arch,
      cpus: os.availableParallelism(),
      qpipeVersion: packageVersion(),
    },
  });
  const folder = join(runs, record.id);
  return { record, report: await writeReport(folder), folder };
}

function checkForced(force: readonly string[], stages: readonly string[]): void {
  const unknown = force.filter((name) => !stages.includes(name));
  if (unknown.length === 0) return;
  const diagnostics = unknown.map((name) => ({
    code: 'unknown-stage',
    place: { file: 'command line' },
    message: `\`--force\` names \`${name}\`, but the pipeline has no such stage`,
    hint: didYouMean(name, stages),
  }));
  throw new UserError(diagnostics, 64);
}
