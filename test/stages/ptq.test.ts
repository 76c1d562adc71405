// Post-training quantization: ranges as the float network gives them, and a file that goes on as that of qat does.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { internal, present } from '../../src/core/assert.ts';
import { rangeMethodNames } from '../../src/calibration/range-methods.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { inputWriter } from '../../src/data/batches.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { evalGraph } from '../../src/evaluation/graphs.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { parameterOf, valueOf, variablesOf } from '../../src/graph/graph.ts';
import { withVariables } from '../../src/graph/variables.ts';
import { newModel } from '../../src/models/build.ts';
import type { PtqMetrics, TestMetrics, TrainMetrics } from '../../src/measurements/metrics.ts';
import { readStageMetrics } from '../../src/measurements/metrics.ts';
import { removeFakeQuant, trainedRanges } from '../../src/passes/index.ts';
import { artifactChecks } from '../../src/stages/artifacts.ts';
import type { StageDefinition } from '../../src/stages/define.ts';
import type { StageConfig } from '../../src/stages/index.ts';
import { stages } from '../../src/stages/index.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import { encodeModelFile, readQatModel, tensorSource } from '../../src/training/checkpoint.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import { conv, dense, network, pool } from '../models/networks.ts';
import { quantization as qatFields } from './pipeline-line.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 80, testCount: 40, noise: 8, seed: 4 },
  { count: 16, seed: 1 },
);
const spec = {
  ...network(
    [
      conv('one', 4, 3, { batch_norm: true, bias: false }),
      pool('max_pool_2d', 'pool'),
      conv('two', 6, 3),
      dense('logits', 3),
    ],
    [12, 12, 1],
  ),
  classes: dataset.classNames,
};
const model = newModel(spec, 7);

