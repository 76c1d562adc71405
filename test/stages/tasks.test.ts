// Each task through all six stages, on both engines: they train the same, and so does any number of threads.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import type { TestMetrics, TrainMetrics } from '../../src/measurements/metrics.ts';
import { removeFakeQuant } from '../../src/passes/index.ts';
import { readEvalGraph } from '../../src/stages/freeze.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import type { LineConfig, LineResult } from './pipeline-line.ts';
import { runLine } from './pipeline-line.ts';
import { taskLines } from './task-lines.ts';

const { signal } = new AbortController();

const bytesOf = (line: LineResult): Buffer => readFileSync(line.file('convert', 'model.tflite'));

const evalGraphOf = ({ file }: LineResult) =>
  readEvalGraph({
    inputs: { graph: file('eval', 'eval_graph.pb'), checkpoint: file('eval', 'checkpoint.safetensors') },
    ...{ directory: '', emit: () => undefined, signal },
  });

/** What the score of a model that is better is larger of. */
function qualities(test: TestMetrics): Record<'float' | 'fake_quant' | 'int8', number> {
  const of = (runtime: 'float' | 'fake_quant' | 'int8'): number =>
    ('accuracy' in test
      ? test.accuracy[runtime]?.top1
      : 'score' in test
        ? test.score[runtime]?.value
        : -(test.error[runtime]?.mean ?? NaN)) ?? NaN;
  return { float: of('float'), fake_quant: of('fake_quant'), int8: of('int8') };
}

/** The largest difference of two arrays, and the largest value. */
function apart(a: Float32Array, b: Float32Array): { difference: number; size: number } {
  let [difference, size] = [0, 0];
  for (const [at, value] of a.entries()) {
    difference = Math.max(difference, Math.abs(value - b[at]!));
    size = Math.max(size, Math.abs(value));
  }
  return { difference, size };
}

describe.each(taskLines)('%s', { timeout: 120_000 }, (_, config: LineConfig) => {
  let line: LineResult;
  beforeAll(async () => {
    line = await runLine(config);
  }, 120_000);
  afterAll(() => line.remove());

  const withLine = async <T>(change: Partial<LineConfig>, use: (line: LineResult) => T): Promise<Awaited<T>> => {
    const other = await runLine({ ...config, ...change });
    try {
      return await use(other);
    } finally {
      other.remove();
    }
  };

  it('learns, and quantization costs little', () => {
    const losses = ({ epochs }: TrainMetrics): readonly number[] => epochs.map(({ trainLoss }) => trainLoss);
    const [first = NaN, ...others] = losses(line.pretrain);
    expect(others.at(-1)).toBeLessThan(first);
    const { float, fake_quant: fakeQuant, int8 } = qualities(line.test);
    expect(float).not.toBeNaN();
    expect(Math.abs(int8 - fakeQuant)).toBeLessThan(0.05);
  });

  it('is the same file again, on 1 and on 3 threads', async () => {
    const expected = bytesOf(line);
    for (const threads of [1, 3]) {
      expect(await withLine({ threads }, (other) => bytesOf(other).equals(expected)), `${threads} threads`).toBe(true);
    }
  });

  it.skipIf(tensorflowEngine === null)('has equal outputs on both engines, float and fake-quant', async () => {
    const graph = await evalGraphOf(line);
    const last = config.spec.task === 'binary' || config.spec.task === 'multi_label' ? 'logistic' : 'softmax';
    const on = (engine: Engine | null, of: typeof graph) =>
      evaluate(
        of,
        config.dataset.test,
        config.spec.normalize,
        (one) => engine!.open(one, { replicas: 1, threads: 2 }),
        signal,
        last,
      );
    const float = removeFakeQuant(graph);
    const [ours, theirs] = [await on(wasmEngine, float), await on(tensorflowEngine, float)];
    const { difference, size } = apart(ours.outputs, theirs.outputs);
    expect(difference / size).toBeLessThan(1e-5);
    expect(apart(ours.logits, theirs.logits).difference).toBeLessThan(1e-4);
    const [fake, fakeTheirs] = [await on(wasmEngine, graph), await on(tensorflowEngine, graph)];
    // Sums at the edge of two codes may fall on either side.
    const wrong = fake.outputs.filter((value, at) => Math.abs(value - fakeTheirs.outputs[at]!) > 1e-5 * size);
    expect(wrong.length / fake.outputs.length).toBeLessThan(0.01);
  });

  it.skipIf(tensorflowEngine === null)('is trained by TensorFlow as by us', async () => {
    const change = tensorflowEngine === null ? {} : { engine: tensorflowEngine };
    await withLine(change, ({ pretrain, test }) => {
      for (const [at, { trainLoss, validationLoss }] of pretrain.epochs.entries()) {
        const ours = line.pretrain.epochs[at];
        expect(trainLoss).toBeCloseTo(ours?.trainLoss ?? NaN, 2);
        expect(validationLoss).toBeCloseTo(ours?.validationLoss ?? NaN, 2);
      }
      expect(Math.abs(qualities(test).float - qualities(line.test).float)).toBeLessThan(0.05);
    });
  });
});
