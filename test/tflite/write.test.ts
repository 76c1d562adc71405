import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { Layer } from '../../src/models/layers.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { readTfliteFile } from '../../src/tflite/read-file.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import type { TfliteFile, TfliteTensor } from '../../src/tflite/file.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { conv, dense, pool } from '../models/networks.ts';
import { everyLayer, lowered } from './lowered.ts';
import { optionFields } from './shared-models.ts';

/** As an independent reader sees the file: with an option table of its own. */
const look = (bytes: Uint8Array): TfliteFile => readTfliteFile(bytes, 'model.tflite', optionFields);

function tensorNamed(file: TfliteFile, name: string): TfliteTensor {
  return file.subgraphs[0]!.tensors.find((tensor) => tensor.name === name)!;
}

/** The bytes that name the oldest runtime. */
function runtimeOf(model: Uint8Array): Buffer {
  const { metadata, buffers } = look(model);
  return Buffer.from(buffers[metadata.find(({ name }) => name === 'min_runtime_version')!.buffer]!);
}

const alone = { kind: 'activation', name: 'again', function: 'relu' } as const;
const upsampling = {
  ...{ kind: 'transpose_conv', name: 'up', filters: 3, kernel: [2, 2], stride: [2, 2], padding: 'same' },
  ...{ bias: true, batch_norm: false, activation: 'relu' },
} as const satisfies Layer;

const { graph, bytes } = lowered(everyLayer);
const file = look(bytes);

describe('a written file', () => {
  it('is a TFL3 flatbuffer of schema version 3 with one subgraph', () => {
    expect(new TextDecoder().decode(bytes.subarray(4, 8))).toBe('TFL3');
    expect(file.version).toBe(3);
    expect(file.subgraphs).toHaveLength(1);
  });

  it('names every op with the version that int8 needs, once', () => {
    const main = file.subgraphs[0]!;
    const codes = main.operators.map(({ opcodeIndex }) => {
      const { builtinCode, version } = file.operatorCodes[opcodeIndex]!;
      return [builtinCode, version];
    });
    expect(codes).toEqual([
      [3, 3],
      [3, 3],
      [0, 2],
      [17, 2],
      [3, 3],
      [1, 2],
      [22, 1],
      [9, 4],
      [9, 4],
    ]);
    expect(file.operatorCodes).toHaveLength(6);
  });

  it('names the runtime that its ops take, in 16 bytes: dense weights of several scales take 2.10.0', () => {
    expect(runtimeOf(bytes)).toEqual(Buffer.from('2.10.0\0\0\0\0\0\0\0\0\0\0'));
  });

  it.each([
    ['of layers that all know', [conv('conv1', 2, 3), pool('max_pool_2d', 'pool')], '1.14.0'],
    // RELU version 2 came with 2.1.0.
    ['with a rectifier that stands alone', [conv('conv1', 2, 3), pool('max_pool_2d', 'pool'), alone], '2.1.0'],
    ['of a transposed convolution', [upsampling], '2.3.0'],
  ] as const)('%s takes no newer one when dense weights have one scale', (_title, layers, runtime) => {
    const written = lowered([...layers, dense('logits', 3)], { denseWeights: 'per_tensor', range: [0, 4] }).bytes;
    expect(runtimeOf(written).toString('latin1')).toBe(runtime.padEnd(16, '\0'));
  });

  it('writes a transposed convolution as version 3, its activation in the range of the output', () => {
    const written = look(lowered([upsampling, dense('logits', 3)], { range: [0, 4] }).bytes);
    expect(written.operatorCodes.map(({ builtinCode, version }) => [builtinCode, version])).toContainEqual([67, 3]);
    expect(written.operatorCodes.map(({ builtinCode }) => builtinCode)).not.toContain(19);
  });

  it('has fused activations and no float anywhere', () => {
    const main = file.subgraphs[0]!;
    const activations = main.operators.map(({ options }) => options['fused_activation_function'] ?? null);
    // conv1 relu, conv2 none, ADD and MAX_POOL_2D are not in the option table here, conv3 relu6; fc1 relu, logits none.
    expect(activations).toEqual([1, 0, null, null, 3, 0, null, 1, 0]);
    expect(new Set(main.tensors.map(({ type }) => type))).toEqual(new Set(['INT8', 'INT32']));
  });

  it('keeps filters per output channel, symmetric, and biases int32 with scale input * filter', () => {
    const inputs = { conv1: 'input', conv2: 'conv1/conv_2d', conv3: 'largest/max_pool_2d', fc1: 'fc1/reshape' };
    const main = file.subgraphs[0]!;
    for (const [layer, inputName] of Object.entries(inputs)) {
      const operator = main.operators.find(({ inputs: [first] }) => main.tensors[first!]!.name === inputName)!;
      const [input, filter, bias] = operator.inputs.map((index) => main.tensors[index]!);
      const { scale, zeroPoint, quantizedDimension } = filter!.quantization!;
      expect(filter!.type, layer).toBe('INT8');
      expect(scale).toHaveLength(filter!.shape[0]!);
      expect(quantizedDimension).toBe(0);
      expect(zeroPoint.every((value) => value === 0)).toBe(true);
      const codes = new Int8Array(file.buffers[filter!.buffer]!);
      expect(codes).toHaveLength(numElements(filter!.shape));
      expect(Math.min(...codes)).toBeGreaterThanOrEqual(-127);
      expect(bias!.type).toBe('INT32');
      expect(bias!.shape).toEqual([filter!.shape[0]]);
      expect(bias!.quantization!.quantizedDimension).toBe(0);
      const inputScale = input!.quantization!.scale[0]!;
      expect([...bias!.quantization!.scale]).toEqual(
        Array.from(scale, (filterScale) => Math.fround(inputScale * filterScale)),
      );
    }
  });

  it('gives values that are only moved the parameters of their source', () => {
    const parameters = (name: string) => {
      const { scale, zeroPoint } = tensorNamed(file, name).quantization!;
      return [...scale, ...zeroPoint];
    };
    expect(parameters('largest/max_pool_2d')).toEqual(parameters('join/add'));
    expect(parameters('average/average_pool_2d')).toEqual(parameters('conv3/conv_2d'));
    expect(parameters('fc1/reshape')).toEqual(parameters('conv3/conv_2d'));
  });

  it('has one signature, serving_default, from the input to the logits', () => {
    const { tensors } = file.subgraphs[0]!;
    expect(file.signatures).toHaveLength(1);
    const [signature] = file.signatures;
    expect(signature).toMatchObject({ key: 'serving_default', subgraph: 0 });
    const named = (maps: readonly { name: string; tensor: number }[]) =>
      maps.map(({ name, tensor }) => [name, tensors[tensor]!.name]);
    expect(named(signature!.inputs)).toEqual([['input', 'input']]);
    expect(named(signature!.outputs)).toEqual([['output', 'logits/fully_connected']]);
  });

  it('is the same bytes for the same graph', () => {
    expect(Buffer.from(lowered(everyLayer).bytes).equals(Buffer.from(bytes))).toBe(true);
  });

  it('comes back with the nodes, attributes, parameters and constants that were written', () => {
    const back = readTflite(bytes, 'model.tflite');
    expect(back.nodes.map(({ op, name, attrs }) => ({ op, name, attrs }))).toEqual(
      graph.nodes.map(({ op, name, attrs }) => ({ op, name, attrs })),
    );
    for (const { name, type, quant, source } of back.values.values()) {
      const original = valueOf(graph, name);
      expect({ name, type, quant }).toEqual({ name, type: original.type, quant: original.quant });
      if (source.kind === 'constant') expect(original.source).toMatchObject({ data: source.data });
    }
    expect([back.inputs, back.outputs]).toEqual([graph.inputs, graph.outputs]);
  });
});

