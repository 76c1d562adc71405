import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findProgram } from '../core/programs.ts';

/** What `findPython` tries, in this order, before the versions that pyenv keeps. */
export const pythonNames = ['python3.11', 'python3.10', 'python3.9', 'python3'] as const;

/**
 * The first Python for which a program ends with status 0, or null.
 *
 * @param check Python source, for example `import pip`
 */
export async function findPython(check: string, env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const versions = join(env['HOME'] ?? os.homedir(), '.pyenv', 'versions');
  const ofPyenv = existsSync(versions)
    ? readdirSync(versions).map((name) => join(versions, name, 'bin', 'python'))
    : [];
  for (const name of [...pythonNames, ...ofPyenv]) {
    const python = findProgram(name, env);
    if (python === null) continue;
    const { exitCode } = await execa(python, ['-c', check], { env, extendEnv: false, reject: false, stdio: 'ignore' });
    if (exitCode === 0) return python;
  }
  return null;
}
