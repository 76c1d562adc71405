import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { QuantParams } from '../../src/core/affine.ts';
import { multiplyByQuantizedMultiplier } from '../../src/core/fixedpoint.ts';
import { packageFile } from '../../src/core/package-file.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { dataFromBytes, elementBytes, numElements, tensor } from '../../src/core/tensor.ts';
import type { DType, Shape, Tensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { openWasmInterpreter } from '../../src/interpreter/wasm/index.ts';
import { kernels } from '../../src/interpreter/wasm/kernels.ts';
import { makePlan } from '../../src/interpreter/wasm/plan.ts';
import type { IntegerOp } from '../../src/interpreter/wasm/program.ts';
import { leftFactor, rightFactor } from '../../src/interpreter/wasm/requantize.ts';
import { startThreads } from '../../src/interpreter/wasm/threads.ts';
import type { Layer } from '../../src/models/layers.ts';
import { lenet5 } from '../../src/models/presets.ts';
import type { FusedActivation, IntegerData, ValueRef } from '../../src/ops/define.ts';
import { inferenceOps, opNames, ops } from '../../src/ops/index.ts';
import { evalPasses, freezePasses, lowerToIntegers, runPasses, trainedRanges } from '../../src/passes/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { samples } from '../contract/samples.ts';
import type { Sample } from '../contract/samples.ts';
import { conv, dense, network, pool, scattered } from '../models/networks.ts';
import { everyLayer, lowered } from '../tflite/lowered.ts';
import { describeWithModels, sharedModel } from '../tflite/shared-models.ts';
import { buildModel } from '../models/forms.ts';

async function integerModule(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(packageFile('dist/interpreter/wasm/integer.wasm')));
}

/** Every bit pattern of a byte; of int32 too, for a bias as large as an accumulator. */
function randomData<D extends DType>(random: Random, dtype: D, shape: Shape): Tensor<D> {
  const length = numElements(shape);
  const bytes = Uint8Array.from({ length: length * elementBytes[dtype] }, () => random.below(256));
  if (dtype === 'float32') {
    bytes.set(new Uint8Array(Float32Array.from({ length }, () => 8 * random.float() - 4).buffer));
  }
  if (dtype === 'int32') {
    bytes.set(new Uint8Array(Int32Array.from({ length }, () => random.below(20001) - 10000).buffer));
  }
  return { dtype, shape, data: dataFromBytes(dtype, bytes) };
}

/** Images of every value, and the first ones of a single extreme. */
function randomInputs(random: Random, graph: Graph, count: number): readonly IntegerData[] {
  return graph.inputs.map((name) => {
    const { dtype, shape } = valueOf(graph, name).type;
    const { data } = randomData(random, dtype, [count, ...shape]);
    const size = data.length / count;
    if (dtype !== 'float32' && count > 2) {
      data.fill(-128 as never, 0, size);
      data.fill(127 as never, size, 2 * size);
    }
    return data as IntegerData;
  });
}

function referenceOutputs(graph: Graph, inputs: readonly IntegerData[], count: number): readonly (readonly number[])[] {
  const interpreter = prepareInterpreter(graph, 'model');
  const outputs: number[][] = graph.outputs.map(() => []);
  for (let image = 0; image < count; image++) {
    const one = inputs.map((data) => {
      const size = data.length / count;
      return data.slice(image * size, (image + 1) * size);
    });
    for (const [index, { data }] of interpreter.run(one).entries()) {
      for (const value of data) outputs[index]!.push(Number(value));
    }
  }
  return outputs;
}

async function wasmOutputs(
  graph: Graph,
  inputs: readonly IntegerData[],
  threads: number,
): Promise<readonly (readonly number[])[]> {
  const interpreter = await openWasmInterpreter(graph, 'model', { threads });
  try {
    return (await interpreter.run(inputs)).map((data) => [...data]);
  } finally {
    await interpreter.close();
  }
}

