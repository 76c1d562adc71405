import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { QuantParams } from '../../src/core/affine.ts';
import { multiplyByQuantizedMultiplier } from '../../src/core/fixedpoint.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { dataFromBytes, elementBytes, numElements } from '../../src/core/tensor.ts';
import type { DType, Shape, Tensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { openWasmInterpreter } from '../../src/interpreter/wasm/index.ts';
import { kernels } from '../../src/interpreter/wasm/kernels.ts';
import { makePlan } from '../../src/interpreter/wasm/plan.ts';
import type { IntegerOp } from '../../src/interpreter/wasm/program.ts';
import { leftFactor, rightFactor } from '../../src/interpreter/wasm/requantize.ts';
import { startThreads } from '../../src/interpreter/wasm/threads.ts';
import { lenet5 } from '../../src/models/presets.ts';
import type { FusedActivation, IntegerData } from '../../src/ops/define.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import type { Attrs } from '../../src/ops/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { samples } from '../contract/samples.ts';
import type { Sample } from '../contract/samples.ts';
import { conv, dense, network, pool } from '../models/networks.ts';
import { everyLayer, lowered } from '../tflite/lowered.ts';
import { describeWithModels, sharedModel } from '../tflite/shared-models.ts';

async function integerModule(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('../../src/interpreter/wasm/integer.wasm', import.meta.url)));
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
          return ((random.below(2) * 2 - 1) * (2 * random.below(8) + 1) * 2 ** random.below(28) + random.below(3) - 1) | 0;
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
        if (words[lane] !== expected) expect.fail(`${x} * ${multiplier}, shift ${shift}: ${words[lane]}, not ${expected}`);
      }
    }
  });
});

const ACTIVATIONS = ['none', 'relu', 'relu6', 'relu_n1_to_1'] as const;

interface Variant {
  readonly dtype: 'int8' | 'uint8';
  readonly filter: 'per_tensor' | 'per_channel';
  readonly activation: FusedActivation;
}

/** A sample as a graph of one node, with parameters and constants drawn at random; null where the op refuses them. */
function sampleGraph<K extends IntegerOp>(op: K, sample: Sample<K>, { dtype, filter, activation }: Variant): Graph {
  const random = createRandom(7, op, sample.name, dtype, filter, activation);
  const { operands, quant: rule } = ops[op];
  const zeroPoint = (): number => random.below(256) - (dtype === 'int8' ? 128 : 0);
  const activationQuant = (): QuantParams => ({
    kind: 'per_tensor',
    scale: Math.fround(0.005 + 0.05 * random.float()),
    zeroPoint: zeroPoint(),
  });
  const filterQuant = (channels: number, axis: number): QuantParams => {
    if (filter === 'per_tensor') {
      const scale = Math.fround(0.002 + 0.01 * random.float());
      return { kind: 'per_tensor', scale, zeroPoint: dtype === 'uint8' ? zeroPoint() : 0 };
    }
    return { kind: 'per_channel', axis, scales: Float32Array.from({ length: channels }, () => 0.0001 + 0.02 * random.float()) };
  };
  const builder = buildGraph(op, 'int8');
  let first: QuantParams | null = null;
  const inputs = sample.inputs.map(({ shape }, index) => {
    const role = operands[Math.min(index, operands.length - 1)]?.role;
    const name = `operand${index}`;
    if (role === 'weight' && rule.kind === 'affine') {
      const quant = filterQuant(shape[rule.channelAxis]!, rule.channelAxis);
      return builder.constant(name, randomData(random, dtype, shape), quant);
    }
    if (role === 'bias') return builder.constant(name, randomData(random, 'int32', shape), null);
    if (op === 'quantize') return builder.input(name, { dtype: 'float32', shape }, null);
    const quant = rule.kind === 'same_scale' && first !== null ? first : activationQuant();
    first ??= quant;
    return builder.input(name, { dtype, shape }, quant);
  });
  const attrs = ('activation' in sample.attrs ? { ...sample.attrs, activation } : sample.attrs) as Attrs[K];
  const output: QuantParams | null =
    op === 'dequantize'
      ? null
      : rule.kind === 'same_scale'
        ? first
        : rule.kind === 'fixed_output'
          ? { kind: 'per_tensor', scale: rule.scale, zeroPoint: rule.zeroPoint + (dtype === 'uint8' ? 128 : 0) }
          : activationQuant();
  return builder.finish(builder.node(op, op, inputs, attrs, output));
}

describe('the column of kernels', () => {
  const integerOps = Object.keys(kernels) as readonly IntegerOp[]; // Object.keys loses the key type

  it('has exactly the ops that have integer loops', () => {
    expect(integerOps.toSorted()).toEqual(opNames.filter((op) => ops[op].int8 !== null).toSorted());
  });

  describe.each(integerOps)('%s', (op) => {
    it.each(samples[op].map((sample) => ({ sample, name: sample.name })))(
      'gives the bytes of the reference loops: $name',
      async ({ sample }) => {
        const activations = 'activation' in sample.attrs ? ACTIVATIONS : (['none'] as const);
        for (const activation of activations) {
          for (const dtype of ['int8', 'uint8'] as const) {
            for (const filter of ['per_tensor', 'per_channel'] as const) {
              const graph = sampleGraph(op, sample as Sample<typeof op>, { dtype, filter, activation });
              const inputs = randomInputs(createRandom(3, op, sample.name), graph, 4);
              const expected = referenceOutputs(graph, inputs, 4);
              expect(await wasmOutputs(graph, inputs, 1), `${activation} ${dtype} ${filter}`).toEqual(expected);
            }
          }
        }
      },
    );
  });
});
