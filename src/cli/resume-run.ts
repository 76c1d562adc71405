/** The pipeline as a run had it, whatever its file says now. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedMatrix } from '../config/load.ts';
import { parseMatrix } from '../config/load.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { differences } from '../runner/why.ts';
import { readRunFolder } from './report.ts';

const shown = 5;

/**
 * @param folder of the run
 * @param warn is told how the file differs from what the run had
 * @throws UserError when the folder is not that of a run
 */
export async function loadRun(folder: string, warn: (warning: Diagnostic) => void): Promise<LoadedMatrix> {
  const { record } = await readRunFolder(folder);
  const { file, set, data } = record.origin;
  const text = readFileSync(join(folder, 'pipeline.yaml'), 'utf8');
  const matrix = parseMatrix(text, file, set, data ?? undefined);
  const change = changeOf(matrix, file, text, () =>
    parseMatrix(readFileSync(file, 'utf8'), file, set, data ?? undefined),
  );
  if (change !== null) {
    const message = `the file is not what run ${record.id} had: ${change}`;
    warn({ code: 'pipeline-changed', place: { file }, message, hint: 'the run goes on with what it had' });
  }
  return matrix;
}

/** Null when the file means what it meant. */
function changeOf(then: LoadedMatrix, file: string, text: string, parse: () => LoadedMatrix): string | null {
  if (!existsSync(file)) return 'it is no longer there';
  if (readFileSync(file, 'utf8') === text) return null;
  try {
    const settings = ({ cells }: LoadedMatrix) => cells.map(({ loaded }) => byName(loaded.pipeline));
    const found = differences(settings(then), settings(parse()), []).map(({ path: [, ...path], before, now }) => {
      const said = (value: unknown): string => (value === undefined ? 'not there' : JSON.stringify(value));
      return `${path.join('.')} was ${said(before)}, is ${said(now)}`;
    });
    if (found.length === 0) return null;
    return [...found.slice(0, shown), ...(found.length > shown ? [`${found.length - shown} more`] : [])].join('; ');
  } catch (error) {
    if (error instanceof UserError) return 'it has mistakes now';
    throw error;
  }
}

/** With stages by their names, as the file has them. */
function byName(pipeline: LoadedMatrix['cells'][number]['loaded']['pipeline']): unknown {
  return { ...pipeline, stages: Object.fromEntries(pipeline.stages.map(({ name, config }) => [name, config])) };
}
