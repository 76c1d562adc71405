/** The fast engine: AssemblyScript SIMD kernels, run by worker threads over one shared memory. */
import { internal, present } from '../../core/assert.ts';
import { expectDType } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { variablesOf } from '../../graph/graph.ts';
import type { Engine, Session, SessionOptions } from '../engine.ts';
import { assertSameSplit, splitInputs } from '../replicas.ts';
import { compiledModule } from '../../wasm/module.ts';
import type { LoadedGraph } from './loaded-graph.ts';
import { loadGraph } from './loaded-graph.ts';
import { StepQueue } from './step-queue.ts';

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

function openSession(graph: Graph, options: SessionOptions, module: WebAssembly.Module): Session {
  const initial = new Map(
    variablesOf(graph).map(({ name, source }) => [name, expectDType(source.initial, 'float32').data]),
  );
  /** The variables before the first run. */
  const written = new Map<string, Float32Array>();
  /** Exists once the first feeds have shown which inputs are split. */
  let loaded: LoadedGraph | null = null;
  const queue = new StepQueue();
  let isClosed = false;

  function load(split: ReadonlySet<string>): LoadedGraph {
    const fresh = loadGraph(graph, options, module, split);
    for (const [name, data] of written) fresh.variable(name).set(data);
    return fresh;
  }

  const initialOf = (name: string): Float32Array => present(initial.get(name), `variable "${name}"`);

  /** The place of a variable while no step runs; null before the first one. */
  function placeOf(name: string): Float32Array | null {
    if (!queue.isIdle) internal(`variable "${name}" is accessed while a step runs`);
    return loaded?.variable(name) ?? null;
  }

  return {
    async run(feeds) {
      if (isClosed) internal('the session is closed');
      const split = splitInputs(graph, feeds, options.replicas);
      const ready = (loaded ??= load(split));
      assertSameSplit(ready.split, split);
      return queue.run(feeds, async (taken) => {
        if (isClosed) internal('the session is closed');
        return ready.step(taken);
      });
    },
    read(name) {
      const fallback = initialOf(name);
      return (placeOf(name) ?? written.get(name) ?? fallback).slice();
    },
    write(name, data) {
      const { length } = initialOf(name);
      if (data.length !== length) {
        internal(`variable "${name}" has ${length} elements; ${data.length} were written`);
      }
      const place = placeOf(name);
      if (place === null) written.set(name, data.slice());
      else place.set(data);
    },
    async close() {
      isClosed = true;
      await loaded?.close();
    },
  };
}
