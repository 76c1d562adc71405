/** Ranges that calibration chooses, against NumPy's of the values that TensorFlow gives. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CalibrationExamples } from '../../src/calibration/examples.ts';
import type { Extent } from '../../src/calibration/histogram.ts';
import type { RangeMethod } from '../../src/calibration/range-methods.ts';
import { rangeMethodNames } from '../../src/calibration/range-methods.ts';
import { calibrateRanges, unknownRanges } from '../../src/calibration/ranges.ts';
import { present } from '../../src/core/assert.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { expectDType, floatTensor } from '../../src/core/tensor.ts';
import { inputWriter } from '../../src/data/batches.ts';
import { loadDataset } from '../../src/data/load.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { evalGraph } from '../../src/evaluation/graphs.ts';
import { writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { newModel } from '../../src/models/build.ts';
import { prune, removeFakeQuant, setBatch } from '../../src/passes/index.ts';
import { conv, dense, network, pool } from '../models/networks.ts';
import type { Oracle } from './oracle.ts';
import { expectList, expectRecord, hasOracle, openOracle } from './oracle.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 60, testCount: 3, noise: 40, seed: 4 },
  { count: 0, seed: 1 },
);
const layers = [
  conv('rectified', 6, 3, { batch_norm: true, bias: false }),
  conv('curved', 6, 3, { activation: 'hard_swish' }),
  pool('max_pool_2d', 'pool'),
  conv('leaking', 8, 3, { activation: 'leaky_relu' }),
  conv('bounded', 8, 3, { activation: 'tanh' }),
  dense('logits', 3),
];
const spec = { ...network(layers, [12, 12, 1]), classes: dataset.classNames };
const form = { scheme: 'int8', denseWeights: 'per_channel', observe: 'after_activation', batchNorm: 'folded' } as const;
const graph = evalGraph(newModel(spec, 7), unknownRanges, form);
const share = 98;
const method = (kind: RangeMethod['kind']): RangeMethod =>
  kind === 'percentile' ? { kind, percentile: share } : { kind };

const examples: CalibrationExamples = {
  ...{ split: dataset.train, normalize: spec.normalize },
  order: Uint32Array.from({ length: dataset.train.count }, (_, index) => index),
  open: (opened) => wasmEngine.open(opened, { replicas: 1, threads: 1 }),
  ran: () => undefined,
};

function images(): FloatTensor {
  const { inputs, count } = dataset.train;
  const write = inputWriter(inputs, spec.normalize);
  const data = new Float32Array(count * inputs.size);
  for (let index = 0; index < count; index++) write(index, data, index * inputs.size);
  return floatTensor([count, 12, 12, 1], data);
}

/** The float network up to a value, as TensorFlow runs it. */
function upTo(value: string): Graph {
  return setBatch(prune(removeFakeQuant({ ...graph, outputs: [value] })), dataset.train.count);
}

describe.skipIf(!hasOracle)('ranges of activations', { timeout: 120_000 }, () => {
  let oracle: Oracle;
  const chosen = new Map<string, Map<string, Extent>>();
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
    for (const kind of rangeMethodNames) {
      for (const { quantizer, min, max } of await calibrateRanges(graph, method(kind), examples)) {
        const known = chosen.get(quantizer) ?? new Map<string, Extent>();
        chosen.set(quantizer, known.set(kind, { min, max }));
      }
    }
  });
  afterAll(() => oracle.close());

  const quantizers = graph.nodes.flatMap(({ op, inputs: [value = '', min = ''] }) => {
    const owner = graph.values.get(min)?.source;
    return op === 'fake_quant' && owner?.kind === 'variable' && owner.role === 'range_min'
      ? [{ quantizer: owner.owner ?? '', value }]
      : [];
  });

  it('differ from method to method', () => {
    expect(quantizers).toHaveLength(7);
    const texts = (kind: string) => [...chosen.values()].map((ranges) => JSON.stringify(ranges.get(kind)));
    const kinds = rangeMethodNames.map((kind) => texts(kind).join());
    expect(new Set(kinds).size).toBe(rangeMethodNames.length);
  });

  it.each(quantizers)('of $quantizer are those of the definitions', async ({ quantizer, value }) => {
    const { graphDef, variables } = exportGraphDef(upTo(value));
    const ends = (kind: string): readonly number[] => {
      const { min, max } = present(chosen.get(quantizer)?.get(kind), kind);
      return [min, max];
    };
    const answer = expectRecord(
      await oracle.evaluate('calibration.judged(run_graph(graph, variables, feeds, ["output"])[0], chosen, share)', {
        graph: writeGraphDef(graphDef),
        variables: Object.fromEntries([...variables].map(([name, tensor]) => [name, expectDType(tensor, 'float32')])),
        feeds: { [graph.inputs[0] ?? '']: images() },
        chosen: { mse: ends('mse'), entropy: ends('entropy') },
        share,
      }),
    );
    const [least = 0, most = 0] = expectList(answer['min_max']).map(Number);
    const extent = most - least;
    // Sums of float32 in another order.
    const rounding = 1e-5 * extent;
    const within = (found: number, [low = 0, high = 0]: readonly number[], slack: number): void => {
      expect(found).toBeGreaterThanOrEqual(low - slack);
      expect(found).toBeLessThanOrEqual(high + slack);
    };
    for (const [at, found] of ends('min_max').entries())
      within(found, [[least, most][at] ?? 0, [least, most][at] ?? 0], rounding);
    const percentile = expectRecord(answer['percentile']);
    for (const [at, end] of ['low', 'high'].entries())
      within(ends('percentile')[at] ?? 0, expectList(percentile[end]).map(Number), extent / 2048 + rounding);
    // Of a coarser search, but over every pair of ends, and of the values themselves and not of their bins.
    expect(Number(answer['error'])).toBeLessThan(1.01 * Number(answer['least_error']));
    expect(Number(answer['extra_divergence'])).toBeLessThan(1e-3);
  });
});
