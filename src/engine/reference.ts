import { internal, present } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { expectDType, tensor, zeros } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf, variablesOf } from '../graph/graph.ts';
import type { FloatKernel } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { Engine, Session } from './engine.ts';
import { combineReplicas, liveNodes, replicaValues, splitInputs } from './replicas.ts';

/** Runs every op by its own plain float loops, on the calling thread: the oracle of the other engines. */
export const referenceEngine: Engine = {
  name: 'reference',
  version: '1',
  numerics: { kind: 'strict' },
  gpus: () => Promise.resolve(0),
  open: (graph, { replicas }) => Promise.resolve(openSession(graph, replicas)),
};

/** A value: one tensor if it is shared, else one for each replica. */
type Pieces = readonly FloatTensor[];

function openSession(graph: Graph, replicas: number): Session {
  const nodes = liveNodes(graph);
  const variables = new Map(
    variablesOf(graph).map(({ name, source }) => [name, expectDType(source.initial, 'float32')] as const),
  );

  let isClosed = false;
  let last: Promise<unknown> = Promise.resolve();

  async function runReplicas(node: Node, values: ReadonlyMap<string, Pieces>, results: readonly Pieces[]) {
    for (let replica = 0; replica < results[0]!.length; replica++) {
      // The loops block this thread; signals and timers are handled between two of them.
      await new Promise(setImmediate);
      if (isClosed) internal('the session is closed');
      const operands = node.inputs.map((input) => piecesOf(values, input)[replica] ?? piecesOf(values, input)[0]!);
      runNode(
        node,
        operands,
        results.map((pieces) => pieces[replica]!),
      );
    }
  }

  async function step(feeds: ReadonlyMap<string, Float32Array>): Promise<ReadonlyMap<string, Float32Array>> {
    const split = splitInputs(graph, feeds, replicas);
    const perReplica = replicaValues(graph, nodes, split);
    const values = new Map([...sharedValues(graph, variables), ...inputValues(graph, feeds, split, replicas)]);
    for (const node of nodes) {
      const results = newOutputs(graph, node, perReplica, replicas);
      node.outputs.forEach((output, index) => values.set(output, results[index]!));
      if (node.op === 'cross_replica') {
        const operands = piecesOf(values, node.inputs[0]!).map((piece) => piece.data);
        combineReplicas(operands, node.attrs, results[0]![0]!.data);
      } else await runReplicas(node, values, results);
    }
    const outputs = new Map(graph.outputs.map((name) => [name, concatenate(piecesOf(values, name))] as const));
    // All values are read before any variable changes: two variables may swap values.
    const updates = graph.updates.map(({ variable, value }) => [variable, piecesOf(values, value)[0]!] as const);
    for (const [variable, value] of updates) variables.set(variable, value);
    return outputs;
  }

  const variable = (name: string): FloatTensor => present(variables.get(name), `variable "${name}"`);
  return {
    run(feeds) {
      const copies = new Map([...feeds].map(([name, data]) => [name, data.slice()]));
      const result = last.then(() => step(copies));
      last = result.catch(() => null);
      return result;
    },
    read: (name) => variable(name).data.slice(),
    write: (name, data) => void variables.set(name, tensor('float32', variable(name).shape, data.slice())),
    close() {
      isClosed = true;
      return Promise.resolve();
    },
  };
}

function piecesOf(values: ReadonlyMap<string, Pieces>, name: string): Pieces {
  return present(values.get(name), `value "${name}"`);
}

/** Variables and constants. */
function sharedValues(graph: Graph, variables: ReadonlyMap<string, FloatTensor>): Map<string, Pieces> {
  const values = new Map<string, Pieces>();
  for (const [name, value] of variables) values.set(name, [value]);
  for (const { name, source } of graph.values.values()) {
    if (source.kind === 'constant') values.set(name, [expectDType(source.data, 'float32')]);
  }
  return values;
}

function inputValues(
  graph: Graph,
  feeds: ReadonlyMap<string, Float32Array>,
  split: ReadonlySet<string>,
  replicas: number,
): Map<string, Pieces> {
  return new Map(
    graph.inputs.map((name) => {
      const data = present(feeds.get(name), `feed of "${name}"`);
      const pieces = split.has(name) ? cutInPieces(data, replicas) : [data.slice()];
      const { shape } = valueOf(graph, name).type;
      return [name, pieces.map((piece) => tensor('float32', shape, piece))] as const;
    }),
  );
}

/** What a node is to fill, by output. */
function newOutputs(graph: Graph, node: Node, perReplica: ReadonlySet<string>, replicas: number): readonly Pieces[] {
  return node.outputs.map((output) => {
    const copies = perReplica.has(output) ? replicas : 1;
    return Array.from({ length: copies }, () => zeros('float32', valueOf(graph, output).type.shape));
  });
}

function runNode(node: Node, inputs: readonly FloatTensor[], outputs: readonly FloatTensor[]): void {
  // Node is a union over ops, so the compiler cannot pair kernel and attributes; the table's types already do.
  const kernel = ops[node.op].float as FloatKernel<Node['attrs']> | null;
  if (kernel === null) return internal(`${node.op} "${node.name}" has no float form`);
  kernel(inputs, node.attrs, outputs);
}

function cutInPieces(data: Float32Array, pieces: number): readonly Float32Array[] {
  const length = data.length / pieces;
  return Array.from({ length: pieces }, (_, index) => data.slice(index * length, (index + 1) * length));
}

function concatenate(pieces: readonly FloatTensor[]): Float32Array {
  const length = pieces.reduce((total, piece) => total + piece.data.length, 0);
  const result = new Float32Array(length);
  let at = 0;
  for (const { data } of pieces) {
    result.set(data, at);
    at += data.length;
  }
  return result;
}
