import { extname } from 'node:path';
import { UserError, userError } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import { readBytes } from '../formats/bytes.ts';
import type { FormatKind } from '../formats/detect.ts';
import { detectFormat } from '../formats/detect.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { numElements } from '../core/tensor.ts';
import type { ModelMetadata } from '../models/metadata.ts';
import { decodeMetadata, metadataName } from '../models/metadata.ts';
import { readGraphDef } from '../formats/protobuf/graph-def.ts';
import { builtinName } from '../tflite/builtin-names.ts';
import type { TfliteFile, TfliteTensor } from '../tflite/file.ts';
import { opOfBuiltinCode } from '../tflite/option-fields.ts';
import type { Graph } from '../graph/graph.ts';
import { checkTarget } from '../targets/check.ts';
import type { TargetRow } from '../targets/define.ts';
import { findingText } from '../targets/file.ts';
import { targetNames, targets } from '../targets/index.ts';
import type { Memory } from '../targets/memory.ts';
import { memoryOf } from '../targets/memory.ts';
import { readTflite, readTfliteContents } from '../tflite/read.ts';
import { formatRemedies } from './file-format.ts';

/** What a model or checkpoint file holds. */
export type Inspection = TfliteInspection | GraphDefInspection | SafetensorsInspection;

export interface InspectedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The shape with -1 for axes that the model leaves open; null where it says nothing of them. */
  readonly shapeSignature: readonly number[] | null;
  /** How the values are kept where it is not a dense buffer. */
  readonly storage: string;
  /** One scale, or one per channel; empty for an unquantized tensor. */
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number | null;
  /** Of its constant data; 0 for a value that is computed. */
  readonly bytes: number;
}

export interface TfliteInspection {
  readonly kind: 'tflite';
  readonly file: string;
  readonly bytes: number;
  readonly description: string;
  readonly inputs: readonly InspectedTensor[];
  readonly outputs: readonly InspectedTensor[];
  readonly operators: readonly {
    readonly op: string;
    readonly version: number;
    /** Whether our interpreter has it. */
    readonly known: boolean;
    readonly options: JsonObject;
    readonly output: InspectedTensor | null;
  }[];
  readonly tensors: readonly InspectedTensor[];
  readonly metadata: readonly string[];
  /** What a file of ours says of its input and outputs; null in files by others. */
  readonly about: ModelMetadata | null;
  readonly signatures: readonly string[];
  /** What it takes on a device; null where it is no integer model that our interpreter reads. */
  readonly memory: Memory | null;
  /** What each target says of the file, by its name; empty without such a model. */
  readonly targets: readonly InspectedTarget[];
}

export interface InspectedTarget {
  readonly name: string;
  readonly title: string;
  /** Sentences on the ops that it does not take. */
  readonly refuses: readonly string[];
  /** Sentences on the ops that run on the processor beside it. */
  readonly leaves: readonly string[];
}

export interface GraphDefInspection {
  readonly kind: 'graph_def';
  readonly file: string;
  readonly bytes: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** How often each TensorFlow op occurs. */
  readonly ops: Readonly<Record<string, number>>;
  readonly nodes: readonly { readonly name: string; readonly op: string; readonly inputs: readonly string[] }[];
}

export interface SafetensorsInspection {
  readonly kind: 'safetensors';
  readonly file: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  readonly elements: number;
}

/** @throws UserError when the file is damaged or of another kind */
export function inspect(file: string): Inspection {
  const bytes = readBytes(file, 'give the path of a .tflite, .pb or .safetensors file');
  const { kind, name } = detectFormat(bytes);
  // What has lost its first bytes goes to the reader of its name, which says where it is damaged.
  const reader = readers[kind] ?? (kind === 'unknown' ? readers[kindsByName[extname(file)] ?? kind] : undefined);
  if (reader !== undefined) return reader(file, bytes);
  throw userError(
    file,
    'unknown-format',
    `the file is ${name}; inspect shows .tflite, GraphDef .pb and .safetensors`,
    formatRemedies[kind] ?? 'give the path of a model or checkpoint',
  );
}

const readers: { readonly [K in FormatKind]?: (file: string, bytes: Uint8Array) => Inspection } = {
  tflite: inspectTflite,
  graph_def: inspectGraphDef,
  safetensors: inspectSafetensors,
};

const kindsByName: { readonly [extension: string]: FormatKind | undefined } = {
  '.tflite': 'tflite',
  '.pb': 'graph_def',
  '.safetensors': 'safetensors',
};

