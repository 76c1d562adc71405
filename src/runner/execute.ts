import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { internal, present, unreachable } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import { mapValues } from '../core/records.ts';
import { isWithin } from './disk-error.ts';
import { eventsVersion } from './event.ts';
import type { RunEvent, UntimedEvent } from './event.ts';
import type { Presence } from './live.ts';
import { enterStore } from './live.ts';
import type { Plan, StagePlan, StageWork } from './plan.ts';
import type { ActionRecord, Provenance, RunRecord, RunStatus, RunWarning, StageRecord } from './record.ts';
import { createRunFolder, materialize, outputPath, resolvedText, writeRunRecord } from './run-folder.ts';
import type { RunFolder } from './run-folder.ts';
import type { Ending, Task } from './schedule.ts';
import { runAll } from './schedule.ts';
import type { Job, ResolvedInput, StageHost, StageResult } from './stage.ts';
import { executeStage } from './stage.ts';
import { isNamed } from './select.ts';
import { openStore } from './store.ts';
import type { Artifact, Store } from './store.ts';
import { warningOf } from './warnings.ts';

export interface ExecuteOptions<J extends object = object> {
  /** Folder of the store; made if it is missing. */
  readonly store: string;
  /** Folder that holds a folder per run; made if it is missing. */
  readonly runs: string;
  readonly work: StageWork<J>;
  readonly emit: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** For dates. It may be set while the run goes on. */
  readonly clock: () => Date;
  /** Milliseconds on a clock that only goes forward, for durations. */
  readonly now: () => number;
  /** At least 16 hex digits, new on every call and in every process. */
  readonly randomHex: () => string;
  readonly provenance: Provenance;
  /** Names of stages that run even if they have a result, and replace it. */
  readonly force?: readonly string[];
  /** Whether stages that have a result run once more, to compare what they write with it; default `trust`. */
  readonly results?: 'trust' | 'verify';
  /** Names of stages that must have a result; see `select`. */
  readonly stored?: ReadonlySet<string>;
  readonly schedule?: Partial<Schedule>;
  /** What to do when another process makes a result that this run needs; default: wait for it, and use it. */
  readonly busy?: StageHost['busy'];
  /** Where a job runs; default: in this process. */
  readonly executor?: StageExecutor<J>;
}

/** How the stages of a run share the machine. */
export interface Schedule {
  /** How many stages run at once, at most. */
  readonly jobs: number;
  readonly cores: number;
  /** Bytes that stages may fill together; default: any number. */
  readonly memory: number;
  readonly failures: 'stop' | 'keep-going';
  /** Which of several ready stages starts; default: the first of the plan. */
  readonly pick: (ready: readonly Task[]) => Task;
}

export type StageExecutor<J extends object = object> = (job: Job<J>, host: StageHost<J>) => Promise<StageResult>;

/** The run was stopped from outside; the running stages left no result. */
export class Interrupted extends Error {
  constructor(options?: ErrorOptions) {
    super('the run was interrupted', options);
    this.name = 'Interrupted';
  }
}

/**
 * Runs the stages, each when its inputs are there, taking the result of an earlier execution where there is one.
 *
 * @returns the record, also written to run.json; its status is `pass`, or `fail` when a gate was not met
 * @throws Interrupted after `signal`; UserError when the store or the run folder cannot be written; else whatever the
 *   first stage that failed threw. The run folder stays and says so, and the stage leaves no result.
 */
export async function execute<J extends object>(plan: Plan<J>, options: ExecuteOptions<J>): Promise<RunRecord> {
  checkPlan(plan);
  const run = await openRun(plan, options);
  // At once, without waiting for the stages to stop.
  const recordInterruption = (): void => tolerate(() => writeRunRecord(run.folder, recordOf(run, 'interrupted')));
  try {
    writeRunRecord(run.folder, recordOf(run, 'running'));
    options.signal.addEventListener('abort', recordInterruption);
    options.signal.throwIfAborted();
    const stages = plan.stages.map(({ name }) => name);
    run.emit({ kind: 'run-started', schema: eventsVersion, run: run.folder.id, pipeline: plan.name, stages });
    const failure = await runStages(run);
    options.signal.throwIfAborted();
    if (failure !== null) throw failure.error;
    const passed = [...run.stages.values()].every(({ verdict }) => verdict === 'pass');
    const finished = finish(run, passed ? 'pass' : 'fail');
    const unwritten = run.folder.events.failure();
    if (unwritten !== null) throw unwritten;
    return finished;
  } catch (error) {
    tolerate(() => finish(run, options.signal.aborted ? 'interrupted' : 'error'));
    throw options.signal.aborted ? new Interrupted({ cause: error }) : error;
  } finally {
    options.signal.removeEventListener('abort', recordInterruption);
    await run.presence.leave();
    run.folder.events.close();
  }
}

