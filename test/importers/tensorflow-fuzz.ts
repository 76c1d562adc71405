/** Files of TensorFlow with most of what they hold, and how damaged copies of them are read. */
import type { Tensor } from '../../src/core/tensor.ts';
import { bytesOf, floatTensor, numElements, tensor } from '../../src/core/tensor.ts';
import { maskedCrc32c } from '../../src/formats/crc32c.ts';
import type { AttributeValue } from '../../src/formats/protobuf/attribute-value.ts';
import { textAttribute } from '../../src/formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../src/formats/protobuf/graph-def.ts';
import { writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { writeSavedModel } from '../../src/formats/protobuf/saved-model.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { importTflite } from '../../src/importers/tflite.ts';
import { readFrozenGraph } from '../../src/importers/tensorflow/frozen-graph.ts';
import { readSavedModelFiles } from '../../src/importers/tensorflow/saved-model.ts';
import type { OptionValues } from '../../src/formats/flatbuffer/options.ts';
import { ops } from '../../src/ops/index.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import type { Subject } from '../fault/fuzz.ts';
import { workOf } from '../fault/fuzz.ts';
import { runSteps } from '../models/networks.ts';

type Attributes = { readonly [name: string]: AttributeValue };

const float: Attributes = { T: { kind: 'type', value: 'float32' } };

const ints = (...values: number[]): AttributeValue => ({ kind: 'list', values: { of: 'int', values } });

export function node(op: string, name: string, inputs: readonly string[], attributes: Attributes = {}): NodeDef {
  return { op, name, inputs, device: '', attributes: new Map(Object.entries({ ...float, ...attributes })) };
}

export function constant(name: string, value: Tensor<'float32'> | Tensor<'int32'>): NodeDef {
  const content: AttributeValue = { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } };
  return node('Const', name, [], { dtype: { kind: 'type', value: value.dtype }, value: content });
}

const whole = (name: string, ...values: number[]): NodeDef =>
  constant(name, tensor('int32', [values.length], Int32Array.from(values)));

/** Values between -1 and 1 that differ. */
export const weights = (...shape: number[]): Tensor<'float32'> =>
  floatTensor(
    shape,
    Float32Array.from({ length: numElements(shape) }, (_, at) => Math.sin(at + 1)),
  );

export const placeholder = (name: string, ...shape: number[]): NodeDef =>
  node('Placeholder', name, [], { dtype: { kind: 'type', value: 'float32' }, shape: { kind: 'shape', value: shape } });

const same = { padding: textAttribute('SAME'), strides: ints(1, 1, 1, 1) };

/** A network with constants, or with variables in their place. */
export function networkNodes(
  weight: (name: string, value: Tensor<'float32'>) => readonly NodeDef[],
): readonly NodeDef[] {
  return [
    placeholder('x', -1, 6, 6, 2),
    ...weight('w', weights(3, 3, 2, 4)),
    ...weight('b', weights(4)),
    node('Conv2D', 'net/c/Conv2D', ['x', 'w'], same),
    node('BiasAdd', 'net/c/BiasAdd', ['net/c/Conv2D', 'b']),
    ...weight('variance', floatTensor([4], [1, 2, 3, 0.5])),
    constant('epsilon', floatTensor([], [0.001])),
    node('AddV2', 'net/n/add', ['variance', 'epsilon']),
    node('Rsqrt', 'net/n/Rsqrt', ['net/n/add']),
    node('Mul', 'net/n/mul', ['net/n/Rsqrt', 'b']),
    node('Mul', 'net/n/mul_1', ['net/c/BiasAdd', 'net/n/mul']),
    node('Mul', 'net/n/mul_2', ['b', 'net/n/mul']),
    node('Sub', 'net/n/sub', ['b', 'net/n/mul_2']),
    node('AddV2', 'net/n/add_1', ['net/n/mul_1', 'net/n/sub']),
    node('Relu6', 'net/r', ['net/n/add_1']),
    ...weight('d', weights(3, 3, 4, 1)),
    whole('block', 2, 2),
    whole('edges', 2, 2, 2, 2),
    whole('none', 0, 0, 0, 0),
    node('SpaceToBatchND', 'net/s', ['net/r', 'block', 'edges']),
    node('DepthwiseConv2dNative', 'net/dw', ['net/s', 'd'], { ...same, padding: textAttribute('VALID') }),
    node('BatchToSpaceND', 'net/t', ['net/dw', 'block', 'none']),
    node('Shape', 'net/shape', ['net/t'], { out_type: { kind: 'type', value: 'int32' } }),
    whole('zero', 0),
    whole('one', 1),
    node('StridedSlice', 'net/batch', ['net/shape', 'zero', 'one', 'one'], {
      shrink_axis_mask: { kind: 'int', value: 1 },
    }),
    constant('rest', tensor('int32', [], Int32Array.of(-1))),
    node('Pack', 'net/flat', ['net/batch', 'rest'], { axis: { kind: 'int', value: 0 } }),
    node('Reshape', 'net/f', ['net/t', 'net/flat']),
    ...weight('m', weights(144, 3)),
    node('MatMul', 'net/d/MatMul', ['net/f', 'm']),
    node('Softmax', 'net/y', ['net/d/MatMul']),
    node('Identity', 'y', ['net/y']),
  ];
}

