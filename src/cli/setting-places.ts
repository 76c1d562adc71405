/** Where the settings of a run were written: in its pipeline file, on its command line, or in a cell of its matrix. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { begins, parseOverrides } from '../config/overrides.ts';
import type { Path } from '../config/source.ts';
import { existsIn, locateIn, parseSource } from '../config/source.ts';
import type { FindPlace } from '../report/compare/index.ts';
import type { RunRecord } from '../runner/record.ts';

/** @param folder of the run, which keeps the file as it was */
export function settingPlaces(folder: string, { origin, matrix }: RunRecord): FindPlace {
  const kept = join(folder, 'pipeline.yaml');
  if (!existsSync(kept)) return () => null;
  const name = basename(origin.file);
  const source = parseSource(name, readFileSync(kept, 'utf8'));
  const [exists, locate] = [existsIn(source), locateIn(source)];
  const { overrides } = parseOverrides(origin.set);
  const axes = (matrix?.axes ?? []).map(({ setting }) => ({ setting, path: setting.split('.') }));
  const lineText = (path: Path): string => {
    const { line } = locate(path, 'key');
    return line === undefined ? name : `${name}:${line}`;
  };
  return (path) => {
    if (overrides.some((override) => begins(path, override.path))) return '--set';
    const axis = axes.find((one) => begins(path, one.path));
    if (axis !== undefined && exists(['matrix', axis.setting])) return lineText(['matrix', axis.setting]);
    return exists(path) ? lineText(path) : null;
  };
}
