import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { elementBytes, numElements, zeros } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { IntegerData, IntegerKernelFactory } from '../ops/define.ts';
import { ShapeError } from '../ops/define.ts';
import { refusalOf } from '../ops/refusal.ts';
import { ops } from '../ops/index.ts';
import type { Arithmetic } from './arithmetic.ts';
import { microcontroller } from './arithmetic.ts';

// Far beyond any model of 8-bit images; a damaged shape may claim anything.
const largestMemoryBytes = 2 ** 30;

/** An integer model ready to run; the buffers of its values are its own. */
export interface Interpreter {
  readonly graph: Graph;
  /**
   * Runs once and returns copies of the outputs.
   *
   * @param inputs stored integers (float32 where the model begins with quantize), in the order of the graph's inputs
   */
  run(inputs: readonly IntegerData[]): readonly Tensor[];
  /** The stored integers of any value after the last run: a view, valid until the next. */
  peek(name: string): IntegerData;
}

/**
 * Prepares the plain reference loops of every op: bit for bit the kernels of TensorFlow Lite Micro, or of the runtime
 * whose arithmetic is given.
 *
 * @param graph level int8, as `readTflite` gives it
 * @param path of the model, for errors
 * @throws UserError when an op cannot run with these parameters, or the values take more than 1 GiB
 */
export function prepareInterpreter(graph: Graph, path: string, arithmetic: Arithmetic = microcontroller): Interpreter {
  requireMemory(graph, path);
  const buffers = new Map<string, Tensor>();
  for (const { name, type, source } of graph.values.values()) {
    buffers.set(name, source.kind === 'constant' ? source.data : zeros(type.dtype, type.shape));
  }
  const bufferOf = (name: string): Tensor => buffers.get(name) ?? internal(`"${name}" has no buffer`);
  const steps = graph.nodes.map((node) => {
    const kernel = prepareKernel(graph, node, path, arithmetic);
    const inputs = node.inputs.map((input) => integerData(bufferOf(input)));
    const outputs = node.outputs.map((output) => integerData(bufferOf(output)));
    return () => kernel(inputs, outputs);
  });
  return {
    graph,
    run(inputs) {
      for (const [index, name] of graph.inputs.entries()) {
        const given = inputs[index];
        const buffer = integerData(bufferOf(name));
        if (given?.length !== buffer.length) {
          internal(`input "${name}" takes ${buffer.length} values, got ${given?.length ?? 0}`);
        }
        buffer.set(given);
      }
      for (const step of steps) step();
      return graph.outputs.map((name) => {
        const output = bufferOf(name);
        return { ...output, data: output.data.slice() }; // slice keeps the type of the array
      });
    },
    peek: (name) => integerData(bufferOf(name)),
  };
}

function requireMemory(graph: Graph, path: string): void {
  let bytes = 0;
  let largest = { name: '', bytes: 0 };
  for (const { name, type, source } of graph.values.values()) {
    if (source.kind === 'constant') continue;
    const needed = numElements(type.shape) * elementBytes[type.dtype];
    bytes += needed;
    if (needed > largest.bytes) largest = { name, bytes: needed };
  }
  if (bytes <= largestMemoryBytes) return;
  throw userError(
    path,
    'model-too-large',
    `its activations take ${bytes} bytes; expected at most ${largestMemoryBytes}; ` +
      `"${largest.name}" takes the most`,
    'the file is damaged, or was made for a larger batch or image than qpipe runs',
  );
}

function prepareKernel(graph: Graph, node: Node, path: string, { rounding }: Arithmetic) {
  // The op's own record made these attributes, so its own kernel reads them.
  const factory = ops[node.op].int8 as IntegerKernelFactory<Node['attrs']> | null;
  if (factory === null) return internal(`${node.op} "${node.name}" has no integer kernel`);
  try {
    return factory({
      inputs: node.inputs.map((input) => valueOf(graph, input)),
      outputs: node.outputs.map((output) => valueOf(graph, output)),
      attrs: node.attrs,
      rounding: rounding[node.op] ?? 'twice',
    });
  } catch (error) {
    if (error instanceof ShapeError) throw refusalOf(path, error.at(`${node.op} "${node.name}"`));
    throw error;
  }
}

function integerData(value: Tensor): IntegerData {
  if (value.data instanceof BigInt64Array) return internal('int64 tensors have no kernels');
  return value.data;
}