interface Run<J extends object> {
  readonly plan: Plan<J>;
  readonly options: ExecuteOptions<J>;
  readonly store: Store;
  readonly folder: RunFolder;
  readonly presence: Presence;
  readonly startedAt: Date;
  readonly started: number;
  readonly emit: (event: UntimedEvent) => void;
  readonly warnings: RunWarning[];
  /** By stage name. */
  readonly results: Map<string, ActionRecord>;
  readonly stages: Map<string, StageRecord>;
}

async function openRun<J extends object>(plan: Plan<J>, options: ExecuteOptions<J>): Promise<Run<J>> {
  const [startedAt, started] = [options.clock(), options.now()];
  const store = await openStore(options.store, options.randomHex);
  const folder = await createRunFolder(options.runs, plan, startedAt, options.randomHex);
  const presence = await enterStore(store, { ...options, run: folder.id });
  const warnings: RunWarning[] = plan.warnings.map(({ code, layer, message, hint }) => {
    return { code, layer: layer ?? null, message, hint: hint ?? null };
  });
  const emit = (event: UntimedEvent): void => {
    const warning = warningOf(event);
    if (warning !== null) warnings.push(warning);
    const timed: RunEvent = { time: options.clock().toISOString(), ...event };
    options.emit(timed);
    folder.events.write(timed);
  };
  return {
    ...{ plan, options, store, folder, presence, startedAt, started, emit, warnings },
    ...{ results: new Map<string, ActionRecord>(), stages: new Map<string, StageRecord>() },
  };
}

function recordOf<J extends object>(run: Run<J>, status: RunStatus): RunRecord {
  const { plan, options, store, folder, startedAt, started, warnings } = run;
  return {
    schema: 'qpipe-run-v2',
    id: folder.id,
    pipeline: plan.name,
    origin: { ...plan.origin, set: [...plan.origin.set] },
    status,
    startedAt: startedAt.toISOString(),
    seconds: status === 'running' ? 0 : (options.now() - started) / 1000,
    provenance: options.provenance,
    owner: store.owner,
    resolved: digestOf(resolvedText(plan)),
    ...(plan.matrix === undefined ? {} : { matrix: plan.matrix }),
    warnings,
    stages: plan.stages.flatMap(({ name }) => run.stages.get(name) ?? []),
  };
}

function finish<J extends object>(run: Run<J>, status: RunStatus): RunRecord {
  const finished = recordOf(run, status);
  writeRunRecord(run.folder, finished);
  run.emit({ kind: 'run-finished', status, seconds: finished.seconds });
  return finished;
}

/** @returns the failure of the first stage of the plan that failed; null when none did */
async function runStages<J extends object>(run: Run<J>): Promise<Extract<Ending, { kind: 'failed' }> | null> {
  const { plan, options } = run;
  const first = (ready: readonly Task[]): Task => present(ready[0], 'a ready stage');
  const { jobs = 1, cores = Infinity, memory = Infinity, failures = 'stop', pick = first } = options.schedule ?? {};
  const byName = new Map(plan.stages.map((stage) => [stage.name, stage]));
  const tasks = plan.stages.map(({ name, inputs, needs }): Task => {
    const after = Object.values(inputs).flatMap((input) => (input.kind === 'output' ? [input.stage] : []));
    return { name, after, ...needs };
  });
  const one = async ({ name }: Task): Promise<void> => {
    try {
      await runStage(run, present(byName.get(name), `stage ${name}`));
    } catch (error) {
      if (!options.signal.aborted) run.emit({ kind: 'stage-failed', stage: name, message: messageOf(error) });
      throw error;
    }
  };
  const endings = await runAll(tasks, one, { jobs, cores, memory, failures, pick, signal: options.signal });
  let failure: Extract<Ending, { kind: 'failed' }> | null = null;
  for (const { name } of plan.stages) {
    const ending = present(endings.get(name), `ending of stage ${name}`);
    if (ending.kind === 'failed') failure ??= ending;
    if (ending.kind === 'skipped') run.emit({ kind: 'stage-skipped', stage: name, because: ending.because });
  }
  return failure;
}

