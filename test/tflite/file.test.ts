import { ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { Builder, writeOffsets, writeTable } from '../../src/formats/flatbuffer/write.ts';
import { openLitert } from '../../src/interpreter/litert.ts';
import { encodeMinRuntimeVersion, writeTfliteFile } from '../../src/tflite/write-file.ts';
import { readTfliteFile } from '../../src/tflite/read-file.ts';
import type { TfliteFile, TfliteTensor } from '../../src/tflite/file.ts';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { describeWithModels, optionFields, sharedModel } from './shared-models.ts';

function read(bytes: Uint8Array): TfliteFile {
  return readTfliteFile(bytes, 'model.tflite', optionFields);
}

function write(file: TfliteFile): Uint8Array {
  return writeTfliteFile(file, optionFields);
}

function tensor(name: string, values: Partial<TfliteTensor>): TfliteTensor {
  return {
    name,
    shape: [1, 2],
    shapeSignature: null,
    type: 'INT8',
    buffer: 0,
    isVariable: false,
    quantization: null,
    ...values,
  };
}

function quantization(scale: number, zeroPoint: number): TfliteTensor['quantization'] {
  const none = new Float32Array(0);
  return { scale: Float32Array.of(scale), zeroPoint: [zeroPoint], quantizedDimension: 0, min: none, max: none };
}

const filter = Int8Array.of(4, 8, -2, 6);
const bias = Int32Array.of(8, -16);

/** y = x W^T + b with W = [[1, 2], [-0.5, 1.5]] and b = [1, -2], every number exact in its scale. */
const fullyConnected: TfliteFile = {
  version: 3,
  description: 'one operator',
  operatorCodes: [{ builtinCode: 9, customCode: null, version: 4 }],
  subgraphs: [
    {
      name: 'main',
      tensors: [
        tensor('x', { quantization: quantization(0.5, 2) }),
        tensor('filter', { shape: [2, 2], buffer: 1, quantization: quantization(0.25, 0) }),
        tensor('bias', { shape: [2], type: 'INT32', buffer: 2, quantization: quantization(0.125, 0) }),
        tensor('y', { shapeSignature: [-1, 2], quantization: quantization(0.5, -3) }),
      ],
      inputs: [0],
      outputs: [3],
      operators: [
        {
          opcodeIndex: 0,
          inputs: [0, 1, 2],
          outputs: [3],
          optionsType: 8,
          options: { fused_activation_function: 0, weights_format: 0, keep_num_dims: false },
        },
      ],
    },
  ],
  buffers: [
    new Uint8Array(0),
    new Uint8Array(filter.buffer),
    new Uint8Array(bias.buffer),
    encodeMinRuntimeVersion('1.14.0'),
  ],
  metadata: [{ name: 'min_runtime_version', buffer: 3 }],
  signatures: [
    {
      key: 'serving_default',
      subgraph: 0,
      inputs: [{ name: 'x', tensor: 0 }],
      outputs: [{ name: 'y', tensor: 3 }],
    },
  ],
};

function withTensor(index: number, values: Partial<TfliteTensor>): TfliteFile {
  const [main] = fullyConnected.subgraphs;
  if (main === undefined) throw new Error('no subgraph');
  const tensors = main.tensors.map((value, at) => (at === index ? { ...value, ...values } : value));
  return { ...fullyConnected, subgraphs: [{ ...main, tensors }] };
}

function messageOf(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    if (error instanceof UserError && error.exitCode === 1) return error.message;
    throw error;
  }
  return 'no error';
}

