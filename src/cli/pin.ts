import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { pinRun, readPins, unpinRun } from '../runner/pins.ts';
import { existingStore } from './open-store.ts';
import { readRunFolder } from './report.ts';

export interface PinOptions {
  /** Folder of the run. */
  readonly run: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
}

/**
 * Keeps a run and all results that it used from `gc`.
 *
 * @returns the id of the run
 * @throws UserError when there is no such run, or no store
 */
export async function pin({ run, store }: PinOptions): Promise<string> {
  const { record } = await readRunFolder(run);
  await pinRun(await existingStore(resolve(store ?? '.qpipe/store')), record);
  return record.id;
}

/**
 * Ends what `pin` began.
 *
 * @param run folder of the run, or its id where the folder is gone
 * @returns the id of the run
 * @throws UserError when that run is not pinned, or there is no store
 */
export async function unpin({ run, store: folder }: PinOptions): Promise<string> {
  const store = await existingStore(resolve(folder ?? '.qpipe/store'));
  const id = existsSync(join(run, 'run.json')) ? (await readRunFolder(run)).record.id : basename(run);
  if (await unpinRun(store, id)) return id;
  const pinned = (await readPins(store)).map((one) => one.run);
  const remedy = pinned.length === 0 ? 'no run is pinned in this store' : `pinned are: ${pinned.join(', ')}`;
  throw userError(run, 'not-pinned', `the run ${id} is not pinned`, remedy);
}
