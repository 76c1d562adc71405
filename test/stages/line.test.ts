// The stages in a row on a tiny network: what each hands on, and what each refuses.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal, present } from '../../src/core/assert.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { loadDataset } from '../../src/data/load.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { readGraphDef, writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import type { StageContext, StageProgress } from '../../src/runner/plan.ts';
import { artifactChecks } from '../../src/stages/artifacts.ts';
import { encodeModelFile, readModelFile, readQatModel, tensorSource } from '../../src/training/checkpoint.ts';
import type { StageConfig, StageKind } from '../../src/stages/index.ts';
import { stages } from '../../src/stages/index.ts';
import { readStageMetrics } from '../../src/measurements/metrics.ts';
import type { ClassifyTest, ConvertMetrics, TrainMetrics } from '../../src/measurements/metrics.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import { addFloatEdges } from '../../src/tflite/float-edges.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { conv, dense, network, pool } from '../models/networks.ts';
import { floatGraph } from '../models/forms.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 224, testCount: 60, noise: 8, seed: 4 },
  { count: 32, seed: 1 },
);
const spec = {
  ...network(
    [
      conv('conv1', 4, 3, { batch_norm: true }),
      pool('max_pool_2d', 'pool1'),
      conv('conv2', 6, 3),
      pool('max_pool_2d', 'pool2'),
      dense('logits', 3),
    ],
    [12, 12, 1],
  ),
  classes: dataset.classNames,
};

const environment: StageEnvironment = {
  seed: 5,
  trainingData: () => Promise.resolve(dataset),
  testData: () => Promise.resolve(dataset),
  loss: {},
  augment: { crop: 0, flip: false },
  model: () => spec,
  purpose: () => internal('nothing is imported'),
  outside: () => internal('nothing is read outside'),
  checkModelFile: () => Promise.resolve(),
  open: (graph, replicas) => referenceEngine.open(graph, { replicas, threads: 1 }),
  threads: 1,
  now: () => performance.now(),
};

const training: Omit<StageConfig<'float-pretrain'>, 'uses'> = {
  epochs: 2,
  batch: 16,
  optimizer: {
    kind: 'sgd',
    learning_rate: 0.05,
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0,
    schedule: 'cosine',
    warmup: 0,
  },
  keep: 'last',
  devices: [{ kind: 'cpu', index: 0 }],
};

let root = '';
const file = (stage: string, name: string) => join(root, stage, name);
const inputs = {
  float: () => file('float', 'float_model.safetensors'),
  qat: () => file('qat', 'qat_model.safetensors'),
  graph: () => file('eval', 'eval_graph.pb'),
  checkpoint: () => file('eval', 'checkpoint.safetensors'),
  frozen: () => file('freeze', 'frozen.pb'),
  tflite: () => file('convert', 'model.tflite'),
};

async function run<K extends StageKind>(kind: K, folder: string, config: StageConfig<K>, from: Record<string, string>) {
  const directory = join(root, folder);
  mkdirSync(directory, { recursive: true });
  const emitted: StageProgress[] = [];
  const context: StageContext = {
    inputs: from,
    directory,
    emit: (progress) => emitted.push(progress),
    signal: new AbortController().signal,
  };
  return { ...(await stages[kind].run(config, context, environment)), emitted };
}

type Gates = Extract<StageConfig, { uses: 'test' }>['gates'];

async function runTest(gates: Gates, litert: 'required' | 'optional' | 'off' = 'off', withFloat = true) {
  const from = { model: inputs.tflite(), graph: inputs.graph(), checkpoint: inputs.checkpoint(), qat: inputs.qat() };
  const config = { uses: 'test', from: 'convert', examples: 2, litert, gates } as const;
  const measured = await run('test', 'test', config, withFloat ? { ...from, float: inputs.float() } : from);
  const { metrics, verdict } = stages.test.judge(config, measured.metrics);
  return { metrics: metrics as unknown as ClassifyTest, verdict };
}

