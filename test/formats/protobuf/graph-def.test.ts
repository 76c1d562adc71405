import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/core/random.ts';
import { UserError } from '../../../src/core/diagnostic.ts';
import type { AttributeValue } from '../../../src/formats/protobuf/attribute-value.ts';
import { textAttribute } from '../../../src/formats/protobuf/attribute-value.ts';
import type { GraphDef } from '../../../src/formats/protobuf/graph-def.ts';
import {
  formatInput,
  parseInput,
  readGraphDef,
  requireNoFunctions,
  writeGraphDef,
} from '../../../src/formats/protobuf/graph-def.ts';
import type { TensorValue } from '../../../src/formats/protobuf/tensor-value.ts';
import { readSavedModel } from '../../../src/formats/protobuf/saved-model.ts';
import { bytes, graph, listedValues, savedModel, uninterpreted, withFunctions } from './fixtures.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const expectedGraph: GraphDef = {
  versions: { producer: 1087, minConsumer: 12 },
  functionNames: [],
  nodes: [
    {
      name: 'x',
      op: 'Placeholder',
      inputs: [],
      device: '',
      attributes: new Map<string, AttributeValue>([
        ['dtype', { kind: 'type', value: 'float32' }],
        ['shape', { kind: 'shape', value: [-1, 2] }],
      ]),
    },
    {
      name: 'w',
      op: 'Const',
      inputs: [],
      device: '/device:CPU:0',
      attributes: new Map<string, AttributeValue>([
        ['dtype', { kind: 'type', value: 'float32' }],
        [
          'value',
          numeric({
            kind: 'numeric',
            type: 'float32',
            tensor: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(0.5, -1, 2, 3.25, -0, 1e-3) },
          }),
        ],
      ]),
    },
    {
      name: 'steps',
      op: 'Const',
      inputs: [],
      device: '',
      attributes: new Map<string, AttributeValue>([
        ['dtype', { kind: 'type', value: 'int64' }],
        [
          'value',
          numeric({
            kind: 'numeric',
            type: 'int64',
            tensor: { dtype: 'int64', shape: [], data: BigInt64Array.of(-(2n ** 40n)) },
          }),
        ],
      ]),
    },
    {
      name: 'y',
      op: 'Conv2D',
      inputs: ['x', 'w:1', '^steps'],
      device: '',
      // Not in the order of keys: the writer sorts them.
      attributes: new Map<string, AttributeValue>([
        ['T', { kind: 'type', value: 'float32' }],
        ['use_cudnn_on_gpu', { kind: 'bool', value: false }],
        ['strides', { kind: 'list', values: { of: 'int', values: [1, 2, -1, 1] } }],
        ['padding', textAttribute('SAME')],
        ['explicit_paddings', { kind: 'list', values: { of: 'nothing' } }],
        ['epsilon', { kind: 'float', value: Math.fround(1e-3) }],
        ['zero', { kind: 'int', value: 0 }],
        ['negative', { kind: 'int', value: -5 }],
        ['_output_shapes', { kind: 'list', values: { of: 'shape', values: [[0], null] } }],
        ['_class', { kind: 'list', values: { of: 'bytes', values: [utf8('loc:@w'), utf8('')] } }],
        ['floats', { kind: 'list', values: { of: 'float', values: [0.5, -0] } }],
        ['flags', { kind: 'list', values: { of: 'bool', values: [true, false] } }],
        ['types', { kind: 'list', values: { of: 'type', values: ['float32', 'type_101', 'int64'] } }],
        ['any', { kind: 'shape', value: null }],
      ]),
    },
  ],
};

function numeric(value: TensorValue): AttributeValue {
  return { kind: 'tensor', value };
}

