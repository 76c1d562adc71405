import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import type { Store } from '../runner/store.ts';
import { openStore } from '../runner/store.ts';

/** A store that is there; other than a run, a command about a store makes none. */
export async function existingStore(folder: string): Promise<Store> {
  if (!existsSync(join(folder, 'v1'))) {
    const remedy = 'give the folder of the store with `--store`; a run makes `.qpipe/store` where it is started';
    throw userError(folder, 'no-store', 'there is no store here', remedy);
  }
  return openStore(folder, () => randomBytes(16).toString('hex'));
}