export const frozenBytes = (): Uint8Array =>
  writeGraphDef({ nodes: networkNodes((name, value) => [constant(name, value)]), versions, functionNames: [] });

const versions = { producer: 1286, minConsumer: 12 };

async function run(graph: Graph): Promise<'ran' | 'too much work'> {
  verify(graph);
  if (workOf(graph) > 1e6) return 'too much work';
  const feeds = graph.inputs.map((name) => {
    const size = numElements(valueOf(graph, name).type.shape);
    return [name, new Float32Array(size).fill(0.5)] as const;
  });
  await runSteps(graph, [new Map(feeds)]);
  return 'ran';
}

export const frozenSubject: Subject = {
  name: 'frozen.pb',
  bytes: frozenBytes(),
  use: (damaged) => run(readFrozenGraph(damaged, 'frozen.pb').graph),
};

/** A number in groups of seven bits. */
function varint(value: number): readonly number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...varint(Math.floor(value / 128))];
}

/** One block of entries, of which none shares the beginning of its key, and the index of blocks. */
function writeTable(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const file: number[] = [];
  const addBlock = (pairs: readonly (readonly [string, Uint8Array])[]): readonly number[] => {
    const start = file.length;
    const block = pairs.flatMap(([key, value]) => {
      const text = [...new TextEncoder().encode(key)];
      return [0, ...varint(text.length), ...varint(value.length), ...text, ...value];
    });
    block.push(0, 0, 0, 0, 1, 0, 0, 0);
    const checked = Uint8Array.from([...block, 0]);
    const checksum = new DataView(new ArrayBuffer(4));
    checksum.setUint32(0, maskedCrc32c(checked), true);
    file.push(...checked, ...new Uint8Array(checksum.buffer));
    return [...varint(start), ...varint(block.length)];
  };
  const data = addBlock(entries);
  const blocks = addBlock([['~', Uint8Array.from(data)]]);
  const footer = [...addBlock([]), ...blocks];
  while (footer.length < 40) footer.push(0);
  return Uint8Array.from([...file, ...footer, 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
}

/** The three files of a small SavedModel. */
export function savedFiles(): { readonly graph: Uint8Array; readonly index: Uint8Array; readonly data: Uint8Array } {
  const data: number[] = [];
  const names: string[] = [];
  const entries = new Map<string, Uint8Array>();
  const variable = (name: string, value: Tensor<'float32'>): readonly NodeDef[] => {
    const bytes = bytesOf(value.data);
    const checksum = new DataView(new ArrayBuffer(4));
    checksum.setUint32(0, maskedCrc32c(bytes), true);
    const shape = value.shape.flatMap((size) => [0x12, varint(size).length + 1, 0x08, ...varint(size)]);
    const place = [0x20, ...varint(data.length), 0x28, ...varint(bytes.length)];
    const sum = [0x35, ...new Uint8Array(checksum.buffer)];
    entries.set(`k/${name}`, Uint8Array.from([0x08, 1, 0x12, ...varint(shape.length), ...shape, ...place, ...sum]));
    data.push(...bytes);
    names.push(name);
    return [
      node('VarHandleOp', `${name}/var`, []),
      node('ReadVariableOp', name, [`${name}/var`]),
      node('RestoreV2', `${name}/restore`, ['prefix', `${name}/key`, 'slices']),
      node('Const', `${name}/key`, [], { value: stringTensor(`k/${name}`) }),
      node('AssignVariableOp', `${name}/assign`, [`${name}/var`, `${name}/restore`]),
    ];
  };
  const nodes = networkNodes(variable);
  const signature = {
    inputs: new Map([['x', { name: 'x:0', type: 'float32', shape: [-1, 6, 6, 2] } as const]]),
    outputs: new Map([['scores', { name: 'y:0', type: 'float32', shape: [-1, 3] } as const]]),
    methodName: 'tensorflow/serving/predict',
  };
  const graphDef = { nodes, versions, functionNames: [] };
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    graph: writeSavedModel({ tags: ['serve'], graph: graphDef, signatures: new Map([['serving_default', signature]]) }),
    index: writeTable([['', Uint8Array.from([0x08, 1])], ...sorted]),
    data: Uint8Array.from(data),
  };
}

/** An AttrValue of a TensorProto of one string. */
function stringTensor(text: string): AttributeValue {
  const value = new TextEncoder().encode(text);
  const proto = Uint8Array.from([0x08, 7, 0x12, 2, 0x12, 0, 0x42, value.length, ...value]);
  return { kind: 'tensor', value: { kind: 'opaque', type: 'string', bytes: proto } };
}

const intact = savedFiles();

const savedSubject = (part: 'graph' | 'index' | 'data'): Subject => ({
  name: part === 'graph' ? 'model' : 'model/variables/variables.index',
  bytes: intact[part],
  async use(damaged) {
    const files = { ...intact, [part]: damaged };
    const shard = (): Uint8Array => files.data;
    return run(readSavedModelFiles({ path: 'model', graph: files.graph, index: files.index, shard }).graph);
  },
});

export const savedSubjects: readonly Subject[] = (['graph', 'index', 'data'] as const).map(savedSubject);

export const tfliteSubject = (): Subject => ({
  name: 'float.tflite',
  bytes: floatTflite(),
  use: (damaged) => run(importTflite(damaged, 'float.tflite').graph),
});

const tensorOf = (name: string, shape: readonly number[], buffer: number, type: 'FLOAT32' | 'INT32' = 'FLOAT32') => ({
  ...{ name, shape, shapeSignature: null, type, buffer, isVariable: false, quantization: null },
});

/** A convolution with an activation, a reshape and a fully connected layer. */
export function floatTflite(): Uint8Array {
  const values = [weights(4, 3, 3, 2), weights(4), weights(3, 144)].map(({ data }) => bytesOf(data));
  const shape = bytesOf(Int32Array.of(-1, 144));
  const [conv, flat, dense] = [ops.conv_2d.tflite, ops.reshape.tflite, ops.fully_connected.tflite];
  if (conv === null || flat === null || dense === null) throw new Error('the ops have a file form');
  const attrs = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'relu' } as const;
  const operator = (
    opcodeIndex: number,
    inputs: readonly number[],
    outputs: readonly number[],
    optionsType: number,
    options: OptionValues,
  ) => ({ opcodeIndex, inputs, outputs, optionsType, options }) as const;
  const code = (builtinCode: number) => ({ builtinCode, customCode: null, version: 1 });
  return writeTfliteFile(
    {
      ...{ version: 3, description: '', metadata: [], signatures: [] },
      operatorCodes: [code(conv.builtinCode), code(flat.builtinCode), code(dense.builtinCode)],
      buffers: [new Uint8Array(), ...values, shape],
      subgraphs: [
        {
          name: 'main',
          tensors: [
            tensorOf('x', [1, 6, 6, 2], 0),
            tensorOf('w', [4, 3, 3, 2], 1),
            tensorOf('b', [4], 2),
            tensorOf('c', [1, 6, 6, 4], 0),
            tensorOf('shape', [2], 4, 'INT32'),
            tensorOf('f', [1, 144], 0),
            tensorOf('m', [3, 144], 3),
            tensorOf('y', [1, 3], 0),
          ],
          ...{ inputs: [0], outputs: [7] },
          operators: [
            operator(0, [0, 1, 2], [3], conv.optionsType, conv.encode({ inputs: [], outputs: [], attrs }).options),
            operator(1, [3, 4], [5], 0, {}),
            operator(2, [5, 6, -1], [7], dense.optionsType, {
              ...{
                fused_activation_function: 0,
                weights_format: 0,
                keep_num_dims: false,
                asymmetric_quantize_inputs: false,
              },
            }),
          ],
        },
      ],
    },
    optionFields,
  );
}
