import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { lstat, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { explainWriteError, writingTo } from './disk-error.ts';
import { fileSharing, makeFolder, overwriteNow, replaceFileNow, writeDurably } from './durable.ts';
import type { ShareFile } from './durable.ts';
import type { JsonObject } from '../core/json.ts';
import { openEventLog } from './event.ts';
import type { EventLog } from './event.ts';
import type { Plan, StagePlan } from './plan.ts';
import type { ActionRecord, RunRecord } from './record.ts';
import { jsonText, seal } from './sealed.ts';
import { objectPath } from './store.ts';
import type { Store } from './store.ts';

/**
 * The files of one run, under `<runs>/<id>`: run.json, pipeline.yaml, resolved.json, events.ndjson and
 * stages/<name>/ with each stage's outputs and metrics.json. `<runs>/latest` points at the newest.
 */
export interface RunFolder {
  readonly id: string;
  readonly path: string;
  readonly events: EventLog;
  /** From the store. */
  readonly share: ShareFile;
}

/** Makes a new, unique folder and points `latest` at it. Leaves nothing behind if it fails. */
export async function createRunFolder(
  runs: string,
  plan: Plan,
  startedAt: Date,
  randomHex: () => string,
): Promise<RunFolder> {
  const root = resolve(runs);
  return writingTo(root, 'the folder for runs', async () => {
    await makeFolder(root);
    await checkLatest(root);
    const id = await claimId(root, plan.name, startedAt, randomHex);
    const path = join(root, id);
    try {
      await mkdir(join(path, 'stages'));
      await writeDurably(join(path, 'pipeline.yaml'), plan.pipeline, 0o644);
      await writeDurably(join(path, 'resolved.json'), resolvedText(plan), 0o644);
      const events = openEventLog(join(path, 'events.ndjson'));
      try {
        await pointLatestAt(root, id, randomHex);
      } catch (error) {
        events.close();
        throw error;
      }
      return { id, path, events, share: fileSharing() };
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
  });
}

/** The text of resolved.json. */
export function resolvedText(plan: Plan): string {
  return jsonText(plan.resolved);
}

/**
 * Writes run.json synchronously, so it is correct whatever ends the process next.
 *
 * @throws UserError when the disk refuses; even then, if it can be, the status is written in place
 */
export function writeRunRecord(run: Pick<RunFolder, 'path'>, record: RunRecord): void {
  const file = join(run.path, 'run.json');
  const temporary = join(run.path, '.run.json.tmp');
  try {
    // A killed process may have left one.
    rmSync(temporary, { force: true });
    replaceFileNow(file, temporary, seal(record));
  } catch (error) {
    try {
      // Without stages it is no longer than it was, so that it fits on a full disk.
      overwriteNow(file, seal({ ...record, stages: [] }));
    } catch {
      // The first error is the one to report.
    }
    throw explainWriteError(error, run.path, 'the run folder');
  }
}

/** Where an output lies, relative to the run folder. */
export function outputPath(stage: StagePlan, file: string): string {
  return join('stages', stage.name, file);
}

/**
 * Shows a stage's result in the run folder, all of it or nothing. Its files are read-only: the store shares them. Does
 * not wait for the disk: store and run.json hold the same, and after a power failure they count.
 */
export async function materialize(
  run: RunFolder,
  store: Store,
  stage: StagePlan,
  { outputs }: Pick<ActionRecord, 'outputs'>,
  metrics: JsonObject,
): Promise<void> {
  const partial = join(run.path, 'stages', `.${stage.name}.partial`);
  await writingTo(run.path, 'the run folder', async () => {
    try {
      mkdirSync(partial);
      for (const [name, { file }] of Object.entries(stage.outputs)) {
        const artifact = outputs[name];
        if (artifact === undefined) continue;
        const target = join(partial, file);
        if (dirname(file) !== '.') mkdirSync(dirname(target), { recursive: true });
        await run.share(objectPath(store, artifact.digest), target);
      }
      writeFileSync(join(partial, 'metrics.json'), jsonText(metrics), { flag: 'wx' });
      renameSync(partial, join(run.path, 'stages', stage.name));
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
  });
}

/** `<UTC yyyymmdd-hhmmss>-<name>-<4 hex digits>`, claimed by creating the folder. */
async function claimId(root: string, name: string, startedAt: Date, randomHex: () => string): Promise<string> {
  const stamp = startedAt.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  for (let attempt = 1; ; attempt++) {
    const id = `${stamp}-${name}-${randomHex().slice(0, 4)}`;
    try {
      await mkdir(join(root, id));
      return id;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isTaken || attempt === 16) throw error;
    }
  }
}

/** We may replace `latest` only while it is a link. */
async function checkLatest(root: string): Promise<void> {
  const latest = join(root, 'latest');
  const status = await lstat(latest).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (status === null || status.isSymbolicLink()) return;
  throw userError(
    latest,
    'latest-in-use',
    `\`latest\` is a ${status.isDirectory() ? 'folder' : 'file'}; a run makes it a link to its own folder`,
    'rename it, or choose another folder with `--runs`',
  );
}

async function pointLatestAt(root: string, id: string, randomHex: () => string): Promise<void> {
  // A symbolic link cannot be changed in place; renaming a new one over it leaves no moment without it.
  const temporary = join(root, `.latest-${randomHex()}`);
  await symlink(id, temporary);
  try {
    await rename(temporary, join(root, 'latest'));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
