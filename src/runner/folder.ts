import { readdir } from 'node:fs/promises';
import { hasCode } from './claim.ts';

/** The names in a folder; empty where there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
