import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import type { Json } from '../core/json.ts';
import type { Report } from '../report/report.ts';
import { buildReport } from '../report/build-report.ts';
import { renderReport } from '../report/html.ts';
import { readingFrom, writingTo } from '../runner/disk-error.ts';
import { replaceFile } from '../runner/durable.ts';
import { thisOwner } from '../runner/owner.ts';
import type { RunRecord } from '../runner/record.ts';
import { runRecordSchema } from '../runner/record.ts';
import { unseal } from '../runner/sealed.ts';
import { settleRun } from '../runner/settle.ts';
import { sweepTemporaries, temporaryIn } from '../runner/sweep.ts';
import { notARun } from './run-argument.ts';

export interface RunFolderContents {
  readonly record: RunRecord;
  /** The resolved pipeline. */
  readonly config: Json;
}

/** @throws UserError when the folder was not written by `run` */
export async function readRunFolder(folder: string): Promise<RunFolderContents> {
  const record = unseal(await readText(folder, 'run.json'));
  if (!Value.Check(runRecordSchema, record)) throw damaged(folder, 'run.json');
  const config = await readText(folder, 'resolved.json');
  const digest = createHash('sha256').update(config).digest('hex');
  if (record.resolved !== `sha256:${digest}`) throw damaged(folder, 'resolved.json');
  const settled = await settleRun(folder, record, thisOwner(), Date.now());
  return { record: settled, config: JSON.parse(config) as Json }; // parsed JSON is Json
}

/** Everything that `report` and `compare` say comes from these two files, so a changed digit must not pass. */
function damaged(folder: string, name: string): UserError {
  return userError(
    join(folder, name),
    'damaged-run',
    'the file is missing, or not as this version of qpipe wrote it',
    'run the pipeline again: stages whose result is stored are not run again',
  );
}

async function readText(folder: string, name: string): Promise<string> {
  const file = join(folder, name);
  const text = await readingFrom(file, 'it', () => readFile(file, 'utf8').catch(nullIfAbsent));
  if (text !== null) return text;
  throw existsSync(join(folder, 'run.json')) ? damaged(folder, name) : notARun(folder);
}

function nullIfAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

/** Writes report.html and report.json into a run's folder from what is recorded there. */
export async function writeReport(folder: string): Promise<Report> {
  const { record, config } = await readRunFolder(folder);
  const report = buildReport(record, config);
  const self = thisOwner();
  await sweepTemporaries(folder, self);
  const write = (name: string, text: string) =>
    writingTo(folder, 'the run folder', () => replaceFile(join(folder, name), temporaryIn(folder, name, self), text));
  await write('report.json', `${JSON.stringify(report, null, 2)}\n`);
  await write('report.html', renderReport(report));
  return report;
}