/** Runs whatever a file turned out to be on zeros. */
function readAndRun(damaged: Uint8Array): 'valid' | 'refused' {
  try {
    const read: Graph = readTflite(damaged, 'model.tflite');
    const interpreter = prepareInterpreter(read, 'model.tflite');
    interpreter.run(
      read.inputs.map((name) => {
        const { dtype, shape } = valueOf(read, name).type;
        const length = numElements(shape);
        if (dtype === 'float32') return new Float32Array(length);
        return dtype === 'int32' ? new Int32Array(length) : new Int8Array(length);
      }),
    );
    return 'valid';
  } catch (error) {
    if (error instanceof UserError) return 'refused';
    throw error;
  }
}

describe('a damaged file', () => {
  it('is valid before it is damaged', () => {
    expect(readAndRun(bytes)).toBe('valid');
  });

  it('is refused at every length but its own', () => {
    for (let length = 0; length < bytes.length; length++) {
      if (readAndRun(bytes.slice(0, length)) !== 'refused') throw new Error(`a prefix of ${length} bytes was run`);
    }
  });

  it.each([20261124, 20261125])('with one bit flipped is refused or runs, a thousand times (seed %d)', (seed) => {
    const random = createRandom(seed, 'bit flips');
    const results = { valid: 0, refused: 0 };
    for (let flip = 0; flip < 1000; flip++) {
      const damaged = bytes.slice();
      const at = random.below(damaged.length);
      damaged[at]! ^= 1 << random.below(8);
      results[readAndRun(damaged)]++;
    }
    // Weights may be anything; structure may not. Both must happen, or the test tests nothing.
    expect(results.valid).toBeGreaterThan(100);
    expect(results.refused).toBeGreaterThan(100);
  });

  it('with an int32 replaced by an extreme number is refused or runs', () => {
    const random = createRandom(3, 'replaced');
    const extremes = [0, -1, 1, 65536, 1e9, 2147483647, -2147483648];
    for (let round = 0; round < 1000; round++) {
      const damaged = bytes.slice();
      const at = 4 * random.below(Math.floor(damaged.length / 4));
      new DataView(damaged.buffer).setInt32(at, extremes[random.below(extremes.length)]!, true);
      readAndRun(damaged);
    }
  });
});

describe('a file with operators that the table lacks', () => {
  it('is refused with each of them, and how often it is used', () => {
    // CONV_2D becomes an operator of somebody's own, MAX_POOL_2D becomes RANK (110).
    const operatorCodes = file.operatorCodes.map((code) => {
      if (code.builtinCode === 3) return { ...code, builtinCode: 32, customCode: 'Mystery' };
      return code.builtinCode === 17 ? { ...code, builtinCode: 110 } : code;
    });
    const subgraphs = file.subgraphs.map((subgraph) => ({
      ...subgraph,
      operators: subgraph.operators.map((operator) => ({ ...operator, optionsType: 0, options: {} })),
    }));
    const foreign = writeTfliteFile({ ...file, operatorCodes, subgraphs }, optionFields);
    const read = () => readTflite(foreign, 'foreign.tflite');
    expect(read).toThrow(UserError);
    expect(read).toThrow(
      'foreign.tflite error unknown-op: the model uses Mystery (3 times), which qpipe does not know',
    );
    expect(read).toThrow('the model uses RANK (1 time), which qpipe does not know');
  });
});
