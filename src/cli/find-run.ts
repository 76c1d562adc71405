/** The run that a command is about. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { thisOwner } from '../runner/owner.ts';
import type { RunRecord } from '../runner/record.ts';
import { listRuns, readRunRecord } from '../runner/runs.ts';
import { settleRun } from '../runner/settle.ts';
import { notARun } from './run-argument.ts';

export interface FindRunOptions {
  /** Folder of the run, or its id; default: the newest of `runs`. */
  readonly run?: string;
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
}

export interface FoundRun {
  readonly folder: string;
  /** As it is now: a run whose process is gone says `interrupted`. */
  readonly record: RunRecord;
}

/** @throws UserError when there is no such run, or none at all */
export async function findRun({ run, runs = 'runs' }: FindRunOptions): Promise<FoundRun> {
  const folder = run === undefined ? await newestIn(runs) : folderOf(run, runs);
  if (folder === null) throw notARun(run ?? runs);
  const record = await readRunRecord(folder);
  if (record === null) throw damaged(folder);
  return { folder, record: await settleRun(folder, record, thisOwner(), Date.now()) };
}

/** A run by its folder or its id; what is neither is given back, for the reader of it to say what is wrong. */
export function runFolder(run: string, runs: string): string {
  if (existsSync(join(run, 'run.json'))) return run;
  return existsSync(join(runs, run, 'run.json')) ? join(runs, run) : run;
}

/** Whether a command line's word is the folder or the id of a run. */
export const isRun = (word: string, runs = 'runs'): boolean => folderOf(word, runs) !== null;

function folderOf(run: string, runs: string): string | null {
  return [resolve(run), resolve(runs, run)].find((folder) => existsSync(join(folder, 'run.json'))) ?? null;
}

async function newestIn(runs: string): Promise<string> {
  const [newest] = await listRuns(resolve(runs), 1);
  if (newest === undefined) {
    throw userError(runs, 'no-runs', 'there is no run to ask about', 'run a pipeline first, or name a folder of runs');
  }
  return resolve(runs, newest.id);
}

const damaged = (folder: string) =>
  userError(
    join(folder, 'run.json'),
    'damaged-run',
    'the file is not as this version of qpipe wrote it',
    'run the pipeline again: stages whose result is stored are not run again',
  );
