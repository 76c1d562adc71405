/** What the thread that reads HDF5 is given, and what it gives. */
import type { FloatTensor } from '../../core/tensor.ts';

export interface Hdf5Task {
  readonly bytes: Uint8Array;
  /** All float tensors below it are read; empty for the whole file. */
  readonly group: string;
  /** Names of texts of the whole file. */
  readonly attributes: readonly string[];
}

export interface Hdf5Content {
  /** Those that are there. */
  readonly attributes: ReadonlyMap<string, string>;
  /** By their path from the group. */
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

export type Hdf5Answer =
  | { readonly kind: 'read'; readonly content: Hdf5Content }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The package is not installed. */
  | { readonly kind: 'missing' };
