/** What the threads that decode are told, and what they answer. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { Json } from '../../core/json.ts';
import type { DataSource } from '../sources/index.ts';
import type { FileExamples } from './decoding.ts';

/** Once. */
export interface DecodingTask {
  readonly source: DataSource;
  readonly how: Json;
}

export interface FileBatch {
  readonly batch: number;
  readonly files: readonly GivenFile[];
  /** Room for values, of a batch before; null where there is none. */
  readonly room: ArrayBuffer | null;
}

/** `bytes` is null for a file that the thread can read at its path. */
export type GivenFile = { readonly path: string; readonly bytes: Uint8Array | null } | Mistaken;

/** What a user did wrong. */
export interface Mistaken {
  readonly mistakes: readonly Diagnostic[];
}

export type FileResult = FileExamples | Mistaken;

export interface ReadBatch {
  readonly results: readonly FileResult[];
  /** Where values are, for another batch once they are taken. */
  readonly room: ArrayBuffer;
}

export type DecodingMessage =
  | ({ readonly kind: 'done'; readonly batch: number } & ReadBatch)
  | { readonly kind: 'failed'; readonly reason: string };
