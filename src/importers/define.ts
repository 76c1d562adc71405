/** A file format of trained float networks that others write. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import type { Graph } from '../graph/graph.ts';

/** What can be seen of a model without reading it. */
export interface ModelPath {
  readonly path: string;
  /** Names in the folder; null for a file. */
  readonly entries: readonly string[] | null;
  /** The first bytes of a file, at most 64; empty for a folder. */
  readonly head: Uint8Array;
}

export interface Imported {
  /**
   * Level float, inference form with a batch of 1; images are [1, height, width, channels]. Weights are variables with
   * their roles, batch norm that was separate still is, dropout stands where training drops.
   */
  readonly graph: Graph;
  /** Names of the classes in the order of the first output, where the file says them. */
  readonly classes: readonly string[] | null;
  /** What was changed on the way that a reader of the graph may wonder about, a sentence each. */
  readonly notes: readonly string[];
}

export interface ImporterRow<Name extends string = string> {
  /** The word of `format:`. */
  readonly name: Name;
  /** `Keras model (HDF5)`, for messages. */
  readonly title: string;
  /** How names of such files end, for messages. */
  readonly extensions: readonly string[];
  /** Whether it is one, by content where the content says so. */
  readonly recognizes: (model: ModelPath) => boolean;
  /** Every file that `read` reads: their digests are the model's. */
  readonly files: (path: string) => readonly string[];
  /**
   * Reads and checks a model. Runs nothing that the file holds, reads nothing outside `files`, and takes memory in
   * proportion to them.
   *
   * @throws UserError for a file that is damaged, and for what cannot be imported: all layers at once, each with its
   * name, its type and what would have to be there
   */
  readonly read: (path: string) => Promise<Imported>;
}

export function defineImporter<const Name extends string>(row: ImporterRow<Name>): ImporterRow<Name> {
  return row;
}

/** @throws an error of the file system */
export function modelPath(path: string): ModelPath {
  if (statSync(path).isDirectory()) return { path, entries: readdirSync(path), head: new Uint8Array() };
  const head = new Uint8Array(64);
  const file = openSync(path, 'r');
  try {
    return { path, entries: null, head: head.subarray(0, readSync(file, head)) };
  } finally {
    closeSync(file);
  }
}
