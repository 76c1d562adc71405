/** Reads, prepares and runs one damaged file, and judges how that ends. */
import { performance } from 'node:perf_hooks';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { bytesOf, numElements, zeros } from '../../src/core/tensor.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { detectFormat } from '../../src/formats/detect.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { createRandom } from '../../src/core/random.ts';
import { evalPasses, runPasses, trainedRanges } from '../../src/passes/index.ts';
import type { GraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { readGraphDef, writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { readSavedModel, writeSavedModel } from '../../src/formats/protobuf/saved-model.ts';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { readTflite, readTfliteContents } from '../../src/tflite/read.ts';
import { infer, network, scattered } from '../models/networks.ts';
import { everyLayer, frozen, lowered } from '../tflite/lowered.ts';
import { inferenceModel } from './inference-model.ts';
import { mutate } from './mutations.ts';
import { buildModel } from '../models/forms.ts';

export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Reads and runs the file; how far it came. */
  readonly use: (bytes: Uint8Array) => Promise<'ran' | 'too much work'>;
}

export interface Tally {
  /** How often files ended in which way: `refused`, `ran`, `too much work`. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Everything that must not be, with the index that makes the file again. */
  readonly faults: readonly string[];
  readonly slowestMilliseconds: number;
  /** How much the largest resident size is above the one before. */
  readonly grownBytes: number;
}

const slowMilliseconds = 5000;

/** What runs in some milliseconds; a damaged shape may ask for hours, and a runtime would give them. */
const mostWork = 1e6;

/** A message must say where: a byte, a numbered part, a name in quotes, or names in a list of outputs or functions. */
const saysWhere = /\bbyte \d+|\b(?:operator|node|tensor|buffer|subgraph) \d+|"[^]+"|(?:outputs|functions) \([^)]/;

export function tfliteSubject(name: string, bytes: Uint8Array): Subject {
  return { name, bytes, use: async (damaged) => Promise.resolve(useTflite(damaged, name)) };
}

/** Files of our own: the integer model, one of ops that only others' models have, the frozen graph, the eval graph. */
export function ownSubjects(): readonly Subject[] {
  const tensor = scattered(3);
  const layers = [...everyLayer, { kind: 'softmax', name: 'softmax' } as const];
  const evalGraph = runPasses(
    buildModel(network(layers), 1, 'inference', { kind: 'given', tensor }),
    evalPasses({ ranges: trainedRanges(tensor), input: { min: 0, max: 1 } }),
  );
  const graphSubject = (name: string, graph: Graph): Subject => {
    const { graphDef, variables } = exportGraphDef(graph);
    return {
      name,
      bytes: writeGraphDef(graphDef),
      use: async (damaged) => useGraphDef(readGraphDef(damaged, name), variables, name),
    };
  };
  return [
    tfliteSubject('model.tflite', lowered(layers).bytes),
    tfliteSubject('others.tflite', inferenceModel()),
    graphSubject('frozen.pb', frozen(layers)),
    graphSubject('eval_graph.pb', evalGraph),
    savedModelSubject('saved_model.pb', evalGraph),
  ];
}

function savedModelSubject(name: string, graph: Graph): Subject {
  const { graphDef, variables } = exportGraphDef(graph);
  const input = { name: 'input:0', type: 'float32', shape: [-1, 6, 6, 2] } as const;
  const output = { name: 'output:0', type: 'float32', shape: null } as const;
  const signature = {
    inputs: new Map([['input', input]]),
    outputs: new Map([['output', output]]),
    methodName: 'tensorflow/serving/predict',
  };
  return {
    name,
    bytes: writeSavedModel({ tags: ['serve'], graph: graphDef, signatures: new Map([['serving_default', signature]]) }),
    use: async (damaged) => useGraphDef(readSavedModel(damaged, name).graph, variables, name),
  };
}

/** Damaged copies `0 .. count - 1` of a file. */
export async function fuzz(subject: Subject, seed: number, count: number): Promise<Tally> {
  const outcomes = new Map<string, number>();
  const faults: string[] = [];
  const before = process.memoryUsage.rss();
  let slowestMilliseconds = 0;
  let most = before;
  for (let index = 0; index < count; index++) {
    const bytes = mutate(subject.bytes, createRandom(seed, subject.name, String(index)));
    const digest = bytes.slice();
    const start = performance.now();
    const outcome = await outcomeOf(subject, bytes);
    const took = performance.now() - start;
    const which = `seed ${seed}, ${subject.name}, file ${index}: `;
    if (outcome.kind === 'fault') faults.push(which + outcome.reason);
    if (took > slowMilliseconds) faults.push(`${which}it took ${Math.round(took)} ms`);
    if (Buffer.compare(digest, bytes) !== 0) faults.push(`${which}reading changed the file`);
    slowestMilliseconds = Math.max(slowestMilliseconds, took);
    most = Math.max(most, process.memoryUsage.rss());
    outcomes.set(outcome.kind, (outcomes.get(outcome.kind) ?? 0) + 1);
  }
  return { outcomes, faults, slowestMilliseconds, grownBytes: most - before };
}

type Outcome =
  { readonly kind: 'refused' | 'ran' | 'too much work' } | { readonly kind: 'fault'; readonly reason: string };

async function outcomeOf(subject: Subject, bytes: Uint8Array): Promise<Outcome> {
  try {
    return { kind: await subject.use(bytes) };
  } catch (error) {
    if (!(error instanceof UserError)) {
      return { kind: 'fault', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    const silent = error.diagnostics.find(({ message }) => !saysWhere.test(message));
    if (silent !== undefined) return { kind: 'fault', reason: `the message does not say where: ${silent.message}` };
    const placeless = error.diagnostics.some(({ place }) => place.file !== subject.name);
    if (placeless || error.diagnostics.length === 0) return { kind: 'fault', reason: 'the file is not named' };
    return { kind: 'refused' };
  }
}

function useTflite(bytes: Uint8Array, path: string): 'ran' | 'too much work' {
  detectFormat(bytes);
  // What can be rewritten for LiteRT is sound again.
  readTfliteContents(addFloatEdges(bytes, path), path);
  const graph = verify(readTflite(bytes, path));
  const interpreter = prepareInterpreter(graph, path);
  if (workOf(graph) > mostWork) return 'too much work';
  const inputs = graph.inputs.map((input) => zeros(valueOf(graph, input).type.dtype, valueOf(graph, input).type.shape));
  requireWhole(interpreter.run(inputs.map(({ data }) => (data instanceof BigInt64Array ? new Int32Array() : data))));
  return 'ran';
}

async function useGraphDef(
  graphDef: GraphDef,
  variables: ReadonlyMap<string, Tensor>,
  path: string,
): Promise<'ran' | 'too much work'> {
  const graph = verify(importGraphDef(graphDef, variables, path));
  if (workOf(graph) > mostWork || graph.inputs.length !== 1) return 'too much work';
  await infer(graph, new Float32Array(numElements(valueOf(graph, graph.inputs[0] ?? '').type.shape)).fill(0.5));
  return 'ran';
}

function requireWhole(outputs: readonly Tensor[]): void {
  for (const { dtype, shape, data } of outputs) {
    const whole = data.length === numElements(shape) && bytesOf(data).byteLength > 0 === data.length > 0;
    if (!whole) throw new Error(`an output of ${dtype}[${shape.join(',')}] has ${data.length} values`);
  }
}

/** At least the multiply-adds and the elements touched: for each output, one filter or window. */
export function workOf(graph: Graph): number {
  return graph.nodes.reduce((total, node) => total + workOfNode(graph, node), 0);
}

function workOfNode(graph: Graph, node: Node): number {
  const sizeOf = (name: string): number => numElements(valueOf(graph, name).type.shape);
  const outputs = node.outputs.reduce((total, output) => total + sizeOf(output), 0);
  const inputs = node.inputs.reduce((total, input) => total + sizeOf(input), 0);
  const filter = valueOf(graph, node.inputs[1] ?? node.outputs[0] ?? '').type.shape;
  const window = 'window' in node.attrs ? numElements(node.attrs.window) : 1;
  const isDepthwise = node.op === 'depthwise_conv_2d';
  const isAffine = isDepthwise || ['conv_2d', 'fully_connected', 'transpose_conv'].includes(node.op);
  const perOutput = isAffine ? numElements(isDepthwise ? filter.slice(1, 3) : filter.slice(1)) : window;
  return inputs + outputs * Math.max(1, perOutput);
}