async function runStage<J extends object>(run: Run<J>, stage: StagePlan<J>): Promise<void> {
  const { options, store, folder, presence, emit } = run;
  const { work, signal, clock, now, provenance, busy = 'wait' } = options;
  // A signal to stop is seen even where a result follows a result.
  await nextTurn();
  const inputs = resolveInputs(run, stage);
  const unforced = options.results === 'verify' ? 'verify' : 'use';
  const isStored = options.stored?.has(stage.name) === true;
  const existing = isStored ? 'require' : isNamed(stage.name, options.force ?? []) ? 'replace' : unforced;
  const execution: StageExecutor<J> = options.executor ?? executeStage;
  const { record, cached } = await execution(
    { stage, inputs, run: folder.id, provenance, existing },
    { store, work, emit, signal, clock, now, busy, presence },
  );
  run.results.set(stage.name, record);
  const { key, seconds, resumedAt } = record;
  const { metrics, verdict } = work.judge(stage, record.metrics);
  await materialize(folder, store, stage, record, metrics);

  const outputs = mapValues(stage.outputs, ({ file }, name) => ({
    ...present(record.outputs[name], `output "${name}" of stage "${stage.name}"`),
    path: outputPath(stage, file),
  }));
  const digests = mapValues(outputs, ({ digest }) => digest);
  const { name, kind } = stage;
  const common = { name, kind, key, cached, seconds, verdict, inputs, outputs };
  const reached = { ...common, ...(resumedAt !== undefined && { resumedAt }) };
  run.stages.set(name, { ...reached, metrics });
  const result = work.result?.(stage, metrics) ?? null;
  const shown = result !== null && { result: { text: result.text, curve: [...result.curve] } };
  const finished = { kind: 'stage-finished', stage: name, cached, seconds, verdict, outputs: digests } as const;
  emit({ ...finished, ...shown, record: reached });
}

function resolveInputs<J extends object>(run: Run<J>, stage: StagePlan<J>): Record<string, ResolvedInput> {
  return mapValues(stage.inputs, (input) => {
    switch (input.kind) {
      case 'external':
        return { type: input.type, digest: input.digest };
      case 'output':
        return { type: input.type, digest: producedArtifact(run, input.stage, input.output).digest };
      default:
        return unreachable(input);
    }
  });
}

function producedArtifact<J extends object>(run: Run<J>, stage: string, output: string): Artifact {
  return present(run.results.get(stage)?.outputs[output], `output "${output}" of stage "${stage}"`);
}

const FOLDER_NAME = /^[A-Za-z0-9][\w.-]*$/;
const STAGE_NAME = /^[A-Za-z0-9][\w.@=+-]*$/;

/** Guarantees of the configuration about a plan; a violation is a bug of ours. */
function checkPlan(plan: Plan): void {
  if (!FOLDER_NAME.test(plan.name)) internal(`"${plan.name}" cannot name a run folder`);
  const earlier = new Map<string, StagePlan>();
  for (const stage of plan.stages) {
    if (!STAGE_NAME.test(stage.name)) internal(`"${stage.name}" cannot name a stage's folder`);
    if (earlier.has(stage.name)) internal(`two stages are named "${stage.name}"`);
    for (const [name, input] of Object.entries(stage.inputs)) {
      if (input.kind !== 'output') continue;
      const type = earlier.get(input.stage)?.outputs[input.output]?.type;
      if (type === input.type) continue;
      const source = `${input.stage}.${input.output}`;
      internal(`input "${name}" of stage "${stage.name}" is ${input.type}, but ${source} before it is ${String(type)}`);
    }
    for (const [name, { file }] of Object.entries(stage.outputs)) {
      if (isWithin(file, '.') && file !== 'metrics.json') continue;
      internal(`output "${name}" of stage "${stage.name}" cannot be written to "${file}"`);
    }
    earlier.set(stage.name, stage);
  }
}

/** Best effort, for what is left to do once a run has failed: the first error is the one to report. */
function tolerate(body: () => unknown): void {
  try {
    body();
  } catch {
    // The disk that failed first may fail again.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