const root = mkdtempSync(join(tmpdir(), 'qpipe-ptq-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fields: Omit<StageConfig<'ptq'>, 'uses' | 'from'> = {
  ...{ examples: 500, ranges: 'min_max', observe: 'after_activation', scheme: 'int8', dense_weights: 'per_channel' },
  ...{ cross_layer_equalization: false, bias_correction: false, reestimate_batch_norm: 0 },
};

interface Setting {
  readonly data?: Dataset;
  readonly engine?: Engine;
  readonly threads?: number;
  readonly seed?: number;
  readonly graph?: Graph;
}

let runs = 0;

function open({ data = dataset, engine = wasmEngine, threads = 1, seed = 5, graph = model.graph }: Setting = {}) {
  const folder = join(root, String(++runs));
  const file = (stage: string, name: string): string => join(folder, stage, name);
  const float = file('float', 'float_model.safetensors');
  mkdirSync(join(folder, 'float'), { recursive: true });
  writeFileSync(float, encodeModelFile({ level: 'float', ...model, graph, tensors: new Map() }));
  const environment: StageEnvironment = {
    ...{ seed, loss: {}, augment: { crop: 0, flip: false }, threads, now: () => performance.now() },
    trainingData: () => Promise.resolve(data),
    testData: () => Promise.resolve(data),
    model: () => spec,
    purpose: () => internal('nothing is imported'),
    outside: () => internal('nothing is read outside'),
    checkModelFile: () => Promise.resolve(),
    open: (opened, replicas) => engine.open(opened, { replicas, threads }),
  };
  const run = async (name: string, config: StageConfig, inputs: Record<string, string>): Promise<unknown> => {
    const directory = join(folder, name);
    mkdirSync(directory);
    const definition = stages[config.uses] as StageDefinition; // by its kind, which the table forgets
    const { signal } = new AbortController();
    const { metrics } = await definition.run(config, { inputs, directory, emit: () => undefined, signal }, environment);
    for (const output of Object.values(definition.outputs(config)))
      await artifactChecks[output.type](file(name, output.file));
    return metrics;
  };
  const quantized = file('ptq', 'qat_model.safetensors');
  const calibrate = async (changes: Partial<typeof fields> = {}): Promise<PtqMetrics> =>
    (await run('ptq', { uses: 'ptq', from: 'float', ...fields, ...changes }, { model: float })) as PtqMetrics;
  return { run, file, float, quantized, calibrate };
}

/** The values of a graph for all training examples, by the loops of the ops. */
async function valuesOf(graph: Graph, names: readonly string[]): Promise<ReadonlyMap<string, number[]>> {
  const session = await referenceEngine.open({ ...graph, outputs: names }, { replicas: 1, threads: 1 });
  const { inputs, count } = dataset.train;
  const write = inputWriter(inputs, spec.normalize);
  const found = new Map(names.map((name) => [name, [] as number[]]));
  for (let index = 0; index < count; index++) {
    const image = new Float32Array(inputs.size);
    write(index, image, 0);
    const values = await session.run(new Map([[graph.inputs[0] ?? '', image]]));
    for (const [name, all] of found) all.push(...present(values.get(name), name));
  }
  await session.close();
  return found;
}

describe('min_max', () => {
  it('is the extent of what the float network gives where the quantizer stands', async () => {
    const { ranges, examples } = await open().calibrate();
    expect(examples).toBe(dataset.train.count);
    const names = ['one/relu', 'two/relu', model.graph.outputs[0] ?? ''];
    const values = await valuesOf(model.graph, names);
    expect(ranges.map(({ name }) => name)).toEqual(['one', 'two', 'logits'].map((layer) => `${layer}/act_quant`));
    for (const [index, name] of names.entries()) {
      const all = present(values.get(name), name);
      const { min, max } = ranges[index]!;
      expect(min).toBeCloseTo(
        all.reduce((a, b) => Math.min(a, b), 0),
        4,
      );
      expect(max).toBeCloseTo(
        all.reduce((a, b) => Math.max(a, b), 0),
        4,
      );
    }
  });
});

describe('the ptq stage', () => {
  it('writes the same bytes for any number of threads, and others for another seed', async () => {
    const settings: Setting[] = [{ threads: 1 }, { threads: 2 }, { threads: 1, seed: 6 }];
    const [one, two, other] = await Promise.all(
      settings.map(async (setting) => {
        const line = open(setting);
        await line.calibrate({ examples: 7, ranges: 'mse', bias_correction: true, cross_layer_equalization: true });
        return readFileSync(line.quantized).toString('base64');
      }),
    );
    expect(two).toBe(one);
    expect(other).not.toBe(one);
  });

  it('gives the same on the reference engine, but for rounding', async () => {
    const [a, b] = [
      await open().calibrate({ examples: 5 }),
      await open({ engine: referenceEngine }).calibrate({ examples: 5 }),
    ];
    for (const [index, { min, max }] of a.ranges.entries()) {
      expect(b.ranges[index]!.min).toBeCloseTo(min, 4);
      expect(b.ranges[index]!.max).toBeCloseTo(max, 4);
    }
  });

  it.skipIf(tensorflowEngine === null).each(rangeMethodNames)(
    'gives the same with TensorFlow, but for rounding: %s',
    async (ranges) => {
      const changes = {
        ...{ ranges, bias_correction: true, cross_layer_equalization: true, reestimate_batch_norm: 2 },
        ...(ranges === 'percentile' && { percentile: 99 }),
      } as const;
      const ours = open();
      const theirs = open({ engine: tensorflowEngine ?? wasmEngine });
      const [a, b] = [await ours.calibrate(changes), await theirs.calibrate(changes)];
      expect(b.ranges.map(({ name }) => name)).toEqual(a.ranges.map(({ name }) => name));
      for (const [index, { min, max, observed }] of a.ranges.entries()) {
        // A value at the edge of a bin, and of two candidates with almost one error the other one.
        const step = (ranges === 'min_max' ? 1e-4 : 0.021) * (observed.max - observed.min);
        expect(Math.abs(b.ranges[index]!.min - min)).toBeLessThan(step);
        expect(Math.abs(b.ranges[index]!.max - max)).toBeLessThan(step);
      }
      const [left, right] = [await readQatModel(ours.quantized), await readQatModel(theirs.quantized)];
      for (const { name, source } of variablesOf(left.graph)) {
        if (source.role !== 'weight' && source.role !== 'bias') continue;
        const [one, other] = [parameterOf(left.graph, name), parameterOf(right.graph, name)];
        for (const [at, value] of one.data.entries()) expect(other.data[at], name).toBeCloseTo(value, 2);
      }
    },
  );

  it('goes on as qat does, and reports metrics that a record gives back', async () => {
    const { run, file, quantized, float, calibrate } = open();
    const metrics = await calibrate({
      ranges: 'percentile',
      percentile: 99.9,
      bias_correction: true,
      reestimate_batch_norm: 2,
    });
    expect(readStageMetrics(JSON.parse(JSON.stringify(metrics)) as never)).toEqual(metrics);
    expect(metrics.corrected).toHaveLength(3);
    await run('eval', { uses: 'save-eval-graph', from: 'ptq' }, { model: quantized });
    const [graph, checkpoint] = [file('eval', 'eval_graph.pb'), file('eval', 'checkpoint.safetensors')];
    await run('freeze', { uses: 'freeze', from: 'eval' }, { graph, checkpoint });
    const convert = {
      uses: 'convert',
      from: 'freeze',
      scheme: 'int8',
      input: 'int8',
      output: 'int8',
      metadata: true,
    } as const;
    await run('convert', convert, { graph: file('freeze', 'frozen.pb'), model: quantized });
    const tested = (await run(
      'test',
      { uses: 'test', from: 'convert', examples: 1, litert: 'off', gates: {} },
      { model: file('convert', 'model.tflite'), graph, checkpoint, qat: quantized, float },
    )) as TestMetrics;
    expect(tested.n).toBe(40);
    // Noise of quantization, not of another network.
    expect(Math.min(...tested.layers.flatMap(({ floatSqnrDb }) => floatSqnrDb ?? []))).toBeGreaterThan(15);
  });

  it('takes one example, and examples that are all alike', async () => {
    const { ranges } = await open().calibrate({ examples: 1, ranges: 'entropy' });
    expect(ranges.every(({ min, max }) => min <= 0 && max > 0)).toBe(true);
    const { inputs } = dataset.train;
    if (inputs.kind !== 'pixels') internal('the examples are pixels');
    const grey = await loadDataset(
      { kind: 'synthetic', classes: 3, size: 12, trainCount: 8, testCount: 4, noise: 0, seed: 4 },
      { count: 0, seed: 1 },
    );
    expect((await open({ data: grey }).calibrate({ ranges: 'mse' })).examples).toBe(8);
  });

  it('refuses values that are not finite, naming the layer', async () => {
    const broken = withVariables(model.graph, ({ name, source }) =>
      name === 'two/bias' ? floatTensor(source.initial.shape, new Float32Array(6).fill(NaN)) : source.initial,
    );
    const calibrated = open({ graph: broken }).calibrate();
    await expect(calibrated).rejects.toThrow(UserError);
    await expect(calibrated).rejects.toThrow(/not-finite: `two.*values that are not finite/);
  });

  it('refuses data without training examples', async () => {
    const empty = { ...dataset, train: { ...dataset.train, count: 0 } };
    await expect(open({ data: empty }).calibrate()).rejects.toThrow('ranges are never calibrated on test examples');
  });
});

describe('bias correction', () => {
  it('gives each layer the mean that it has in float', async () => {
    const meansOf = async (bias_correction: boolean) => {
      const { quantized, calibrate } = open();
      await calibrate({ scheme: 'uint8', bias_correction });
      const file = await readQatModel(quantized);
      const graph = evalGraph(file, trainedRanges(tensorSource(file.tensors, quantized)), file.quantization);
      const layers = graph.nodes.flatMap(({ op, name }) => (/conv_2d|fully_connected/.test(op) ? [name] : []));
      return means(graph, layers);
    };
    const file = model;
    const unknown = {
      kind: 'trained',
      range: () => ({ min: floatTensor([], [0]), max: floatTensor([], [1]) }),
    } as const;
    const form = {
      scheme: 'uint8',
      denseWeights: 'per_tensor',
      observe: 'after_activation',
      batchNorm: 'folded',
    } as const;
    const folded = evalGraph(file, unknown, form);
    const layers = folded.nodes.flatMap(({ op, name }) => (/conv_2d|fully_connected/.test(op) ? [name] : []));
    const float = await means(removeFakeQuant({ ...folded, outputs: layers }), layers);
    const distance = (a: number[]): number => Math.max(...a.map((value, index) => Math.abs(value - float[index]!)));
    const [plain, corrected] = [distance(await meansOf(false)), distance(await meansOf(true))];
    expect(plain).toBeGreaterThan(1e-3);
    // What is left are values beside the middle of two codes, which the engine of the stage rounds otherwise.
    expect(corrected).toBeLessThan(plain / 20);
  });
});

/** The mean of every channel of the layers, one after the other. */
async function means(graph: Graph, layers: readonly string[]): Promise<number[]> {
  const values = await valuesOf(graph, layers);
  return layers.flatMap((name) => {
    const channels = valueOf(graph, name).type.shape.at(-1) ?? 1;
    const all = present(values.get(name), name);
    return Array.from({ length: channels }, (_, channel) => {
      const own = all.filter((_value, at) => at % channels === channel);
      return own.reduce((sum, value) => sum + value, 0) / own.length;
    });
  });
}

describe('qat from a ptq', () => {
  const still = { ...qatFields, delay: 0, optimizer: { ...qatFields.optimizer, learning_rate: 1e-9 } };

  it.each([
    ['running_extremes', { range_window: 1_000_000_000 }],
    ['moving_average', { ema_decay: 0.999_999 }],
  ] as const)('begins with its ranges: %s', async (ranges, memory) => {
    const { run, float, quantized, calibrate } = open();
    // Wider than any batch, so that the observers show what they began with.
    const calibrated = await calibrate();
    const config = { uses: 'qat', from: 'ptq', ...still, ranges, ...memory } as const;
    const trained = (await run('qat', config, { model: float, quantized })) as TrainMetrics;
    if (trained.level !== 'qat') internal('qat trains level qat');
    for (const [index, { name, min, max }] of trained.ranges.entries()) {
      const before = calibrated.ranges[index]!;
      expect(name).toBe(before.name);
      // Statistics of the batch instead of the moving ones change what layers behind batch norm see: not its own input.
      if (ranges === 'moving_average') {
        expect(max).toBeCloseTo(before.max, 2);
        expect(min).toBeCloseTo(before.min, 2);
      } else {
        expect(max).toBeGreaterThanOrEqual(before.max * 0.9999);
        expect(min).toBeLessThanOrEqual(before.min * 0.9999);
      }
    }
  });
});
