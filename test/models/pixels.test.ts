/** Pixels that are normalized by channel: every form of a network computes what float64 by hand says, border included. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { perTensor } from '../../src/core/affine.ts';
import { inputRange } from '../../src/data/batches.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { buildModel } from './forms.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';
import {
  evalPasses,
  floatTrainingPasses,
  freezePasses,
  lowerToIntegers,
  qatPasses,
  runPasses,
  trainedRanges,
} from '../../src/passes/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { conv, dense, infer, largestDifference, network, pool, runSteps, scattered, uniform } from './networks.ts';

const [height, width] = [5, 6];
// As different as channels can be: the third is far from what the input's zero point stands for.
const pixels = [
  { name: 'a', mean: 20.25, deviation: 5.5 },
  { name: 'b', mean: 120, deviation: 60 },
  { name: 'c', mean: 230.5, deviation: 25 },
];
const grid = { scale: 1 / 32, mean: 124 };
const numChannels = pixels.length;
const random = createRandom(7, 'image');
const image = Uint8Array.from({ length: height * width * numChannels }, () => random.below(256));

const specOf = (layers: readonly Layer[]): ModelSpec => ({
  ...network(layers, [height, width, numChannels]),
  normalize: grid,
  pixels,
});
const reals = Float32Array.from(image, (pixel) => (pixel - grid.mean) * grid.scale);
const normalized = (y: number, x: number, channel: number): number => {
  const isInside = y >= 0 && y < height && x >= 0 && x < width;
  // Around the image lie pixels that are the input's zero point, in every channel.
  const pixel = isInside ? image[(y * width + x) * numChannels + channel]! : grid.mean;
  return (pixel - pixels[channel]!.mean) / pixels[channel]!.deviation;
};

interface Term {
  readonly weight: number;
  readonly value: number;
  readonly channel: number;
}

interface Case {
  readonly layers: readonly Layer[];
  /** Of the output in its order: the products that it sums up, and its channel. */
  readonly terms: (weights: (name: string) => Float32Array) => { terms: Term[]; bias: number; channel: number }[];
  readonly folds: boolean;
}

function convolution(stride: number, pad: number, size: number, depthwise: number | null): Case['terms'] {
  return (weights) => {
    const [filter, biases] = [weights('first/filter'), weights('first/bias')];
    const outputs = [];
    const count = (length: number): number => Math.ceil(length / stride);
    for (let y = 0; y < count(height); y++) {
      for (let x = 0; x < count(width); x++) {
        for (let out = 0; out < biases.length; out++) {
          const terms: Term[] = [];
          for (let i = 0; i < size; i++) {
            for (let j = 0; j < size; j++) {
              for (let channel = 0; channel < numChannels; channel++) {
                if (depthwise !== null && channel !== Math.floor(out / depthwise)) continue;
                const value = normalized(y * stride + i - pad, x * stride + j - pad, channel);
                const at =
                  depthwise === null
                    ? ((out * size + i) * size + j) * numChannels + channel
                    : (i * size + j) * biases.length + out;
                terms.push({ weight: filter[at]!, value, channel });
              }
            }
          }
          outputs.push({ terms, bias: biases[out]!, channel: out });
        }
      }
    }
    return outputs;
  };
}

const rows: Case['terms'] = (weights) => {
  const [filter, biases] = [weights('first/filter'), weights('first/bias')];
  const features = image.length;
  return Array.from(biases, (bias, channel) => ({
    ...{ bias, channel },
    terms: Array.from({ length: features }, (_, at) => {
      const place = Math.floor(at / numChannels);
      const value = normalized(Math.floor(place / width), place % width, at % numChannels);
      return { weight: filter[channel * features + at]!, value, channel: at % numChannels };
    }),
  }));
};

const first = { activation: 'none' } as const;
const depthwise: Layer = {
  ...conv('first', 1, 3, first),
  ...{ kind: 'depthwise_conv_2d', multiplier: 2 },
};

const cases: Readonly<Record<string, Case>> = {
  'a convolution that pads': { layers: [conv('first', 4, 3, first)], terms: convolution(1, 1, 3, null), folds: true },
  'a convolution with a stride': {
    layers: [conv('first', 4, 3, { ...first, stride: [2, 2] })],
    // 5 rows pad by 1 and 1, 6 columns by 0 and 1: taken out of the image's corner, so that columns differ.
    terms: (weights) => strided(weights),
    folds: true,
  },
  'a depthwise convolution': { layers: [depthwise], terms: convolution(1, 1, 3, 2), folds: true },
  'a dense layer': { layers: [dense('first', 3)], terms: rows, folds: true },
  'rows and a dense layer': {
    layers: [{ kind: 'flatten', name: 'flat' }, dense('first', 3)],
    terms: rows,
    folds: true,
  },
};

