import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, present, unreachable } from '../core/assert.ts';
import { isWithin } from './disk-error.ts';
import type { RunEvent, UntimedEvent } from './event.ts';
import type { Digest } from '../core/digest.ts';
import { stageKey } from './fingerprint.ts';
import type { Plan, StagePlan, StageProgress } from './plan.ts';
import type { ActionRecord, Provenance, RunRecord, RunStatus, RunWarning, StageRecord } from './record.ts';
import { createRunFolder, materialize, outputPath, resolvedText, writeRunRecord } from './run-folder.ts';
import type { RunFolder } from './run-folder.ts';
import { commitResult, findResult, objectPath, openStore, putObject, withWorkFolder } from './store.ts';
import type { Artifact, Store } from './store.ts';

export interface ExecuteOptions {
  /** Folder of the store; made if it is missing. */
  readonly store: string;
  /** Folder that holds a folder per run; made if it is missing. */
  readonly runs: string;
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
}

/** The run was stopped from outside; the running stage left no result. */
export class Interrupted extends Error {
  constructor(options?: ErrorOptions) {
    super('the run was interrupted', options);
    this.name = 'Interrupted';
  }
}

/**
 * Runs the stages in order, taking the result of an earlier execution where there is one.
 *
 * @returns the record, also written to run.json; its status is `pass`, or `fail` when a gate was not met
 * @throws Interrupted after `signal`; UserError when the store or the run folder cannot be written; else whatever a
 *   stage threw. The run folder stays and says so, and the stage leaves no result.
 */
export async function execute(plan: Plan, options: ExecuteOptions): Promise<RunRecord> {
  checkPlan(plan);
  const [startedAt, started] = [options.clock(), options.now()];
  const store = await openStore(options.store, options.randomHex);
  const folder = await createRunFolder(options.runs, plan, startedAt, options.randomHex);
  const run: Run = { options, store, folder, emit, results: new Map() };
  const stages: StageRecord[] = [];
  const resolved = digestOf(resolvedText(plan));
  const warnings: RunWarning[] = plan.warnings.map(({ code, layer, message, hint }) => {
    return { code, layer: layer ?? null, message, hint: hint ?? null };
  });
  let current: StagePlan | null = null;

  function emit(event: UntimedEvent): void {
    const warning = warningOf(event);
    if (warning !== null) warnings.push(warning);
    const timed: RunEvent = { time: options.clock().toISOString(), ...event };
    options.emit(timed);
    folder.events.write(timed);
  }
  function record(status: RunStatus): RunRecord {
    return {
      schema: 'qpipe-run-v2',
      id: folder.id,
      pipeline: plan.name,
      status,
      startedAt: startedAt.toISOString(),
      seconds: status === 'running' ? 0 : secondsSince(started, options),
      provenance: options.provenance,
      resolved,
      warnings,
      stages,
    };
  }
  function finish(status: RunStatus): RunRecord {
    const finished = record(status);
    writeRunRecord(folder, finished);
    emit({ kind: 'run-finished', status, seconds: finished.seconds });
    return finished;
  }
  // At once, without waiting for the stage to stop.
  const recordInterruption = (): void => tolerate(() => writeRunRecord(folder, record('interrupted')));

  try {
    writeRunRecord(folder, record('running'));
    options.signal.addEventListener('abort', recordInterruption);
    options.signal.throwIfAborted();
    emit({ kind: 'run-started', run: folder.id, pipeline: plan.name, stages: plan.stages.map(({ name }) => name) });
    for (const stage of plan.stages) {
      current = stage;
      stages.push(await runStage(run, stage));
    }
    current = null;
    const finished = finish(stages.every(({ verdict }) => verdict === 'pass') ? 'pass' : 'fail');
    const unwritten = folder.events.failure();
    if (unwritten !== null) throw unwritten;
    return finished;
  } catch (error) {
    const failure = options.signal.aborted ? new Interrupted({ cause: error }) : error;
    const stage = current?.name;
    if (!options.signal.aborted && stage !== undefined) {
      emit({ kind: 'stage-failed', stage, message: messageOf(error) });
    }
    tolerate(() => finish(options.signal.aborted ? 'interrupted' : 'error'));
    throw failure;
  } finally {
    options.signal.removeEventListener('abort', recordInterruption);
    folder.events.close();
  }
}

interface Run {
  readonly options: ExecuteOptions;
  readonly store: Store;
  readonly folder: RunFolder;
  readonly emit: (event: UntimedEvent) => void;
  /** By stage name. */
  readonly results: Map<string, ActionRecord>;
}

interface ResolvedInput {
  readonly type: string;
  readonly digest: Digest;
}