/** As the record of a run gives them back. */
/** No two buffers that are in use at the same time overlap, and they reach as far as the arena. */
function expectPlan({ memory, operators }: ConvertMetrics): void {
  const buffers = memory?.buffers ?? [];
  expect(buffers.length).toBeGreaterThanOrEqual(operators.length);
  for (const [index, a] of buffers.entries()) {
    for (const b of buffers.slice(index + 1)) {
      const apart = a.last < b.first || b.last < a.first;
      expect(apart || a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
    }
  }
  expect(Math.max(...buffers.map(({ offset, bytes }) => offset + bytes))).toBe(memory?.arena);
  expect(operators.reduce((sum, { macs = 0 }) => sum + macs, 0)).toBe(memory?.macs);
}

const asRecorded = (metrics: object | null): JsonObject => JSON.parse(JSON.stringify(metrics)) as JsonObject;

let floatMetrics: TrainMetrics | null = null;
let qatMetrics: TrainMetrics | null = null;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'qpipe-line-'));
  const float = await run('float-pretrain', 'float', { uses: 'float-pretrain', ...training }, {});
  floatMetrics = float.metrics as unknown as TrainMetrics;
  const qat = await run(
    'qat',
    'qat',
    {
      uses: 'qat',
      from: 'float',
      ...training,
      epochs: 1,
      delay: 3,
      ranges: 'running_extremes',
      range_window: 10_000,
      ema_decay: 0.9,
      merge_ranges: 'min_max',
      observe: 'after_activation',
      scheme: 'int8',
      dense_weights: 'per_channel',
      batch_norm: 'kept',
      reestimate_batch_norm: 0,
      dropout: 'always',
      devices: [
        { kind: 'cpu', index: 0 },
        { kind: 'cpu', index: 1 },
      ],
    },
    { model: inputs.float() },
  );
  qatMetrics = qat.metrics as unknown as TrainMetrics;
  await run('save-eval-graph', 'eval', { uses: 'save-eval-graph', from: 'qat' }, { model: inputs.qat() });
  await run(
    'freeze',
    'freeze',
    { uses: 'freeze', from: 'eval' },
    { graph: inputs.graph(), checkpoint: inputs.checkpoint() },
  );
  await run(
    'convert',
    'convert',
    { uses: 'convert', from: 'freeze', scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
    { graph: inputs.frozen(), model: inputs.qat() },
  );
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('training stages', () => {
  it('take whole batches of all devices, and learn', () => {
    expect(floatMetrics).toMatchObject({ kind: 'train', level: 'float', stepsPerEpoch: 12, steps: 24, devices: 1 });
    expect(qatMetrics).toMatchObject({
      kind: 'train',
      level: 'qat',
      stepsPerEpoch: 12,
      steps: 12,
      devices: 2,
      delay: 3,
    });
    const [first, last] = floatMetrics!.epochs;
    expect(last!.trainLoss).toBeLessThan(first!.trainLoss);
    // Three classes: ln 3 is chance.
    expect(last!.trainLoss).toBeLessThan(1);
    expect(readStageMetrics(asRecorded(floatMetrics))).not.toBeNull();
    expect(readStageMetrics(asRecorded(qatMetrics))).not.toBeNull();
  });

  it('count the parameters', () => {
    // 4*9 + 4 + 4, 6*36 + 6, 3*54 + 3.
    expect(floatMetrics!.parameters).toBe(44 + 222 + 165);
  });

  it('keep the weights of inference, and for qat its ranges and counter: no optimizer state, no averages under way', async () => {
    const floatNames = [...(await readModelFile(inputs.float())).tensors.keys()].sort();
    const weights = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `conv1/${name}`);
    const filters = ['conv1/filter', 'conv2/bias', 'conv2/filter', 'logits/bias', 'logits/filter'];
    expect(floatNames).toEqual([...weights, ...filters].sort());
    const { tensors } = await readModelFile(inputs.qat());
    const ranges = ['conv1', 'conv2', 'logits'].flatMap((layer) => [
      `${layer}/act_quant/min`,
      `${layer}/act_quant/max`,
    ]);
    expect([...tensors.keys()].sort()).toEqual([...weights, ...filters, ...ranges, 'fake_quantization_step'].sort());
    // Once a step, not once a device.
    expect([...present(tensors.get('fake_quantization_step'), 'the counter').data]).toEqual([12]);
  });

  it('start quantization-aware training from the float weights', () => {
    const [first] = qatMetrics!.history;
    expect(first!.loss).toBeLessThan(0.9 * floatMetrics!.history[0]!.loss);
  });
});

