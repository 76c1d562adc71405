/** A graph in a session of TensorFlow, which keeps its variables: how to run a step, and to read and write them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { present } from '../../core/assert.ts';
import { userError } from '../../core/diagnostic.ts';
import { tensor, transposeTensor } from '../../core/tensor.ts';
import type { SavedModel } from '../../formats/protobuf/saved-model.ts';
import { writeSavedModel } from '../../formats/protobuf/saved-model.ts';
import type { Graph } from '../../graph/graph.ts';
import { valueOf } from '../../graph/graph.ts';
import type { Tfjs, TfjsModel, TfjsTensor } from './addon.ts';
import type { Plan, PlanOptions } from './plan.ts';
import { makePlan, outputKey, signatures } from './plan.ts';

/** Opens a session; the signatures share it. */
export async function loadSignatures(
  tf: Tfjs,
  model: SavedModel,
  names: readonly string[],
): Promise<readonly TfjsModel[]> {
  const folder = await mkdtemp(join(os.tmpdir(), 'qpipe-tensorflow-'));
  try {
    await writeFile(join(folder, 'saved_model.pb'), writeSavedModel(model));
    const loaded: TfjsModel[] = [];
    for (const name of names) loaded.push(await tf.node.loadSavedModel(folder, [...model.tags], name));
    return loaded;
  } finally {
    // The session holds the graph; the folder is not needed again.
    await rm(folder, { recursive: true });
  }
}

/** All by name; the variables in our own order of axes. */
type Arrays = ReadonlyMap<string, Float32Array>;

/** Each call runs one signature and blocks this thread. What is returned are copies. */
export interface LoadedGraph {
  /** @throws UserError code 'engine-refused' */
  step(feeds: Arrays): Arrays;
  readVariables(): Map<string, Float32Array>;
  writeVariables(values: Arrays): void;
  dispose(): void;
}

export async function loadGraph(tf: Tfjs, graph: Graph, options: PlanOptions): Promise<LoadedGraph> {
  const plan = makePlan(graph, options);
  const loaded = await loadSignatures(tf, plan.model, Object.values(signatures));
  const [step, read, initialize] = loaded as readonly [TfjsModel, TfjsModel, TfjsModel]; // as many as signatures
  const hasVariables = plan.variables.length > 0;
  return {
    step(feeds) {
      const results = predict(tf, step, stepFeeds(tf, graph, plan, feeds));
      return unpack(plan, present(results.get(outputKey), 'the output of a step'));
    },
    readVariables: () => (hasVariables ? fromStored(plan, predict(tf, read, {})) : new Map()),
    writeVariables(values) {
      if (hasVariables) predict(tf, initialize, toStored(tf, graph, plan, values));
    },
    dispose() {
      for (const signature of loaded) signature.dispose();
    },
  };
}

type Feeds = Readonly<Record<string, TfjsTensor>>;

/** Runs a signature and frees all tensors of the call. */
function predict(tf: Tfjs, signature: TfjsModel, feeds: Feeds): Arrays {
  try {
    // Given inputs by name, it returns outputs by name; ours are all float32.
    const results = signature.predict(feeds) as Readonly<Record<string, TfjsTensor>>;
    const copies = new Map(Object.entries(results).map(([key, result]) => [key, result.dataSync() as Float32Array]));
    tf.dispose(results);
    return copies;
  } catch (error) {
    throw refusalOf(error);
  } finally {
    tf.dispose(feeds);
  }
}

function stepFeeds(tf: Tfjs, graph: Graph, { inputs }: Plan, feeds: Arrays): Feeds {
  const tensors = inputs.map(({ key, shape }, index) => {
    const data = present(feeds.get(graph.inputs[index]!), `feed of "${graph.inputs[index]!}"`);
    return [key, tf.tensor(data, [...shape], 'float32')] as const;
  });
  return Object.fromEntries(tensors);
}

/** The outputs of a step, which lie one after the other. */
function unpack({ outputs }: Plan, packed: Float32Array): Arrays {
  let end = 0;
  return new Map(
    outputs.map(({ name, length }) => {
      const start = end;
      end += length;
      return [name, packed.slice(start, end)] as const;
    }),
  );
}

/** The variables as TensorFlow stores them. */
function toStored(tf: Tfjs, graph: Graph, { variables }: Plan, values: Arrays): Feeds {
  const feeds = variables.map(({ name, key, shape, layout }) => {
    const data = present(values.get(name), `variable "${name}"`);
    const ours = tensor('float32', valueOf(graph, name).type.shape, data);
    const stored = layout === null ? ours : transposeTensor(ours, layout);
    return [key, tf.tensor(offAlignment(stored.data), [...shape], 'float32')] as const;
  });
  return Object.fromEntries(feeds);
}

function fromStored({ variables }: Plan, values: Arrays): Map<string, Float32Array> {
  return new Map(
    variables.map(({ name, key, shape, layout }) => {
      const stored = tensor('float32', shape, present(values.get(key), `variable "${name}"`));
      if (layout === null) return [name, stored.data] as const;
      return [name, transposeTensor(stored, inverse(layout)).data] as const;
    }),
  );
}

/** TensorFlow's error in a step: a user's error where memory is short or the library has no kernel for the case. */
function refusalOf(error: unknown): unknown {
  const [, reason, node] =
    /^Error: Session fail to run with error: (.*)(?:[^]*\{\{node (.*?)\}\})?/.exec(String(error)) ?? [];
  if (reason === undefined) return error;
  return userError(
    'engine tensorflow',
    'engine-refused',
    `TensorFlow did not run a step: ${reason}${node === undefined ? '' : ` (${node})`}`,
    'try `engine: wasm`, or a smaller batch if memory is short; if neither helps, please report this',
  );
}

/**
 * A copy that TensorFlow is sure to copy again. TensorFlow uses an array at a multiple of 64 bytes in place, and the
 * addon then returns it to JavaScript on whichever thread needs it last; for a variable's initial value that is the
 * thread of an assignment. Only this thread may return it; any other corrupts the heap.
 */
export function offAlignment(data: Float32Array): Float32Array {
  const copy = new Float32Array(new ArrayBuffer((data.length + 1) * data.BYTES_PER_ELEMENT), data.BYTES_PER_ELEMENT);
  copy.set(data);
  return copy;
}

function inverse(permutation: readonly number[]): readonly number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}
