import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of a program that `PATH` finds, or null. A name with a slash is a path already. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const folders = name.includes('/') ? [''] : (env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
