/** The one way a stage runs: its result is found, or made, checked and kept. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, present, unreachable } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import { mapValues } from '../core/records.ts';
import type { UntimedEvent } from './event.ts';
import { openCheckpoints } from './checkpoints.ts';
import { hasCode } from './claim.ts';
import type { StageKey } from './fingerprint.ts';
import { stageKey, trajectoryKey } from './fingerprint.ts';
import type { Lease, LeaseOptions, WaitedFor } from './lease.ts';
import { acquireLease } from './lease.ts';
import type { Presence } from './live.ts';
import type { StagePlan, StageProgress, StageWork } from './plan.ts';
import type { ActionRecord, Provenance } from './record.ts';
import type { Artifact, Lookup, Store } from './store.ts';
import { commitResult, fileDigest, findResult, objectPath, putObject, withWorkFolder } from './store.ts';

/** An execution: a stage with the content of its inputs. Plain JSON, so that it may go to another process. */
export interface Job<J extends object = object> {
  readonly stage: StagePlan<J>;
  /** By name, those that other stages wrote and those from outside. */
  readonly inputs: Readonly<Record<string, ResolvedInput>>;
  /** Of the run that asks for it. */
  readonly run: string;
  readonly provenance: Provenance;
  /**
   * `replace` runs the stage even if it has a result; `require` does not run it, so that it must have one. `verify` runs
   * a stage that has one once more, says where its files differ, and uses what is stored.
   */
  readonly existing: 'use' | 'replace' | 'require' | 'verify';
}

export interface ResolvedInput {
  readonly type: string;
  readonly digest: Digest;
}

/** Where a job runs. */
export interface StageHost<J extends object = object> {
  readonly store: Store;
  readonly work: StageWork<J>;
  readonly emit: (event: UntimedEvent) => void;
  readonly signal: AbortSignal;
  /** For dates. It may be set while the stage runs. */
  readonly clock: () => Date;
  /** Milliseconds on a clock that only goes forward, for durations. */
  readonly now: () => number;
  /** What to do when another process makes the same result. */
  readonly busy: LeaseOptions['busy'];
  /** Of this process in the store. */
  readonly presence: Presence;
}

export interface StageResult {
  readonly record: ActionRecord;
  /** The result of an earlier execution was used. */
  readonly cached: boolean;
}

/**
 * Finds the result of a job, or makes it, or waits for the process that does.
 *
 * @throws UserError when the store cannot be written, or whatever the stage throws; it then leaves no result. The
 *   reason of `host.signal` when that was raised.
 */
export async function executeStage<J extends object>(job: Job<J>, host: StageHost<J>): Promise<StageResult> {
  const { stage, inputs } = job;
  const { store, emit } = host;
  host.signal.throwIfAborted();
  const identity = stageKey(
    stage,
    mapValues(inputs, ({ digest }) => digest),
  );
  const look = (): Promise<Lookup> => host.presence.undisturbed(() => findResult(store, identity, stage.outputs));
  const lookup = await look();
  for (const damage of lookup.damage) emit({ kind: 'cache-repaired', stage: stage.name, ...damage });
  if (lookup.kind === 'hit' && job.existing === 'verify') return verifyResult(job, lookup.record, host);
  if (lookup.kind === 'hit' && job.existing !== 'replace') return useResult(stage, lookup.record, emit);
  if (job.existing === 'require') throw notStored(stage.name);

  const take = (): Promise<Lease> =>
    acquireLease(store, identity.key, { ...host, run: job.run, onWait: (who) => emit(waitingEvent(stage.name, who)) });
  let lease = await take();
  try {
    // Another process may have made it in the meantime.
    const again = await look();
    if (again.kind === 'hit' && job.existing !== 'replace') return useResult(stage, again.record, emit);
    emit({ kind: 'stage-started', stage: stage.name, key: identity.key, cached: false });
    host.presence.rest();
    return await withWorkFolder(store, identity.key, async (out) => {
      const made = await perform(job, host, out);
      for (;;) {
        const { record, isKept } = await keep(job, host, identity, { made, out, lease });
        if (isKept) {
          const before = again.kind === 'hit' ? again.record : again.previous;
          if (before !== null) reportDifferences(stage, before, record, emit);
          return { record, cached: false };
        }
        // Taken away, from a machine that was silent for too long. Whoever has it now makes the same result.
        await lease.release();
        lease = await take();
        const theirs = await look();
        if (theirs.kind === 'miss') continue;
        reportDifferences(stage, theirs.record, record, emit);
        return { record: theirs.record, cached: false };
      }
    });
  } finally {
    await lease.release();
  }
}

/**
 * Runs a job whose result is stored once more, and keeps nothing of it.
 *
 * @returns for each output the digest that is stored, and that of now
 * @throws whatever the stage throws; the reason of `host.signal` when that was raised
 */
export async function rebuild<J extends object>(
  job: Job<J>,
  stored: ActionRecord,
  host: StageHost<J>,
): Promise<readonly RebuiltOutput[]> {
  return withWorkFolder(host.store, stored.key, async (out) => {
    await perform(job, host, out);
    const rebuilt: RebuiltOutput[] = [];
    for (const [output, { file }] of Object.entries(job.stage.outputs)) {
      const { digest } = present(stored.outputs[output], `output ${output}`);
      rebuilt.push({ output, stored: digest, now: await fileDigest(join(out, file)) });
    }
    return rebuilt;
  });
}

