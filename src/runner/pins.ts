/** Runs that a collection keeps: `pins/<run>.json` in the store names the results that they used. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { userError } from '../core/diagnostic.ts';
import { hasCode } from './claim.ts';
import { namesIn } from './folder.ts';
import { makeFolder, replaceFile } from './durable.ts';
import type { RunRecord } from './record.ts';
import { keySchema } from './record.ts';
import { seal, unseal } from './sealed.ts';
import type { Store } from './store.ts';
import { temporaryPath, writing } from './store.ts';

const pinSchema = Type.Object({
  schema: Type.Literal('qpipe-pin-v1'),
  run: Type.String(),
  keys: Type.Array(keySchema),
});
export type Pin = Static<typeof pinSchema>;

/** Keeps a run's folder and all results that it used, until it is unpinned. */
export async function pinRun(store: Store, { id, stages }: RunRecord): Promise<void> {
  const pin: Pin = { schema: 'qpipe-pin-v1', run: id, keys: stages.map(({ key }) => key) };
  await writing(store, async () => {
    await makeFolder(join(store.folder, 'pins'));
    await replaceFile(pinFile(store, id), temporaryPath(store), seal(pin));
  });
}

/** @returns whether there was a pin */
export async function unpinRun(store: Store, run: string): Promise<boolean> {
  return writing(store, async () => {
    try {
      await rm(pinFile(store, run));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  });
}

/** @throws UserError when a pin is damaged: what it keeps is then not known */
export async function readPins(store: Store): Promise<readonly Pin[]> {
  const folder = join(store.folder, 'pins');
  const names = await namesIn(folder);
  return Promise.all(
    names.map(async (name) => {
      const pin = parsePin(await readFile(join(folder, name), 'utf8'), name);
      if (pin !== null) return pin;
      const run = name.replace(/\.json$/, '');
      const remedy = `pin it again with \`qpipe pin runs/${run}\`, or let it go with \`qpipe unpin ${run}\``;
      throw userError(
        join(folder, name),
        'damaged-pin',
        'the file that says what a pinned run needs is damaged',
        remedy,
      );
    }),
  );
}

/** Null when the text is not what `pinRun` wrote to a file of this name. */
export function parsePin(text: string, name: string): Pin | null {
  const pin = unseal(text);
  return Value.Check(pinSchema, pin) && name === `${pin.run}.json` ? pin : null;
}

const pinFile = (store: Store, run: string): string => join(store.folder, 'pins', `${run}.json`);
