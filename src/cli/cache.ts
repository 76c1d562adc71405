import { resolve } from 'node:path';
import { keptFiles } from '../data/kept-files.ts';
import type { Fault, Verification } from '../runner/verify.ts';
import { verifyStore } from '../runner/verify.ts';
import { existingStore } from './open-store.ts';

export interface VerifyCacheOptions {
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
  readonly signal?: AbortSignal;
  /** Called for each damaged file at once. */
  readonly onFault?: (fault: Fault) => void;
}

/**
 * Reads every file of a store and sets aside those that are damaged; what they were of is made again when it is needed.
 *
 * @throws UserError when there is no store, or the disk refuses
 */
export async function verifyCache(options: VerifyCacheOptions = {}): Promise<Verification> {
  const store = await existingStore(resolve(options.store ?? '.qpipe/store'));
  const signal = options.signal ?? new AbortController().signal;
  return verifyStore(store, keptFiles(signal), options.onFault ?? (() => undefined), signal);
}

export function faultText({ file, found, movedTo }: Fault): string {
  return `${file}: ${found}${movedTo === null ? '' : `; moved to ${movedTo}`}`;
}