export interface RebuiltOutput {
  readonly output: string;
  readonly stored: Digest;
  readonly now: Digest;
}

function useResult(stage: StagePlan, record: ActionRecord, emit: (event: UntimedEvent) => void): StageResult {
  emit({ kind: 'stage-started', stage: stage.name, key: record.key, cached: true });
  return { record, cached: true };
}

async function verifyResult<J extends object>(
  job: Job<J>,
  record: ActionRecord,
  host: StageHost<J>,
): Promise<StageResult> {
  const { name } = job.stage;
  host.emit({ kind: 'stage-started', stage: name, key: record.key, cached: false });
  host.presence.rest();
  for (const { output, stored, now } of await rebuild(job, record, host)) {
    if (stored !== now) host.emit({ kind: 'nondeterminism', stage: name, output, before: stored, now });
  }
  return { record, cached: true };
}

function waitingEvent(stage: string, { pid, host, run, state }: WaitedFor): UntimedEvent {
  return { kind: 'stage-waiting', stage, pid, host, run, state };
}

const notStored = (stage: string) =>
  userError(
    `stage ${stage}`,
    'not-stored',
    'it has no stored result for the settings as they are now, and it is not among the stages to run',
    `run it first, for example with \`--until ${stage}\`; \`qpipe why ${stage}\` says what has changed`,
  );

type Performance = Pick<ActionRecord, 'metrics' | 'seconds' | 'startedAt' | 'resumedAt'>;

/** Executes a stage in `out`. */
async function perform<J extends object>(
  { stage, inputs, existing }: Job<J>,
  { store, work, emit, signal, clock, now }: StageHost<J>,
  out: string,
): Promise<Performance> {
  const [startedAt, started] = [clock().toISOString(), now()];
  const { name } = stage;
  const trajectory = trajectoryKey(
    stage,
    mapValues(inputs, ({ digest }) => digest),
  );
  let resumedAt: readonly number[] = [];
  const { metrics } = await work.execute(stage, {
    inputs: inputPaths(store, stage, inputs),
    directory: out,
    emit(progress) {
      if (progress.kind === 'resumed') ({ resumedAt } = progress);
      emit(progressEvent(name, progress));
    },
    // A stage that is to run again must not find that it is done already.
    ...(trajectory !== null && {
      checkpoints: openCheckpoints({
        ...{ store, trajectory, name, emit },
        existing: existing === 'replace' || existing === 'verify' ? 'ignore' : 'use',
      }),
    }),
    signal,
  });
  const seconds = (now() - started) / 1000;
  return { metrics, startedAt, seconds, ...(resumedAt.length > 0 && { resumedAt: [...resumedAt] }) };
}

/** Checks what a stage wrote to `out` and puts it into the store; the record only while the lease is held. */
async function keep<J extends object>(
  { stage, run, provenance }: Job<J>,
  { store, work, signal, presence }: StageHost<J>,
  identity: StageKey,
  { made, out, lease }: { readonly made: Performance; readonly out: string; readonly lease: Lease },
): Promise<{ readonly record: ActionRecord; readonly isKept: boolean }> {
  return presence.undisturbed(async () => {
    const outputs: Record<string, Artifact & { type: string }> = {};
    for (const [name, { type, file }] of Object.entries(stage.outputs)) {
      // A stage that was told to stop may have stopped in the middle of a file and returned normally.
      signal.throwIfAborted();
      const written = join(out, file);
      if (!(await isFile(written))) internal(`stage "${stage.name}" did not write its output "${name}" (${file})`);
      await work.check(stage, name, written);
      outputs[name] = { type, ...(await putObject(store, written)) };
    }
    signal.throwIfAborted();
    const { key } = identity;
    const record: ActionRecord = { schema: 'qpipe-action-v2', ...{ key, outputs, run, provenance }, ...made };
    const isKept = await lease.isHeld();
    if (isKept) await commitResult(store, identity, record);
    return { record, isKept };
  });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Those of inputs that are files of the store. */
function inputPaths(store: Store, stage: StagePlan, inputs: Job['inputs']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { digest }]) =>
      stage.inputs[name]?.kind === 'output' ? [[name, objectPath(store, digest)] as const] : [],
    ),
  );
}

function progressEvent(stage: string, progress: StageProgress): UntimedEvent {
  switch (progress.kind) {
    case 'progress': {
      const { step, totalSteps } = progress;
      const values = mapValues(progress.values, (value) => (Number.isFinite(value) ? value : null));
      return { kind: 'stage-progress', stage, step, totalSteps, values };
    }
    case 'resumed': {
      const { step, totalSteps, epoch, resumedAt } = progress;
      return { kind: 'stage-resumed', stage, step, totalSteps, epoch, resumedAt: [...resumedAt] };
    }
    case 'log':
      return { kind: 'stage-log', stage, message: progress.message };
    default:
      return unreachable(progress);
  }
}

/** Equal keys promise equal bytes; a stage that breaks the promise has a bug, which must be reported. */
function reportDifferences(
  stage: StagePlan,
  before: ActionRecord,
  now: ActionRecord,
  emit: (event: UntimedEvent) => void,
): void {
  for (const [output, { digest }] of Object.entries(now.outputs)) {
    const old = before.outputs[output]?.digest;
    if (old === undefined || old === digest) continue;
    emit({ kind: 'nondeterminism', stage: stage.name, output, before: old, now: digest });
  }
}
