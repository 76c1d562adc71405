import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { beginGraft, copyTable, finishGraft, oldOffset } from '../formats/flatbuffer/graft.ts';
import type { FieldKind, Graft } from '../formats/flatbuffer/graft.ts';
import {
  FlatbufferError,
  positionOf,
  readBytes,
  readRoot,
  readTable,
  readTables,
  readTarget,
  readUint64,
} from '../formats/flatbuffer/read.ts';
import type { FlatbufferTable } from '../formats/flatbuffer/read.ts';
import { writeBytes, writeInt32s, writeOffsets, writeTable } from '../formats/flatbuffer/write.ts';
import type { Offset } from '../formats/flatbuffer/write.ts';
import type { TfliteFile, TfliteSubgraph, TfliteTensor } from './file.ts';
import { readTfliteFile } from './read-file.ts';
import { castOperator, dequantizeOperator, fields, fileIdentifier, quantizeOperator, tensorTypes } from './schema.ts';
import type { TensorTypeName } from './schema.ts';

/** How an input or output of a model is passed to a runtime whose interface takes only float32, int32 and uint8. */
export type Edge =
  /** As it is. */
  | 'direct'
  /** As float32, by QUANTIZE or DEQUANTIZE. */
  | 'quantize'
  /** As int32, by CAST. */
  | 'cast';

export function edgeOf({ type, quantization }: TfliteTensor): Edge {
  if (quantizedTypes.includes(type) && quantization?.scale.length === 1) return 'quantize';
  return directTypes.includes(type) ? 'direct' : 'cast';
}

const quantizedTypes: readonly TensorTypeName[] = ['INT8', 'UINT8', 'INT16'];
const directTypes: readonly TensorTypeName[] = ['FLOAT32', 'INT32', 'UINT8'];

/**
 * A model for runtimes whose interface takes no int8: QUANTIZE or CAST in front of every input of the first subgraph
 * that needs it, DEQUANTIZE or CAST behind every such output (`edgeOf`).
 *
 * The bytes of the model stay as they are behind the new tables, so operators keep all their options, known or not.
 * Signatures are left out: their tensors would be the old edges; the order of inputs and outputs says enough.
 *
 * Nothing is lost: `scale * (q - zeroPoint)` as input becomes `q` again, and an output becomes its q by
 * `round(real / scale) + zeroPoint`, since the error of one float32 product is far below half a step.
 *
 * @param path of the model, for errors
 * @throws UserError when the file is malformed, or holds what the newest schema does not have
 */
export function addFloatEdges(bytes: Uint8Array, path: string): Uint8Array {
  const file = readTfliteFile(bytes, path, () => []);
  try {
    return graftEdges(bytes, file);
  } catch (error) {
    if (error instanceof FlatbufferError) throw userError(path, 'unsupported-model', error.message, newerRemedy);
    throw error;
  }
}

const newerRemedy = 'the file was made by a newer converter; run it with `--runtime reference`';

// Kinds of all fields, after LiteRT's schema.fbs, version 3d.
const modelKinds: readonly FieldKind[] = ['int32', ...new Array<FieldKind>(9).fill('offset')];
const subgraphKinds: readonly FieldKind[] = [...new Array<FieldKind>(5).fill('offset'), 'int32'];
const tensorKinds: readonly FieldKind[] = [
  ...(['offset', 'int8', 'int32', 'offset', 'offset', 'int8'] as const),
  ...(['offset', 'offset', 'int8', 'offset', 'int32'] as const),
];
const quantizationKinds: readonly FieldKind[] = ['offset', 'offset', 'offset', 'offset', 'int8', 'offset', 'int32'];

const bufferAlignment = 16;
// The alignment that memory-mapped weights may rely on.
const alignment = 64;

