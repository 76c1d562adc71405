import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { basename, dirname, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { parsePipeline } from '../config/load.ts';
import { makePlan } from '../config/plan.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import type { DatasetIdentity } from '../data/dataset.ts';
import { identify } from '../data/dataset.ts';
import type { GuessedSource } from '../data/guess.ts';
import { guessSource } from '../data/guess.ts';
import { loadDataset } from '../data/load.ts';
import { writingTo } from '../runner/disk-error.ts';
import { qpipeHome } from './home.ts';
import { starterLayers, starterStages } from './starter.ts';

export interface InitOptions {
  /** Folder, or .zip or .tar archive, of the examples. */
  readonly folder: string;
  /** Pipeline file to write; default: the name of the folder with `.yaml`, in the current folder. */
  readonly out?: string;
}

export interface InitResult {
  /** The pipeline file. */
  readonly file: string;
  readonly source: string;
  /** What was found in the folder, in sentences. */
  readonly found: readonly string[];
  /** What `qpipe validate` says of it. */
  readonly warnings: readonly Diagnostic[];
}

/**
 * Writes a pipeline for a folder of examples: the source by the kind of most files, settings by what the files are, a
 * network by their shape. All examples are read once, so what is broken in them is told now.
 *
 * @throws UserError for a file that exists already, and for data that no source reads
 */
export async function init({ folder, out }: InitOptions): Promise<InitResult> {
  if (!existsSync(folder)) {
    const hint = 'give the folder, .zip or .tar of the examples';
    throw userError(folder, 'missing-data', 'there is no such folder or archive', hint, 64);
  }
  const name = pipelineName(folder);
  const file = out ?? `${name}.yaml`;
  if (existsSync(file)) throw fileExists(file);
  const guess = guessSource(folder);
  const path = relative(dirname(resolve(file)), resolve(folder)) || '.';
  const head = { name, path, guess };
  const draft = parsePipeline(pipelineText(head, null), file).pipeline;
  const { validation } = dataSettings(draft.data);
  const identity = identify(loadDataset(dataSource(draft.data), { count: validation ?? 0, seed: draft.seed }));
  const found = [examplesText(identity), ...guess.found];
  const text = pipelineText({ ...head, guess: { ...guess, found } }, identity);
  const { warnings } = await makePlan(parsePipeline(text, file), {
    identities: () => Promise.resolve(identity),
    home: qpipeHome(),
    threads: null,
    cores: os.availableParallelism(),
    now: () => performance.now(),
  });
  await write(file, text);
  return { file, source: guess.source, found, warnings };
}

async function write(file: string, text: string): Promise<void> {
  await writingTo(dirname(resolve(file)), 'the pipeline file', async () => {
    await writeFile(file, text, { flag: 'wx' });
  });
}

const fileExists = (file: string) =>
  userError(file, 'file-exists', 'the file exists already', 'name another one with `--out`, or remove it', 64);

/** What the name of a pipeline may be, from that of the folder. */
function pipelineName(folder: string): string {
  const name = basename(resolve(folder)).replace(/\.(zip|tar|tgz|tar\.gz)$/i, '');
  return name.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'pipeline';
}

function examplesText({ classNames, trainingImages, validationImages, labels }: DatasetIdentity): string {
  const test = labels.test.reduce((sum, count) => sum + count, 0);
  const train = trainingImages - validationImages;
  return `${classNames.length} classes; ${train} examples for training, ${validationImages} for validation, ${test} for testing`;
}

interface Head {
  readonly name: string;
  /** Of the data, from the folder of the pipeline file. */
  readonly path: string;
  readonly guess: GuessedSource;
}

/** @param identity of the data; null gives a pipeline that only serves to read them */
function pipelineText({ name, path, guess }: Head, identity: DatasetIdentity | null): string {
  const layers = identity === null ? ['- { kind: flatten }'] : starterLayers(identity, identity.classNames.length);
  const stages = starterStages(identity ?? { image: noImage, trainingImages: 2, validationImages: 0 });
  const data = [
    { yaml: `source: ${guess.source}`, comment: '' },
    { yaml: `path: ${stringify(path, { lineWidth: 0 }).trimEnd()}`, comment: 'relative to this file' },
    ...guess.lines,
  ];
  const lines = [
    `# A first pipeline for the data in ${path.replaceAll(/[\r\n]/g, ' ')}. It runs as it is; change what you know better.`,
    '#   qpipe data FILE    shows the data',
    '#   qpipe run FILE     trains the network and writes the int8 model and a report',
    ...guess.found.map((sentence) => `# Found: ${sentence}.`),
    'version: 1',
    `name: ${stringify(name, { lineWidth: 0 }).trimEnd()}`,
    'data:',
    ...data.flatMap((line) => commented(line)),
    'model:',
    '  layers:',
    ...layers.map((layer) => `    ${layer}`),
    'stages:',
    ...stages.flatMap((line) => commented(line)),
  ];
  return `${lines.join('\n')}\n`;
}

const noImage = { height: 1, width: 1, channels: 1 };

function commented({ yaml, comment }: { readonly yaml: string; readonly comment: string }): string[] {
  return comment === '' ? [`  ${yaml}`] : [`  # ${comment}`, `  ${yaml}`];
}