function strided(weights: (name: string) => Float32Array) {
  const [filter, biases] = [weights('first/filter'), weights('first/bias')];
  const outputs = [];
  for (let y = 0; y < 3; y++) {
    for (let x = 0; x < 3; x++) {
      for (let out = 0; out < 4; out++) {
        const terms: Term[] = [];
        for (let tap = 0; tap < 27; tap++) {
          const [i, j, channel] = [Math.floor(tap / 9), Math.floor(tap / 3) % 3, tap % 3];
          terms.push({
            weight: filter[out * 27 + tap]!,
            value: normalized(2 * y + i - 1, 2 * x + j, channel),
            channel,
          });
        }
        outputs.push({ terms, bias: biases[out]!, channel: out });
      }
    }
  }
  return outputs;
}

function fakeQuantOf(layers: readonly Layer[], tensor: (name: string, shape?: Shape) => FloatTensor): Graph {
  const model = buildModel(specOf(layers), 1, 'inference', { kind: 'given', tensor });
  return runPasses(model, evalPasses({ ranges: trainedRanges(tensor), input: inputRange(grid) }));
}

/** Through both files, as the stages do. */
function integersOf(evalGraph: Graph) {
  const { graphDef, variables } = exportGraphDef(evalGraph);
  const frozen = runPasses(verify(importGraphDef(graphDef, variables, 'eval.pb')), freezePasses);
  const lowered = verify(lowerToIntegers(frozen, 'int8', 'frozen.pb').graph);
  return prepareInterpreter(readTflite(writeTflite(lowered), 'model.tflite'), 'model.tflite');
}

describe.each(Object.entries(cases))('normalization by channel in %s', (_, { layers, terms }) => {
  const drawn = scattered(5);
  // A name keeps the shape that it was asked for.
  buildModel(specOf(layers), 1, 'inference', { kind: 'given', tensor: drawn });
  const expected = terms((name) => drawn(name).data);
  const sums = expected.map(({ terms: parts, bias }) =>
    parts.reduce((sum, { weight, value }) => sum + weight * value, bias),
  );
  const [low, high] = [Math.min(...sums), Math.max(...sums)];
  const tensor = (name: string, shape?: Shape): FloatTensor =>
    name.includes('/act_quant/') ? floatTensor([], [name.endsWith('/min') ? low : high]) : drawn(name, shape);
  // The weights of raw pixels have one scale for each output channel.
  const largest = new Map<number, number>();
  for (const { terms: parts, channel } of expected) {
    for (const { weight, channel: of } of parts) {
      const raw = Math.abs(weight / (grid.scale * pixels[of]!.deviation));
      largest.set(channel, Math.max(raw, largest.get(channel) ?? 0));
    }
  }
  /** What rounding each weight may do. */
  const roundings = expected.map(({ terms: parts, channel }) =>
    parts.reduce((sum, { value, channel: of }) => {
      const half = largest.get(channel)! / 127 / 2;
      return sum + Math.abs(value) * grid.scale * pixels[of]!.deviation * half;
    }, 0),
  );
  const step = (high - low) / 255;

  it('is that of float64, by every output', async () => {
    const model = buildModel(specOf(layers), 1, 'inference', { kind: 'given', tensor });
    expect(largestDifference(await infer(model, reals), sums)).toBeLessThan(1e-4 * Math.max(-low, high));
  });

  it('is that of float64 but for rounded weights and codes, in fake-quant and int8', async () => {
    const evalGraph = fakeQuantOf(layers, tensor);
    expect(evalGraph.nodes.filter(({ op }) => op === 'mul' || op === 'sum')).toEqual([]);
    const fakeQuant = await infer(evalGraph, reals);
    const interpreter = integersOf(evalGraph);
    expect(interpreter.graph.nodes.map(({ op }) => op)).toEqual(
      layers[0]!.kind === 'flatten' || layers[0]!.kind === 'fully_connected'
        ? ['reshape', 'fully_connected']
        : [layers[0]!.kind],
    );
    // Raw pixels are the codes.
    const [output] = interpreter.run([Int8Array.from(image, (pixel) => pixel - 128)]);
    const { scale, zeroPoint } = perTensor(
      valueOf(interpreter.graph, interpreter.graph.outputs[0]!).quant,
      'the output',
    );
    for (const [at, sum] of sums.entries()) {
      const most = roundings[at]! + step;
      expect(Math.abs(fakeQuant[at]! - sum), `fake quant ${at}`).toBeLessThan(most);
      expect(Math.abs(scale * (Number(output!.data[at]) - zeroPoint) - sum), `int8 ${at}`).toBeLessThan(most + step);
    }
  });

  it('lets a filter learn as from normalized pixels', async () => {
    const head = layers.some(({ kind }) => kind === 'fully_connected') ? [] : [dense('head', 3)];
    const valid = layers.map((layer) => ('padding' in layer ? { ...layer, padding: 'valid' as const } : layer));
    const sgd = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 1e-2 } as const;
    const step = async (spec: ModelSpec, input: Float32Array) => {
      const model = buildModel(spec, 1, 'training', { kind: 'given', tensor: scattered(6) });
      const graph = runPasses(model, floatTrainingPasses(sgd));
      const feeds = new Map([
        ['input', input],
        ['labels', Float32Array.of(2)],
        ['learning_rate', Float32Array.of(0.01)],
      ]);
      const [done] = await runSteps(graph, [feeds]);
      return (name: string) => done!.read(name);
    };
    const { pixels: _none, ...plain } = specOf([...valid, ...head]);
    const inputs = Float32Array.from(image, (_pixel, at) => {
      const place = Math.floor(at / numChannels);
      return normalized(Math.floor(place / width), place % width, at % numChannels);
    });
    const byHand = await step(plain, inputs);
    const folded = await step(specOf([...valid, ...head]), reals);
    for (const name of ['first/filter', 'first/bias']) {
      expect(largestDifference(folded(name), byHand(name)), name).toBeLessThan(2e-4);
    }
    expect(largestDifference(byHand('first/filter'), scattered(6)('first/filter', [1]).data)).toBeGreaterThan(0);
  });
});