describe('readGraphDef', () => {
  it('reads what Google’s protobuf wrote', () => {
    expect(readGraphDef(graph, 'graph.pb')).toEqual(expectedGraph);
  });

  it('reads values that are listed one by one, and repeats the last', () => {
    const values = readGraphDef(listedValues, 'graph.pb').nodes.map((node) => {
      const attribute = node.attributes.get('value');
      return attribute?.kind === 'tensor' && attribute.value.kind === 'numeric'
        ? [node.name, attribute.value.type, attribute.value.tensor.data]
        : node.name;
    });
    expect(values).toEqual([
      ['f', 'float32', Float32Array.of(1.5, -2, -2, -2)],
      ['i', 'int32', Int32Array.of(-1, 7, 70000)],
      ['u', 'uint8', Uint8Array.of(255, 255)],
      ['s', 'int8', Int8Array.of(-128, 127)],
      ['l', 'int64', BigInt64Array.of(-(2n ** 62n), 3n)],
      ['b', 'bool', Uint8Array.of(1, 0, 0)],
      ['z', 'float32', new Float32Array(6)],
      ['e', 'float32', new Float32Array(0)],
    ]);
  });

  it('reads repeated numbers that are not packed', () => {
    // TensorProto {dtype 1, shape [2], float_val 1 and 2 as two fields}, 18 bytes, in an entry of 29 and its header.
    const tensorEntry = '2a1d 0a0576616c7565 1214 4212 0801 1204 12020802 2d0000803f 2d00000040';
    // ListValue {i 3, i 300 as two fields}, 5 bytes, in an entry of 14.
    const listEntry = '2a0e 0a03696e74 1207 0a05 1803 18ac02';
    const [first] = readGraphDef(bytes(`0a2f ${tensorEntry} ${listEntry}`), 'graph.pb').nodes;
    expect(first?.attributes).toEqual(
      new Map<string, AttributeValue>([
        [
          'value',
          numeric({
            kind: 'numeric',
            type: 'float32',
            tensor: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) },
          }),
        ],
        ['int', { kind: 'list', values: { of: 'int', values: [3, 300] } }],
      ]),
    );
  });

  it('keeps what it does not compute with, by name, and writes it back', () => {
    const read = readGraphDef(uninterpreted, 'graph.pb');
    const kinds = [...(read.nodes[0]?.attributes ?? [])].map(([key, value]) => {
      if (value.kind === 'opaque') return [key, value.what];
      return value.kind === 'tensor' ? [key, value.value.kind, value.value.type] : [key, value.kind];
    });
    expect(kinds).toEqual([
      ['big', 'an integer beyond 2^53'],
      ['f', 'a function'],
      ['none', 'no value'],
      ['tensors', 'a list of tensors, functions, mixed kinds or large integers'],
      ['text', 'opaque', 'string'],
    ]);
    expect(writeGraphDef(read)).toEqual(uninterpreted);
  });

  it('names the functions of a library, and refuses them when asked', () => {
    const read = readGraphDef(withFunctions, 'saved.pb');
    expect(read.functionNames).toEqual(['__inference_1']);
    expect(() => requireNoFunctions(read, 'saved.pb')).toThrow(/saved\.pb error graph-has-functions: .*__inference_1/);
    expect(() => requireNoFunctions(readGraphDef(graph, 'g.pb'), 'g.pb')).not.toThrow();
  });
});

