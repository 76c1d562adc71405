/** A qat stage that starts from another one is the rest of a longer training. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { loadDataset } from '../../src/data/load.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { TrainMetrics } from '../../src/measurements/metrics.ts';
import type { StageConfig } from '../../src/stages/index.ts';
import { qat } from '../../src/stages/qat.ts';
import { readQatModel } from '../../src/training/checkpoint.ts';
import { conv, dense, network } from '../models/networks.ts';
import { quantization } from './pipeline-line.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 6, trainCount: 32, testCount: 4, noise: 8, seed: 4 },
  { count: 0, seed: 1 },
);
const spec = {
  ...network([conv('conv', 3, 3, { batch_norm: true }), dense('logits', 3)], [6, 6, 1]),
  classes: dataset.classNames,
};
const root = mkdtempSync(join(tmpdir(), 'qpipe-qat-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Fields = Partial<StageConfig<'qat'>>;

/** One step an epoch, of all examples: their order does not matter, and without momentum nothing else is remembered. */
const fields: Omit<StageConfig<'qat'>, 'from'> = {
  ...quantization,
  ...{ uses: 'qat', batch: 32, delay: 0, ranges: 'moving_average', ema_decay: 0.99, merge_ranges: 'mean' },
  optimizer: {
    ...{ kind: 'sgd', learning_rate: 0.05, momentum: 0, nesterov: false, weight_decay: 0 },
    ...{ schedule: 'constant', warmup: 0 },
  },
};

let stages = 0;

async function train(epochs: number, changes: Fields = {}, quantized?: string) {
  const directory = join(root, String(++stages));
  mkdirSync(directory);
  const { signal } = new AbortController();
  const inputs = quantized === undefined ? {} : { quantized };
  const { metrics } = await qat.run(
    { ...fields, ...changes, epochs },
    { inputs, directory, emit: () => undefined, signal },
    {
      ...{ seed: 5, loss: {}, augment: { crop: 0, flip: false }, threads: 1, now: () => 0 },
      trainingData: () => Promise.resolve(dataset),
      testData: () => Promise.resolve(dataset),
      model: () => spec,
      purpose: () => internal('nothing is imported'),
      outside: () => internal('nothing is read outside'),
      checkModelFile: () => Promise.resolve(),
      open: (opened, replicas) => wasmEngine.open(opened, { replicas, threads: 1 }),
    },
  );
  const measured = metrics as TrainMetrics;
  if (measured.level !== 'qat') internal('qat trains level qat');
  const file = join(directory, 'qat_model.safetensors');
  return { file, metrics: measured, tensors: (await readQatModel(file)).tensors };
}

/** How far the tensors of two files are apart, relative to their sizes. */
function distance(a: Awaited<ReturnType<typeof train>>, b: Awaited<ReturnType<typeof train>>): number {
  const distances = [...a.tensors].flatMap(([name, { data }]) => {
    const other = b.tensors.get(name)?.data ?? internal(`no ${name}`);
    return [...data].map((value, index) => {
      return Math.abs(Number(value) - Number(other[index])) / (0.1 + Math.abs(Number(value)));
    });
  });
  return Math.max(...distances);
}

describe('qat from a qat', () => {
  it.each<[string, Fields]>([
    ['moving averages', {}],
    ['running extremes', { ranges: 'running_extremes', range_window: 200, merge_ranges: 'min_max' }],
    ['folded batch norm', { batch_norm: 'folded' }],
    ['uint8', { scheme: 'uint8', dense_weights: 'per_tensor', batch_norm: 'folded' }],
  ])('goes on as one training would: %s', async (_what, changes) => {
    const whole = await train(7, changes);
    const first = await train(3, changes);
    const both = await train(4, changes, first.file);
    expect(distance(whole, both)).toBeLessThan(1e-4);
    // The rest of a training is not its beginning.
    expect(distance(whole, first)).toBeGreaterThan(1e-2);
    expect([...both.tensors.get('fake_quantization_step')!.data]).toEqual([7]);
    expect(both.metrics.ranges.map(({ updates }) => updates)).toEqual(whole.metrics.ranges.map(() => 7));
  });

  it('counts the delay from its own first step', async () => {
    const first = await train(3, { delay: 2 });
    const again = await train(4, { delay: 3 }, first.file);
    // Quantized from step 3 on: the same as that, and not as none, or as quantized from the start.
    const same = await train(4, { delay: 3 }, first.file);
    const others = [await train(4, { delay: 0 }, first.file), await train(4, { delay: 5 }, first.file)];
    expect(distance(again, same)).toBe(0);
    for (const other of others) expect(distance(again, other)).toBeGreaterThan(1e-6);
    expect(distance(others[0]!, await train(4, { delay: 1 }, first.file))).toBe(0);
    expect(again.metrics.delay).toBe(3);
  });

  it('freezes batch norm at a step of its own', async () => {
    const changes = { batch_norm: 'folded' } as const;
    const first = await train(3, changes);
    const frozen = await train(4, { ...changes, freeze_bn_delay: 2 }, first.file);
    const moved = await train(4, changes, first.file);
    const once = await train(1, changes, first.file);
    const mean = ({ tensors }: typeof first) => {
      const name = [...tensors.keys()].find((key) => key.includes('moving_mean')) ?? internal('no batch norm');
      return [...tensors.get(name)!.data];
    };
    expect(mean(frozen)).toEqual(mean(once));
    expect(mean(frozen)).not.toEqual(mean(moved));
    expect(mean(frozen)).not.toEqual(mean(first));
  });
});
