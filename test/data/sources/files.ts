/** What the tests of sources share: files in a folder, and what is said of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Diagnostic } from '../../../src/core/diagnostic.ts';
import { UserError } from '../../../src/core/diagnostic.ts';

export function putFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}

/** The mistakes that a user is told; none where `load` gives a result. */
export async function diagnosticsOf(load: () => unknown): Promise<readonly Diagnostic[]> {
  try {
    await load();
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics;
  }
}
