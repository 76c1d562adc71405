import os from 'node:os';
import type { LoadedPipeline } from '../config/load.ts';
import { loadPipeline } from '../config/load.ts';
import { dataFileDiagnostics } from '../config/data-files.ts';
import { UserError } from '../core/diagnostic.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import { identify } from '../data/dataset.ts';
import type { DataDescription } from '../data/describe.ts';
import { describeDataset } from '../data/describe.ts';
import { missingFiles } from '../data/download.ts';
import { labelNotes, oneClass } from '../data/labels.ts';
import { closeExamples } from '../data/example-files.ts';
import type { LoadOptions } from '../data/load.ts';
import { decodeDataset, openFiles, sourceFiles } from '../data/load.ts';
import { createTurn } from '../data/turn.ts';
import { defaultMemory } from '../core/machine.ts';
import { sourceRow } from '../data/sources/index.ts';

export interface PipelineData extends DataDescription {
  /** The word after `source:`. */
  readonly source: string;
  /** The folder or archive, or the files, that are read; none for generated data. */
  readonly paths: readonly string[];
}

/**
 * What the data of a pipeline are. All of them are read and decoded; whether the network fits them does not matter.
 *
 * @param set changes of the form path=value
 * @param data folder with data sets for which the pipeline gives no path; default: see `loadPipeline`
 * @throws UserError for mistakes in the pipeline file or its data, and for data that are not downloaded yet
 */
export async function describeData(
  pipeline: string,
  set: readonly string[] = [],
  data?: string,
): Promise<PipelineData> {
  return describeLoaded(await loadPipeline(pipeline, set, data));
}

async function describeLoaded(loaded: LoadedPipeline): Promise<PipelineData> {
  const problems = dataFileDiagnostics(loaded);
  if (problems.length > 0) throw new UserError(problems, 64);
  const { pipeline } = loaded;
  const source = dataSource(pipeline.data);
  const missing = missingFiles(sourceFiles(source)).map(({ path, download }) => ({
    ...{ code: 'not-downloaded', place: { file: path } },
    message: `the file does not exist yet; it can be had from ${download.url}`,
    hint: '`qpipe run` downloads it',
  }));
  if (missing.length > 0) throw new UserError(missing);
  const { describe } = sourceRow(source);
  const tree = sourceRow(source).tree?.(source) ?? null;
  const { validation, normalize } = dataSettings(pipeline.data);
  const options: LoadOptions = {
    ...{ threads: os.availableParallelism(), memory: pipeline.memory ?? defaultMemory() },
    ...{ signal: null, cache: null },
  };
  const { files, close } = await openFiles(source, options);
  try {
    const validationOptions = { count: validation ?? 0, seed: pipeline.seed };
    const dataset = await decodeDataset(source, validationOptions, files, options);
    const facts = describe?.(source, new Map(files.map((file) => [file.name, file]))) ?? {};
    const turn = createTurn();
    const identity = await identify(dataset, turn);
    const odd = identity.classNames.length === 0 || identity.hasMasks === true ? [] : labelNotes(identity);
    const one = oneClass(identity)?.diagnostics.map(({ message }) => message) ?? [];
    const { notes, ...description } = await describeDataset(dataset, normalize, facts, identity.pixels, turn);
    closeExamples(dataset);
    return {
      ...{ source: source.kind, paths: tree === null ? files.map(({ path }) => path) : [tree] },
      ...description,
      notes: [...notes, ...odd, ...one],
    };
  } finally {
    close();
  }
}
