import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { basename, dirname, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { parsePipeline } from '../config/load.ts';
import { makePlan } from '../config/plan.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { counted } from '../core/words.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import type { Dataset, DatasetIdentity } from '../data/dataset.ts';
import { identify } from '../data/dataset.ts';
import type { GuessedSource } from '../data/guess.ts';
import { guessSource } from '../data/guess.ts';
import { closeExamples } from '../data/example-files.ts';
import { loadDataset } from '../data/load.ts';
import { createTurn } from '../data/turn.ts';
import { writingTo } from '../runner/disk-error.ts';
import { qpipeHome } from '../install/home.ts';
import { openResources } from '../stages/resources.ts';
import { starterModel, starterStages } from './starter.ts';

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
  if (!existsSync(dirname(resolve(file)))) {
    throw userError(file, 'no-folder', 'the folder of the file does not exist', 'make the folder first', 64);
  }
  const guess = guessSource(folder);
  const path = relative(dirname(resolve(file)), resolve(folder)) || '.';
  const head = { name, path, guess };
  const draft = parsePipeline(pipelineText(head, null), file).pipeline;
  const { validation } = dataSettings(draft.data);
  const threads = os.availableParallelism();
  const dataset = await loadDataset(dataSource(draft.data), { count: validation ?? 0, seed: draft.seed }, { threads });
  const identity = await identify(dataset, createTurn());
  closeExamples(dataset);
  const found = [examplesText(dataset), ...guess.found];
  const text = pipelineText({ ...head, guess: { ...guess, found } }, identity);
  const resources = openResources({
    identities: () => Promise.resolve(identity),
    ...{ cache: null, signal: null, threads, home: qpipeHome(), now: () => performance.now() },
  });
  const { plan } = await makePlan(parsePipeline(text, file), { resources, threads });
  await write(file, text);
  return { file, source: guess.source, found, warnings: plan.warnings };
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
  const name = basename(resolve(folder)).replace(/\.(zip|npz|tar|tgz|tar\.gz)$/i, '');
  const plain = name.normalize('NFKD').replaceAll(/\p{Mark}/gu, '');
  return plain.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '') || 'pipeline';
}

function examplesText({ classNames, targets = [], train, validation, test }: Dataset): string {
  const what =
    classNames.length > 0 ? counted(classNames.length, 'class', 'classes') : counted(targets.length, 'target');
  return `${what}; ${train.count} examples for training, ${validation.count} for validation, ${test.count} for testing`;
}

interface Head {
  readonly name: string;
  /** Of the data, from the folder of the pipeline file. */
  readonly path: string;
  readonly guess: GuessedSource;
}

/** @param identity of the data; null gives a pipeline that only serves to read them */
function pipelineText({ name, path, guess }: Head, identity: DatasetIdentity | null): string {
  const model = identity === null ? ['layers:', '  - { kind: flatten }'] : starterModel(identity);
  const stages = starterStages(identity ?? { ...noExamples, classNames: ['a', 'b'] });
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
    ...model.map((line) => `  ${line}`),
    'stages:',
    ...stages.flatMap((line) => commented(line)),
  ];
  return `${lines.join('\n')}\n`;
}

const noExamples = { image: { height: 1, width: 1, channels: 1 }, trainingImages: 2, validationImages: 0 };

function commented({ yaml, comment }: { readonly yaml: string; readonly comment: string }): string[] {
  return comment === '' ? [`  ${yaml}`] : [`  # ${comment}`, `  ${yaml}`];
}
