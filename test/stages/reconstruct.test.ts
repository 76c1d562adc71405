// A network that gives its input back, through all six stages.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { perTensor } from '../../src/core/affine.ts';
import { internal, present } from '../../src/core/assert.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { loadDataset } from '../../src/data/load.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { modelLayers } from '../../src/models/presets.ts';
import type { StageProgress } from '../../src/runner/plan.ts';
import { purposeOf } from '../../src/graph/contract.ts';
import { readModelFile } from '../../src/training/checkpoint.ts';
import type { StageConfig, StageKind } from '../../src/stages/index.ts';
import { stages } from '../../src/stages/index.ts';
import type { ReconstructTest, TrainMetrics } from '../../src/measurements/metrics.ts';
import { readStageMetrics } from '../../src/measurements/metrics.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { adam } from './pipeline-line.ts';
import { pixelsIn } from '../data/examples.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 640, testCount: 60, noise: 8, seed: 4 },
  { count: 64, seed: 1 },
);
const model = { preset: 'autoencoder', hidden: 16, bottleneck: 8 } as const;
const spec = {
  name: 'autoencoder',
  task: 'reconstruct',
  layers: modelLayers(model, 3, [12, 12, 1]),
  image: [12, 12, 1],
  classes: dataset.classNames,
  normalize: { scale: Math.fround(1 / 255), mean: 0 },
} as const;

const environment: StageEnvironment = {
  seed: 5,
  trainingData: () => Promise.resolve(dataset),
  testData: () => Promise.resolve(dataset),
  model: () => spec,
  purpose: () => internal('nothing is imported'),
  outside: () => internal('nothing is read outside'),
  checkModelFile: () => Promise.resolve(),
  loss: {},
  augment: { crop: 0, flip: false },
  open: (graph, replicas) => wasmEngine.open(graph, { replicas, threads: 1 }),
  threads: 1,
  now: () => performance.now(),
};

const training: Omit<StageConfig<'float-pretrain'>, 'uses'> = {
  epochs: 24,
  batch: 32,
  optimizer: adam,
  keep: 'best',
  devices: [{ kind: 'cpu', index: 0 }],
};

let root = '';
const file = (...names: string[]) => join(root, ...names);
const emitted: StageProgress[] = [];

async function run<K extends StageKind>(kind: K, config: StageConfig<K>, inputs: Record<string, string>) {
  const directory = file(kind);
  mkdirSync(directory, { recursive: true });
  const emit = (progress: StageProgress) => emitted.push(progress);
  const context = { inputs, directory, emit, signal: new AbortController().signal };
  return stages[kind].run(config, context, environment);
}

function affineOf(graph: Graph, name: string): { scale: number; zeroPoint: number } {
  return perTensor(valueOf(graph, name).quant, name);
}

function codesOf(graph: Graph, name: string): number[] {
  const { source } = valueOf(graph, name);
  return source.kind === 'constant' ? Array.from(source.data.data, Number) : [];
}

type Gates = Extract<StageConfig, { uses: 'test' }>['gates'];

async function runTest(gates: Gates, float: Record<string, string>) {
  const config = { uses: 'test', from: 'convert', examples: 2, litert: 'optional', gates } as const;
  const measured = await run('test', config, {
    model: file('convert', 'model.tflite'),
    graph: file('save-eval-graph', 'eval_graph.pb'),
    checkpoint: file('save-eval-graph', 'checkpoint.safetensors'),
    qat: file('qat', 'qat_model.safetensors'),
    ...float,
  });
  const { metrics, verdict } = stages.test.judge(config, measured.metrics);
  return { metrics: metrics as unknown as ReconstructTest, verdict };
}

/** Of all test images, by the loops of the ops. */
function integerAnswers(): Float32Array {
  const path = file('convert', 'model.tflite');
  const graph = readTflite(readFileSync(path), path);
  const interpreter = prepareInterpreter(graph, path);
  const output = graph.outputs[0] ?? '';
  const { scale, zeroPoint } = affineOf(graph, output);
  const reals = new Float32Array(144 * dataset.test.count);
  for (let image = 0; image < dataset.test.count; image++) {
    const pixels = pixelsIn(dataset.test).subarray(image * 144, (image + 1) * 144);
    interpreter.run([Int8Array.from(pixels, (pixel) => pixel - 128)]);
    reals.set(
      Array.from(interpreter.peek(output), (code) => scale * (code - zeroPoint)),
      144 * image,
    );
  }
  return reals;
}

