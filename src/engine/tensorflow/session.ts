/** Steps in their order, and our copies of the variables between them. */
import { internal, present } from '../../core/assert.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Session, SessionOptions } from '../engine.ts';
import { assertSameSplit, splitInputs } from '../replicas.ts';
import type { Tfjs } from './addon.ts';
import type { LoadedGraph } from './loaded-graph.ts';
import { loadGraph, offAlignment } from './loaded-graph.ts';
import type { KernelChoice } from './plan.ts';
import { initialValues } from './plan.ts';

/** What exists once the first feeds have shown which inputs are split. */
interface Prepared {
  readonly split: ReadonlySet<string>;
  readonly loading: Promise<LoadedGraph>;
}

export function openSession(
  tf: Tfjs,
  kernels: KernelChoice,
  graph: Graph,
  { replicas, devices }: SessionOptions,
): Session {
  const variables = new Variables(graph);
  let prepared: Prepared | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let outstanding = 0;
  let isClosed = false;

  function runStep(loaded: LoadedGraph, feeds: ReadonlyMap<string, Float32Array>): ReadonlyMap<string, Float32Array> {
    if (isClosed) internal('the session is closed');
    variables.giveTo(loaded);
    return loaded.step(feeds);
  }

  async function step(
    { split, loading }: Prepared,
    feeds: ReadonlyMap<string, Float32Array>,
    before: Promise<unknown>,
  ) {
    await before;
    const loaded = await loading;
    assertSameSplit(split, splitInputs(graph, feeds, replicas));
    const result = runStep(loaded, feeds);
    // A step blocks this thread; signals and timers are handled before the next one.
    await new Promise(setImmediate);
    if (isClosed) internal('the session is closed');
    return result;
  }

  function idleVariables(name: string): Variables {
    if (outstanding > 0) internal(`variable "${name}" is accessed while a step runs`);
    return variables;
  }

  return {
    async run(feeds) {
      if (isClosed) internal('the session is closed');
      const split = splitInputs(graph, feeds, replicas);
      prepared ??= { split, loading: loadGraph(tf, graph, { split, replicas, devices: devices ?? null, kernels }) };
      const copies = new Map([...feeds].map(([name, data]) => [name, offAlignment(data)]));
      outstanding++;
      const finished = step(prepared, copies, last).finally(() => outstanding--);
      last = finished.catch(() => null);
      return finished;
    },
    read: (name) => idleVariables(name).read(name),
    write: (name, data) => idleVariables(name).write(name, data),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await last;
      const loaded = await prepared?.loading.catch(() => null);
      loaded?.dispose();
    },
  };
}

/** The variables on our side. TensorFlow gets them when a step begins, and they are read from it again when asked for. */
class Variables {
  /** Null while only TensorFlow knows them. */
  private known: Map<string, Float32Array> | null;
  /** Whether ours differ from TensorFlow's. */
  private isWritten = true;
  /** The graph that has them once a step has run. */
  private loaded: LoadedGraph | null = null;
  private readonly lengths: ReadonlyMap<string, number>;
  private readonly areUpdated: boolean;

  constructor(graph: Graph) {
    this.known = initialValues(graph);
    this.lengths = new Map([...this.known].map(([name, data]) => [name, data.length]));
    this.areUpdated = graph.updates.length > 0;
  }

  /** Before a step. */
  giveTo(loaded: LoadedGraph): void {
    if (this.isWritten) loaded.writeVariables(this.known ?? internal('written variables are known'));
    this.isWritten = false;
    if (this.areUpdated) this.known = null;
    this.loaded = loaded;
  }

  read(name: string): Float32Array {
    return this.all(name).get(name)!.slice();
  }

  write(name: string, data: Float32Array): void {
    const all = this.all(name);
    const length = this.lengths.get(name)!;
    if (data.length !== length) {
      internal(`variable "${name}" has ${length} elements; ${data.length} were written`);
    }
    all.set(name, data.slice());
    this.isWritten = true;
  }

  /** @throws Error `internal:` where there is no variable of that name */
  private all(name: string): Map<string, Float32Array> {
    if (!this.lengths.has(name)) internal(`missing variable "${name}"`);
    this.known ??= present(this.loaded, 'the session, as a step has run').readVariables();
    return this.known;
  }
}