describe('artifact checks', () => {
  it('let every stage’s own file pass', async () => {
    await artifactChecks['FloatModel/2'](inputs.float());
    await artifactChecks['QatModel/2'](inputs.qat());
    await artifactChecks['EvalGraph/1'](inputs.graph());
    await artifactChecks['Checkpoint/1'](inputs.checkpoint());
    await artifactChecks['FrozenGraph/1'](inputs.frozen());
    await artifactChecks['Tflite/1'](inputs.tflite());
  });

  it('refuse another stage’s', async () => {
    await expect(artifactChecks['QatModel/2'](inputs.float())).rejects.toThrow('is of level float, not qat');
    await expect(artifactChecks['FloatModel/2'](inputs.qat())).rejects.toThrow('has level qat, not float');
    await expect(artifactChecks['FloatModel/2'](inputs.checkpoint())).rejects.toThrow('not-a-model');
    await expect(artifactChecks['FrozenGraph/1'](inputs.graph())).rejects.toThrow('the checkpoint has no value for');
    await expect(artifactChecks['Tflite/1'](inputs.frozen())).rejects.toThrow('bad-tflite');
    await expect(artifactChecks['EvalGraph/1'](inputs.tflite())).rejects.toThrow();
    await expect(artifactChecks['TestReport/1'](inputs.tflite())).rejects.toThrow();
  });

  it('refuse a file that looks right and is not', async () => {
    const write = (name: string, bytes: Uint8Array): string => {
      writeFileSync(join(root, name), bytes);
      return join(root, name);
    };
    const { tensors } = await readModelFile(inputs.float());
    const float = floatGraph(spec, 1, tensorSource(tensors, 'float'));
    const unquantized = write('float.pb', writeGraphDef(exportGraphDef(float).graphDef));
    await expect(artifactChecks['EvalGraph/1'](unquantized)).rejects.toThrow('holds no fake quantizer');

    // A qat model that lost one range.
    const qat = await readQatModel(inputs.qat());
    const fewer = new Map([...qat.tensors].filter(([name]) => name !== 'conv2/act_quant/max'));
    const lost = write('lost.safetensors', encodeModelFile({ ...qat, tensors: fewer }));
    await expect(artifactChecks['QatModel/2'](lost)).rejects.toThrow('no float32 tensor "conv2/act_quant/max"');

    const empty = write('empty.safetensors', writeSafetensors({ tensors: new Map(), metadata: new Map() }));
    await expect(artifactChecks['Checkpoint/1'](empty)).rejects.toThrow('is empty');

    // Floats at the edges may be asked for; one in the middle means that a layer computes in floats.
    const edges = addFloatEdges(readFileSync(inputs.tflite()), 'm');
    await artifactChecks['Tflite/1'](write('edges.tflite', edges));
    const builder = buildGraph('floats', 'int8');
    const quant = { kind: 'per_tensor', scale: 0.5, zeroPoint: 3 } as const;
    const [real] = builder.node('dequantize', 'real', [builder.input('in', { dtype: 'int8', shape: [2] }, quant)], {});
    const inside = builder.finish(builder.node('quantize', 'out', [real!], { dtype: 'int8' }, quant));
    const withFloats = write('float.tflite', writeTflite(inside));
    await expect(artifactChecks['Tflite/1'](withFloats)).rejects.toThrow('"real" of');
  });
});

describe('freezing', () => {
  it('leaves constants where the eval graph has variables, and no batch norm', () => {
    const opsOf = (name: string) => new Set(readGraphDef(readFileSync(name), name).nodes.map(({ op }) => op));
    expect(opsOf(inputs.graph())).toContain('VarHandleOp');
    expect(opsOf(inputs.graph())).toContain('FusedBatchNormV3');
    const frozen = opsOf(inputs.frozen());
    for (const op of ['VarHandleOp', 'ReadVariableOp', 'FusedBatchNormV3']) expect(frozen).not.toContain(op);
  });
});

describe('the metadata of the model', () => {
  const read = () => readTfliteContents(readFileSync(inputs.tflite()), 'm');

  it('are the classes in their order, and what a pixel means', () => {
    const { metadata, buffers } = read();
    const entry = metadata.find(({ name }) => name === 'qpipe');
    const text = new TextDecoder().decode(buffers[entry!.buffer]);
    const names = dataset.classNames.map((name) => `"${name}"`).join();
    expect(text).toBe(
      `{"version":1,"input":{"kind":"pixels","scale":${Math.fround(1 / 255)},"mean":0},"outputs":[{"task":"classify","classes":[${names}]}]}`,
    );
  });

  it('change nothing else of the file, and may be left out', async () => {
    const withThem = read();
    const config = { uses: 'convert', from: 'freeze', scheme: 'int8', input: 'int8', output: 'int8' } as const;
    const files = { graph: inputs.frozen(), model: inputs.qat() };
    const converted = await run('convert', 'plain', { ...config, metadata: false }, files);
    expectPlan(converted.metrics as unknown as ConvertMetrics);
    const plain = readTfliteContents(readFileSync(file('plain', 'model.tflite')), 'm');
    expect(plain.metadata.map(({ name }) => name)).toEqual(['min_runtime_version']);
    const entry = withThem.metadata.findIndex(({ name }) => name === 'qpipe');
    expect(withThem).toEqual({
      ...plain,
      metadata: withThem.metadata,
      buffers: [...plain.buffers, withThem.buffers[withThem.metadata[entry]!.buffer]],
    });
  });
});

