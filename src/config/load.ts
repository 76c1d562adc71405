import { statSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import type { Origin } from '../runner/plan.ts';
import type { Override } from './overrides.ts';
import { applyOverrides, locateOverridden, parseOverrides } from './overrides.ts';
import { badPipelineExit, readPipelineText } from './read.ts';
import type { ResolvedPipeline } from './resolve.ts';
import { parseTexts, resolve } from './resolve.ts';
import { linkDiagnostics } from './checks/links.ts';
import { semanticDiagnostics } from './semantics.ts';
import type { Locate } from './source.ts';
import { existsIn, locateIn, parseSource } from './source.ts';
import { validate } from './validate.ts';
import { yamlDiagnostics } from './yaml-syntax.ts';

/** Default folders to look for data sets, relative to the current folder. */
const defaultDataFolders = ['data', '../shared/data'] as const;

export interface LoadedPipeline {
  readonly pipeline: ResolvedPipeline;
  /** Places what is found later, when the data are known, in the file or at the command line. */
  readonly locate: Locate;
  readonly overrides: readonly Override[];
  /** The file as read, for the record of the run. */
  readonly text: string;
  readonly origin: Origin;
}

/**
 * Reads a pipeline file.
 *
 * @param overrides texts of the form path=value, as `--set` takes them
 * @param dataFolder the folder of data sets that the pipeline gives no path of; default: `data` in the current
 *   folder, or else `../shared/data`
 * @throws UserError with every mistake, exit code 64
 */
export async function loadPipeline(
  file: string,
  overrides: readonly string[] = [],
  dataFolder?: string,
): Promise<LoadedPipeline> {
  return Promise.resolve().then(() => {
    const loaded = parsePipeline(readPipelineText(file), file, overrides, dataFolder);
    stopAt(dataFolderDiagnostics(loaded.pipeline, dataFolder));
    return loaded;
  });
}

/** As `loadPipeline`, for a text that was read before; `file` names it and is where its relative paths start. */
export function parsePipeline(
  text: string,
  file: string,
  overrideTexts: readonly string[] = [],
  dataFolder?: string,
): LoadedPipeline {
  const source = parseSource(file, text);
  stopAt(yamlDiagnostics(source));
  const value: unknown = source.document.toJS();
  const { overrides, diagnostics } = parseOverrides(overrideTexts);
  if (isRecord(value)) diagnostics.push(...applyOverrides(value, overrides));
  const locate = locateOverridden(overrides, locateIn(source), existsIn(source));
  diagnostics.push(...validate(value, locate));
  const fitsSchema = diagnostics.length === 0;
  diagnostics.push(...linkDiagnostics(value, locate));
  if (!fitsSchema) throw badPipeline(diagnostics);
  const dataFolders = dataFolder === undefined ? defaultDataFolders : [dataFolder];
  const config = parseTexts(
    value,
    dirname(file),
    dataFolders.map((folder) => resolvePath(folder)),
  );
  stopAt([...diagnostics, ...semanticDiagnostics(config, locate)]);
  const origin = {
    file: resolvePath(file),
    set: overrideTexts,
    data: dataFolder === undefined ? null : resolvePath(dataFolder),
  };
  return { pipeline: resolve(config), locate, overrides, text, origin };
}

/** A folder that was asked for and is not there, unless the data set is to be downloaded into it. */
function dataFolderDiagnostics({ data }: ResolvedPipeline, folder: string | undefined): Diagnostic[] {
  if (folder === undefined) return [];
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) return [];
  if (stats === undefined && data.source === 'cifar10' && data.download !== undefined) return [];
  return [
    {
      code: 'no-data-folder',
      place: { file: 'command line' },
      message: `the data folder is ${folder}, but ${stats === undefined ? 'there is none' : 'it is not a folder'}`,
      hint: 'give a folder with `--data` or the environment variable QPIPE_DATA, or leave both out',
    },
  ];
}

function stopAt(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length > 0) throw badPipeline(diagnostics);
}

/** In the order of the file, what comes from the command line last. */
function badPipeline(diagnostics: readonly Diagnostic[]): UserError {
  const line = ({ place }: Diagnostic) => place.line ?? Infinity;
  const column = ({ place }: Diagnostic) => place.column ?? 0;
  const ordered = diagnostics.toSorted((a, b) =>
    line(a) === line(b) ? column(a) - column(b) : line(a) < line(b) ? -1 : 1,
  );
  return new UserError(ordered, badPipelineExit);
}
