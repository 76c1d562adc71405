// A network of several outputs through all six stages: each is trained, quantized and measured by its own task.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { perTensor } from '../../src/core/affine.ts';
import { present } from '../../src/core/assert.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type {
  ClassifyTest,
  OutputTests,
  RegressTest,
  TestMetrics,
  TrainMetrics,
} from '../../src/measurements/metrics.ts';
import { decodeMetadata, metadataName } from '../../src/models/metadata.ts';
import { stages } from '../../src/stages/index.ts';
import { readTflite, readTfliteContents } from '../../src/tflite/read.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import { runOurs } from '../oracle/integer-runs.ts';
import { tensor } from '../../src/core/tensor.ts';
import { realReader } from '../../src/data/inputs.ts';
import { outputsLine } from './output-lines.ts';
import type { LineConfig, LineResult } from './pipeline-line.ts';
import { runLine } from './pipeline-line.ts';

const weights = { spread: 2, largest: 1, mean: 0.5 };
const names = Object.keys(weights);

/** What `run` measured of a network with several outputs. */
const testsOf = ({ test }: LineResult): OutputTests => test as unknown as OutputTests;

const testOf = (line: LineResult, name: string): TestMetrics =>
  present(
    testsOf(line).outputs.find((output) => output.name === name),
    name,
  ).test;

function classTestOf(line: LineResult, name: string): ClassifyTest {
  const test = testOf(line, name);
  if (!('accuracy' in test)) throw new Error(`${name} is measured as ${test.task}`);
  return test;
}

function numberTestOf(line: LineResult, name: string): RegressTest {
  const test = testOf(line, name);
  if (test.task !== 'regress') throw new Error(`${name} is measured as ${test.task}`);
  return test;
}

const severalOf = (metrics: TrainMetrics) => {
  if (metrics.task !== 'several') throw new Error(`trained as ${metrics.task}`);
  return metrics;
};

const modelOf = (line: LineResult): Buffer => readFileSync(line.file('convert', 'model.tflite'));