describe('requantization in SIMD', () => {
  it('equals multiplyByQuantizedMultiplier on a million triples, ties and extremes among them', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    const instance = new WebAssembly.Instance(await integerModule(), { env: { memory } });
    const requantizeAt = instance.exports['requantizeAt'] as (at: number) => void;
    const words = new Int32Array(memory.buffer, 1024, 16);
    const random = createRandom(1, 'triples');
    const extremes = [0, 1, -1, 2, -2, 3, -3, 2147483647, -2147483647, -2147483648, 1 << 30, -(1 << 30)];
    const multipliers = [0, 1 << 30, (1 << 30) + 1, 2147483647, 1717986918, 3 << 29];
    const accumulator = (): number => {
      switch (random.below(4)) {
        case 0:
          return extremes[random.below(extremes.length)]!;
        case 1: // Half of a power of two, and its neighbours: ties once it is shifted.
          return (
            ((random.below(2) * 2 - 1) * (2 * random.below(8) + 1) * 2 ** random.below(28) + random.below(3) - 1) | 0
          );
        case 2:
          return random.below(1 << 20) - (1 << 19);
        default:
          return random.uint32() | 0;
      }
    };
    for (let round = 0; round < 250_000; round++) {
      const lanes = Array.from({ length: 4 }, () => ({
        x: accumulator(),
        multiplier: random.below(2) === 0 ? multipliers[random.below(6)]! : (1 << 30) + random.below(1 << 30),
        shift: random.below(62) - 31,
      }));
      for (const [lane, { x, multiplier, shift }] of lanes.entries()) {
        words[lane] = x;
        words[4 + lane] = leftFactor(shift);
        words[8 + lane] = multiplier;
        words[12 + lane] = rightFactor(shift);
      }
      requantizeAt(1024);
      for (const [lane, { x, multiplier, shift }] of lanes.entries()) {
        const expected = multiplyByQuantizedMultiplier(x, multiplier, shift);
        if (words[lane] !== expected)
          expect.fail(`${x} * ${multiplier}, shift ${shift}: ${words[lane]}, not ${expected}`);
      }
    }
  });
});

/** The layers of pipelines/quickstart.yaml. */
const quickstart: readonly Layer[] = [
  conv('conv1', 8, 3),
  pool('max_pool_2d', 'pool1'),
  conv('conv2', 16, 3),
  pool('max_pool_2d', 'pool2'),
  { kind: 'flatten', name: 'flatten' },
  dense('fc1', 64, { activation: 'relu' }),
  dense('logits', 10),
];

/** A network on images of its own size, all the way to the graph of its file. */
function integerNetwork(layers: readonly Layer[], image: readonly [number, number, number]): Graph {
  const tensor = scattered(3);
  const model = buildModel(network(layers, image), 1, 'inference', { kind: 'given', tensor });
  const passes = [...evalPasses({ ranges: trainedRanges(tensor), input: { min: 0, max: 1 } }), ...freezePasses];
  return readTflite(writeTflite(lowerToIntegers(runPasses(model, passes), 'int8', 'frozen.pb').graph), 'model.tflite');
}

const ACTIVATIONS = ['none', 'relu', 'relu6', 'relu_n1_to_1'] as const;

interface Variant {
  readonly dtype: 'int8' | 'uint8';
  readonly filter: 'per_tensor' | 'per_channel';
  readonly activation: FusedActivation;
}

const VARIANTS: readonly Variant[] = ACTIVATIONS.flatMap((activation) =>
  (['int8', 'uint8'] as const).flatMap((dtype) =>
    (['per_tensor', 'per_channel'] as const).map((filter) => ({ dtype, filter, activation })),
  ),
);

/** Adds a sample with parameters and constants drawn at random. */
function addSample<K extends IntegerOp>(
  builder: GraphBuilder,
  op: K,
  sample: Sample<K>,
  { dtype, filter, activation }: Variant,
): ValueRef {
  const name = `${sample.name}, ${dtype} ${filter} ${activation}`;
  const random = createRandom(7, op, name);
  const { operands, quant: rule } = ops[op];
  const zeroPoint = (): number => random.below(256) - (dtype === 'int8' ? 128 : 0);
  const activationQuant = (): QuantParams => {
    return { kind: 'per_tensor', scale: Math.fround(0.005 + 0.05 * random.float()), zeroPoint: zeroPoint() };
  };
  const filterQuant = (channels: number, axis: number): QuantParams => {
    if (filter === 'per_tensor') {
      const scale = Math.fround(0.002 + 0.01 * random.float());
      return { kind: 'per_tensor', scale, zeroPoint: dtype === 'uint8' ? zeroPoint() : 0 };
    }
    const scales = Float32Array.from({ length: channels }, () => 0.0001 + 0.02 * random.float());
    return { kind: 'per_channel', axis, scales };
  };
  let first: QuantParams | null = null;
  const inputs = sample.inputs.map(({ shape }, index) => {
    const role = operands[Math.min(index, operands.length - 1)]?.role;
    const operand = `${name}, operand ${index}`;
    if (role === 'weight' && rule.kind === 'affine') {
      const quant = filterQuant(shape[rule.channelAxis]!, rule.channelAxis);
      return builder.constant(operand, randomData(random, dtype, shape), quant);
    }
    if (role === 'bias') return builder.constant(operand, randomData(random, 'int32', shape), null);
    if (op === 'quantize') return builder.input(operand, { dtype: 'float32', shape }, null);
    const quant = rule.kind === 'same_scale' && first !== null ? first : activationQuant();
    first ??= quant;
    return builder.input(operand, { dtype, shape }, quant);
  });
  // Every op that has an activation takes any of them.
  const attrs = 'activation' in sample.attrs ? { ...sample.attrs, activation } : sample.attrs;
  const outputQuant = (): QuantParams | null => {
    if (op === 'dequantize') return null;
    if (rule.kind === 'same_scale') return first;
    if (rule.kind !== 'fixed_output') return activationQuant();
    return { kind: 'per_tensor', scale: rule.scale, zeroPoint: rule.zeroPoint + (dtype === 'uint8' ? 128 : 0) };
  };
  return builder.node(op, name, inputs, attrs, outputQuant())[0]!;
}

