/** What a source uses while it makes examples of files. */
import type { Json } from '../../core/json.ts';
import type { Collector } from '../collector.ts';
import type { DataContent } from '../dataset.ts';
import type { Inputs } from '../inputs.ts';
import type { BrokenFiles } from '../mistakes.ts';
import type { Turn } from '../turn.ts';

export interface Decoding {
  /** Room for examples, of which there may be more than fit into memory. */
  readonly collector: (kind: Inputs['kind'], size: number) => Collector;
  /**
   * Reads files by the `readFile` of the source, many of them in threads.
   *
   * @param how for `readFile`: what it has to know beside the source
   * @param take called in the order of the files, not for broken ones
   */
  readonly readFiles: <F extends ReadableFile>(
    files: readonly F[],
    how: Json,
    broken: Pick<BrokenFiles, 'attempt' | 'hasEnough'>,
    take: (file: F, examples: FileExamples) => void,
  ) => Promise<void>;
  /** For loops over all examples. */
  readonly turn: Turn;
}

export interface ReadableFile {
  readonly name: string;
  readonly content: DataContent;
}

/** What a file holds. */
export interface FileExamples {
  /** The inputs of its examples, one after the other. */
  readonly values: Uint8Array | Float32Array;
  /** What else the source wants to know of it. */
  readonly fact: Json;
}

/** @throws UserError for a file that is damaged or not what it should be */
export type ReadFile = (content: DataContent) => FileExamples;