describe('readGraphDef on damaged bytes', () => {
  it.each([
    ['an empty file', '', 'byte 0: the graph has no nodes'],
    ['bytes after which nothing comes', '0a', 'byte 1: premature EOF'],
    ['a node longer than the file', '0a05 0a0178', 'byte 1: premature EOF'],
    ['a name longer than its node', '0a03 0a0578 00000000', 'byte 3: a value runs to byte 9, its message ends at 5'],
    ['a name that is not UTF-8', '0a04 0a02 c328', 'byte 4: a name is not valid UTF-8'],
    ['a name that is a number', '0a02 0801', 'byte 3: field 1 has wire type 0, expected 2'],
    ['a group that never began', '0a01 0c', 'byte 3: cant skip wire type 4'],
    ['field number 0', '00', 'byte 0: illegal tag'],
    ['a number that never ends', '2208 08ffffffffffffff', 'byte 3: '],
  ])('%s is a user error with the byte', (_what, hex, message) => {
    const read = (): GraphDef => readGraphDef(bytes(hex), 'damaged.pb');
    expect(read).toThrow(UserError);
    expect(read).toThrow(`damaged.pb error malformed-protobuf: ${message}`);
  });

  it('refuses a tensor whose shape claims 2^40 elements', () => {
    const claim = nodeWithTensor('0801 1209 1207 08808080808020 2d0000803f');
    expect(() => readGraphDef(claim, 'huge.pb')).toThrow(
      'byte 11: the float32 tensor of shape [1099511627776] would need 4398046511104 bytes for 1 stored values',
    );
  });

  it('refuses tensors that are affordable only one by one', () => {
    // Shape [2^24] without values: 64 MiB of zeros, all that a file may claim beyond what it spells out.
    const claim = nodeWithTensor('0801 1207 1205 0880808008');
    expect(readGraphDef(claim, 'one.pb').nodes).toHaveLength(1);
    expect(() => readGraphDef(Uint8Array.from([...claim, ...claim]), 'two.pb')).toThrow('would need 67108864 bytes');
  });

  it.each([
    ['content of another length', '0801 1204 1202 0802 2203 000000', 'has 3 bytes of content, expected 8'],
    ['more values than elements', '0801 1204 1202 0801 2a08 0000803f0000803f', 'has 2 values, expected 1 or fewer'],
    ['an unknown dimension', '0801 120d 120b 08ffffffffffffffffff01', 'a tensor of unknown shape has no values'],
    ['a negative dimension', '0801 120d 120b 08feffffffffffffffff01', 'a dimension is -2'],
    ['dimensions whose product is 2^80', '0801 1212 1207 08808080808020 1207 08808080808020', 'would need'],
  ])('refuses a tensor with %s', (_what, hex, message) => {
    expect(() => readGraphDef(nodeWithTensor(hex), 'tensor.pb')).toThrow(message);
  });

  // A file cut between two nodes is a shorter graph: the format cannot tell. Anything else is a user error.
  it.each([
    ['GraphDef', graph, readGraphDef],
    ['listed values', listedValues, readGraphDef],
    ['SavedModel', savedModel, readSavedModel],
  ])('a %s cut anywhere is read or refused, never worse', (_what, whole, read) => {
    let numRefused = 0;
    for (let length = 0; length < whole.length; length++) {
      numRefused += refused(() => read(whole.slice(0, length), 'cut.pb'), 'cut.pb') ? 1 : 0;
    }
    expect(numRefused).toBeGreaterThan(0.9 * whole.length);
  });

  it.each([
    ['GraphDef', graph, readGraphDef],
    ['listed values', listedValues, readGraphDef],
    ['uninterpreted', uninterpreted, readGraphDef],
    ['SavedModel', savedModel, readSavedModel],
  ])('2,000 single and double bit flips of a %s are read or refused, never worse', (what, whole, read) => {
    const random = createRandom(20, what);
    let numRefused = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const flipped = whole.slice();
      for (let flip = 0; flip <= trial % 2; flip++) flipped[random.below(whole.length)]! ^= 1 << random.below(8);
      numRefused += refused(() => read(flipped, 'flipped.pb'), 'flipped.pb') ? 1 : 0;
    }
    expect(numRefused).toBeGreaterThan(200);
  });
});

/** GraphDef {node {attr {"v": {tensor: the TensorProto}}}}; every length is below 128. */
function nodeWithTensor(tensorProto: string): Uint8Array {
  const wrap = (header: string, content: Uint8Array): Uint8Array =>
    Uint8Array.from([...bytes(header), content.length, ...content]);
  const attribute = wrap('12', wrap('42', bytes(tensorProto)));
  return wrap('0a', wrap('2a', Uint8Array.from([...bytes('0a0176'), ...attribute])));
}

/** False when reading works, true when it is refused with the file's name; anything else fails the test. */
function refused(read: () => unknown, path: string): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.message).toContain(path);
    return true;
  }
}

describe('writeGraphDef', () => {
  it('writes the bytes that Google’s protobuf writes', () => {
    expect(Buffer.from(writeGraphDef(expectedGraph)).toString('hex')).toBe(Buffer.from(graph).toString('hex'));
  });

  it('gives tensors of listed values back as content', () => {
    const read = readGraphDef(listedValues, 'graph.pb');
    expect(readGraphDef(writeGraphDef(read), 'again.pb')).toEqual(read);
  });
});

describe('parseInput', () => {
  it.each([
    ['conv/w', { kind: 'data', node: 'conv/w', output: 0 }],
    ['bn:2', { kind: 'data', node: 'bn', output: 2 }],
    ['^init', { kind: 'control', node: 'init' }],
  ] as const)('%s', (text, input) => {
    expect(parseInput(text)).toEqual(input);
    expect(formatInput(input)).toBe(text);
  });

  it('takes output 0 spelled out, and leaves it out when formatting', () => {
    expect(formatInput(parseInput('x:0'))).toBe('x');
  });
});