function graftEdges(bytes: Uint8Array, file: TfliteFile): Uint8Array {
  const root = readRoot(bytes, fileIdentifier);
  const old = (table: FlatbufferTable, id: number): FlatbufferTable[] => readTables(table, id) ?? [];
  const [main, ...others] = old(root, fields.model.subgraphs);
  const description = file.subgraphs[0];
  if (main === undefined || description === undefined) return internal('a model without subgraphs passed the reader');
  const graft = beginGraft(bytes, alignment);
  const keep = (tables: readonly FlatbufferTable[]): Offset[] => tables.map(({ offset }) => oldOffset(graft, offset));
  const tensorTables = old(main, fields.subgraph.tensors);
  const edges = makeEdges(graft, file.operatorCodes.length, description, tensorTables);
  const { builder } = graft;
  const tensors = tensorTables.map((table, index) => strictTensor(graft, table, description.tensors[index]!));
  const operatorTables = old(main, fields.subgraph.operators);
  const subgraph = copyTable(
    graft,
    main,
    subgraphKinds,
    new Map([
      [fields.subgraph.tensors, writeOffsets(builder, [...tensors, ...edges.twins])],
      [fields.subgraph.inputs, writeInt32s(builder, edges.inputs)],
      [fields.subgraph.outputs, writeInt32s(builder, edges.outputs)],
      [fields.subgraph.operators, writeOffsets(builder, [...edges.before, ...keep(operatorTables), ...edges.behind])],
    ]),
  );
  const codes = [
    ...keep(old(root, fields.model.operatorCodes)),
    ...edgeOperators.map((code) => writeCode(graft, code)),
  ];
  const model = copyTable(
    graft,
    root,
    modelKinds,
    new Map([
      [fields.model.operatorCodes, writeOffsets(builder, codes)],
      [fields.model.subgraphs, writeOffsets(builder, [subgraph, ...keep(others)])],
      [
        fields.model.buffers,
        writeOffsets(
          builder,
          old(root, fields.model.buffers).map((table) => aligned(graft, table)),
        ),
      ],
      [fields.model.signatures, null],
    ]),
  );
  return finishGraft(graft, model, fileIdentifier, filePositions(root));
}

/** A buffer as it is, or a copy if a runtime that reads it in place would find it misaligned. */
function aligned(graft: Graft, table: FlatbufferTable): Offset {
  const vector = readTarget(table, fields.buffer.data);
  const lengthBytes = 4;
  if (vector === null || (vector + lengthBytes) % bufferAlignment === 0) return oldOffset(graft, table.offset);
  const data = readBytes(table, fields.buffer.data) ?? internal('a vector was found');
  const { builder } = graft;
  return writeTable(builder, 3, [[fields.buffer.data, writeBytes(builder, data, bufferAlignment)]]);
}

/** Where data behind the flatbuffer is pointed at by its position in the file. */
function filePositions(root: FlatbufferTable): number[] {
  const at = (table: FlatbufferTable, id: number): number[] =>
    // By the schema an offset of 0 or 1 points nowhere.
    readUint64(table, id, 0) > 1 ? [positionOf(table, id, 8) ?? internal('a field was read')] : [];
  const subgraphs = readTables(root, fields.model.subgraphs) ?? [];
  const operators = subgraphs.flatMap((subgraph) => readTables(subgraph, fields.subgraph.operators) ?? []);
  return [
    ...(readTables(root, fields.model.buffers) ?? []).flatMap((table) => at(table, fields.buffer.offset)),
    ...operators.flatMap((table) => at(table, fields.operator.largeCustomOptionsOffset)),
  ];
}

/**
 * Fixes the shape, since LiteRT refuses an input of the fixed shape for a dynamic one, and moves the axis of a
 * per-channel bias, which old converters copied from the filter, back to the one axis that the bias has.
 */
