import { internal } from '../core/assert.ts';
import type { QuantParams } from '../core/affine.ts';
import type { DType, Tensor, TensorType } from '../core/tensor.ts';
import { bytesOf } from '../core/tensor.ts';
import type { OptionValues } from '../formats/flatbuffer/options.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { OpVersion, TfliteBinding } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type {
  TfliteFile,
  TfliteOperator,
  TfliteOperatorCode,
  TfliteQuantization,
  TfliteTensor,
  TfliteTensorMap,
} from './file.ts';
import { encodeMinRuntimeVersion, writeTfliteFile } from './write-file.ts';
import { optionFields } from './option-fields.ts';
import type { TensorTypeName } from './schema.ts';

const typeNames: { readonly [D in DType]: TensorTypeName } = {
  float32: 'FLOAT32',
  int32: 'INT32',
  int64: 'INT64',
  int8: 'INT8',
  uint8: 'UINT8',
};

/** What every file needs, whatever its operators are. */
const oldestRuntime = '1.5.0';

/**
 * The bytes of a .tflite file for an integer graph: one subgraph, one signature, the smallest operator versions, and
 * the oldest runtime that has them all as `min_runtime_version`.
 *
 * @param graph level int8
 * @param metadata further entries of the table of metadata, by name
 * @param outputNames of the outputs in the signature; default: `output`, or `output_0` and so on for several
 */
export function writeTflite(
  graph: Graph,
  metadata: ReadonlyMap<string, Uint8Array> = new Map(),
  outputNames: readonly string[] = [],
): Uint8Array {
  const file = toTfliteFile(graph, outputNames);
  const first = file.buffers.length;
  return writeTfliteFile(
    {
      ...file,
      buffers: [...file.buffers, ...metadata.values()],
      metadata: [...file.metadata, ...Array.from(metadata.keys(), (name, at) => ({ name, buffer: first + at }))],
    },
    optionFields,
  );
}

function toTfliteFile(graph: Graph, outputNames: readonly string[]): TfliteFile {
  const tensors = new TensorTable(graph);
  const operatorCodes: TfliteOperatorCode[] = [];
  const inputs = graph.inputs.map((name) => tensors.indexOf(name));
  const encoded = graph.nodes.map((node) => encodeNode(graph, node));
  const operators = encoded.map((each) => operatorOf(each, tensors, operatorCodes));
  const outputs = graph.outputs.map((name) => tensors.indexOf(name));
  const runtime = encoded.map(({ version }) => version.minimumRuntime).reduce(laterVersion, oldestRuntime);
  return {
    version: 3,
    description: 'made by qpipe',
    operatorCodes,
    subgraphs: [{ name: 'main', tensors: tensors.tensors, inputs, outputs, operators }],
    buffers: [...tensors.buffers, encodeMinRuntimeVersion(runtime)],
    metadata: [{ name: 'min_runtime_version', buffer: tensors.buffers.length }],
    signatures: [
      {
        key: 'serving_default',
        subgraph: 0,
        inputs: named(inputs, 'input'),
        outputs: named(outputs, 'output', outputNames),
      },
    ],
  };
}

/** Tensors in the order in which they are first asked for, and the bytes of those that are constant. */
class TensorTable {
  readonly buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly tensors: TfliteTensor[] = [];
  private readonly indices = new Map<string, number>();
  private readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** Of a value of the graph. */
  indexOf(name: string): number {
    const known = this.indices.get(name);
    if (known !== undefined) return known;
    const { type, source, quant } = valueOf(this.graph, name);
    const index = this.add(name, type, source.kind === 'constant' ? source.data : null, quant);
    this.indices.set(name, index);
    return index;
  }

  add(name: string, type: TensorType, constant: Tensor | null, quant: QuantParams | null): number {
    if (constant !== null) this.buffers.push(bytesOf(constant.data));
    this.tensors.push({
      name,
      shape: type.shape,
      shapeSignature: null,
      type: typeNames[type.dtype],
      buffer: constant === null ? 0 : this.buffers.length - 1,
      isVariable: false,
      quantization: quant === null ? null : quantizationOf(quant),
    });
    return this.tensors.length - 1;
  }
}

/** Adds what the operator reads and writes, and its code, to the tables. */
function operatorOf(
  { node, binding, encoded, version }: EncodedNode,
  tensors: TensorTable,
  operatorCodes: TfliteOperatorCode[],
): TfliteOperator {
  const order = binding.operandOrder ?? node.inputs.map((_, index) => index);
  const operands = order.flatMap((index) => node.inputs[index] ?? []).map((name) => tensors.indexOf(name));
  for (const { position, name, tensor } of encoded.parameters) {
    operands.splice(position, 0, tensors.add(`${node.name}/${name}`, tensor, tensor, null));
  }
  return {
    opcodeIndex: opcodeIndex(operatorCodes, binding.builtinCode, version.version),
    inputs: operands,
    outputs: node.outputs.map((name) => tensors.indexOf(name)),
    optionsType: binding.optionsType,
    options: encoded.options,
  };
}

function opcodeIndex(codes: TfliteOperatorCode[], builtinCode: number, version: number): number {
  const known = codes.findIndex((code) => code.builtinCode === builtinCode && code.version === version);
  if (known >= 0) return known;
  codes.push({ builtinCode, customCode: null, version });
  return codes.length - 1;
}

/** Tensors by the names that a signature has for them: those given, else the role, numbered if there are several. */
function named(tensors: readonly number[], role: string, names: readonly string[] = []): readonly TfliteTensorMap[] {
  return tensors.map((tensor, index) => {
    const name = names[index] ?? (tensors.length === 1 ? role : `${role}_${index}`);
    return { name, tensor };
  });
}

interface EncodedNode {
  readonly node: Node;
  readonly binding: TfliteBinding<Node['attrs']>;
  readonly encoded: {
    readonly options: OptionValues;
    readonly parameters: readonly { position: number; name: string; tensor: Tensor<'int32'> }[];
  };
  readonly version: OpVersion;
}

function encodeNode(graph: Graph, node: Node): EncodedNode {
  // The op's own record made these attributes, so its own binding reads them.
  const binding = ops[node.op].tflite as TfliteBinding<Node['attrs']> | null;
  if (binding === null) return internal(`${node.op} "${node.name}" has no .tflite form`);
  const integerNode = {
    inputs: node.inputs.map((input) => valueOf(graph, input)),
    outputs: node.outputs.map((output) => valueOf(graph, output)),
    attrs: node.attrs,
  };
  return { node, binding, encoded: binding.encode(integerNode), version: binding.version(integerNode) };
}

function quantizationOf(quant: QuantParams): TfliteQuantization {
  const none = new Float32Array(0);
  if (quant.kind === 'per_tensor') {
    const scale = Float32Array.of(quant.scale);
    return { scale, zeroPoint: [quant.zeroPoint], quantizedDimension: 0, min: none, max: none };
  }
  const zeroPoint = Array.from(quant.scales, () => 0);
  return { scale: quant.scales, zeroPoint, quantizedDimension: quant.axis, min: none, max: none };
}

/** Compares by numeric components, as the runtime does. */
function laterVersion(a: string, b: string): string {
  const parts = (version: string): number[] => version.split('.').map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0 ? a : b;
  }
  return a;
}
