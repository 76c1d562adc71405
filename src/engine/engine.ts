import type { Graph } from '../graph/graph.ts';
import type { InferenceOp, OpName } from '../ops/index.ts';

/** Ops that have a float form. */
export type FloatOp = Exclude<OpName, InferenceOp | 'quantize' | 'dequantize'>;

export const engineNames = ['wasm', 'tensorflow', 'reference'] as const;
export type EngineName = (typeof engineNames)[number];

/** Runs float graphs (levels float, qat and eval) step by step. All engines compute the same, at different speeds. */
export interface Engine {
  readonly name: EngineName;
  /** Changes when results may change by a bit; part of what a cached result depends on. */
  readonly version: string;
  readonly numerics: Numerics;
  /** How many GPUs replicas can run on. */
  gpus(): Promise<number>;
  open(graph: Graph, options: SessionOptions): Promise<Session>;
}

/** What else decides the bits. */
export type Numerics =
  /** Nothing else: sums are added in the same order on every machine. */
  | { readonly kind: 'strict' }
  /** A library splits sums according to the processor and its cores; two runs on one machine agree. */
  | { readonly kind: 'native'; readonly architecture: string; readonly cores: number };

export interface SessionOptions {
  /**
   * How many copies of the graph share a step. The graph describes one of them, so its batch is the step's batch
   * divided by this.
   */
  readonly replicas: number;
  /** How many threads compute; on our own engines the results do not depend on it, byte for byte. */
  readonly threads: number;
  /** One for each replica, on engines with several kinds of device; default: the engine chooses. */
  readonly devices?: readonly Device[];
}

/** Where one replica of a training graph runs. */
export interface Device {
  readonly kind: 'cpu' | 'gpu';
  readonly index: number;
}

/** A graph with its variables, open for steps. */
export interface Session {
  /**
   * One step: all nodes, then `graph.updates`. The returned arrays are copies.
   *
   * A feed of R times its input's element count is split among the R replicas in order; one of exactly that count is
   * given to all of them. Which inputs are split is fixed by the first run. A value that depends on a split input and
   * not through `cross_replica` exists once for each replica, and its output is the R pieces one after the other;
   * everything else is computed once. Runs that are still outstanding are queued; the feeds are copied by the call.
   *
   * @throws Error `internal:` when a feed is missing or has another size
   */
  run(feeds: ReadonlyMap<string, Float32Array>): Promise<ReadonlyMap<string, Float32Array>>;
  /** A copy of a variable's value. Not while a run is outstanding. */
  read(variable: string): Float32Array;
  /** Sets a variable. Not while a run is outstanding. */
  write(variable: string, data: Float32Array): void;
  /** Ends the threads. Outstanding runs are rejected. */
  close(): Promise<void>;
}
