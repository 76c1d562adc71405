/** The gradient of a quantizer as the tensorflow engine lowers it, with what stands before it in a training graph. */
import { describe, expect, it } from 'vitest';
import { qpipeHome } from '../../src/install/home.ts';
import { nudgeRange } from '../../src/core/affine.ts';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { loadTensorflow } from '../../src/engine/tensorflow/addon.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { tensorflowEngine } from './engines.ts';

const CHANNELS = 500;

/** The next float32 of a positive or negative number, away from zero by so many units in the last place. */
function beside(value: number, units: number): number {
  const float = Float32Array.of(value);
  const bits = new Int32Array(float.buffer);
  bits[0]! += units;
  return float[0]!;
}

async function run(engine: Engine, graph: Graph, feeds: ReadonlyMap<string, Float32Array>): Promise<Float32Array> {
  const session = await engine.open(graph, { replicas: 1, threads: 2 });
  try {
    return (await session.run(feeds)).get(graph.outputs[0]!)!;
  } finally {
    await session.close();
  }
}

describe.skipIf(tensorflowEngine === null)('the gradient of a quantizer on the tensorflow engine', () => {
  it.each([false, true])("has the bounds of TensorFlow's own op, narrow range %s", async (narrowRange) => {
    const { tf } = await loadTensorflow(qpipeHome());
    const random = createRandom(1, 'bounds');
    const [min, max] = [new Float32Array(CHANNELS), new Float32Array(CHANNELS)];
    // Row by row: at, one and two units beside each bound.
    const units = [-2, -1, 0, 1, 2];
    const values = new Float32Array(2 * units.length * CHANNELS);
    for (let channel = 0; channel < CHANNELS; channel++) {
      const [low, high] = [-4 * random.float(), 4 * random.float()].map(Math.fround) as [number, number];
      [min[channel], max[channel]] = [low, high];
      const nudged = nudgeRange(low, high, 8, narrowRange);
      units.forEach((unit, row) => {
        values[2 * row * CHANNELS + channel] = beside(nudged.min, unit);
        values[(2 * row + 1) * CHANNELS + channel] = beside(nudged.max, unit);
      });
    }
    const shape = [2 * units.length, CHANNELS];
    const gradient = new Float32Array(values.length).fill(1);
    const builder = buildGraph('bounds', 'qat');
    const [slopes, x] = ['gradient', 'x'].map((name) => builder.input(name, { dtype: 'float32', shape }));
    const [low, high] = ['min', 'max'].map((name) => builder.input(name, { dtype: 'float32', shape: [CHANNELS] }));
    const outputs = builder.node('fake_quant_grad', 'result', [slopes!, x!, low!, high!], {
      bits: 8,
      narrowRange,
      axis: 1,
    });
    const feeds = { gradient, x: values, min, max };
    const actual = await run(tensorflowEngine!, builder.finish(outputs), new Map(Object.entries(feeds)));

    const { binding } = tf.backend();
    const attributes = [
      { name: 'num_bits', type: binding.TF_ATTR_INT!, value: 8 },
      { name: 'narrow_range', type: binding.TF_ATTR_BOOL!, value: narrowRange },
    ];
    const operands = [
      tf.tensor(gradient, shape, 'float32'),
      tf.tensor(values, shape, 'float32'),
      tf.tensor(min, [CHANNELS], 'float32'),
      tf.tensor(max, [CHANNELS], 'float32'),
    ];
    const results = tf
      .backend()
      .executeMultipleOutputs('FakeQuantWithMinMaxVarsPerChannelGradient', attributes, operands, 3);
    expect(actual).toEqual(results[0]!.dataSync());
    // Both kinds occur, and not by rows only: where a range is nudged to decides.
    expect(actual.filter((slope) => slope === 0).length).toBeGreaterThan(3 * CHANNELS);
    expect(actual.filter((slope) => slope === 1).length).toBeGreaterThan(3 * CHANNELS);
    tf.dispose([...operands, ...results]);
  });

  it.each([
    ['relu', 0],
    ['relu', 1],
    ['relu6', 0],
    ['relu6', 1],
  ] as const)('is one with that of %s before it, with active %i', async (op, active) => {
    // The upper bounds of 7.97 and 7.99 are nudged, by a bit to either side; those of the others stay.
    const maxima = [0.7, 3, 5.9, 6, 6.1, 7.97, 7.99, 20];
    const bounds = maxima.map((max) => nudgeRange(0, Math.fround(max), 8, false).max);
    const edges = [-1, -0, 0, 1e-30, ...[...bounds, 6].flatMap((edge) => [beside(edge, -1), edge, beside(edge, 1)])];
    const shape = [edges.length];
    const builder = buildGraph('rectified', 'qat');
    const [slopes, x] = ['gradient', 'x'].map((name) => builder.input(name, { dtype: 'float32', shape }));
    const isActive = builder.input('active', { dtype: 'float32', shape: [] });
    const [y] = builder.node(op, 'y', [x!], {});
    const zero = builder.constant('min', floatTensor([], [0]));
    const rows = maxima.map((max) => {
      const range = [zero, builder.constant(`max ${max}`, floatTensor([], [max])), isActive];
      const attrs = { bits: 8, narrowRange: false, axis: null };
      const [quantized] = builder.node('fake_quant_grad', `quantized ${max}`, [slopes!, y!, ...range], attrs);
      const limit = op === 'relu' ? Infinity : 6;
      return builder.node('relu_grad', `rectified ${max}`, [quantized!, y!], { limit })[0]!;
    });
    const all = builder.node('concatenation', 'all', rows, { axis: 0 });
    const graph = builder.finish(all);
    const feeds = {
      gradient: Float32Array.from(edges, (_, index) => index + 1),
      x: Float32Array.from(edges),
      active: Float32Array.of(active),
    };
    const [actual, expected] = [
      await run(tensorflowEngine!, graph, new Map(Object.entries(feeds))),
      await run(referenceEngine, graph, new Map(Object.entries(feeds))),
    ];
    expect(actual).toEqual(expected);
    const rowsOf = maxima.map((_, row) => actual.subarray(row * edges.length, (row + 1) * edges.length).join());
    const distinct = { relu: maxima.length, relu6: maxima.filter((max) => max <= 6).length };
    expect(new Set(rowsOf).size).toBe(active === 0 ? 1 : distinct[op]);
  });

  it('passes the largest weights of each channel as the reference does', async () => {
    const random = createRandom(2, 'weights');
    const weights = Float32Array.from({ length: CHANNELS * 9 }, () => 2 * random.float() - 1);
    const shape = [CHANNELS, 9];
    const builder = buildGraph('weights', 'qat');
    const [slopes, x] = ['gradient', 'x'].map((name) => builder.input(name, { dtype: 'float32', shape }));
    const range = builder.node('observe_range', 'range', [x!], { axis: 0, symmetric: true });
    const outputs = builder.node('fake_quant_grad', 'result', [slopes!, x!, ...range], {
      bits: 8,
      narrowRange: true,
      axis: 0,
    });
    const graph = builder.finish(outputs);
    const feeds = new Map([
      ['gradient', new Float32Array(weights.length).fill(1)],
      ['x', weights],
    ]);
    const actual = await run(tensorflowEngine!, graph, feeds);
    expect(actual).toEqual(await run(referenceEngine, graph, feeds));
    // Some lie a bit above the nudged bound, so that even the exact range of a channel keeps its largest out.
    const blocked = actual.filter((slope) => slope === 0).length;
    expect(blocked).toBeGreaterThan(0);
    expect(blocked).toBeLessThan(CHANNELS / 2);
  });
});
