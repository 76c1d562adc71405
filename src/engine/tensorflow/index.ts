/** TensorFlow's own kernels: the whole step is one run of a session over one graph. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { internal, present } from '../../core/assert.ts';
import { userError } from '../../core/diagnostic.ts';
import { tensor, transposeTensor } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { valueOf } from '../../graph/graph.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import type { SavedModel } from '../../formats/protobuf/saved-model.ts';
import { writeSavedModel } from '../../formats/protobuf/saved-model.ts';
import type { Engine, Session, SessionOptions } from '../engine.ts';
import { splitInputs } from '../replicas.ts';
import type { Tfjs, TfjsModel, TfjsTensor } from './addon.ts';
import { loadTensorflow } from './addon.ts';
import type { KernelChoice, Plan } from './plan.ts';
import { deviceName, initialValues, makePlan, outputKey, savedModel, signatures, tensorInfo } from './plan.ts';
import { createWriter } from './writer.ts';

/**
 * Loads the addon and returns the engine.
 *
 * @param home the folder that qpipe keeps for all pipelines
 * @param choice our own kernels are used only where they were built
 * @throws UserError code 'engine-missing' or 'engine-broken'
 */
export async function loadTensorflowEngine(home: string, choice: KernelChoice = 'own'): Promise<Engine> {
  const { tf, kernels: built } = await loadTensorflow(home);
  const own = choice === 'own' ? built : null;
  let counted: Promise<number> | null = null;
  const gpus = (): Promise<number> => (counted ??= countGpus(tf));
  /** By default TensorFlow computes on a GPU if it has one; our kernels would copy each value back to the CPU. */
  const kernelsFor = async ({ devices }: SessionOptions): Promise<KernelChoice> =>
    own === null || (devices === undefined && (await gpus()) > 0) ? 'library' : 'own';
  return {
    name: 'tensorflow',
    // The kernels affect the bits too.
    version: `2+tensorflow-${tf.backend().binding.TF_Version}${own === null ? '' : `+kernels-${own}`}`,
    numerics: { kind: 'native', architecture: process.arch, cores: os.availableParallelism() },
    gpus,
    open: async (graph, options) => openSession(tf, await kernelsFor(options), graph, options),
  };
}

/** The package does not list devices. Asked for one that does not exist, the library names those that do. */
async function countGpus(tf: Tfjs): Promise<number> {
  const nodes: NodeDef[] = [];
  const probe = createWriter(nodes, new Set(), 'probe', deviceName({ kind: 'gpu', index: 4095 })).scalar(0);
  const signature = { inputs: new Map(), outputs: new Map([[outputKey, tensorInfo(probe, [])]]), methodName: '' };
  const model = savedModel(nodes, { step: signature });
  const message = await loadSignatures(tf, model, [signatures.step]).then(
    () => internal('TensorFlow found a device that does not exist'),
    (error: unknown) => String(error),
  );
  const [, available] = /available devices are \[([^\]]*)\]/.exec(message) ?? internal(`no devices in: ${message}`);
  return (available ?? '').match(/device:GPU:\d+/g)?.length ?? 0;
}

