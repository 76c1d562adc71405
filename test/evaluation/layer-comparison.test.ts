import { describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/core/tensor.ts';
import type { Split } from '../../src/data/dataset.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import { float32 } from '../../src/ops/define.ts';
import { lowerToIntegers } from '../../src/passes/index.ts';
import { compareLayers } from '../../src/evaluation/layer-comparison.ts';
import { inputsOf } from '../../src/data/inputs.ts';

/**
 * Two pixels p, q (scale 1) -> p and (p + q) / 2 (weights of scale 1/64) -> relu -> codes of scale 1/2, so 0 .. 127.5;
 * or -64 .. 63.5 with the codes before the relu.
 */
function network(bias: number, side: 'after' | 'before' = 'after', weightsOf = [1, 0, 0.5, 0.5]): Graph {
  const builder = buildGraph('by-hand', 'eval');
  const quantize = (value: ValueRef, max: number, min = 0): ValueRef => {
    const bound = (end: string, x: number) => builder.constant(`${value.name}_${end}`, floatTensor([], [x]));
    const operands = [value, bound('min', min), bound('max', max)];
    return builder.node('fake_quant', `${value.name}_quant`, operands, { bits: 8, narrowRange: false, axis: null })[0]!;
  };
  const input = quantize(builder.input('input', float32([1, 1, 1, 2])), 255);
  const [flat] = builder.node('reshape', 'flat', [input], { shape: [-1, 2] });
  const channels = weightsOf.length / 2;
  const ofAll = (x: number) => floatTensor([channels], Array<number>(channels).fill(x));
  const filter = builder.constant('filter', floatTensor([channels, 2], weightsOf));
  const bound = (name: string, x: number) => builder.constant(name, ofAll(x));
  const [weights] = builder.node('fake_quant', 'weights', [filter, bound('low', -127 / 64), bound('high', 127 / 64)], {
    bits: 8,
    narrowRange: true,
    axis: 0,
  });
  const operands = [
    flat!,
    weights!,
    builder.constant('bias', floatTensor([channels], [bias, ...Array<number>(channels - 1).fill(0)])),
  ];
  const [fc] = builder.node('fully_connected', 'fc', operands, { activation: 'none', keepNumDims: false });
  const relu = (value: ValueRef) => builder.node('relu', 'relu', [value], {})[0]!;
  return builder.finish([side === 'after' ? quantize(relu(fc!), 127.5) : relu(quantize(fc!, 63.5, -64))]);
}

const split: Split = {
  count: 2,
  targets: null,
  inputs: inputsOf(Uint8Array.of(100, 51, 200, 20), 2),
  labels: Uint8Array.of(0, 1),
};
const open = (graph: Graph) => referenceEngine.open(graph, { replicas: 1, threads: 1 });

async function compare(integer: Graph, evalGraph: Graph, of: Split = split) {
  const interpreter = prepareInterpreter(lowerToIntegers(integer, 'int8', 'f.pb').graph, 'm.tflite');
  const turn = () => Promise.resolve();
  return (await compareLayers(interpreter, evalGraph, of, { scale: 1, mean: 0 }, open, turn)).layers;
}

/** Two layers of the pixels p, q: 0.25 p (as `narrow`) and 64 q (as `wide`), joined by one range, or added. */
function branches(join: 'concatenation' | 'add', own: boolean): Graph {
  const builder = buildGraph('branches', 'eval');
  const quantize = (value: ValueRef, max: number): ValueRef => {
    const bound = (end: string, x: number) => builder.constant(`${value.name}_${end}`, floatTensor([], [x]));
    const operands = [value, bound('min', 0), bound('max', max)];
    return builder.node('fake_quant', `${value.name}_quant`, operands, { bits: 8, narrowRange: false, axis: null })[0]!;
  };
  const input = quantize(builder.input('input', float32([1, 1, 1, 2])), 255);
  const [flat] = builder.node('reshape', 'flat', [input], { shape: [-1, 2] });
  const layer = (name: string, rows: readonly number[], max: number): ValueRef => {
    const filter = builder.constant(`${name}/filter`, floatTensor([2, 2], rows));
    const largest = Math.max(...rows);
    const bound = (end: string, x: number) => builder.constant(`${name}/${end}`, floatTensor([2], [x, x]));
    const ranges = [bound('low', -largest), bound('high', largest)];
    const codes = { bits: 8, narrowRange: true, axis: 0 };
    const [weights] = builder.node('fake_quant', `${name}/weights`, [filter, ...ranges], codes);
    const [y] = builder.node('fully_connected', name, [flat!, weights!], { activation: 'none', keepNumDims: false });
    return own ? quantize(y!, max) : y!;
  };
  const operands = [layer('narrow', [0.25, 0, 0.25, 0], 63.75), layer('wide', [0, 64, 0, 64], 16320)];
  const [joined] =
    join === 'add'
      ? builder.node('add', 'joined', operands, { activation: 'none' })
      : builder.node('concatenation', 'joined', operands, { axis: 1 });
  return builder.finish([quantize(joined!, 16320)]);
}

describe('layers that are joined', () => {
  const many: Split = {
    count: 64,
    targets: null,
    inputs: inputsOf(
      Uint8Array.from({ length: 128 }, (_, at) => (at % 2 === 0 ? 4 * (at / 2) : 255 - at)),
      2,
    ),
    labels: new Uint8Array(64),
  };
  const of = (layers: Awaited<ReturnType<typeof compare>>, name: string) => layers.find((each) => each.name === name)!;

  it('by one range are compared behind its quantizer, and say who needs it', async () => {
    const graph = branches('concatenation', false);
    const layers = await compare(graph, graph, many);
    const narrow = of(layers, 'narrow');
    // The step of the joint range is 64: values up to 63 become 0 or 1 of it, exactly as fake-quant has them.
    expect(narrow).toMatchObject({ range: 'shared', sharedRange: { by: 'joined', neededBy: 'wide' } });
    expect(narrow).toMatchObject({ sqnrDb: null, withinOneStep: 1, kernel: { sqnrDb: null, withinOneStep: 1 } });
    expect(narrow.narrowed).toMatchObject({ by: 'joined', codes: 2, widest: 'wide' });
    expect(of(layers, 'wide')).toMatchObject({ sharedRange: { neededBy: 'wide' }, narrowed: null });
  });

  it.each(['concatenation', 'add'] as const)('by %s at another scale say how many codes are left', async (join) => {
    const graph = branches(join, true);
    const layers = await compare(graph, graph, many);
    // 64 different pixels, and as many codes at the layer's own scale.
    expect(of(layers, 'narrow')).toMatchObject({ range: 'own', sharedRange: null, usedCodes: 64 });
    expect(of(layers, 'narrow').narrowed).toMatchObject({ by: 'joined', codes: 2, widest: 'wide' });
    expect(of(layers, 'wide').narrowed).toBeNull();
  });
});

describe('the comparison of layers', () => {
  it('can be stopped between images', async () => {
    const graph = network(0);
    const interpreter = prepareInterpreter(lowerToIntegers(graph, 'int8', 'f.pb').graph, 'm.tflite');
    const shares: number[] = [];
    const stop = (share: number) => {
      shares.push(share);
      return shares.length === 2 ? Promise.reject(new Error('stopped')) : Promise.resolve();
    };
    const running = compareLayers(interpreter, graph, split, { scale: 1, mean: 0 }, open, stop);
    await expect(running).rejects.toThrow('stopped');
    // Watching the images is the first half.
    expect(shares).toEqual([0.25, 0.5]);
  });

  it('measures what 8 bits change on a net by hand', async () => {
    const [flat, fc] = await compare(network(0), network(0));
    expect(flat).toMatchObject({ name: 'flat', op: 'reshape', scale: 1, zeroPoint: -128, weightScales: null });
    expect(flat).toMatchObject({
      sqnrDb: null,
      floatSqnrDb: null,
      fakeQuantSqnrDb: null,
      usedCodes: 4,
      range: 'shared',
    });
    expect(flat).toMatchObject({ clipped: { below: 0, above: 0, noiseShare: 0 }, filter: null, outputNoise: null });
    // Float 100, 75.5, 200, 110; integers and fake quant 100, 75.5, 127.5, 110.
    expect(fc).toMatchObject({
      name: 'fc',
      shape: [1, 2],
      scale: 0.5,
      zeroPoint: -128,
      weightScales: { min: 1 / 64, max: 1 / 64, count: 2 },
      sqnrDb: null,
      withinOneStep: 1,
      largestDifference: 0,
      range: 'own',
      clipped: { below: 0, above: 0.25, noiseShare: 1 },
      usedCodes: 4,
      // 127.5 of 127.5.
      headroom: 1,
      kernel: { sqnrDb: null, withinOneStep: 1 },
      // 1/64, times the input's scale 1, over the output's 1/2. The codes of 1, 0.5 and 0.5 are exact.
      filter: {
        channels: 2,
        deadChannels: 0,
        constantChannels: 0,
        ranges: { min: 0.5, max: 1 },
        multipliers: { min: 1 / 32, max: 1 / 32 },
      },
    });
    const signal = 100 ** 2 + 75.5 ** 2 + 200 ** 2 + 110 ** 2;
    expect(fc!.floatSqnrDb).toBeCloseTo(10 * Math.log10(signal / 72.5 ** 2), 6);
    expect(fc!.fakeQuantSqnrDb).toBeCloseTo(10 * Math.log10(signal / 72.5 ** 2), 6);
    // It is the last layer, so what its quantizers do to the output is what they do to its own.
    expect(fc!.outputNoise).toBeCloseTo(72.5 ** 2 / signal, 9);
  });

  it('counts the float values beside the range, and the weights by channel', async () => {
    const [, fc] = await compare(network(0), network(0));
    const { activations, filter } = fc!;
    expect(activations).toMatchObject({ min: 0, max: 127.5 });
    // 75.5 to 200: bins of 2 (37 to 100), since 64 bins of 1 are too few. A step is 0.5.
    const { low, width, counts } = activations!.values;
    expect({ low, width, bins: counts.length }).toEqual({ low: 74, width: 2, bins: 64 });
    const filled = counts.flatMap((count, bin) => (count === 0 ? [] : [[low + bin * width, count]]));
    expect(filled).toEqual([[74, 1], [100, 1], [110, 1], [200, 1]]); // prettier-ignore
    // By channel 1, 0 and 0.5, 0.5. A step is 1/64, so the bins are of 1/64: 0, 32 and 64 of 65 are one too many.
    expect(filter!.weights!.channels).toEqual([
      { channel: 1, min: 0.5, max: 0.5 },
      { channel: 0, min: 0, max: 1 },
    ]);
    expect(filter!.weights!.values).toMatchObject({ low: 0, width: 1 / 32 });
    expect(filter!.weights!.values.counts.flatMap((count, bin) => (count === 0 ? [] : [[bin, count]]))).toEqual([
      [0, 1],
      [16, 2],
      [32, 1],
    ]);
  });

  it('shows 64 channels of more, the least and the furthest among them', async () => {
    const rows = Array.from({ length: 100 }, (_, channel) => [(100 - channel) / 64, 0]).flat();
    const [, fc] = await compare(network(0, 'after', rows), network(0, 'after', rows));
    const channels = fc!.filter!.weights!.channels;
    expect(channels).toHaveLength(64);
    expect([channels[0]?.channel, channels.at(-1)?.channel]).toEqual([99, 0]);
    expect(channels.map(({ max }) => max)).toEqual(channels.map(({ max }) => max).toSorted((a, b) => a - b));
  });

  it('measures how many steps the integers are off', async () => {
    // A bias of 1 is two steps: 101 instead of 100; the second image is clipped either way.
    const [, fc] = await compare(network(1), network(0));
    expect(fc).toMatchObject({ withinOneStep: 0.75, largestDifference: 2 });
    const signal = 100 ** 2 + 75.5 ** 2 + 127.5 ** 2 + 110 ** 2;
    expect(fc!.sqnrDb).toBeCloseTo(10 * Math.log10(signal / 1), 6);
    // The layer before it is exact, so the kernel by itself is as far off.
    expect(fc!.kernel?.withinOneStep).toBe(0.75);
    expect(fc!.kernel?.sqnrDb).toBeCloseTo(10 * Math.log10(signal / 1), 6);
    // Float to fake-quant does not see the integers.
    const float = 100 ** 2 + 75.5 ** 2 + 200 ** 2 + 110 ** 2;
    expect(fc!.fakeQuantSqnrDb).toBeCloseTo(10 * Math.log10(float / 72.5 ** 2), 6);
  });

  it('takes the value behind the activation also when its quantizer is before it', async () => {
    const [, fc] = await compare(network(-150, 'before'), network(-150, 'before'));
    // Float 0, 75.5, 50, 110; integers and fake quant 0, 63.5, 50, 63.5.
    expect(fc).toMatchObject({ name: 'fc', scale: 0.5, zeroPoint: 0, usedCodes: 3 });
    expect(fc!.clipped).toEqual({ below: 0, above: 0.5, noiseShare: 1 });
    // Codes 0, 127, 100, 127; -128 reaches furthest.
    expect(fc!.headroom).toBeCloseTo(128 / 127, 12);
    expect(fc).toMatchObject({ sqnrDb: null, withinOneStep: 1, largestDifference: 0 });
    const signal = 75.5 ** 2 + 50 ** 2 + 110 ** 2;
    expect(fc!.floatSqnrDb).toBeCloseTo(10 * Math.log10(signal / (12 ** 2 + 46.5 ** 2)), 6);
  });

  it('finds dead channels, and channels that are constant for another reason', async () => {
    // With a bias of -300 the first channel is zero behind the relu; the second's weights are all zero.
    const [, fc] = await compare(network(-300, 'after', [1, 0, 0, 0]), network(-300, 'after', [1, 0, 0, 0]));
    expect(fc!.filter).toMatchObject({ channels: 2, deadChannels: 1, constantChannels: 2, ranges: { min: 1, max: 1 } });
    // Nothing but zeros: no value to compare the range with, no signal to compare noise with.
    expect(fc).toMatchObject({ usedCodes: 1, headroom: null, outputNoise: null, fakeQuantSqnrDb: null });
  });

  it('tells by how much the weights of one channel reach further than those of another', async () => {
    // 1/64 is a step of the weights: 4/64 and 64/64.
    const [, fc] = await compare(network(0, 'after', [1, 0, 0, 1 / 16]), network(0, 'after', [1, 0, 0, 1 / 16]));
    expect(fc!.filter?.ranges).toEqual({ min: 1 / 16, max: 1 });
  });

  it('counts one step as one', async () => {
    const [, fc] = await compare(network(0.5), network(0));
    expect(fc).toMatchObject({ withinOneStep: 1, largestDifference: 1 });
  });
});