async function expectReferenceBytes(graph: Graph, random: Random, count: number, threads = 1): Promise<void> {
  const inputs = randomInputs(random, graph, count);
  const expected = referenceOutputs(graph, inputs, count);
  for (const [index, data] of (await wasmOutputs(graph, inputs, threads)).entries()) {
    expect(data, graph.outputs[index]).toEqual(expected[index]);
  }
}

/** How a graph runs: kernels in a row are one program, and each op without a kernel is a step of its own. */
function stepKinds(graph: Graph): readonly string[] {
  return makePlan(graph, 1).threads[0]!.steps.map(({ kind }) => kind);
}

describe('the column of kernels', () => {
  const integerOps = Object.keys(kernels) as readonly IntegerOp[]; // Object.keys loses the key type

  it('has exactly the ops that have integer loops and that networks of ours can hold', () => {
    const own = opNames.filter((op) => ops[op].int8 !== null && !(op in inferenceOps));
    expect(integerOps.toSorted()).toEqual(own.toSorted());
  });

  it.each(integerOps)('gives the bytes of the reference loops for every sample of %s', async (op) => {
    const builder = buildGraph(op, 'int8');
    const add = <K extends IntegerOp>(name: K) =>
      samples[name].flatMap((sample) => {
        const variants = 'activation' in sample.attrs ? VARIANTS : VARIANTS.slice(0, 4);
        return variants.map((variant) => addSample(builder, name, sample, variant));
      });
    await expectReferenceBytes(builder.finish(add(op)), createRandom(3, op), 4);
  });

  // Channels around the panels of 8 and vectors of 16; rows around the blocks of 4.
  it.each([1, 3, 8, 15, 16, 17, 24, 33])('gives the bytes of the reference loops for %i channels', async (channels) => {
    const builder = buildGraph('channels', 'int8');
    const spread = (...shape: number[]) => ({ kind: 'spread', shape, from: -1, to: 1 }) as const;
    const image = spread(1, 5, 6, channels);
    const window = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
    const name = `${channels}`;
    const outputs = VARIANTS.slice(0, 4).flatMap((variant) => [
      addSample(
        builder,
        'conv_2d',
        {
          name: `conv ${name}`,
          ...{ inputs: [image, spread(channels, 3, 3, channels), spread(channels)], attrs: window, outputs: [] },
        },
        variant,
      ),
      addSample(
        builder,
        'depthwise_conv_2d',
        {
          name: `depthwise ${name}`,
          ...{ inputs: [image, spread(1, 3, 3, channels), spread(channels)], attrs: window, outputs: [] },
        },
        variant,
      ),
      addSample(
        builder,
        'fully_connected',
        {
          name: `fully connected ${name}`,
          inputs: [spread(channels, 2 * channels + 1), spread(channels, 2 * channels + 1), spread(channels)],
          attrs: { activation: 'none', keepNumDims: false },
          outputs: [],
        },
        variant,
      ),
      ...(['max_pool_2d', 'average_pool_2d'] as const).map((op) =>
        addSample(
          builder,
          op,
          {
            name: `${op} ${name}`,
            ...{ inputs: [image], attrs: { ...window, window: [3, 2], activation: 'relu6' }, outputs: [] },
          },
          variant,
        ),
      ),
      addSample(
        builder,
        'add',
        {
          name: `add ${name}`,
          ...{ inputs: [image, image], attrs: { activation: 'none' }, outputs: [] },
        },
        variant,
      ),
      addSample(builder, 'relu6', { name: `relu6 ${name}`, inputs: [image], attrs: {}, outputs: [] }, variant),
    ]);
    const graph = builder.finish(outputs);
    expect(stepKinds(graph)).toEqual(['program']);
    await expectReferenceBytes(graph, createRandom(4, name), 3);
  });

  it('requantizes between int8 and uint8', async () => {
    const builder = buildGraph('requantize', 'int8');
    const types = [
      ['int8', 'uint8'],
      ['uint8', 'int8'],
      ['int8', 'int8'],
    ] as const;
    const outputs = types.flatMap(([from, to], index) => {
      const input = builder.input(
        `input ${index}`,
        { dtype: from, shape: [1, 301] },
        { kind: 'per_tensor', scale: 0.03, zeroPoint: 5 },
      );
      const quant = { kind: 'per_tensor', scale: [0.02, 0.3, 0.0001][index]!, zeroPoint: 9 } as const;
      return builder.node('quantize', `output ${index}`, [input], { dtype: to }, quant);
    });
    const graph = builder.finish(outputs);
    expect(stepKinds(graph)).toEqual(['program']);
    await expectReferenceBytes(graph, createRandom(5, 'requantize'), 3);
  });
});