/** Opens a session; the signatures share it. */
async function loadSignatures(tf: Tfjs, model: SavedModel, names: readonly string[]): Promise<readonly TfjsModel[]> {
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

/** What exists once the first feeds have shown which inputs are split. */
interface Prepared {
  readonly plan: Plan;
  readonly split: ReadonlySet<string>;
  readonly step: TfjsModel;
  readonly read: TfjsModel;
  readonly initialize: TfjsModel;
}

function openSession(tf: Tfjs, kernels: KernelChoice, graph: Graph, { replicas, devices }: SessionOptions): Session {
  /** The variables on our side, null while only the session knows them. */
  let known: Map<string, Float32Array> | null = initialValues(graph);
  /** Whether ours differ from the session's. */
  let isWritten = true;
  let preparing: Promise<Prepared> | null = null;
  let prepared: Prepared | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let outstanding = 0;
  let isClosed = false;
  const lengths = new Map([...known].map(([name, data]) => [name, data.length]));

  async function prepare(split: ReadonlySet<string>): Promise<Prepared> {
    const plan = makePlan(graph, { split, replicas, devices: devices ?? null, kernels });
    const [step, read, initialize] = await loadSignatures(tf, plan.model, Object.values(signatures));
    prepared = { plan, split, step: step!, read: read!, initialize: initialize! };
    return prepared;
  }

  /** Runs a signature and frees all tensors of the call; what is returned are copies. */
  function predict(
    signature: TfjsModel,
    feeds: Readonly<Record<string, TfjsTensor>>,
  ): ReadonlyMap<string, Float32Array> {
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

  function writeVariables({ plan, initialize }: Prepared, values: ReadonlyMap<string, Float32Array>): void {
    if (plan.variables.length === 0) return;
    const feeds = plan.variables.map(({ name, key, shape, layout }) => {
      const data = present(values.get(name), `variable "${name}"`);
      const ours = tensor('float32', valueOf(graph, name).type.shape, data);
      const stored = layout === null ? ours : transposeTensor(ours, layout);
      return [key, tf.tensor(offAlignment(stored.data), [...shape], 'float32')] as const;
    });
    predict(initialize, Object.fromEntries(feeds));
  }

  function readVariables({ plan, read }: Prepared): Map<string, Float32Array> {
    if (plan.variables.length === 0) return new Map();
    const results = predict(read, {});
    return new Map(
      plan.variables.map(({ name, key, shape, layout }) => {
        const stored = tensor('float32', shape, present(results.get(key), `variable "${name}"`));
        if (layout === null) return [name, stored.data] as const;
        return [name, transposeTensor(stored, inverse(layout)).data] as const;
      }),
    );
  }

  function runStep(ready: Prepared, feeds: ReadonlyMap<string, Float32Array>): ReadonlyMap<string, Float32Array> {
    if (isClosed) internal('the session is closed');
    if (isWritten) writeVariables(ready, known ?? internal('written variables are known'));
    isWritten = false;
    if (graph.updates.length > 0) known = null;
    const tensors = ready.plan.inputs.map(({ key, shape }, index) => {
      const data = present(feeds.get(graph.inputs[index]!), `feed of "${graph.inputs[index]!}"`);
      return [key, tf.tensor(data, [...shape], 'float32')] as const;
    });
    const packed = present(predict(ready.step, Object.fromEntries(tensors)).get(outputKey), 'the output of a step');
    let end = 0;
    return new Map(
      ready.plan.outputs.map(({ name, length }) => {
        const start = end;
        end += length;
        return [name, packed.slice(start, end)] as const;
      }),
    );
  }

  /** Our copies of the variables, while no step runs. */
  function variables(name: string): Map<string, Float32Array> {
    if (outstanding > 0) internal(`variable "${name}" is accessed while a step runs`);
    if (!lengths.has(name)) internal(`missing variable "${name}"`);
    known ??= readVariables(present(prepared, 'the session, as a step has run'));
    return known;
  }

  return {
    async run(feeds) {
      if (isClosed) internal('the session is closed');
      const split = splitInputs(graph, feeds, replicas);
      preparing ??= prepare(split);
      const copies = new Map([...feeds].map(([name, data]) => [name, offAlignment(data)]));
      const before = last;
      const ready = preparing;
      const step = async (): Promise<ReadonlyMap<string, Float32Array>> => {
        await before;
        const session = await ready;
        if (split.size !== session.split.size || [...split].some((name) => !session.split.has(name))) {
          internal('which inputs are split among the replicas has changed since the first run');
        }
        const result = runStep(session, copies);
        // A step blocks this thread; signals and timers are handled before the next one.
        await new Promise(setImmediate);
        if (isClosed) internal('the session is closed');
        return result;
      };
      outstanding++;
      const finished = step().finally(() => outstanding--);
      last = finished.catch(() => null);
      return finished;
    },
    read: (name) => variables(name).get(name)!.slice(),
    write(name, data) {
      const all = variables(name);
      if (data.length !== lengths.get(name)) {
        internal(`variable "${name}" has ${lengths.get(name)!} elements; ${data.length} were written`);
      }
      all.set(name, data.slice());
      isWritten = true;
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await last;
      const session = await preparing?.catch(() => null);
      if (session == null) return;
      for (const signature of [session.step, session.read, session.initialize]) signature.dispose();
    },
  };
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
function offAlignment(data: Float32Array): Float32Array {
  const copy = new Float32Array(new ArrayBuffer((data.length + 1) * data.BYTES_PER_ELEMENT), data.BYTES_PER_ELEMENT);
  copy.set(data);
  return copy;
}

function inverse(permutation: readonly number[]): readonly number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}