describe('writing a .tflite file', () => {
  it('gives a model that LiteRT runs to the numbers computed by hand', async () => {
    const model = await openLitert(addFloatEdges(write(fullyConnected), 'model.tflite'), 'model.tflite');
    // x = [4, -3]: [4 - 6 + 1, -2 - 4.5 - 2]
    const [y] = await model.run([Float32Array.of(4, -3)]);
    model.close();
    expect(y).toEqual({ shape: [1, 2], data: Float32Array.of(-1, -8.5) });
  });

  it('is undone by reading', () => {
    expect(read(write(fullyConnected))).toEqual(fullyConnected);
  });

  it('gives the same bytes each time', () => {
    expect(write(read(write(fullyConnected)))).toEqual(write(fullyConnected));
  });

  it('carries the identifier and aligns every buffer to 16 bytes', () => {
    const bytes = Buffer.from(write(fullyConnected));
    expect(bytes.toString('latin1', 4, 8)).toBe('TFL3');
    for (const data of fullyConnected.buffers.slice(1).map((buffer) => Buffer.from(buffer))) {
      expect(bytes.includes(data)).toBe(true);
      expect(bytes.indexOf(data) % 16).toBe(0);
    }
  });

  it.each([
    [9, 9],
    [114, 114],
    [127, 127],
    [150, 127],
  ])('writes builtin code %i with %i in the old field', (code, deprecated) => {
    const operatorCodes = [{ builtinCode: code, customCode: null, version: 1 }];
    const buffer = new ByteBuffer(write({ ...fullyConnected, operatorCodes, ...withoutOptions }));
    const root = buffer.readInt32(0);
    const codes = buffer.__vector(root + buffer.__offset(root, 4 + 2 * 1));
    const table = buffer.__indirect(codes);
    expect(buffer.readInt8(table + buffer.__offset(table, 4))).toBe(deprecated);
    expect(buffer.readInt32(table + buffer.__offset(table, 4 + 2 * 3))).toBe(code);
  });

  it('encodes the minimum runtime version in 16 bytes', () => {
    expect(encodeMinRuntimeVersion('1.14.0')).toEqual(
      Uint8Array.of(0x31, 0x2e, 0x31, 0x34, 0x2e, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    );
  });

  it('refuses data in buffer 0', () => {
    expect(() => write({ ...fullyConnected, buffers: [Uint8Array.of(1)] })).toThrow('internal: buffer 0');
  });
});

const withoutOptions = {
  subgraphs: fullyConnected.subgraphs.map((subgraph) => ({ ...subgraph, operators: [] })),
};

describe('reading a malformed .tflite file', () => {
  const [main] = fullyConnected.subgraphs;
  const [operator] = main?.operators ?? [];
  if (main === undefined || operator === undefined) throw new Error('no operator');
  const withOperator = (values: Partial<typeof operator>): TfliteFile => ({
    ...fullyConnected,
    subgraphs: [{ ...main, operators: [{ ...operator, ...values }] }],
  });

  it.each<[string, TfliteFile, string]>([
    ['another schema version', { ...fullyConnected, version: 2 }, 'the schema version is 2, expected 3'],
    ['no subgraph', { ...fullyConnected, subgraphs: [] }, 'has no subgraph'],
    ['a missing buffer', withTensor(1, { buffer: 9 }), 'buffer of tensor "filter" has index 9, but there are 4'],
    ['a negative dimension', withTensor(0, { shape: [-1, 2] }), 'tensor "x" has the dimension -1'],
    [
      'a shape whose product overflows',
      withTensor(0, { shape: [...new Array<number>(40).fill(2 ** 30), 0] }),
      'is larger than 2147483647 bytes',
    ],
    ['a huge shape', withTensor(0, { shape: [2 ** 30, 2] }), 'tensor "x" of shape [1073741824,2] is larger'],
    [
      'too few bytes',
      withTensor(1, { shape: [2, 3] }),
      '"filter" of type INT8 and shape [2,3] has 4 bytes, expected 6',
    ],
    ['half bytes', withTensor(1, { type: 'INT4' }), '"filter" of type INT4 and shape [2,2] has 4 bytes, expected 2'],
    ['a shape signature of another rank', withTensor(0, { shapeSignature: [-1] }), '2 dimensions but 1 in its shape'],
    ['a missing tensor', withOperator({ inputs: [0, 1, 4] }), 'an input of operator 0 has index 4, but there are 4'],
    ['an output left out', withOperator({ outputs: [-1] }), 'an output of operator 0 is tensor -1'],
    [
      'a missing graph output',
      { ...fullyConnected, subgraphs: [{ ...main, outputs: [7] }] },
      'an output of subgraph 0',
    ],
    ['missing metadata', { ...fullyConnected, metadata: [{ name: 'm', buffer: 5 }] }, 'buffer of metadata "m"'],
    [
      'a signature of nothing',
      { ...fullyConnected, signatures: [{ key: 's', subgraph: 1, inputs: [], outputs: [] }] },
      'subgraph of signature "s" has index 1',
    ],
    [
      'a signature of a missing tensor',
      { ...fullyConnected, signatures: [{ key: 's', subgraph: 0, inputs: [{ name: 'i', tensor: 4 }], outputs: [] }] },
      'tensor of "i" in signature "s" has index 4',
    ],
  ])('reports %s', (_what, file, message) => {
    expect(messageOf(write(file))).toContain(message);
  });

  it('accepts an optional input that is left out', () => {
    expect(messageOf(write(withOperator({ inputs: [0, 1, -1] })))).toBe('no error');
  });

  it('names the file, the byte offset and what to do', () => {
    const message = messageOf(Uint8Array.of(8, 0, 0, 0, 0x54, 0x46, 0x4c, 0x34));
    expect(message).toContain('model.tflite error bad-tflite: byte 4: the file identifier is "TFL4", expected "TFL3"');
    expect(message).toContain('hint: ');
  });

  it('names an element type that the schema does not have', () => {
    const bytes = write(fullyConnected);
    // The one byte that tells INT8 from FLOAT8_E5M2.
    const other = write(withTensor(0, { type: 'FLOAT8_E5M2' }));
    const changed = bytes.map((value, index) => (value === other[index] ? value : 99));
    expect(messageOf(changed)).toContain('tensor "x" has the unknown element type 99');
  });
});

describe('buffers behind the flatbuffer', () => {
  /** A model of one buffer whose offset and size fields point behind the flatbuffer. */
  function model(offset: number, size: number): Uint8Array {
    const builder = new Builder(64);
    const buffer = writeTable(builder, 3, [], () => {
      builder.addFieldInt64(1, BigInt(offset), 0n);
      builder.addFieldInt64(2, BigInt(size), 0n);
    });
    const buffers = writeOffsets(builder, [buffer]);
    const subgraphs = writeOffsets(builder, [writeTable(builder, 1, [])]);
    const offsets = [
      [2, subgraphs],
      [4, buffers],
    ] as const;
    builder.finish(
      writeTable(builder, 5, offsets, () => builder.addFieldInt32(0, 3, 0)),
      'TFL3',
    );
    return builder.asUint8Array().slice();
  }

  it('are found by their offset and size', () => {
    const { length } = model(1000, 3);
    expect(read(Buffer.concat([model(length, 3), Uint8Array.of(5, 6, 7)])).buffers).toEqual([Uint8Array.of(5, 6, 7)]);
  });

  it.each([
    [1000, 3, 'byte 1000: buffer 0 of 3 bytes does not fit'],
    [2 ** 60, 3, 'out of range'],
    [8, 2 ** 52, 'does not fit'],
  ])('are refused at offset %d with size %d', (offset, size, message) => {
    expect(messageOf(model(offset, size))).toContain(message);
  });
});

describeWithModels('reading models made by others', () => {
  function operatorCounts(file: TfliteFile): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { opcodeIndex } of file.subgraphs[0]?.operators ?? []) {
      const code = file.operatorCodes[opcodeIndex]?.builtinCode ?? -1;
      counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
  }

  function edges(file: TfliteFile): { input: TfliteTensor | undefined; output: TfliteTensor | undefined } {
    const [main] = file.subgraphs;
    return { input: main?.tensors[main.inputs[0] ?? -1], output: main?.tensors[main.outputs[0] ?? -1] };
  }

  it('reads hello_world, a v3a file with metadata and a signature', () => {
    const file = read(sharedModel('hello_world_int8.tflite'));
    expect(file.description).toBe('MLIR Converted.');
    expect(file.operatorCodes).toEqual([{ builtinCode: 9, customCode: null, version: 4 }]);
    const operators = file.subgraphs[0]?.operators ?? [];
    expect(operators.map(({ options }) => options['fused_activation_function'])).toEqual([1, 1, 0]);
    const { input, output } = edges(file);
    expect(input?.quantization).toMatchObject({
      scale: Float32Array.of(0.024480115622282028),
      zeroPoint: [-128],
    });
    expect(output?.quantization).toMatchObject({ scale: Float32Array.of(0.008290956728160381), zeroPoint: [5] });
    expect(input?.shape).toEqual([1, 1]);
    expect(input?.shapeSignature).toEqual([-1, 1]);
    expect(file.metadata.map(({ name }) => name)).toEqual(['min_runtime_version', 'CONVERSION_METADATA']);
    expect(file.buffers[file.metadata[0]?.buffer ?? -1]).toEqual(encodeMinRuntimeVersion('1.14.0'));
    expect(file.signatures.map(({ key }) => key)).toEqual(['serving_default']);
  });

  it('reads person_detect, an old v3 file with unaligned buffers and no new code field', () => {
    const bytes = sharedModel('person_detect.tflite');
    const file = read(bytes);
    // 14 depthwise, 14 convolutions, average pool, reshape, softmax
    expect(operatorCounts(file)).toEqual({ 4: 14, 3: 14, 1: 1, 22: 1, 25: 1 });
    expect(file.operatorCodes.find(({ builtinCode }) => builtinCode === 3)?.version).toBe(2);
    const { input, output } = edges(file);
    expect(input?.shape).toEqual([1, 96, 96, 1]);
    expect(input?.quantization?.scale[0]).toBeCloseTo(0.00784314, 8);
    expect(input?.quantization?.zeroPoint).toEqual([-1]);
    expect(output?.quantization).toMatchObject({ scale: Float32Array.of(1 / 256), zeroPoint: [-128] });
    expect(file.buffers).toHaveLength(90);
    const unaligned = file.buffers.filter((data) => (data.byteOffset - bytes.byteOffset) % 16 !== 0 && data.length > 0);
    expect(unaligned).toHaveLength(41);
    const tensors = file.subgraphs[0]?.tensors ?? [];
    expect(tensors.some(({ type, quantization }) => type === 'INT32' && quantization?.quantizedDimension === 3)).toBe(
      true,
    );
  });

  it('reads micro_speech, the depthwise convolution with per-channel scales', () => {
    const file = read(sharedModel('micro_speech_quantized.tflite'));
    expect(operatorCounts(file)).toEqual({ 22: 1, 4: 1, 9: 1, 25: 1 });
    const filters =
      file.subgraphs[0]?.tensors.filter(({ quantization }) => (quantization?.scale.length ?? 0) > 1) ?? [];
    expect(filters.length).toBeGreaterThan(0);
    for (const { quantization } of filters) expect(quantization?.zeroPoint).toEqual(new Array(8).fill(0));
  });

  it.each(['hello_world_int8.tflite', 'person_detect.tflite', 'micro_speech_quantized.tflite'])(
    'writes %s so that it reads the same',
    (name) => {
      const file = read(sharedModel(name));
      expect(read(write(file))).toEqual(file);
    },
  );

  it('reports every truncation of a model', () => {
    const bytes = sharedModel('hello_world_int8.tflite');
    for (let length = 0; length < bytes.length; length++) {
      expect(messageOf(bytes.subarray(0, length)), `${length} bytes`).toContain('error bad-tflite');
    }
  });

  it.each(['hello_world_int8.tflite', 'micro_speech_quantized.tflite'])(
    'reads or reports %s with any bit flipped, and never fails otherwise',
    (name) => {
      const bytes = sharedModel(name).slice();
      // A linear congruential generator (Numerical Recipes), seed 1.
      let state = 1;
      let numReported = 0;
      for (let flip = 0; flip < 1000; flip++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const bit = state % (bytes.length * 8);
        const mask = 1 << (bit & 7);
        bytes[bit >> 3]! ^= mask;
        if (messageOf(bytes) !== 'no error') numReported++;
        bytes[bit >> 3]! ^= mask;
      }
      // Most of these files are tables, or weights: both outcomes must occur.
      expect(numReported).toBeGreaterThan(10);
      expect(numReported).toBeLessThan(1000);
    },
  );
});
