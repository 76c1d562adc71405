/** The vocabulary in which kernels describe a node to the planner. */
import type { Shape } from '../../core/tensor.ts';
import type { Attrs } from '../../ops/index.ts';
import type { Argument as ProgramArgument, Instruction as ProgramInstruction } from '../../wasm/program.ts';
import type { FloatOp } from '../engine.ts';

/**
 * A piece of the shared memory that the planner places. `persistent` memory is never reused; `shared` and `replica`
 * memory belongs to a value from its first to its last step of the schedule, once or once for each replica.
 */
export interface Storage {
  readonly kind: 'persistent' | 'shared' | 'replica';
  readonly bytes: number;
  /** What persistent memory holds at first. */
  readonly initial: Float32Array | Int32Array | null;
  first: number;
  last: number;
  /** Byte address, or offset in each replica's arena; -1 before it is placed. */
  address: number;
}

/** A place in a storage: of the running replica, or of a given one. */
export interface Region {
  readonly storage: Storage;
  readonly offset: number;
  readonly replica: number | null;
}

export type Argument = ProgramArgument<Region>;

export interface Instruction extends ProgramInstruction<Region> {
  /** Private memory that each thread needs while it runs the instruction. */
  readonly scratchBytes?: number;
}

/** Instructions that may run at the same time. The planner puts barriers between phases where data demands it. */
export type Phase = readonly Instruction[];

export interface Operand {
  readonly region: Region;
  readonly shape: Shape;
  readonly count: number;
}

export interface KernelNode<K extends FloatOp> {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly attrs: Attrs[K];
  /** How many values the operand of a collective has. */
  readonly replicas: number;
  /** Memory that lives as long as the node runs. */
  readonly temporary: (bytes: number) => Region;
  /** Constant int32 words. */
  readonly table: (words: readonly number[]) => Region;
}

export interface WasmKernel<K extends FloatOp> {
  lower(node: KernelNode<K>): readonly Phase[];
  /** Operands of which output element i reads element i only: an output may overwrite their memory. */
  readonly elementwise?: readonly number[];
}

export function at(region: Region, offsetBytes: number): Region {
  return { ...region, offset: region.offset + offsetBytes };
}
