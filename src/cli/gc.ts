import { resolve } from 'node:path';
import { counted } from '../core/words.ts';
import { bytes } from '../report/format.ts';
import { textTable } from '../report/text-table.ts';
import type { Collected } from '../runner/collect.ts';
import { collect } from '../runner/collect.ts';
import type { Class } from '../runner/collected.ts';
import { classes, totalBytes } from '../runner/collected.ts';
import type { WaitedFor } from '../runner/lease.ts';
import { existingStore } from './open-store.ts';

export interface GcOptions {
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** How many of the newest runs keep their folders; default: all. */
  readonly keepRuns?: number;
  /** Milliseconds: what no kept run needs goes when nothing has used it for so long; default: 30 days. */
  readonly olderThan?: number;
  /** Bytes that the store may have; default: any number. */
  readonly maxSize?: number;
  /** Which checkpoints of interrupted trainings go; default: those that are older than `olderThan`. */
  readonly checkpoints?: 'old' | 'all';
  /** `show` removes nothing; default: `remove`. */
  readonly mode?: 'remove' | 'show';
  readonly signal?: AbortSignal;
  /** Called when a run must be waited for, which is about to keep a result. */
  readonly onWait?: (holder: WaitedFor) => void;
}

export const defaultAge = 30 * 24 * 60 * 60 * 1000;

/**
 * Removes the results that nothing needs any more, and the folders of old runs.
 *
 * @throws UserError when there is no store, a pin is damaged, or the disk refuses
 */
export async function gc(options: GcOptions = {}): Promise<Collected> {
  return collect(await existingStore(resolve(options.store ?? '.qpipe/store')), {
    runs: resolve(options.runs ?? 'runs'),
    keepRuns: options.keepRuns ?? Infinity,
    olderThan: options.olderThan ?? defaultAge,
    maxBytes: options.maxSize ?? Infinity,
    checkpoints: options.checkpoints ?? 'old',
    mode: options.mode ?? 'remove',
    run: 'gc',
    signal: options.signal ?? new AbortController().signal,
    now: () => performance.now(),
    onWait: options.onWait ?? (() => undefined),
  });
}

const titles: Readonly<Record<Class, string>> = {
  runs: 'folders of runs',
  actions: 'records of results',
  objects: 'files of results',
  preimage: 'texts of keys',
  memory: 'remembered values',
  examples: 'decoded examples',
  digests: 'digests of data files',
  ckpt: 'checkpoints',
  corrupt: 'damaged files',
};

/** A table of what went and what stays; with `names`, before it a line for each thing that went. */
export function collectedText(result: Collected, names: 'names' | 'sums', width: number): string {
  const lines = names === 'names' ? result.removed.map((item) => `${item.name}  ${bytes(item.bytes)}`) : [];
  const rows = classes.flatMap((name) => {
    const gone = result.removed.filter((item) => item.class === name);
    const { count, bytes: left } = result.kept[name];
    if (gone.length + count === 0) return [];
    return [[titles[name], String(gone.length), bytes(totalBytes(gone)), String(count), bytes(left)]];
  });
  const heads = ['removed', 'bytes', 'kept', 'bytes'].map((head) => ({ head, kind: 'numbers' }) as const);
  const table = rows.length === 0 ? [] : textTable([{ head: '', kind: 'words' }, ...heads], rows, width);
  const all = `${counted(result.removed.length, 'thing')}, ${bytes(totalBytes(result.removed))}`;
  const verdict = names === 'names' ? `would remove ${all}; nothing was removed` : `removed ${all}`;
  const excess =
    result.excess === 0
      ? []
      : [`the store is still ${bytes(result.excess)} too large: kept runs, pins and running runs need the rest`];
  return [...lines, ...table, ...excess, verdict].join('\n');
}
