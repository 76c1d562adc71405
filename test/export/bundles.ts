/** Exported folders for tests: of trained lines, and of networks with drawn weights. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Split } from '../../src/data/dataset.ts';
import type { Exported } from '../../src/export/exported.ts';
import { exportedFiles } from '../../src/export/index.ts';
import { exportedModel } from '../../src/export/model.ts';
import { testVectors } from '../../src/export/vectors.ts';
import type { Contract } from '../../src/graph/contract.ts';
import { artifactChecks } from '../../src/stages/artifacts.ts';
import { exportStage } from '../../src/stages/export.ts';
import type { StageConfig } from '../../src/stages/index.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import type { LineConfig, LineResult } from '../stages/pipeline-line.ts';

export interface Folder {
  readonly path: string;
  readonly remove: () => void;
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'qpipe-export-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What the stage writes for a line of stages, from its test stage or from its convert stage. */
export async function exportLine(
  { dataset }: Pick<LineConfig, 'dataset'>,
  { file }: Pick<LineResult, 'file'>,
  fields: Partial<StageConfig<'export'>> = {},
  from: 'test' | 'convert' = 'test',
): Promise<Folder & { readonly metrics: unknown }> {
  const folder = temporaryFolder();
  const config = { uses: 'export', from, name: 'small', test_vectors: 3, metadata: true, ...fields } as const;
  const inputs = {
    ...{ model: file('convert', 'model.tflite'), qat: file('qat', 'qat_model.safetensors') },
    ...(from === 'test' && { report: file('test', 'test.json') }),
  };
  const { signal } = new AbortController();
  const context = { inputs, directory: folder.path, emit: () => undefined, signal };
  // The stage asks for nothing else.
  const environment = { testData: () => Promise.resolve(dataset) } as Partial<StageEnvironment> as StageEnvironment;
  const { metrics } = await exportStage.run(config, context, environment);
  for (const { type, file: name } of Object.values(exportStage.outputs(config))) {
    await artifactChecks[type](join(folder.path, name));
  }
  return { ...folder, metrics };
}

/** Writes what is exported of a model to a folder. */
export async function exportModel(
  bytes: Uint8Array,
  contract: Contract,
  split: Split,
  { name = 'small', count = 3, metadata = true } = {},
): Promise<Folder & { readonly exported: Exported }> {
  const model = exportedModel(name, bytes, contract, null, 'model.tflite');
  const exported = { ...model, metadata, vectors: await testVectors(model, split, count, 'model.tflite') };
  return { ...writeFolder(exported), exported };
}

export function writeFolder(exported: Exported): Folder {
  const folder = temporaryFolder();
  for (const [file, contentOf] of Object.entries(exportedFiles)) {
    const path = join(folder.path, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contentOf(exported));
  }
  return folder;
}