const lenet = () => integerNetwork(lenet5(10), [28, 28, 1]);

describe('a network', () => {
  const networks: readonly (readonly [string, () => Graph, number])[] = [
    ['of every layer', () => readTflite(lowered(everyLayer).bytes, 'every.tflite'), 40],
    ['like the quickstart', () => integerNetwork(quickstart, [28, 28, 1]), 12],
    ['LeNet-5', lenet, 12],
  ];

  it.each(networks)('%s gives the bytes of the reference, on 1, 2 and 3 threads', async (name, graph, count) => {
    for (const threads of [1, 2, 3]) await expectReferenceBytes(graph(), createRandom(6, name), count, threads);
  });

  it('of convolutions, pools and dense layers is one program without reference loops', () => {
    expect(stepKinds(lenet())).toEqual(['program']);
    expect(stepKinds(readTflite(lowered(everyLayer).bytes, 'every.tflite'))).toEqual(['program']);
  });
});

describeWithModels('models by others', () => {
  it.each([
    ['hello_world_int8.tflite', 256],
    ['person_detect.tflite', 3],
    ['micro_speech_quantized.tflite', 10],
  ])('%s gives the bytes of the reference', async (file, count) => {
    await expectReferenceBytes(readTflite(sharedModel(file), file), createRandom(8, file), count, 2);
  });
});