function inspectTflite(file: string, bytes: Uint8Array): TfliteInspection {
  const contents = readTfliteContents(bytes, file);
  const tensors = contents.subgraphs.flatMap((subgraph) =>
    subgraph.tensors.map((entry) => inspectTensor(contents, entry)),
  );
  const [main] = contents.subgraphs;
  const at = (index: number): InspectedTensor[] => tensors.slice(index, index + 1);
  return {
    kind: 'tflite',
    file,
    bytes: bytes.length,
    description: contents.description,
    inputs: (main?.inputs ?? []).flatMap(at),
    outputs: (main?.outputs ?? []).flatMap(at),
    operators: (main?.operators ?? []).map(({ opcodeIndex, options, outputs }) => ({
      ...inspectOp(contents, opcodeIndex),
      options, // numbers, booleans and lists of numbers
      output: outputs.flatMap(at)[0] ?? null,
    })),
    tensors,
    metadata: contents.metadata.map(({ name }) => name),
    about: aboutOf(contents),
    signatures: contents.signatures.map(({ key }) => key),
    ...onTargets(file, bytes),
  };
}

/** What an operator with this code is called, and whether we know it. */
export function inspectOp({ operatorCodes }: TfliteFile, opcodeIndex: number) {
  const code = operatorCodes[opcodeIndex];
  const builtin = code?.builtinCode ?? -1;
  return {
    op: code?.customCode ?? builtinName(builtin),
    version: code?.version ?? 0,
    known: opOfBuiltinCode(builtin) !== null,
  };
}

/** Of a file that our interpreter reads: its ops are those that targets know. */
function onTargets(file: string, bytes: Uint8Array): Pick<TfliteInspection, 'memory' | 'targets'> {
  try {
    const graph = readTflite(bytes, file);
    return { memory: memoryOf(graph), targets: targetNames.map((name) => inspectTarget(targets[name], graph)) };
  } catch (error) {
    if (error instanceof UserError) return { memory: null, targets: [] };
    throw error;
  }
}

function inspectTarget(row: TargetRow, graph: Graph): InspectedTarget {
  const findings = checkTarget(row, graph, true);
  const texts = (isLeft: boolean): readonly string[] =>
    findings.filter(({ instead }) => (instead !== null) === isLeft).map((finding) => findingText(row, finding));
  return { name: row.name, title: row.title, refuses: texts(false), leaves: texts(true) };
}

function aboutOf({ metadata, buffers }: TfliteFile): ModelMetadata | null {
  const bytes = buffers[metadata.find(({ name }) => name === metadataName)?.buffer ?? -1];
  return bytes === undefined ? null : decodeMetadata(bytes);
}

export function inspectTensor({ buffers }: TfliteFile, entry: TfliteTensor): InspectedTensor {
  const scales = [...(entry.quantization?.scale ?? [])];
  return {
    name: entry.name,
    dtype: entry.type.toLowerCase(),
    shape: entry.shape,
    shapeSignature: entry.shapeSignature,
    storage: entry.foreign ?? 'dense',
    scales,
    zeroPoints: scales.length === 0 ? [] : [...(entry.quantization?.zeroPoint ?? [])],
    axis: scales.length > 1 ? (entry.quantization?.quantizedDimension ?? null) : null,
    bytes: buffers[entry.buffer]?.length ?? 0,
  };
}

function inspectGraphDef(file: string, bytes: Uint8Array): GraphDefInspection {
  const { nodes } = readGraphDef(bytes, file);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map((input) => input.replace(/^\^|:\d+$/g, ''))));
  const ops: Record<string, number> = {};
  for (const { op } of nodes) ops[op] = (ops[op] ?? 0) + 1;
  return {
    kind: 'graph_def',
    file,
    bytes: bytes.length,
    inputs: nodes.filter(({ op }) => op === 'Placeholder').map(({ name }) => name),
    outputs: nodes.filter(({ name }) => !read.has(name)).map(({ name }) => name),
    ops: Object.fromEntries(Object.entries(ops).sort(([, a], [, b]) => b - a)),
    nodes: nodes.map(({ name, op, inputs }) => ({ name, op, inputs })),
  };
}

function inspectSafetensors(file: string, bytes: Uint8Array): SafetensorsInspection {
  const { tensors, metadata } = readSafetensors(bytes, file);
  const listed = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  return {
    kind: 'safetensors',
    file,
    bytes: bytes.length,
    metadata: Object.fromEntries(metadata),
    tensors: listed,
    elements: listed.reduce((sum, { shape }) => sum + numElements(shape), 0),
  };
}
