import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { readBytes } from '../formats/bytes.ts';
import { detectFormat } from '../formats/detect.ts';

const record = 'run.json';
const anyRun = 'give the folder of a run, for example runs/latest';

/**
 * Why a path is not the folder of a run: what it is instead, and what to give.
 *
 * @param path whose `run.json` could not be found
 */
export function notARun(path: string): UserError {
  const fail = (found: string, hint: string) => userError(path, 'not-a-run', found, hint);
  if (!existsSync(path)) return fail('there is no such folder', `${anyRun}, or run a pipeline first`);
  const run = runAround(path);
  const ofItsRun = run === null ? null : `give the folder of its run: ${run}`;
  if (!statSync(path).isDirectory()) {
    const name = nameOfFile(path);
    return fail(`this is ${name}; expected the folder of a run`, ofItsRun ?? remedyFor(path));
  }
  if (ofItsRun !== null) return fail(`this folder is a part of a run and has no ${record} of its own`, ofItsRun);
  const runs = readdirSync(path).filter((name) => existsSync(join(path, name, record)));
  const [first] = runs.includes('latest') ? ['latest'] : runs;
  return first === undefined
    ? fail(`the folder has no ${record}, which every run writes`, anyRun)
    : fail('this folder holds runs; expected one of them', `give one, for example ${join(path, first)}`);
}

/** The nearest folder above the path that belongs to a run. */
function runAround(path: string): string | null {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, record))) return folder;
    if (resolve(folder) === resolve(dirname(folder)) || folder === '.') return null;
  }
}

function nameOfFile(path: string): string {
  if (isYaml(path)) return 'a pipeline file';
  return detectFormat(readBytes(path, anyRun)).name;
}

function remedyFor(path: string): string {
  if (isYaml(path)) return `\`qpipe run ${path}\` makes a run of it; then ${anyRun}`;
  const isModel = ['.tflite', '.pb', '.safetensors'].includes(extname(path));
  return isModel ? `${anyRun}; \`qpipe inspect\` shows what is in this file` : anyRun;
}

const isYaml = (path: string): boolean => ['.yaml', '.yml'].includes(extname(path));