let trained: TrainMetrics | null = null;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-reconstruct-'));
  const { metrics } = await run('float-pretrain', { uses: 'float-pretrain', ...training }, {});
  trained = metrics as unknown as TrainMetrics;
  const model = file('float-pretrain', 'float_model.safetensors');
  await run(
    'qat',
    {
      uses: 'qat',
      from: 'float',
      ...training,
      epochs: 4,
      optimizer: { ...training.optimizer, learning_rate: 0.0005 },
      delay: 20,
      ranges: 'running_extremes',
      range_window: 10_000,
      ema_decay: 0.95,
      merge_ranges: 'min_max',
      observe: 'after_activation',
      scheme: 'int8',
      dense_weights: 'per_channel',
      batch_norm: 'kept',
      dropout: 'always',
      reestimate_batch_norm: 0,
    },
    { model },
  );
  await run(
    'save-eval-graph',
    { uses: 'save-eval-graph', from: 'qat' },
    { model: file('qat', 'qat_model.safetensors') },
  );
  const graph = file('save-eval-graph', 'eval_graph.pb');
  const checkpoint = file('save-eval-graph', 'checkpoint.safetensors');
  await run('freeze', { uses: 'freeze', from: 'eval' }, { graph, checkpoint });
  await run(
    'convert',
    { uses: 'convert', from: 'freeze', scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
    { graph: file('freeze', 'frozen.pb'), model: file('qat', 'qat_model.safetensors') },
  );
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('training to reconstruct', () => {
  it('makes the mean squared error small, and has no accuracy', () => {
    const metrics = present(trained, 'the metrics');
    expect(metrics.task).toBe('reconstruct');
    expect(readStageMetrics(JSON.parse(JSON.stringify(metrics)) as JsonObject)).toEqual(metrics);
    const [first, last] = [metrics.epochs[0]!, metrics.epochs.at(-1)!];
    expect(last.validationLoss).toBeLessThan(0.5 * first.validationLoss!);
    expect(Object.keys(metrics.history[0]!).sort()).toEqual(['learningRate', 'loss', 'step']);
    const lines = emitted.filter((progress) => progress.kind === 'progress' && 'loss' in progress.values);
    expect(lines.some((progress) => progress.kind === 'progress' && 'accuracy' in progress.values)).toBe(false);
  });

  it('has its best epoch where the validation loss is least', () => {
    const { epochs, bestEpoch } = present(trained, 'the metrics');
    const losses = epochs.map(({ validationLoss }) => validationLoss!);
    expect(bestEpoch).toBe(1 + losses.indexOf(Math.min(...losses)));
  });

  it('keeps the task in the checkpoint', async () => {
    const { contract } = await readModelFile(file('float-pretrain', 'float_model.safetensors'));
    expect(purposeOf(contract).task).toBe('reconstruct');
  });
});

describe('the test stage of a network that reconstructs', () => {
  const float = () => ({ float: file('float-pretrain', 'float_model.safetensors') });

  it('measures the squared error of every model, and no classes', async () => {
    const { metrics, verdict } = await runTest({}, float());
    expect(verdict).toBe('pass');
    expect(readStageMetrics(JSON.parse(JSON.stringify(metrics)) as JsonObject)).toEqual(metrics);
    const { error } = metrics;
    // What an image of one grey, the mean of all pixels, would miss.
    const pixels = Array.from(pixelsIn(dataset.test), (pixel) => pixel / 255);
    const mean = pixels.reduce((sum, x) => sum + x, 0) / pixels.length;
    const variance = pixels.reduce((sum, x) => sum + (x - mean) ** 2, 0) / pixels.length;
    expect(error.float!.mean).toBeLessThan(0.7 * variance);
    expect(error.fake_quant!.mean).toBeLessThan(0.7 * variance);
    expect(Math.abs(error.int8.mean / error.fake_quant!.mean - 1)).toBeLessThan(0.02);
    if (error.int8_litert !== null) {
      expect(Math.abs(error.int8_litert.mean / error.int8.mean - 1)).toBeLessThan(0.02);
    }
    expect(metrics).not.toHaveProperty('confusion');
  });

  it('finds int8 and fake quant within one step on nearly all values of every layer', async () => {
    const { layers } = (await runTest({}, float())).metrics;
    expect(layers).toHaveLength(11);
    // Nothing but flattening and one layer is before it: only its own rounding counts.
    expect(layers[1]!.withinOneStep).toBe(1);
    // Ten layers on: a value that rounded the other way moves every sum of the next layer by a part of a step, and
    // batch norm magnifies it. That no layer adds more than its own rounding is the next test.
    for (const { name, withinOneStep } of layers) expect(withinOneStep, name).toBeGreaterThan(0.95);
  });

  it('rounds within one step of real arithmetic in every layer, from the same integers', () => {
    const path = file('convert', 'model.tflite');
    const graph = readTflite(readFileSync(path), path);
    const interpreter = prepareInterpreter(graph, path);
    const layers = graph.nodes.filter(({ op }) => op === 'fully_connected');
    expect(layers).toHaveLength(10);
    let [values, different] = [0, 0];
    for (let image = 0; image < 20; image++) {
      const pixels = pixelsIn(dataset.test).subarray(image * 144, (image + 1) * 144);
      interpreter.run([Int8Array.from(pixels, (pixel) => pixel - 128)]);
      for (const { name, inputs } of layers) {
        const [input = '', filter = '', bias = ''] = inputs;
        const [from, weights] = [affineOf(graph, input), valueOf(graph, filter)];
        const to = affineOf(graph, name);
        const scales = weights.quant?.kind === 'per_channel' ? weights.quant.scales : [];
        const x = Array.from(interpreter.peek(input), (code) => from.scale * (code - from.zeroPoint));
        const [w, b] = [codesOf(graph, filter), codesOf(graph, bias)];
        Array.from(interpreter.peek(name), Number).forEach((code, unit) => {
          const weight = (at: number): number => scales[unit]! * w[unit * x.length + at]!;
          const sum = x.reduce((total, real, at) => total + real * weight(at), b[unit]! * from.scale * scales[unit]!);
          const exact = Math.min(127, Math.max(-128, sum / to.scale + to.zeroPoint));
          expect(Math.abs(code - exact), name).toBeLessThan(1);
          values++;
          if (Math.abs(code - exact) > 0.5) different++;
        });
      }
    }
    // The multiplier is fixed point and rounds twice: few values land on the other side of a half.
    expect(different / values).toBeLessThan(0.005);
  });

  it('shows images beside the pixels nearest to their reconstruction', async () => {
    const { examples } = (await runTest({}, float())).metrics;
    const answers = integerAnswers();
    expect(examples.shown).toHaveLength(4);
    for (const { index, views, answers: said } of examples.shown) {
      const pixelsOf = (title: string): number[] => {
        const { view } = views.find((one) => one.title === title) ?? {};
        return view?.kind === 'picture' ? [...Buffer.from(view.pixels, 'base64')] : [];
      };
      const original = pixelsOf('input');
      expect(original).toEqual([...pixelsIn(dataset.test).subarray(144 * index, 144 * (index + 1))]);
      const reals = answers.subarray(144 * index, 144 * (index + 1));
      // Pixels outside 0..255 have no place in a picture.
      expect(pixelsOf('int8')).toEqual(Array.from(reals, (real) => Math.min(255, Math.max(0, Math.round(real * 255)))));
      const squares = reals.reduce((sum, real, at) => sum + (real - Math.fround(original[at]! / 255)) ** 2, 0);
      expect(said.at(-1)?.error).toBeCloseTo(squares / 144, 6);
    }
  });

  it('judges the error of int8, and by how much it exceeds that of float', async () => {
    const { error } = (await runTest({}, float())).metrics;
    const rise = error.int8.mean / error.float!.mean - 1;
    const kept = await runTest({ int8_error_max: error.int8.mean, error_rise_max: Math.max(0, rise) }, float());
    expect(kept.verdict).toBe('pass');
    expect(kept.metrics.gates.map(({ name, value, ok }) => [name, value, ok])).toEqual([
      ['int8_error_max', error.int8.mean, true],
      ['error_rise_max', rise, true],
    ]);
    const missed = await runTest({ int8_error_max: 0.99 * error.int8.mean, error_rise_max: 1 }, {});
    expect(missed.verdict).toBe('fail');
    // Without a float model there is nothing that it could exceed.
    expect(missed.metrics.gates.map(({ value, ok }) => [value === null, ok])).toEqual([
      [false, false],
      [true, false],
    ]);
  });
});
