import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { userError } from '../core/diagnostic.ts';
import type { Json } from '../core/json.ts';
import type { Report } from '../report/report.ts';
import { buildReport } from '../report/report.ts';
import { renderReport } from '../report/html.ts';
import { replaceFile, writingTo } from '../runner/durable.ts';
import type { RunRecord } from '../runner/record.ts';
import { runRecordSchema } from '../runner/record.ts';

export interface RunFolderContents {
  readonly record: RunRecord;
  /** The resolved pipeline. */
  readonly config: Json;
}

/** @throws UserError when the folder is not one that `run` wrote */
export async function readRunFolder(folder: string): Promise<RunFolderContents> {
  const record = await readJson(folder, 'run.json');
  if (!Value.Check(runRecordSchema, record)) {
    throw userError(join(folder, 'run.json'), 'not-a-run', 'the file is not a run record', 'run the pipeline again');
  }
  return { record, config: (await readJson(folder, 'resolved.json')) as Json }; // parsed JSON is Json
}

async function readJson(folder: string, name: string): Promise<unknown> {
  const file = join(folder, name);
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw userError(
      file,
      'not-a-run',
      `cannot read it: ${reason}`,
      'give the folder of a run, for example runs/latest',
    );
  }
}

/** Writes report.html and report.json into a run's folder from what is recorded there. */
export async function writeReport(folder: string): Promise<Report> {
  const { record, config } = await readRunFolder(folder);
  const report = buildReport(record, config);
  const write = (name: string, text: string) =>
    writingTo(folder, 'the run folder', () => replaceFile(join(folder, name), join(folder, `.${name}.tmp`), text));
  await write('report.json', `${JSON.stringify(report, null, 2)}\n`);
  await write('report.html', renderReport(report));
  return report;
}