function strictTensor(
  graft: Graft,
  table: FlatbufferTable,
  { shape, shapeSignature, quantization }: TfliteTensor,
): Offset {
  const axisExists = quantization === null || quantization.quantizedDimension < shape.length;
  if (shapeSignature === null && axisExists) return oldOffset(graft, table.offset);
  const changes = new Map<number, number | null>([[fields.tensor.shapeSignature, null]]);
  const old = readTable(table, fields.tensor.quantization);
  if (!axisExists && old !== null) {
    const first = new Map([[fields.quantization.quantizedDimension, 0]]);
    changes.set(fields.tensor.quantization, copyTable(graft, old, quantizationKinds, first));
  }
  return copyTable(graft, table, tensorKinds, changes);
}

/** The operators at the border and their tensors, which follow the model's own. */
interface Edges {
  readonly twins: readonly Offset[];
  readonly before: readonly Offset[];
  readonly behind: readonly Offset[];
  /** The tensors to use in place of the model's own, in their order. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

type Role = 'input' | 'output';

function makeEdges(
  graft: Graft,
  firstCode: number,
  { tensors, inputs, outputs }: TfliteSubgraph,
  tables: readonly FlatbufferTable[],
): Edges {
  const twins: Offset[] = [];
  const operators = { input: [] as Offset[], output: [] as Offset[] };
  const known = new Map<string, number>();
  const edge = (index: number, role: Role): number => {
    const tensor = tensors[index]!;
    const kind = edgeOf(tensor);
    const key = `${role} ${index}`;
    if (kind === 'direct' || known.has(key)) return known.get(key) ?? index;
    const twin = tensors.length + twins.length;
    known.set(key, twin);
    const shape = readTarget(tables[index]!, fields.tensor.shape);
    twins.push(writeTwin(graft, `${tensor.name}_${role}_edge`, kind === 'cast' ? 'INT32' : 'FLOAT32', shape));
    const code = kind === 'cast' ? castOperator : role === 'input' ? quantizeOperator : dequantizeOperator;
    const [from, to] = role === 'input' ? [twin, index] : [index, twin];
    operators[role].push(writeOperator(graft, code, firstCode, from, to));
    return twin;
  };
  const ports = {
    inputs: inputs.map((index) => edge(index, 'input')),
    outputs: outputs.map((index) => edge(index, 'output')),
  };
  return { twins, before: operators.input, behind: operators.output, ...ports };
}

/** @param shape where the shape of the model's own tensor is kept */
function writeTwin(graft: Graft, name: string, type: TensorTypeName, shape: number | null): Offset {
  const { builder } = graft;
  const offsets = [
    [fields.tensor.shape, shape === null ? null : oldOffset(graft, shape)],
    [fields.tensor.name, builder.createString(name)],
  ] as const;
  const typeNumber = tensorTypes.findIndex((entry) => entry.name === type);
  return writeTable(builder, tensorKinds.length, offsets, () => {
    builder.addFieldInt8(fields.tensor.type, typeNumber, 0);
    builder.addFieldInt8(fields.tensor.hasRank, 1, 0);
  });
}

function writeOperator({ builder }: Graft, code: EdgeOperator, firstCode: number, from: number, to: number): Offset {
  const offsets = [
    [fields.operator.inputs, writeInt32s(builder, [from])],
    [fields.operator.outputs, writeInt32s(builder, [to])],
    [fields.operator.options, writeTable(builder, 0, [])],
  ] as const;
  return writeTable(builder, fields.operator.options + 1, offsets, () => {
    builder.addFieldInt32(fields.operator.opcodeIndex, firstCode + edgeOperators.indexOf(code), 0);
    builder.addFieldInt8(fields.operator.optionsType, code.optionsType, 0);
  });
}

const edgeOperators = [quantizeOperator, dequantizeOperator, castOperator] as const;
type EdgeOperator = (typeof edgeOperators)[number];

function writeCode({ builder }: Graft, { builtinCode, version }: EdgeOperator): Offset {
  return writeTable(builder, 4, [], () => {
    builder.addFieldInt8(fields.operatorCode.deprecatedBuiltinCode, builtinCode, 0);
    builder.addFieldInt32(fields.operatorCode.version, version, 1);
    builder.addFieldInt32(fields.operatorCode.builtinCode, builtinCode, 0);
  });
}
