/** The fast integer runtime: SIMD kernels on threads, bit for bit what the reference interpreter computes. */
import { internal, present } from '../../core/assert.ts';
import { userError } from '../../core/diagnostic.ts';
import type { Graph } from '../../graph/graph.ts';
import type { IntegerData } from '../../ops/define.ts';
import { sharedMemory } from '../../wasm/memory.ts';
import { compiledModule } from '../../wasm/module.ts';
import { prepareInterpreter } from '../interpreter.ts';
import type { Plan, Port } from './plan.ts';
import { CONTROL, makePlan } from './plan.ts';
import { startThreads } from './threads.ts';
import { newData, viewOf } from './view.ts';

export interface WasmInterpreter {
  readonly graph: Graph;
  /**
   * Runs the model once for each image; one run at a time. The result does not depend on the number of threads.
   *
   * @param inputs stored integers [count, ...input], in the order of the graph's inputs
   * @returns [count, ...output], in the order of the graph's outputs
   */
  run(inputs: readonly IntegerData[], options?: RunOptions): Promise<readonly IntegerData[]>;
  /** Runs one image and returns copies of the values that the nodes made. */
  trace(inputs: readonly IntegerData[]): Promise<ReadonlyMap<string, IntegerData>>;
  /** Ends the threads; a run under way is rejected. */
  close(): Promise<void>;
}

export interface RunOptions {
  /** Called between turns of some hundred images. */
  readonly progress?: (done: number) => void | Promise<void>;
  /** Looked at between turns. */
  readonly signal?: AbortSignal;
}

// As many bytes as the reference interpreter takes at most, here for all threads together.
const LARGEST_MEMORY_BYTES = 2 ** 30;

/**
 * @param graph level int8, as `readTflite` gives it
 * @param path of the model, for errors
 * @throws UserError when an op cannot run with these parameters, or the values take more than 1 GiB
 */
export async function openWasmInterpreter(
  graph: Graph,
  path: string,
  { threads }: { readonly threads: number },
): Promise<WasmInterpreter> {
  // Refuses what the reference refuses, and leaves its buffers to the garbage collector.
  prepareInterpreter(graph, path);
  const plan = makePlan(graph, threads);
  refuseTooLarge(plan, path, threads);
  const module = await compiledModule('dist/interpreter/wasm/integer.wasm');
  const memory = present(sharedMemory(plan.memoryBytes), 'memory');
  plan.initialize(memory.buffer);
  const pool = startThreads(
    plan.threads.map((own, thread) => {
      return { module, memory, thread, threads, plan: own, inputs: plan.inputs, outputs: plan.outputs };
    }),
  );
  let isRunning = false;

  async function turn(inputs: readonly IntegerData[], first: number, images: number): Promise<void> {
    if (isRunning) internal('the interpreter runs already');
    isRunning = true;
    for (const [index, port] of plan.inputs.entries()) {
      const { length } = port;
      turnView(memory, port, images).set(inputs[index]!.subarray(first * length, (first + images) * length));
    }
    await pool.run(images).finally(() => (isRunning = false));
  }

  return {
    graph,
    async run(inputs, { progress, signal } = {}) {
      const count = countImages(plan.inputs, inputs);
      const results = plan.outputs.map(({ dtype, length }) => newData(dtype, count * length));
      for (let first = 0; first < count; first += plan.turnImages) {
        signal?.throwIfAborted();
        const images = Math.min(plan.turnImages, count - first);
        await turn(inputs, first, images);
        for (const [index, port] of plan.outputs.entries()) {
          results[index]!.set(turnView(memory, port, images), first * port.length);
        }
        await progress?.(first + images);
      }
      return results;
    },
    async trace(inputs) {
      if (countImages(plan.inputs, inputs) !== 1) internal('one image is traced');
      await turn(inputs, 0, 1);
      const thread = new Int32Array(memory.buffer)[CONTROL.taker]!;
      const names = graph.nodes.flatMap(({ outputs }) => outputs);
      return new Map(names.map((name) => [name, viewOf(memory, plan.valueOn(thread, name)).slice()]));
    },
    close: () => pool.close(),
  };
}

function refuseTooLarge({ memoryBytes }: Pick<Plan, 'memoryBytes'>, path: string, threads: number): void {
  if (memoryBytes <= LARGEST_MEMORY_BYTES) return;
  throw userError(
    path,
    'model-too-large',
    `it takes ${memoryBytes} bytes on ${threads} threads; expected at most ${LARGEST_MEMORY_BYTES}`,
    'use fewer threads, or the reference runtime',
  );
}

/** The images of a turn at a port. */
function turnView(memory: WebAssembly.Memory, port: Port, images: number): IntegerData {
  return viewOf(memory, { ...port, length: images * port.length });
}

function countImages(ports: readonly Port[], inputs: readonly IntegerData[]): number {
  const count = (inputs[0]?.length ?? 0) / (ports[0]?.length ?? 1);
  for (const [index, { name, length }] of ports.entries()) {
    const given = inputs[index]?.length ?? 0;
    if (!Number.isInteger(count) || given !== count * length) {
      internal(`input "${name}" takes a multiple of ${length} values, as many images as the others; got ${given}`);
    }
  }
  return count;
}