describe('the test stage', () => {
  it('reports accuracies, confusion and layers that agree with each other', async () => {
    const { metrics, verdict } = await runTest({}, 'required');
    expect(verdict).toBe('pass');
    expect(readStageMetrics(asRecorded(metrics))).not.toBeNull();
    const { accuracy, confusion, flips } = metrics;
    expect(confusion.flat().reduce((sum, x) => sum + x, 0)).toBe(60);
    expect(confusion.reduce((sum, row, index) => sum + row[index]!, 0)).toBe(accuracy.int8.correct);
    expect(accuracy.int8.top1).toBe(accuracy.int8.correct / 60);
    expect(flips!.wrongToRight - flips!.rightToWrong).toBe(accuracy.int8.correct - accuracy.float!.correct);
    // Better than chance, and integers near the fake quant they were trained with.
    expect(accuracy.int8.top1).toBeGreaterThan(0.4);
    expect(metrics.agreement.int8_vs_fake_quant).toBeGreaterThan(0.9);
    expect(metrics.agreement.int8_vs_litert).toBeGreaterThan(0.9);
    expect(metrics.layers.map(({ name }) => name)).toEqual([
      'conv1/conv_2d',
      'pool1/max_pool_2d',
      'conv2/conv_2d',
      'pool2/max_pool_2d',
      'logits/reshape',
      'logits/fully_connected',
    ]);
    for (const { name, withinOneStep, sqnrDb } of metrics.layers) {
      expect(withinOneStep, name).toBeGreaterThan(0.98);
      expect(sqnrDb ?? Infinity, name).toBeGreaterThan(25);
    }
    const { shown, scale, zeroPoint } = metrics.examples;
    expect(shown.length).toBeGreaterThanOrEqual(2);
    for (const { int8, code } of shown.flatMap(({ values }) => values)) {
      expect(int8).toBe(Math.fround(scale * (code - zeroPoint)));
    }
  });

  it('writes no times, so that the same model gives the same bytes', async () => {
    await runTest({});
    const first = readFileSync(file('test', 'test.json'), 'utf8');
    await runTest({});
    expect(readFileSync(file('test', 'test.json'), 'utf8')).toBe(first);
    expect(first).not.toContain('seconds');
  });

  it('passes gates at the very limit, and fails them beyond', async () => {
    const { accuracy, agreement } = (await runTest({})).metrics;
    const exact: Gates = {
      int8_top1_min: accuracy.int8.top1,
      fake_quant_top1_min: accuracy.fake_quant!.top1,
      drop_max: Math.max(0, accuracy.float!.top1 - accuracy.int8.top1),
      agreement_min: agreement.int8_vs_fake_quant!,
    };
    const passed = await runTest(exact);
    expect(passed.metrics.gates.map(({ name, ok }) => [name, ok])).toEqual([
      ['int8_top1_min', true],
      ['drop_max', true],
      ['fake_quant_top1_min', true],
      ['agreement_min', true],
    ]);
    expect(passed.verdict).toBe('pass');
    // One image of 60 is 0.0167.
    const tooHigh = await runTest({ int8_top1_min: accuracy.int8.top1 + 0.001, agreement_min: 0 });
    expect(tooHigh.metrics.gates.map(({ ok }) => ok)).toEqual([false, true]);
    expect(tooHigh.verdict).toBe('fail');
  });

  it('fails a gate whose value was not measured', async () => {
    const { metrics, verdict } = await runTest({ drop_max: 1 }, 'off', false);
    expect(metrics.gates).toMatchObject([{ name: 'drop_max', value: null, ok: false }]);
    expect(verdict).toBe('fail');
    expect(metrics.accuracy.float).toBeNull();
    expect(metrics.litertNote).toBe('switched off (`litert: off`)');
  });
});