async function runStage(run: Run, stage: StagePlan): Promise<StageRecord> {
  const { options, store, emit } = run;
  options.signal.throwIfAborted();
  const inputs = resolveInputs(run, stage);
  const identity = stageKey(
    stage,
    mapValues(inputs, ({ digest }) => digest),
  );
  const { key } = identity;

  const lookup = await findResult(store, identity, stage.outputs);
  for (const damage of lookup.damage) emit({ kind: 'cache-repaired', stage: stage.name, ...damage });
  const cached = lookup.kind === 'hit' && !(options.force?.includes(stage.name) ?? false);
  emit({ kind: 'stage-started', stage: stage.name, key, cached });

  let result: ActionRecord;
  if (cached) result = lookup.record;
  else {
    result = await withWorkFolder(store, key, (out) => produce(run, stage, key, out));
    await commitResult(store, identity, result);
    const before = lookup.kind === 'hit' ? lookup.record : lookup.previous;
    if (before !== null) reportDifferences(run, stage, before, result);
  }
  run.results.set(stage.name, result);
  const { seconds } = result;
  const { metrics, verdict } = stage.judge(result.metrics);
  await materialize(run.folder, store, stage, result, metrics);

  const outputs = mapValues(stage.outputs, ({ file }, name) => ({
    ...present(result.outputs[name], `output "${name}" of stage "${stage.name}"`),
    path: outputPath(stage, file),
  }));
  const digests = mapValues(outputs, ({ digest }) => digest);
  emit({ kind: 'stage-finished', stage: stage.name, cached, seconds, verdict, outputs: digests });
  return { name: stage.name, kind: stage.kind, key, cached, seconds, verdict, inputs, outputs, metrics };
}

/** Executes a stage in `out`, checks what it wrote and puts that into the store. The record is not yet written. */
async function produce(run: Run, stage: StagePlan, key: string, out: string): Promise<ActionRecord> {
  const { options, store, folder } = run;
  const [startedAt, started] = [options.clock(), options.now()];
  const { metrics } = await stage.execute({
    inputs: inputPaths(run, stage),
    directory: out,
    emit: (progress) => emitProgress(run, stage, progress),
    signal: options.signal,
  });
  const seconds = secondsSince(started, options);

  const outputs: Record<string, Artifact & { type: string }> = {};
  for (const [name, { type, file }] of Object.entries(stage.outputs)) {
    // A stage that was told to stop may have stopped in the middle of a file and returned normally.
    options.signal.throwIfAborted();
    const written = join(out, file);
    const isFile = await stat(written).then(
      (status) => status.isFile(),
      () => false,
    );
    if (!isFile) internal(`stage "${stage.name}" did not write its output "${name}" (${file})`);
    await stage.check(name, written);
    outputs[name] = { type, ...(await putObject(store, written)) };
  }
  options.signal.throwIfAborted();
  return {
    schema: 'qpipe-action-v2',
    key,
    outputs,
    metrics,
    startedAt: startedAt.toISOString(),
    seconds,
    run: folder.id,
    provenance: options.provenance,
  };
}

function emitProgress(run: Run, stage: StagePlan, progress: StageProgress): void {
  switch (progress.kind) {
    case 'progress': {
      const { step, totalSteps } = progress;
      const values = mapValues(progress.values, (value) => (Number.isFinite(value) ? value : null));
      run.emit({ kind: 'stage-progress', stage: stage.name, step, totalSteps, values });
      return;
    }
    case 'log':
      run.emit({ kind: 'stage-log', stage: stage.name, message: progress.message });
      return;
    default:
      unreachable(progress);
  }
}

/** What an event says of the store that whoever reads the report must know too; null for all others. */
function warningOf(event: UntimedEvent): RunWarning | null {
  switch (event.kind) {
    case 'cache-repaired':
      return {
        code: event.kind,
        layer: null,
        message: `the stored result of stage ${event.stage} was damaged (${event.found}), so the stage ran again`,
        hint: 'check the disk that the store is on',
      };
    case 'nondeterminism':
      return {
        code: event.kind,
        layer: null,
        message: `stage ${event.stage} wrote another ${event.output} than an earlier run with the same key`,
        hint: 'report it as a mistake in qpipe, with the pipeline',
      };
    default:
      return null;
  }
}

/** Equal keys promise equal bytes; a stage that breaks the promise has a bug, which must be reported. */
function reportDifferences(run: Run, stage: StagePlan, before: ActionRecord, now: ActionRecord): void {
  for (const [output, { digest }] of Object.entries(now.outputs)) {
    const old = before.outputs[output]?.digest;
    if (old === undefined || old === digest) continue;
    run.emit({ kind: 'nondeterminism', stage: stage.name, output, before: old, now: digest });
  }
}

function resolveInputs(run: Run, stage: StagePlan): Record<string, ResolvedInput> {
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

function inputPaths(run: Run, stage: StagePlan): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const [name, input] of Object.entries(stage.inputs)) {
    if (input.kind !== 'output') continue;
    paths[name] = objectPath(run.store, producedArtifact(run, input.stage, input.output).digest);
  }
  return paths;
}

function producedArtifact(run: Run, stage: string, output: string): Artifact {
  return present(run.results.get(stage)?.outputs[output], `output "${output}" of stage "${stage}"`);
}

const FOLDER_NAME = /^[A-Za-z0-9][\w.-]*$/;

/** Guarantees of the configuration about a plan; a violation is a bug of ours. */
function checkPlan(plan: Plan): void {
  if (!FOLDER_NAME.test(plan.name)) internal(`"${plan.name}" cannot name a run folder`);
  const earlier = new Map<string, StagePlan>();
  for (const stage of plan.stages) {
    if (!FOLDER_NAME.test(stage.name)) internal(`"${stage.name}" cannot name a stage's folder`);
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

function secondsSince(started: number, { now }: ExecuteOptions): number {
  return (now() - started) / 1000;
}

function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