describe('a network of three outputs', { timeout: 120_000 }, () => {
  let line: LineResult;
  beforeAll(async () => {
    line = await runLine(outputsLine);
  }, 120_000);
  afterAll(() => line.remove());

  /** The codes of an output for the test examples, by the reference interpreter alone. */
  function codesOf(output: number): number[][] {
    const model = modelOf(line);
    const graph = readTflite(model, 'model.tflite');
    const input = valueOf(graph, graph.inputs[0]!);
    const { scale, zeroPoint } = perTensor(input.quant, 'the input');
    const { inputs, count } = outputsLine.dataset.test;
    if (inputs.kind !== 'reals') throw new Error('inputs are pixels');
    const read = realReader(inputs);
    const runs = Array.from({ length: count }, (_, index) => {
      const codes = Array.from(read(index), (value) => Math.round(value / scale) + zeroPoint);
      return [tensor('int8', input.type.shape, Int8Array.from(codes.map((code) => Math.min(127, code))))];
    });
    return runOurs(model, runs).map((found) => Array.from(found[output]!.data, Number));
  }

  it('trains on the weighted sum, and records each output', () => {
    for (const metrics of [line.pretrain, line.qat].map(severalOf)) {
      for (const { trainLoss, validationLoss, outputs } of metrics.epochs) {
        expect(outputs.map(({ name }) => name)).toEqual(names);
        const sum = (of: (output: (typeof outputs)[number]) => number | null) =>
          outputs.reduce((total, output, index) => total + Object.values(weights)[index]! * (of(output) ?? NaN), 0);
        expect(trainLoss).toBeCloseTo(
          sum((output) => output.trainLoss),
          5,
        );
        expect(validationLoss).toBeCloseTo(
          sum((output) => output.validationLoss),
          8,
        );
        expect(outputs.map(({ trainAccuracy }) => trainAccuracy === null)).toEqual([true, false, true]);
        expect(outputs.map(({ validationShare }) => validationShare === null)).toEqual([true, false, true]);
      }
      const best = Math.min(...metrics.epochs.map(({ validationLoss }) => validationLoss ?? NaN));
      const judged = metrics.epochs.filter(({ epoch }) => metrics.level === 'float' || epoch >= metrics.judgedFrom);
      if (judged.length === metrics.epochs.length)
        expect(metrics.epochs.find(({ epoch }) => epoch === metrics.bestEpoch)?.validationLoss).toBe(best);
    }
    const [first, last] = [line.pretrain.epochs[0], line.pretrain.epochs.at(-1)];
    expect(last?.trainLoss).toBeLessThan((first?.trainLoss ?? NaN) / 3);
  });

  it('names them in the file in the order of the pipeline, with a scale each', () => {
    const model = modelOf(line);
    const contents = readTfliteContents(model, 'model.tflite');
    expect(contents.signatures[0]?.outputs.map(({ name }) => name)).toEqual(names);
    expect(contents.signatures[0]?.outputs.map(({ tensor: index }) => index)).toEqual(contents.subgraphs[0]?.outputs);
    const graph = readTflite(model, 'model.tflite');
    const shapes = graph.outputs.map((name) => valueOf(graph, name).type.shape);
    expect(shapes).toEqual([
      [1, 1],
      [1, 3],
      [1, 1],
    ]);
    const scales = graph.outputs.map((name) => perTensor(valueOf(graph, name).quant, name).scale);
    expect(new Set(scales).size).toBe(3);
    const entry = contents.metadata.find(({ name }) => name === metadataName);
    const metadata = decodeMetadata(present(contents.buffers[entry?.buffer ?? -1], 'metadata'));
    expect(metadata?.outputs).toEqual([
      { name: 'spread', task: 'regress', targets: [{ name: 'spread', mean: 0, deviation: 0.5 }] },
      { name: 'largest', task: 'classify', classes: ['first', 'second', 'third'] },
      { name: 'mean', task: 'regress', targets: [{ name: 'mean', mean: 4, deviation: 2 }] },
    ]);
  });

  it('measures classes as the codes of that output say', () => {
    const { labels } = outputsLine.dataset.test;
    const answers = codesOf(1).map((row) => row.indexOf(Math.max(...row)));
    const correct = answers.filter((answer, index) => answer === labels![index]).length;
    const { accuracy, model } = classTestOf(line, 'largest');
    expect(accuracy.int8).toMatchObject({ correct, n: 64 });
    expect(accuracy.int8.top1).toBeGreaterThan(0.85);
    expect(model.output.shape).toEqual([1, 3]);
  });

  it.each([
    ['spread', 0, 1, 0.5],
    ['mean', 2, 0, 2],
  ] as const)('measures %s in the unit of its own target', (name, output, column, deviation) => {
    const { error, unit, targets, model } = numberTestOf(line, name);
    const { scale, zeroPoint } = model.output;
    const rows = outputsLine.dataset.test.targets!;
    const errors = codesOf(output).map(([code = NaN], index) =>
      Math.abs((code - (zeroPoint ?? NaN)) * (scale ?? NaN) - rows[2 * index + column]!),
    );
    const mean = (deviation * errors.reduce((sum, value) => sum + value, 0)) / errors.length;
    expect(error.int8.mean).toBeCloseTo(mean, 5);
    expect([unit, targets.length]).toEqual([name, 1]);
    expect(error.int8.mean).toBeLessThan(numberTestOf(line, name).meanAnswer / 2);
  });

  it('says of each layer how far its quantizers move each output', () => {
    const noiseOf = (name: string, layer: string): number | null | undefined =>
      testsOf(line)
        .outputs.find((output) => output.name === name)
        ?.test.layers.find((one) => one.name.startsWith(layer) && one.outputNoise !== null)?.outputNoise;
    expect(noiseOf('mean', 'hidden')).toBeGreaterThan(0);
    expect(noiseOf('mean', 'spread')).toBe(0);
    expect(noiseOf('spread', 'spread')).toBeGreaterThan(0);
  });

  it('compares limits with every output that has them, and with the one that is named', () => {
    const judge = (gates: object, outputGates: object) => {
      const config = { gates, output_gates: outputGates };
      const { metrics, verdict } = stages.test.judge(config, { ...line.test });
      const { outputs } = metrics as unknown as OutputTests; // what `judge` makes of tests
      return { verdict, gates: outputs.map(({ test }) => test.gates.map(({ name, ok }) => [name, ok])) };
    };
    expect(judge({ int8_top1_min: 0.5, int8_mae_max: 100 }, {})).toEqual({
      verdict: 'pass',
      gates: [[['int8_mae_max', true]], [['int8_top1_min', true]], [['int8_mae_max', true]]],
    });
    expect(judge({}, { mean: { int8_mae_max: 1e-9 } })).toEqual({
      verdict: 'fail',
      gates: [[], [], [['int8_mae_max', false]]],
    });
  });

  const withLine = async <T>(change: Partial<LineConfig>, use: (line: LineResult) => T): Promise<T> => {
    const other = await runLine({ ...outputsLine, ...change });
    try {
      return use(other);
    } finally {
      other.remove();
    }
  };

  it('is the same file again, on 1 and on 3 threads', async () => {
    for (const threads of [1, 3]) {
      expect(await withLine({ threads }, (other) => modelOf(other).equals(modelOf(line)))).toBe(true);
    }
  });

  it.skipIf(tensorflowEngine === null)('is trained by TensorFlow as by us', async () => {
    const change = tensorflowEngine === null ? {} : { engine: tensorflowEngine };
    await withLine(change, ({ pretrain }) => {
      for (const [at, { outputs, trainLoss }] of severalOf(pretrain).epochs.entries()) {
        const ours = severalOf(line.pretrain).epochs[at];
        expect(trainLoss).toBeCloseTo(ours?.trainLoss ?? NaN, 2);
        for (const [index, output] of outputs.entries())
          expect(output.trainLoss).toBeCloseTo(ours?.outputs[index]?.trainLoss ?? NaN, 2);
      }
    });
  });
});
