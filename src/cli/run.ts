import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedMatrix } from '../config/load.ts';
import { loadMatrix } from '../config/load.ts';
import { checkMatrixWithoutData, makeMatrixPlan } from '../config/matrix-plan.ts';
import { threadsOf } from '../config/plan.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { machineMemory } from '../core/machine.ts';
import type { DownloadProgress } from '../data/download.ts';
import { downloadFile, missingFiles } from '../data/download.ts';
import type { Report } from '../report/report.ts';
import type { RunEvent } from '../runner/event.ts';
import type { ExecuteOptions, StageExecutor } from '../runner/execute.ts';
import { execute, Interrupted } from '../runner/execute.ts';
import type { Plan, StageWork } from '../runner/plan.ts';
import type { RunRecord } from '../runner/record.ts';
import { select } from '../runner/select.ts';
import type { Job } from '../runner/stage.ts';
import { executeStage } from '../runner/stage.ts';
import { openStore, temporaryPath } from '../runner/store.ts';
import { settleRuns } from '../runner/settle.ts';
import { sweepStore } from '../runner/sweep.ts';
import { filesOf } from './missing-data.ts';
import { provenance } from './provenance.ts';
import { loadRun } from './resume-run.ts';
import { writeReport } from './report.ts';
import { checkNames } from './stage-names.ts';
import { packageFile } from '../core/package-file.ts';
import type { StageJob } from '../stages/job.ts';
import { definitionOf, stageWork } from '../stages/job.ts';
import { resourcesIn } from './resources.ts';

export type RunOptions = RunSettings & (RunOfFile | RunAgain);

interface RunOfFile {
  /** Path of the pipeline file. */
  readonly pipeline: string;
  readonly resume?: undefined;
  /** Changes to it, each `path=value` as in `stages.qat.delay=1000`. */
  readonly set?: readonly string[];
  /** Replaces the engine of the pipeline. */
  readonly engine?: string;
  /** Folder with data sets for which the pipeline gives no path; default: see `loadPipeline`. */
  readonly data?: string;
}

interface RunAgain {
  readonly pipeline?: undefined;
  /** Folder of a run whose pipeline to use as it was then, with the changes that were made to it. */
  readonly resume: string;
}

interface RunSettings {
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
  /** Threads of the engine, at most one per core; default: what the pipeline says, else all cores. */
  readonly threads?: number;
  /** Names of stages that run again even if they have a result. */
  readonly force?: readonly string[];
  /** Names of stages to run with all after them, with all before them, or alone; default: all. */
  readonly from?: readonly string[];
  readonly until?: readonly string[];
  readonly only?: readonly string[];
  /** How many stages run at once; each then gets its share of the cores. Default 1. */
  readonly jobs?: number;
  /** Whether a failure ends the run (`stop`, the default), or only what needs the failed stage. */
  readonly failures?: 'stop' | 'keep-going';
  /** What to do when another process makes a result that this run needs; default: wait for it, and use it. */
  readonly busy?: 'wait' | 'fail';
  /** Whether stages that have a result run once more, to compare what they write with it; default `trust`. */
  readonly results?: 'trust' | 'verify';
  /** Whether results are taken from the store and kept there; default `on`. */
  readonly cache?: 'on' | 'off';
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
  const matrix = await loadFor(options);
  await checkMatrixWithoutData(matrix);
  for (const file of missingFiles(filesOf(matrix))) {
    const onProgress = (progress: DownloadProgress): void => options.onDownload?.(progress);
    await downloadFile(file, { signal, randomHex, onProgress }).catch((error: unknown) => {
      throw signal.aborted ? new Interrupted({ cause: error }) : error;
    });
  }
  const storeFolder = resolve(options.store ?? '.qpipe/store');
  const permanent = await openStore(storeFolder, randomHex);
  await sweepStore(permanent);
  // One that lasts as long as the run; if that is killed, the next run sweeps it.
  const passing = options.cache === 'off' ? temporaryPath(permanent) : null;
  const store = passing === null ? permanent : await openStore(passing, randomHex);
  await settleRuns(resolve(options.runs ?? 'runs'), store.owner, Date.now());
  const cores = os.availableParallelism();
  const share = Math.max(1, Math.floor(cores / (options.jobs ?? 1)));
  const threads = threadsOf(matrix, share, options.threads ?? null);
  const resources = resourcesIn(store, { threads, signal });
  try {
    const { plan } = await makeMatrixPlan(matrix, { resources, threads }).catch((error: unknown) => {
      throw signal.aborted ? new Interrupted({ cause: error }) : error;
    });
    return await runPlan(plan, stageWork(resources), options, { store: passing ?? storeFolder, signal, randomHex });
  } finally {
    resources.close();
    if (passing !== null) await rm(passing, { recursive: true, force: true });
  }
}

async function loadFor(options: RunOptions): Promise<LoadedMatrix> {
  if (options.resume !== undefined) return loadRun(options.resume, (warning) => options.onWarning?.(warning));
  const { pipeline, set = [], engine, data } = options;
  return loadMatrix(pipeline, [...set, ...(engine === undefined ? [] : [`engine=${engine}`])], data);
}

async function runPlan(
  all: Plan<StageJob>,
  work: StageWork<StageJob>,
  options: RunOptions,
  where: Pick<ExecuteOptions, 'store' | 'signal' | 'randomHex'>,
): Promise<RunResult> {
  for (const warning of all.warnings) options.onWarning?.(warning);
  const { force, from, until, only } = options;
  checkNames({ force, from, until, only }, all);
  const { plan, stored } = select(all, options);
  const runs = resolve(options.runs ?? 'runs');
  const { jobs = 1, failures = 'stop' } = options;
  const record = await execute(plan, {
    ...where,
    ...{ runs, work, stored, force: force ?? [], busy: options.busy ?? 'wait' },
    ...(options.results !== undefined && { results: options.results }),
    schedule: { jobs, failures, cores: os.availableParallelism(), memory: machineMemory() },
    ...(jobs > 1 && { executor: await sharedMachine(where.store) }),
    emit: (event) => options.onEvent?.(event),
    clock: () => new Date(),
    now: () => performance.now(),
    provenance: provenance(),
  });
  const folder = join(runs, record.id);
  return { record, report: await writeReport(folder), folder };
}

/** Stages that take time run in processes of their own; for the others a process would take longer than the stage. */
async function sharedMachine(store: string): Promise<StageExecutor<StageJob>> {
  const { childExecutor } = await import('../runner/child.ts');
  const inChild = childExecutor<StageJob>({
    command: [process.execPath, fileURLToPath(packageFile('bin/qpipe.js')), 'exec-stage'],
    store,
  });
  const computesHere = ({ stage: { job } }: Job<StageJob>): boolean => definitionOf(job.config).uses.includes('engine');
  return (job, host) => (computesHere(job) ? inChild(job, host) : executeStage(job, host));
}
