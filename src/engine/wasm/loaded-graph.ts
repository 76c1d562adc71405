/** A graph in the memory of WebAssembly, with the threads that run it. */
import type { UserError } from '../../core/diagnostic.ts';
import { userError } from '../../core/diagnostic.ts';
import { numElements } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { valueOf } from '../../graph/graph.ts';
import { sharedMemory } from '../../wasm/memory.ts';
import type { ThreadPool } from '../../wasm/threads.ts';
import type { SessionOptions } from '../engine.ts';
import type { Plan } from './plan.ts';
import { makePlan } from './plan.ts';
import { startThreads } from './threads.ts';

export interface LoadedGraph {
  /** Inputs of which each replica gets its own piece. */
  readonly split: ReadonlySet<string>;
  /** One at a time. The feeds are in the memory when the call returns; what is returned are copies. */
  step(feeds: ReadonlyMap<string, Float32Array>): Promise<ReadonlyMap<string, Float32Array>>;
  /** The variable in the memory, to be read and written while no step runs. */
  variable(name: string): Float32Array;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** @throws UserError code 'out-of-memory' */
export function loadGraph(
  graph: Graph,
  options: SessionOptions,
  module: WebAssembly.Module,
  split: ReadonlySet<string>,
): LoadedGraph {
  const { replicas } = options;
  const teamThreads = Math.max(1, Math.floor(options.threads / replicas));
  const plan = makePlan(graph, { split, replicas, threads: teamThreads * replicas });
  const memory = sharedMemory(plan.memoryBytes);
  if (memory === null) throw doesNotFit(graph, plan);
  plan.initialize(memory.buffer);
  const pool = startTeams(plan, module, memory, teamThreads);
  const sizeOf = (name: string): number => numElements(valueOf(graph, name).type.shape);
  return {
    split,
    async step(feeds) {
      writeFeeds(plan, memory, feeds);
      await pool.run();
      return new Map(graph.outputs.map((name) => [name, readPieces(memory, plan.outputs.get(name)!, sizeOf(name))]));
    },
    variable: (name) => view(memory, plan.variables.get(name)!, sizeOf(name)),
    close: () => pool.close(),
  };
}

/** A team of threads for each replica. */
function startTeams(
  plan: Plan,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  teamThreads: number,
): ThreadPool {
  const threads = teamThreads * plan.programs.length;
  return startThreads(
    Array.from({ length: threads }, (_, thread) => ({
      ...{ module, memory, control: plan.control, thread, threads, teamThreads },
      program: plan.programs[Math.floor(thread / teamThreads)]!,
      teamThread: thread % teamThreads,
      scratch: plan.scratch.address + thread * plan.scratch.bytes,
    })),
  );
}

function writeFeeds({ inputs }: Plan, memory: WebAssembly.Memory, feeds: ReadonlyMap<string, Float32Array>): void {
  for (const [name, data] of feeds) {
    const pieces = inputs.get(name)!;
    const length = data.length / pieces.length;
    pieces.forEach((address, piece) =>
      view(memory, address, length).set(data.subarray(piece * length, (piece + 1) * length)),
    );
  }
}

function view(memory: WebAssembly.Memory, address: number, length: number): Float32Array {
  return new Float32Array(memory.buffer, address, length);
}

/** A copy of all pieces, one after the other. */
function readPieces(memory: WebAssembly.Memory, addresses: readonly number[], length: number): Float32Array {
  const result = new Float32Array(addresses.length * length);
  addresses.forEach((address, piece) => result.set(view(memory, address, length), piece * length));
  return result;
}

/** More memory than WebAssembly can address: the user's batch or network is too large. */
function doesNotFit(graph: Graph, { memoryBytes }: Plan): UserError {
  const sizes = [...graph.values.values()].map(({ name, type }) => ({ name, type, size: numElements(type.shape) }));
  const largest = sizes.reduce((a, b) => (b.size > a.size ? b : a));
  const [batch = 1] = valueOf(graph, graph.inputs[0] ?? '').type.shape;
  return userError(
    'engine wasm',
    'out-of-memory',
    `a step with a batch of ${batch} takes ${gibibytes(memoryBytes)} GiB, and WebAssembly can address at most 4; ` +
      `its largest tensor is "${largest.name}", [${largest.type.shape.join(', ')}]`,
    batch > 1
      ? 'set a smaller `batch`, or use `engine: tensorflow`'
      : 'use fewer filters, a stride in an early layer, smaller images, or `engine: tensorflow`',
  );
}

const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
