import { statSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import type { Axis, Choices } from './matrix.ts';
import { cellsOf, locateInCell, mergeFound, readAxes, settingsOf } from './matrix.ts';
import type { Origin } from '../runner/plan.ts';
import type { Override } from './overrides.ts';
import { applyOverrides, applySettings, locateOverridden, parseOverrides } from './overrides.ts';
import { badPipelineExit, readPipelineText } from './read.ts';
import type { ResolvedPipeline } from './resolve.ts';
import { parseTexts, resolve } from './resolve.ts';
import { linkDiagnostics } from './checks/links.ts';
import { semanticDiagnostics } from './semantics.ts';
import type { Locate, Source } from './source.ts';
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

/** A pipeline file with all cells of its matrix; one that has no `matrix` is one cell. */
export interface LoadedMatrix {
  readonly axes: readonly Axis[];
  /** At least one. */
  readonly cells: readonly LoadedCell[];
}

export interface LoadedCell {
  /** Of the values of the axes. */
  readonly choices: Choices;
  readonly loaded: LoadedPipeline;
}

/**
 * Reads a pipeline file; of one with a `matrix` all cells are checked, and the first is the result.
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
  return firstCell(await loadMatrix(file, overrides, dataFolder));
}

/** As `loadPipeline`, with all cells. */
export async function loadMatrix(
  file: string,
  overrides: readonly string[] = [],
  dataFolder?: string,
): Promise<LoadedMatrix> {
  return Promise.resolve().then(() => {
    const matrix = parseMatrix(readPipelineText(file), file, overrides, dataFolder);
    const found = matrix.cells.map(({ loaded }) => dataFolderDiagnostics(loaded.pipeline, dataFolder));
    stopAt(mergeInMatrix(matrix, found));
    return matrix;
  });
}

/** As `loadPipeline`, for a text that was read before; `file` names it and is where its relative paths start. */
export function parsePipeline(
  text: string,
  file: string,
  overrides: readonly string[] = [],
  dataFolder?: string,
): LoadedPipeline {
  return firstCell(parseMatrix(text, file, overrides, dataFolder));
}

/** As `parsePipeline`, with all cells. A mistake of several cells is said once. */
export function parseMatrix(
  text: string,
  file: string,
  overrideTexts: readonly string[] = [],
  dataFolder?: string,
): LoadedMatrix {
  const source = parseSource(file, text);
  stopAt(yamlDiagnostics(source));
  const { overrides, diagnostics } = parseOverrides(overrideTexts);
  const value: unknown = source.document.toJS();
  // Its mistakes are those of every cell, which report them.
  if (isRecord(value)) applyOverrides(value, overrides);
  const locate = locateOverridden(overrides, locateIn(source), existsIn(source));
  const { axes, diagnostics: bad } = readAxes(isRecord(value) ? value['matrix'] : undefined, overrides, locate);
  stopAt(bad);
  const given = { source, overrides, diagnostics, axes, dataFolder };
  const cells = cellsOf(axes);
  const parsed = cells.map((choices) => parseCell(given, choices));
  stopAt(
    mergeFound(
      axes,
      cells,
      parsed.map((result) => ('mistakes' in result ? result.mistakes : [])),
    ),
  );
  return { axes, cells: parsed.flatMap((result) => ('mistakes' in result ? [] : [result])) };
}

/** Says once what was found in several cells. */
export function mergeInMatrix({ axes, cells }: LoadedMatrix, found: readonly (readonly Diagnostic[])[]): Diagnostic[] {
  return mergeFound(
    axes,
    cells.map(({ choices }) => choices),
    found,
  );
}

const firstCell = ({ cells }: LoadedMatrix): LoadedPipeline => present(cells[0], 'a cell').loaded;

interface Given {
  readonly source: Source;
  readonly overrides: readonly Override[];
  /** Of the overrides. */
  readonly diagnostics: readonly Diagnostic[];
  readonly axes: readonly Axis[];
  readonly dataFolder: string | undefined;
}

function parseCell(
  { source, overrides, diagnostics: before, axes, dataFolder }: Given,
  choices: Choices,
): LoadedCell | { readonly mistakes: readonly Diagnostic[] } {
  const { file, text } = source;
  const diagnostics = [...before];
  const value: unknown = source.document.toJS();
  const exists = existsIn(source);
  const inMatrix = locateOverridden(overrides, locateIn(source), exists);
  const locate = locateOverridden(overrides, locateInCell(axes, choices, inMatrix, exists), exists);
  if (isRecord(value)) {
    const config: Record<string, unknown> = value;
    delete config['matrix'];
    diagnostics.push(...applySettings(config, settingsOf(axes, choices, inMatrix)));
    const others = overrides.filter(({ path }) => path[0] !== 'matrix');
    diagnostics.push(...applyOverrides(config, others));
  }
  diagnostics.push(...validate(value, locate));
  const fitsSchema = diagnostics.length === 0;
  diagnostics.push(...linkDiagnostics(value, locate));
  if (!fitsSchema) return { mistakes: diagnostics };
  const dataFolders = dataFolder === undefined ? defaultDataFolders : [dataFolder];
  const config = parseTexts(
    value,
    dirname(file),
    dataFolders.map((folder) => resolvePath(folder)),
  );
  const mistakes = [...diagnostics, ...semanticDiagnostics(config, locate)];
  if (mistakes.length > 0) return { mistakes };
  const origin = {
    file: resolvePath(file),
    set: overrides.map((override) => override.text),
    data: dataFolder === undefined ? null : resolvePath(dataFolder),
  };
  return { choices, loaded: { pipeline: resolve(config), locate, overrides, text, origin } };
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
