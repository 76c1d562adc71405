/** The vocabulary in which kernels describe a node to the planner. */
import type { IntegerOperand } from '../../ops/define.ts';
import type { Attrs, InferenceOp, OpName } from '../../ops/index.ts';
import type { Instruction as ProgramInstruction } from '../../wasm/program.ts';

type TrainingOp =
  | `${string}_grad${string}`
  | `${string}_update`
  | `batch_norm${string}`
  | `fold_${string}`
  | `${string}_cross_entropy`
  | `mean_${string}_error`
  | 'mat_mul'
  | 'dropout'
  | 'fake_quant'
  | 'observe_range'
  | 'top_1_count'
  | 'increment'
  | 'reached'
  | 'moving_average'
  | 'running_extreme'
  | 'zero_debias'
  | 'cross_replica';

/** Ops of our own graphs that have an integer form; inference-only ops run their own loops. */
export type IntegerOp = Exclude<OpName, TrainingOp | InferenceOp>;

/** A place in the shared memory: `constants` exist once, `values` and `scratch` once for each thread. */
export interface Region {
  readonly area: 'constants' | 'values' | 'scratch';
  readonly offsetBytes: number;
}

export type Instruction = ProgramInstruction<Region>;

export interface Operand extends IntegerOperand {
  readonly region: Region;
  readonly count: number;
  /** What a constant holds; null for values that are computed. */
  readonly constant: Int8Array | Uint8Array | Int32Array | Float32Array | null;
}

export interface KernelNode<K extends IntegerOp> {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly attrs: Attrs[K];
  /** A constant of the kernel's own: packed weights, tables. */
  readonly constant: (data: Int16Array | Int32Array) => Region;
  /** Memory that the node may write while it runs; other nodes use the same. */
  readonly scratch: (bytes: number) => Region;
}

export interface IntegerWasmKernel<K extends IntegerOp> {
  /** @returns 'reference' where the kernel has no form for these operands, and the op's own loops run */
  lower(node: KernelNode<K>): readonly Instruction[] | 'reference';
}
