/** Examples before they are divided, and what is said about dividing them. */
import type { PartName } from './class-folders.ts';
import type { Split } from './dataset.ts';

export interface SplitConfig {
  /** A share, or the names of groups. */
  readonly test: number | readonly string[];
  readonly validation: number | readonly string[];
  readonly group?: string;
  readonly seed: number;
}

/** Examples of one part, or of all. */
export interface PartExamples {
  readonly split: Split;
  /** Where an example comes from. */
  readonly nameOf: (index: number) => string;
  /** By example: examples of one recording, which have the same number, stay together; null where none do. */
  readonly recordings: Int32Array | null;
  /** The name of the group of an example, where a column has it. */
  readonly groupOf?: ((index: number) => string | undefined) | null;
}

/** What a data set has: `all`, or `train` with or without the others. */
export type GivenParts = { readonly [P in PartName | 'all']?: PartExamples };
