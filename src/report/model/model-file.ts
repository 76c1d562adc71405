import type { Histogram } from './histogram.ts';

/** A .tflite file as the page shows it. */
export interface ModelFile {
  /** Without its folders. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly description: string;
  readonly subgraphs: readonly ModelSubgraph[];
  readonly signatures: readonly ModelSignature[];
  readonly metadata: readonly { readonly name: string; readonly bytes: number }[];
  /** What a file of ours says of its input and output, as JSON; null in files by others. */
  readonly about: string | null;
  /** Null where it is no integer model that qpipe reads. */
  readonly memory: { readonly arena: number; readonly macs: number } | null;
  readonly targets: readonly {
    readonly name: string;
    readonly title: string;
    readonly refuses: readonly string[];
    readonly leaves: readonly string[];
  }[];
}

export interface ModelSubgraph {
  readonly name: string;
  readonly tensors: readonly ModelTensor[];
  /** Indices of tensors. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly ModelOperator[];
}

export interface ModelTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly storage: string;
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number | null;
  readonly bytes: number;
  /** Of a constant whose numbers can be read; null for all others. */
  readonly histogram: Histogram | null;
}

export interface ModelOperator {
  readonly op: string;
  readonly version: number;
  readonly known: boolean;
  readonly options: string;
  /** Indices of tensors; -1 is an input that is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface ModelSignature {
  readonly key: string;
  readonly inputs: readonly { readonly name: string; readonly tensor: string }[];
  readonly outputs: readonly { readonly name: string; readonly tensor: string }[];
}