describe('normalization by channel', () => {
  it('is an op of its own where the first layer cannot take it in', async () => {
    const layers = [pool('max_pool_2d', 'first'), conv('second', 4, 3, { activation: 'none' })];
    const drawn = scattered(5);
    const tensor = (name: string, shape?: Shape): FloatTensor =>
      name.includes('normalize/act_quant')
        ? floatTensor([], [name.endsWith('/min') ? -10 : 45])
        : name.includes('/act_quant/')
          ? floatTensor([], [name.endsWith('/min') ? -40 : 40])
          : drawn(name, shape);
    const evalGraph = fakeQuantOf(layers, tensor);
    const interpreter = integersOf(evalGraph);
    expect(interpreter.graph.nodes.map(({ op }) => op)).toEqual(['depthwise_conv_2d', 'max_pool_2d', 'conv_2d']);
    interpreter.run([Int8Array.from(image, (pixel) => pixel - 128)]);
    const [name] = interpreter.graph.nodes[0]!.outputs;
    const { scale, zeroPoint } = perTensor(valueOf(interpreter.graph, name!).quant, 'the output');
    const found = Array.from(interpreter.peek(name!), (code) => scale * (code - zeroPoint));
    const expected = Array.from(image, (pixel, at) => {
      const { mean, deviation } = pixels[at % numChannels]!;
      return Math.min(45, Math.max(-10, (pixel - mean) / deviation));
    });
    expect(largestDifference(found, expected)).toBeLessThan(0.75 * scale);
    expect(largestDifference(await infer(evalGraph, reals), [0])).toBe(Infinity);
  });

  it('leaves batch norm to take away what the means add', () => {
    const model = buildModel(specOf([conv('first', 4, 3, { batch_norm: true })]), 1, 'inference', {
      ...{ kind: 'given', tensor: scattered(1) },
    });
    expect(model.nodes.map(({ op }) => op)).toEqual(['mul', 'conv_2d', 'batch_norm', 'relu']);
  });

  it.each(['kept', 'folded'] as const)('trains quantized with batch norm %s', async (kind) => {
    const batchNorm = kind === 'kept' ? { kind } : { kind, freezeDelay: null };
    const layers = [conv('first', 4, 3, { batch_norm: true }), dense('head', 3)];
    const model = buildModel(specOf(layers), 2, 'training', { kind: 'given', tensor: scattered(1) });
    const options = {
      ...({ input: inputRange(grid), batchNorm } as const),
      ranges: { kind: 'observed', delay: 0, estimator: { kind: 'moving_average', decay: 0.9 }, merge: 'mean' },
    } as const;
    const graph = runPasses(model, qatPasses(options, { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 }));
    const feeds = new Map([
      ['input', uniform(createRandom(1, 'x'), [2, height, width, numChannels], -3, 3).data],
      ['labels', Float32Array.of(0, 2)],
      ['learning_rate', Float32Array.of(0.05)],
    ]);
    const steps = await runSteps(
      graph,
      Array.from({ length: 8 }, () => feeds),
    );
    const losses = steps.map(({ outputs }) => outputs.get(graph.outputs[0]!)![0]!);
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
    // The range of weights is that of the filter for raw pixels.
    const factor = 1 / (grid.scale * pixels[0]!.deviation);
    expect(factor).toBeGreaterThan(5);
    const measured = steps[0]!.read('first/weights_quant/max');
    const filter = scattered(1)('first/filter', [4, 3, 3, 3]).data;
    if (kind === 'kept') {
      const raw = Array.from({ length: 4 }, (_, out) =>
        Math.max(
          ...Array.from(filter.subarray(out * 27, (out + 1) * 27), (w, at) =>
            Math.abs(w / (grid.scale * pixels[at % 3]!.deviation)),
          ),
        ),
      );
      expect(largestDifference(measured, raw)).toBeLessThan(1e-3);
    }
  });
});
