/** One integer model by the runtimes of devices: TensorFlow Lite Micro, native XNNPACK, LiteRT's reference kernels. */
import { openRuntime } from '../../src/cli/predict-runtimes.ts';
import { present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { tensor } from '../../src/core/tensor.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { Arithmetic } from '../../src/interpreter/arithmetic.ts';
import { litertReference, microcontroller } from '../../src/interpreter/arithmetic.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { IntegerData } from '../../src/ops/define.ts';
import type { OpName } from '../../src/ops/index.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTflite, readTfliteContents } from '../../src/tflite/read.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import { randomRuns } from './integer-cases.ts';
import type { Runs } from './integer-runs.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectList, expectTensor } from './oracle.ts';
import { seed } from './seed.ts';

/** What a runtime gives, or what it says when it refuses the model. */
export type Answer = Runs | string;

/**
 * The same model with the result of every operator as an output. So layers are compared by any runtime's own interface,
 * and what a runtime fuses or reuses inside is bound to give what it shows.
 */
export function exposeLayers(model: Uint8Array): Uint8Array {
  const file = readTfliteContents(model, 'model.tflite');
  const subgraphs = file.subgraphs.map((subgraph) => ({
    ...subgraph,
    outputs: subgraph.operators.flatMap(({ outputs }) => outputs),
  }));
  return writeTfliteFile({ ...file, subgraphs, signatures: [] }, optionFields);
}

export function runOurs(model: Uint8Array, runs: Runs, arithmetic: Arithmetic): Runs {
  const interpreter = prepareInterpreter(readTflite(model, 'model.tflite'), 'model.tflite', arithmetic);
  return runs.map((inputs) => interpreter.run(inputs.map(({ data }) => data as IntegerData)));
}

/** By `@litertjs/core`, as `qpipe predict --runtime litert` does: codes in, codes out. */
export async function runLitertJs(model: Uint8Array, runs: Runs): Promise<Answer> {
  try {
    const runtime = await openRuntime(model, 'model.tflite', 'litert', () => undefined);
    try {
      const answers: Tensor[][] = [];
      for (const inputs of runs) {
        const outputs = await runtime.run(
          inputs.map(({ data }) => data as IntegerData),
          1,
        );
        answers.push(outputs.map((data, at) => tensorOf(present(runtime.outputs[at], 'an output').type.shape, data)));
      }
      return answers;
    } finally {
      await runtime.close();
    }
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics.map(({ message }) => message).join('; ');
    throw error;
  }
}

function tensorOf(shape: readonly number[], data: IntegerData): Tensor {
  if (data instanceof Int8Array) return tensor('int8', shape, data);
  if (data instanceof Uint8Array) return tensor('uint8', shape, data);
  return data instanceof Int32Array ? tensor('int32', shape, data) : tensor('float32', shape, data);
}

export async function runTflm(oracle: Oracle, model: Uint8Array, runs: Runs): Promise<Answer> {
  return answerOf(await oracle.evaluate('devices.run_tflm(model, runs)', { model, runs }));
}

/** AUTO is XNNPACK where it takes an op; BUILTIN_REF are the reference kernels. */
export async function runLitert(
  oracle: Oracle,
  model: Uint8Array,
  runs: Runs,
  kernels: 'AUTO' | 'BUILTIN_REF',
): Promise<Answer> {
  return answerOf(await oracle.evaluate('devices.run_litert(model, runs, kernels)', { model, runs, kernels }));
}

function answerOf(value: OracleValue): Answer {
  return typeof value === 'string' ? value : expectList(value).map((list) => expectList(list).map(expectTensor));
}

/** XNNPACK takes no convolution of whose channels one needs a factor of 256 or more, and the browser then refuses it. */
const beyondXnnpack = 'failed to delegate';

/** What was compared, by op. */
export class Tally {
  models = 0;
  values = 0;
  differing = 0;
  readonly ops = new Map<string, number>();
  readonly refusals: string[] = [];

  /** @returns a line for each output that differs; a refusal is a line too */
  add(graph: Graph, ours: Answer, theirs: Answer): readonly string[] {
    if (typeof ours === 'string') return this.refuse(ours);
    if (typeof theirs === 'string') return this.refuse(theirs);
    this.models++;
    const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    return theirs.flatMap((outputs, run) =>
      outputs.flatMap((output, index) => {
        const maker = makers.get(graph.outputs[index] ?? '');
        const data = ours[run]?.[index]?.data ?? new Int8Array();
        const expected = Array.from(output.data, Number);
        const wrong = expected.flatMap((value, at) => (Number(data[at]) === value ? [] : [at]));
        this.values += expected.length;
        this.differing += wrong.length;
        const op = maker?.op ?? 'input';
        this.ops.set(op, (this.ops.get(op) ?? 0) + expected.length);
        const [first] = wrong;
        if (first === undefined && data.length === expected.length) return [];
        const both = `${String(data[first ?? 0])} and ${String(expected[first ?? 0])}`;
        return [
          `run ${run}, ${op} "${maker?.name ?? ''}": ${wrong.length} of ${expected.length} differ, first ${both}`,
        ];
      }),
    );
  }

  private refuse(words: string): readonly string[] {
    this.refusals.push(words);
    return words.includes(beyondXnnpack) ? [] : [`refused: ${words}`];
  }

  text(): string {
    const ops = [...this.ops].sort(([a], [b]) => a.localeCompare(b)).map(([op, values]) => `${op} ${values}`);
    return `${this.models} models, ${this.values} values, ${this.differing} differ (${ops.join(', ')})`;
  }
}

/**
 * What TensorFlow Lite Micro refuses or computes otherwise than TensorFlow Lite, by its sources (tflite-micro
 * tensorflow/lite/micro/kernels, wheel of 2026-10-23); null for all else.
 */
export function unlikeTflm(graph: Graph, node: Node): string | null {
  const input = valueOf(graph, node.inputs[0] ?? '');
  const output = valueOf(graph, node.outputs[0] ?? '');
  if (!takesUint8.includes(node.op) && input.type.dtype === 'uint8') return 'knows no uint8';
  switch (node.op) {
    case 'quantize':
      return output.type.dtype === 'uint8' && input.type.dtype !== 'int8' ? 'makes uint8 of int8 alone' : null;
    case 'relu6':
      return sameParameters(input.quant, output.quant)
        ? null
        : 'clamps codes of the input and writes them as codes of the output (activations_common.cc, Relu6Prepare)';
    case 'space_to_batch_nd':
      return node.attrs.frame.flat().some((count) => count > 0)
        ? 'pads with memory that nobody wrote (space_to_batch_nd_common.cc never sets output_offset)'
        : null;
    case 'softmax':
      return (input.type.shape.at(-1) ?? 0) >= 512 ? 'shifts an int32 by 32 bits, and ends' : null;
    case 'reduce_prod':
    case 'tile':
      return 'is not registered (python_ops_resolver.cc)';
    default:
      return null;
  }
}

/** At the edges of a model there may be uint8, and these move bytes or read none. */
const takesUint8: readonly OpName[] = ['quantize', 'dequantize', 'shape', 'reshape', 'squeeze', 'broadcast_to'];

const sameParameters = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The same of LiteRT's reference kernels, wheel ai-edge-litert 2.3.0. */
export function unlikeLitertReference(graph: Graph, node: Node): string | null {
  const input = valueOf(graph, node.inputs[0] ?? '');
  switch (node.op) {
    case 'sum':
      return input.type.dtype === 'int8' ? 'clamps int8 sums to 0 .. 255 and stores their low byte' : null;
    case 'softmax':
      return (input.type.shape.at(-1) ?? 0) >= 512 ? 'shifts an int32 by 32 bits, and ends' : null;
    case 'conv_2d':
      return node.inputs.length === 2 ? 'requires a bias' : null;
    case 'depth_to_space':
    case 'tile':
      return input.type.dtype === 'int8' ? 'is not registered in the version of int8' : null;
    default:
      return null;
  }
}

/** Where the browser's LiteRT and the native one need not agree: both leave these to kernels that are not XNNPACK's. */
export function outsideXnnpack(graph: Graph, node: Node): string | null {
  const input = valueOf(graph, node.inputs[0] ?? '');
  const output = valueOf(graph, node.outputs[0] ?? '');
  switch (node.op) {
    case 'reduce_prod':
      return 'is computed by optimized kernels, in float where the processor has none of theirs';
    case 'quantize':
      return input.type.dtype !== output.type.dtype && input.type.dtype !== 'float32'
        ? 'rounds once in the vector kernel of x86 and twice without'
        : null;
    case 'shape':
      return 'is known before the model runs, and the browser refuses such an output';
    case 'conv_2d':
    case 'depthwise_conv_2d':
      return node.inputs.length === 2 ? 'without a bias is refused, or ends the process' : null;
    default:
      return null;
  }
}

/** Two runtimes that give the same integers, and the nodes in which they need not. */
export interface Pair {
  readonly title: string;
  readonly run: (oracle: Oracle, model: Uint8Array, runs: Runs) => Promise<readonly [Answer, Answer]>;
  readonly unlike: (graph: Graph, node: Node) => string | null;
}

export const pairs: readonly Pair[] = [
  {
    title: 'microcontroller: our interpreter and TensorFlow Lite Micro',
    run: async (oracle, model, runs) => [runOurs(model, runs, microcontroller), await runTflm(oracle, model, runs)],
    unlike: unlikeTflm,
  },
  {
    title: 'phone, browser: @litertjs/core and native XNNPACK',
    run: async (oracle, model, runs) => [await runLitertJs(model, runs), await runLitert(oracle, model, runs, 'AUTO')],
    unlike: outsideXnnpack,
  },
  {
    title: "our interpreter, rounding once, and LiteRT's reference kernels",
    run: async (oracle, model, runs) => [
      runOurs(model, runs, litertReference),
      await runLitert(oracle, model, runs, 'BUILTIN_REF'),
    ],
    unlike: unlikeLitertReference,
  },
];

/**
 * All layers of a model in which both runtimes compute the same ops; of another, nothing.
 *
 * @param left gets the reasons for which models are left out
 * @returns a line for each output that differs
 */
export async function compareLayers(
  pair: Pair,
  oracle: Oracle,
  tally: Tally,
  left: Set<string>,
  model: Uint8Array,
  name: string,
  runCount: number,
): Promise<readonly string[]> {
  const exposed = exposeLayers(model);
  const graph = readTflite(exposed, name);
  const reasons = graph.nodes.flatMap((node) => {
    const reason = pair.unlike(graph, node);
    return reason === null ? [] : [`${node.op} ${reason}`];
  });
  for (const reason of reasons) left.add(reason);
  if (reasons.length > 0) return [];
  const runs = randomRuns(graph, createRandom(seed, 'device codes', name)).slice(0, runCount);
  const [mine, theirs] = await pair.run(oracle, exposed, runs);
  return tally.add(graph, mine, theirs).map((text) => `${name}: ${text}`);
}

/** What was compared, for the one who runs the tests. */
export function reportTally({ title }: Pair, what: string, tally: Tally, left: Set<string>): void {
  console.info(`${title}, ${what}: ${tally.text()}${left.size === 0 ? '' : `; left out: ${[...left].join('; ')}`}`);
  left.clear();
}