describe('the WASM interpreter', () => {
  /** Codes of the relu of the input less 3. */
  function small(): Graph {
    const builder = buildGraph('small', 'int8');
    const input = builder.input(
      'input',
      { dtype: 'int8', shape: [1, 2] },
      { kind: 'per_tensor', scale: 1, zeroPoint: 0 },
    );
    const bias = builder.constant('bias', tensor('int32', [2], Int32Array.of(-3, -3)), null);
    const filter = builder.constant('filter', tensor('int8', [2, 2], Int8Array.of(1, 0, 0, 1)), {
      ...{ kind: 'per_tensor', scale: 1, zeroPoint: 0 },
    });
    const attrs = { activation: 'relu', keepNumDims: false } as const;
    const output = { kind: 'per_tensor', scale: 1, zeroPoint: -128 } as const;
    return builder.finish(builder.node('fully_connected', 'fc', [input, filter, bias], attrs, output));
  }

  it('computes by hand, image by image, more than one turn of them', async () => {
    const interpreter = await openWasmInterpreter(small(), 'small', { threads: 2 });
    const inputs = Int8Array.from({ length: 2 * 1000 }, (_, index) => (index % 2 === 0 ? index % 100 : -5));
    const done: number[] = [];
    const [outputs] = await interpreter.run([inputs], { progress: (images) => void done.push(images) });
    const expected = Array.from(inputs, (code) => Math.max(code - 3, 0) - 128);
    expect([...outputs!]).toEqual(expected);
    expect(done).toEqual([250, 500, 750, 1000]);
    await interpreter.close();
  });

  it('stops between turns when it is told to', async () => {
    const interpreter = await openWasmInterpreter(small(), 'small', { threads: 1 });
    const controller = new AbortController();
    const run = interpreter.run([new Int8Array(2000)], {
      signal: controller.signal,
      progress: () => controller.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    expect([...(await interpreter.run([Int8Array.of(5, 0)]))[0]!]).toEqual([-126, -128]);
    await interpreter.close();
  });

  it('shows every value of one image, as the reference does', async () => {
    const graph = lenet();
    const [image] = randomInputs(createRandom(9, 'trace'), graph, 1);
    const reference = prepareInterpreter(graph, 'lenet');
    reference.run([image!]);
    const interpreter = await openWasmInterpreter(graph, 'lenet', { threads: 3 });
    const values = await interpreter.trace([image!]);
    expect([...values.keys()]).toEqual(graph.nodes.map(({ name }) => name));
    for (const [name, codes] of values) expect([...codes], name).toEqual([...reference.peek(name)]);
    await interpreter.close();
  });

  it('takes one run at a time', async () => {
    const interpreter = await openWasmInterpreter(small(), 'small', { threads: 1 });
    const first = interpreter.run([Int8Array.of(5, 0)]);
    await expect(interpreter.run([Int8Array.of(6, 0)])).rejects.toThrow('internal: the interpreter runs already');
    expect([...(await first)[0]!]).toEqual([-126, -128]);
    await interpreter.close();
  });

  it('takes whole images only', async () => {
    const interpreter = await openWasmInterpreter(small(), 'small', { threads: 1 });
    await expect(interpreter.run([new Int8Array(3)])).rejects.toThrow('internal: input "input" takes a multiple of 2');
    await interpreter.close();
  });

  it('refuses what the reference refuses', async () => {
    const builder = buildGraph('odd', 'int8');
    const input = builder.input(
      'input',
      { dtype: 'int8', shape: [1, 2] },
      { kind: 'per_tensor', scale: 1, zeroPoint: 0 },
    );
    const quant = { kind: 'per_tensor', scale: 2 ** -20, zeroPoint: 0 } as const;
    const graph = builder.finish(builder.node('add', 'sum', [input, input], { activation: 'none' }, quant));
    const opening = openWasmInterpreter(graph, 'odd.tflite', { threads: 1 });
    await expect(opening).rejects.toThrow('odd.tflite error bad-tflite: add "sum": ');
  });

  it('rejects the run under way at close, and all later ones', async () => {
    const interpreter = await openWasmInterpreter(lenet(), 'lenet', { threads: 3 });
    const under = interpreter.run([new Int8Array(784 * 200)]);
    const closing = interpreter.close();
    await expect(under).rejects.toThrow('internal: the interpreter is closed');
    await closing;
    await expect(interpreter.run([new Int8Array(784)])).rejects.toThrow('internal: the interpreter is closed');
  });

  const tasks = '/proc/self/task';
  it.skipIf(!existsSync(tasks))('leaves its threads to the next one', async () => {
    const run = async () => {
      const interpreter = await openWasmInterpreter(small(), 'small', { threads: 3 });
      const [output] = await interpreter.run([new Int8Array(6).fill(1)]);
      await interpreter.close();
      return output;
    };
    // The first one starts threads of Node's own too, for reading files.
    const first = await run();
    const before = readdirSync(tasks).length;
    for (let times = 0; times < 5; times++) expect(await run()).toEqual(first);
    expect(readdirSync(tasks).length).toBeLessThanOrEqual(before);
  });

  it.skipIf(!existsSync(tasks))('ends its threads where their memory is large', async () => {
    const module = await integerModule();
    const start = async (megabytes: number) => {
      const pages = 16 * megabytes;
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      const plan = { steps: [], inputs: [], outputs: [] };
      const common = { module, memory, threads: 3, plan, inputs: [], outputs: [] };
      const threads = startThreads([0, 1, 2].map((thread) => ({ ...common, thread })));
      await threads.run(2);
      return threads;
    };
    await (await start(1)).close();
    const before = readdirSync(tasks).length;
    const large = await start(65);
    expect(readdirSync(tasks).length).toBeLessThanOrEqual(before);
    await large.close();
    expect(readdirSync(tasks).length).toBeLessThanOrEqual(before - 3);
  });
});

describe('a thread that fails', () => {
  it('rejects the run and all later ones', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const module = await integerModule();
    // Thread 1, if it takes the image, and thread 0 alike meet an instruction that does not exist.
    new Int32Array(memory.buffer, 1024).set([999, 0]);
    const plan = { steps: [{ kind: 'program', address: 1024 }], inputs: [], outputs: [] } as const;
    const common = { module, memory, threads: 2, plan, inputs: [], outputs: [] };
    const pool = startThreads([0, 1].map((thread) => ({ ...common, thread })));
    await expect(pool.run(2)).rejects.toThrow(/^internal: an interpreter thread ended: RuntimeError: unreachable/);
    await expect(pool.run(2)).rejects.toThrow(/^internal: an interpreter thread ended/);
    await pool.close();
  });
});
