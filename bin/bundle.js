import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

/** The command line as one script, and the compiled code of it that the build has kept. */
const file = fileURLToPath(new URL('../dist/bundle/qpipe.cjs', import.meta.url));
export const codeCache = `${file}.cache`;

/**
 * Runs the command line. Compiled code of another version of Node is not used; compiling takes a third of the time of a
 * run whose stages are all stored.
 *
 * @param {{ readonly cachedData?: Buffer }} options
 * @returns {vm.Script}
 */
export function runBundle(options) {
  const parameters = '(require, __filename, importPackage)';
  // On one line with the first of the script, so that the lines of stack traces are those of the file.
  const script = new vm.Script(`(function ${parameters} {${readFileSync(file, 'latin1')}\n})`, {
    filename: file,
    ...options,
  });
  /** @type {(require: NodeJS.Require, path: string, importPackage: (name: string) => Promise<unknown>) => void} */
  const start = script.runInThisContext();
  start(createRequire(file), file, (name) => import(name));
  return script;
}
