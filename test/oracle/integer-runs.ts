/** One model by our interpreter and by TensorFlow Lite. */
import { expect } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Random } from '../../src/core/random.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { numElements, tensor } from '../../src/core/tensor.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { IntegerData } from '../../src/ops/define.ts';
import type { TfliteTensor } from '../../src/tflite/file.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTflite, readTfliteContents } from '../../src/tflite/read.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import type { Oracle } from './oracle.ts';
import { expectList, expectTensor } from './oracle.ts';

/** Names of tf.lite.experimental.OpResolverType: the plain loops, and the optimized ones without XNNPACK. */
export type Kernels = 'BUILTIN_REF' | 'BUILTIN_WITHOUT_DEFAULT_DELEGATES';

export interface Judge {
  readonly kernels: Kernels;
  /** How far from its outputs ours may lie. */
  readonly steps: number;
}

export const referenceKernels: Judge = { kernels: 'BUILTIN_REF', steps: 0 };

const optimizedKernels = 'BUILTIN_WITHOUT_DEFAULT_DELEGATES';

/** Whom to compare with: the reference kernels, or another where those of 2.15.1 are wrong; null for nobody. */
export function judgeOf(graph: Graph): Judge | null {
  const judges = graph.nodes.map((node) => judgeOfNode(graph, node));
  return judges.find((judge) => judge !== referenceKernels) ?? (judges.includes(null) ? null : referenceKernels);
}

function judgeOfNode(graph: Graph, node: Node): Judge | null {
  const [input, filter] = node.inputs.map((name) => valueOf(graph, name));
  switch (node.op) {
    case 'conv_2d':
    case 'depthwise_conv_2d':
      // They refuse a convolution without a bias; lowering always writes one.
      return node.inputs.length === 2 ? null : referenceKernels;
    case 'sum':
      // They clamp int8 sums to 0 .. 255. The optimized kernel clamps rightly, but rounds in float, and divides by a
      // scale that is not there.
      return input?.type.dtype === 'int8' && valueOf(graph, node.outputs[0] ?? '').quant !== null
        ? { kernels: optimizedKernels, steps: 1 }
        : referenceKernels;
    case 'fully_connected':
      // With scales per channel they take the output's first two dimensions for all, and leave the rest unwritten. The
      // optimized kernel rounds once where they round twice.
      return node.attrs.keepNumDims && filter?.quant?.kind === 'per_channel'
        ? { kernels: optimizedKernels, steps: 1 }
        : referenceKernels;
    case 'softmax':
      // Where this many classes are equal they shift an int32 by 32 bits, which C++ leaves undefined.
      return (input?.type.shape.at(-1) ?? 0) >= 512 ? null : referenceKernels;
    case 'broadcast_to':
    case 'depth_to_space':
    case 'tile':
      // They take no int8 of their version; the optimized kernels only move values too.
      return input?.type.dtype === 'int8' ? { kernels: optimizedKernels, steps: 0 } : referenceKernels;
    default:
      return referenceKernels;
  }
}

/** Tensors by run, then by input or output. */
export type Runs = readonly (readonly Tensor[])[];

export function runOurs(model: Uint8Array, runs: Runs): Runs {
  const interpreter = prepareInterpreter(readTflite(model, 'model.tflite'), 'model.tflite');
  // Int64 inputs do not occur: every model here takes what its quantizers take.
  return runs.map((inputs) => interpreter.run(inputs.map(({ data }) => data as IntegerData)));
}

/** The outputs by TensorFlow Lite; null when it finds parameters in the model that it does not take. */
export async function runTflite(
  oracle: Oracle,
  model: Uint8Array,
  runs: Runs,
  { kernels }: Judge,
): Promise<Runs | null> {
  const outputs = await oracle.evaluate('run_tflite(model, runs, kernels)', { model, runs, kernels });
  return outputs === null ? null : expectList(outputs).map((list) => expectList(list).map(expectTensor));
}

export interface RunComparison {
  /** Everything in which our outputs are not the judge's. */
  readonly failures: readonly string[];
  /** Outputs of all runs: bytes, but for float32 edges. */
  readonly values: number;
}

export async function compareRuns(oracle: Oracle, model: Uint8Array, runs: Runs, judge: Judge): Promise<RunComparison> {
  const expected = await runTflite(oracle, model, runs, judge);
  if (expected !== null) {
    return { failures: differences(runOurs(model, runs), expected, judge.steps), values: countValues(expected) };
  }
  try {
    runOurs(model, runs);
    return { failures: ['TensorFlow Lite refuses it, and we do not'], values: 0 };
  } catch (error) {
    if (error instanceof UserError) return { failures: [], values: 0 };
    throw error;
  }
}

/** One line for each output that is further away than `steps` anywhere. */
export function differences(ours: Runs, reference: Runs, steps: number): readonly string[] {
  return reference.flatMap((outputs, run) =>
    outputs.flatMap((output, index) => {
      const data = ours[run]?.[index]?.data ?? new Int8Array();
      const expected = Array.from(output.data, Number);
      const wrong = expected.flatMap((value, at) => (Math.abs(Number(data[at]) - value) <= steps ? [] : [at]));
      const [first] = wrong;
      if (data.length === output.data.length && first === undefined) return [];
      return [
        `run ${run} output ${index}: ${wrong.length} of ${expected.length} differ; ` +
          `element ${first ?? 0} is ${String(data[first ?? 0])}, TensorFlow Lite gives ${expected[first ?? 0] ?? 'nothing'}`,
      ];
    }),
  );
}

export function countValues(runs: Runs): number {
  return runs.flat().reduce((total, { data }) => total + data.length, 0);
}

/** Old converters gave a bias the axis of its filter, which newer runtimes refuse. */
export function withLegalAxes(model: Uint8Array, name: string): Uint8Array {
  const file = readTfliteContents(model, name);
  const isLegal = ({ shape, quantization }: TfliteTensor): boolean =>
    quantization === null || quantization.quantizedDimension < Math.max(shape.length, 1);
  if (file.subgraphs.every(({ tensors }) => tensors.every(isLegal))) return model;
  const mended = (tensor: TfliteTensor): TfliteTensor =>
    tensor.quantization === null || isLegal(tensor)
      ? tensor
      : { ...tensor, quantization: { ...tensor.quantization, quantizedDimension: 0 } };
  const subgraphs = file.subgraphs.map((subgraph) => ({ ...subgraph, tensors: subgraph.tensors.map(mended) }));
  return writeTfliteFile({ ...file, subgraphs }, optionFields);
}

/** What is wrong with a file of ours, of one int8 input, on random codes; the values of all outputs are counted. */
export async function compareOnRandomCodes(
  oracle: Oracle,
  model: Uint8Array,
  count: number,
  random: Random,
): Promise<RunComparison> {
  const graph = readTflite(model, 'model.tflite');
  const { shape } = valueOf(graph, graph.inputs[0] ?? '').type;
  const codes = () => Int8Array.from({ length: numElements(shape) }, () => random.below(256) - 128);
  const judge = judgeOf(graph);
  expect(judge?.steps).toBe(0);
  return compareRuns(
    oracle,
    model,
    Array.from({ length: count }, () => [tensor('int8', shape, codes())]),
    judge ?? referenceKernels,
  );
}
