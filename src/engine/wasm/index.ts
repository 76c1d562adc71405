/** The fast engine: AssemblyScript SIMD kernels, run by worker threads over one shared memory. */
import { internal, present } from '../../core/assert.ts';
import type { UserError } from '../../core/diagnostic.ts';
import { userError } from '../../core/diagnostic.ts';
import { expectDType, numElements } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { valueOf, variablesOf } from '../../graph/graph.ts';
import type { Engine, Session, SessionOptions } from '../engine.ts';
import { splitInputs } from '../replicas.ts';
import type { Plan } from './plan.ts';
import { makePlan } from './plan.ts';
import type { ThreadPool } from '../../wasm/threads.ts';
import { sharedMemory } from '../../wasm/memory.ts';
import { compiledModule } from '../../wasm/module.ts';
import { startThreads } from './threads.ts';

/**
 * Equal to the reference engine within float32 rounding, and to itself bit for bit on any number of threads: sums
 * over the batch are cut into slices that depend on shapes alone, and added in order.
 */
export const wasmEngine: Engine = {
  name: 'wasm',
  version: '1',
  numerics: { kind: 'strict' },
  gpus: () => Promise.resolve(0),
  async open(graph, options) {
    return openSession(graph, options, await compiledModule('dist/engine/wasm/kernels.wasm'));
  },
};

/** What exists once the first feeds have shown which inputs are split. */
interface Prepared {
  readonly plan: Plan;
  readonly memory: WebAssembly.Memory;
  readonly pool: ThreadPool;
  readonly split: ReadonlySet<string>;
}

function openSession(graph: Graph, options: SessionOptions, module: WebAssembly.Module): Session {
  const { replicas } = options;
  const counts = new Map(
    variablesOf(graph).map(({ name, source }) => [name, expectDType(source.initial, 'float32').data.length]),
  );
  // Until the first run, writes are kept here.
  const written = new Map<string, Float32Array>();
  let prepared: Prepared | null = null;
  let outstanding = 0;
  /** What begins the runs that wait, in their order. */
  const waiting: (() => void)[] = [];
  /** Where the feeds of runs that waited were, for those that wait next. */
  const spare: Map<string, Float32Array>[] = [];
  let isClosed = false;

  function prepare(feeds: ReadonlyMap<string, Float32Array>): Prepared {
    const split = splitInputs(graph, feeds, replicas);
    const teamThreads = Math.max(1, Math.floor(options.threads / replicas));
    const threads = teamThreads * replicas;
    const plan = makePlan(graph, { split, replicas, threads });
    const memory = sharedMemory(plan.memoryBytes);
    if (memory === null) throw doesNotFit(graph, plan);
    plan.initialize(memory.buffer);
    for (const [name, data] of written) view(memory, plan.variables.get(name)!, data.length).set(data);
    const pool = startThreads(
      Array.from({ length: threads }, (_, thread) => ({
        ...{ module, memory, control: plan.control, thread, threads, teamThreads },
        program: plan.programs[Math.floor(thread / teamThreads)]!,
        teamThread: thread % teamThreads,
        scratch: plan.scratch.address + thread * plan.scratch.bytes,
      })),
    );
    return { plan, memory, pool, split };
  }

  async function step({ plan, memory, pool }: Prepared, feeds: ReadonlyMap<string, Float32Array>) {
    if (isClosed) internal('the session is closed');
    writeFeeds(plan, memory, feeds);
    await pool.run();
    return new Map(graph.outputs.map((name) => [name, readPieces(memory, plan.outputs.get(name)!, sizeOf(name))]));
  }

  /** The next run begins before those who await this one hear of it: they may prepare a batch, while the threads work. */
  async function turn(ready: Prepared, feeds: ReadonlyMap<string, Float32Array>) {
    try {
      return await step(ready, feeds);
    } finally {
      outstanding--;
      waiting.shift()?.();
    }
  }

  const sizeOf = (name: string): number =>
    present(graph.values.get(name), `value "${name}"`).type.shape.reduce((product, size) => product * size, 1);

  /** The place of a variable while no step runs; null before the first one. */
  function variableView(name: string): Float32Array | null {
    if (outstanding > 0) internal(`variable "${name}" is accessed while a step runs`);
    if (prepared === null) return null;
    return view(prepared.memory, prepared.plan.variables.get(name)!, countOf(name));
  }
  const countOf = (name: string): number => present(counts.get(name), `variable "${name}"`);

  return {
    async run(feeds) {
      if (isClosed) internal('the session is closed');
      prepared ??= prepare(feeds);
      const { split } = prepared;
      const now = splitInputs(graph, feeds, replicas);
      if (now.size !== split.size || [...now].some((name) => !split.has(name))) {
        internal('which inputs are split among the replicas has changed since the first run');
      }
      const ready = prepared;
      // An idle session takes the feeds at once; a busy one after the runs before.
      if (outstanding++ === 0) return turn(ready, feeds);
      const copies = copyFeeds(feeds, spare.pop());
      return new Promise((resolve) =>
        waiting.push(() => {
          // The feeds are in the engine's memory when the call returns.
          resolve(turn(ready, copies));
          spare.push(copies);
        }),
      );
    },
    read(name) {
      const initial = (): Float32Array => {
        const { source } = variablesOf(graph).find((variable) => variable.name === name)!;
        return written.get(name) ?? expectDType(source.initial, 'float32').data;
      };
      countOf(name);
      return (variableView(name) ?? initial()).slice();
    },
    write(name, data) {
      if (data.length !== countOf(name)) {
        internal(`variable "${name}" has ${countOf(name)} elements; ${data.length} were written`);
      }
      const place = variableView(name);
      if (place === null) written.set(name, data.slice());
      else place.set(data);
    },
    async close() {
      isClosed = true;
      await prepared?.pool.close();
    },
  };
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

/** @param into arrays of the same lengths that are used again, where there are some */
function copyFeeds(
  feeds: ReadonlyMap<string, Float32Array>,
  into: ReadonlyMap<string, Float32Array> = new Map(),
): Map<string, Float32Array> {
  return new Map(
    [...feeds].map(([name, data]) => {
      const copy = into.get(name);
      if (copy?.length !== data.length) return [name, data.slice()];
      copy.set(data);
      return [name, copy];
    }),
  );
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
