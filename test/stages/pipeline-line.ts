/** All six stages in a row on a network and a data set, in a folder of their own. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { internal, present } from '../../src/core/assert.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { Model } from '../../src/graph/contract.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import { artifactChecks } from '../../src/stages/artifacts.ts';
import type { StageDefinition } from '../../src/stages/define.ts';
import type { StageConfig } from '../../src/stages/index.ts';
import { stages } from '../../src/stages/index.ts';
import type { ClassifyTest, ConvertMetrics, TestMetrics, TrainMetrics } from '../../src/measurements/metrics.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import { encodeModelFile } from '../../src/training/checkpoint.ts';

/** An optimizer with everything present, for networks that have to learn in a few epochs. */
export const adam = {
  kind: 'adam',
  learning_rate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-7,
  weight_decay: 0,
  schedule: 'cosine',
  warmup: 0,
} as const;

type Fields<K extends StageConfig['uses']> = Omit<StageConfig<K>, 'uses' | 'from'>;

export interface LineConfig {
  readonly spec: ModelSpec;
  readonly dataset: Dataset;
  readonly pretrain: Fields<'float-pretrain'>;
  readonly qat: Fields<'qat'>;
  readonly convert: Fields<'convert'>;
  readonly test?: Partial<Fields<'test'>>;
  /** Default: the plain one. */
  readonly loss?: StageEnvironment['loss'];
  /** Default: the wasm engine. */
  readonly engine?: Engine;
  /** Default 2. */
  readonly threads?: number;
}

export interface LineResult {
  readonly pretrain: TrainMetrics;
  readonly qat: TrainMetrics;
  readonly convert: ConvertMetrics;
  readonly test: TestMetrics;
  /** The path of an artifact. */
  readonly file: (stage: string, name: string) => string;
  readonly remove: () => void;
}

export async function runLine({ spec, pretrain, ...config }: LineConfig): Promise<LineResult> {
  const line = openLine(config.dataset, spec, config);
  const pretrained = await line.run('pretrain', { uses: 'float-pretrain', ...pretrain }, {});
  return { pretrain: pretrained as TrainMetrics, ...(await runFromFloat(line, config)) };
}

type LaterStages = Pick<LineConfig, 'qat' | 'convert' | 'test'>;

/** The stages behind a float model that none of them trained. */
export async function runFrom(
  model: Model,
  config: LaterStages & Pick<LineConfig, 'dataset'>,
): Promise<Omit<LineResult, 'pretrain'>> {
  const line = openLine(config.dataset, null);
  mkdirSync(dirname(line.float));
  writeFileSync(line.float, encodeModelFile({ level: 'float', ...model, tensors: new Map() }));
  return runFromFloat(line, config);
}

/** @param spec of the network that is trained from scratch; null where none is */
function openLine(
  dataset: Dataset,
  spec: ModelSpec | null,
  { loss = {}, engine = wasmEngine, threads = 2 }: Pick<LineConfig, 'loss' | 'engine' | 'threads'> = {},
) {
  const root = mkdtempSync(join(tmpdir(), 'qpipe-line-'));
  const file = (stage: string, name: string): string => join(root, stage, name);
  const environment: StageEnvironment = {
    seed: 5,
    trainingData: () => Promise.resolve(dataset),
    testData: () => Promise.resolve(dataset),
    model: () => present(spec, 'the network'),
    purpose: () => internal('nothing is imported'),
    outside: () => internal('nothing is read outside'),
    checkModelFile: () => Promise.resolve(),
    loss,
    augment: { crop: 0, flip: false },
    open: (graph, replicas) => engine.open(graph, { replicas, threads }),
    threads,
    now: () => performance.now(),
  };
  const run = async (
    name: string,
    config: StageConfig,
    inputs: Record<string, string>,
    tested: Dataset = dataset,
  ): Promise<unknown> => {
    const directory = join(root, name);
    mkdirSync(directory);
    const definition = stages[config.uses] as StageDefinition; // by its kind, which the table forgets
    const { signal } = new AbortController();
    const { metrics } = await definition.run(
      config,
      { inputs, directory, emit: () => undefined, signal },
      { ...environment, testData: () => Promise.resolve(tested) },
    );
    for (const output of Object.values(definition.outputs(config)))
      await artifactChecks[output.type](file(name, output.file));
    return metrics;
  };
  const remove = () => rmSync(root, { recursive: true, force: true });
  return { run, file, remove, float: file('pretrain', 'float_model.safetensors') };
}

type Line = ReturnType<typeof openLine>;

async function runFromFloat(line: Line, { qat, ...config }: LaterStages) {
  const trained = await line.run('qat', { uses: 'qat', from: 'pretrain', ...qat }, { model: line.float });
  const { file, remove } = line;
  return { qat: trained as TrainMetrics, ...(await runFromQat(line, config)), file, remove };
}

/** What happens to files between two stages, by their path. */
export interface Tampering {
  readonly qat?: (file: string) => void;
  readonly convert?: (file: string) => void;
  /** What the test stage is given; default: what trained the network. */
  readonly dataset?: Dataset;
}

/** @param suffix of the folders of the stages, which are new ones */
async function runFromQat(
  { run, file, float }: Line,
  { convert, test }: Omit<LaterStages, 'qat'>,
  suffix = '',
  tampering: Tampering = {},
) {
  const name = (stage: string): string => `${stage}${suffix}`;
  let model = file('qat', 'qat_model.safetensors');
  if (tampering.qat !== undefined) {
    const copy = file(name('tampered'), 'qat_model.safetensors');
    mkdirSync(dirname(copy));
    copyFileSync(model, copy);
    tampering.qat(copy);
    model = copy;
  }
  const graph = file(name('eval'), 'eval_graph.pb');
  const checkpoint = file(name('eval'), 'checkpoint.safetensors');
  const tflite = file(name('convert'), 'model.tflite');
  await run(name('eval'), { uses: 'save-eval-graph', from: 'qat' }, { model });
  await run(name('freeze'), { uses: 'freeze', from: 'eval' }, { graph, checkpoint });
  const converted = await run(
    name('convert'),
    { uses: 'convert', from: 'freeze', ...convert },
    { graph: file(name('freeze'), 'frozen.pb'), model },
  );
  tampering.convert?.(tflite);
  const tested = await run(
    name('test'),
    { uses: 'test', from: 'convert', examples: 2, litert: 'off', gates: {}, ...test },
    { model: tflite, graph, checkpoint, qat: model, float },
    tampering.dataset,
  );
  return { convert: converted as ConvertMetrics, test: tested as TestMetrics };
}

/** A line that is trained once, and goes on from its QAT model as often as it is tampered with. */
export async function openTampering({ spec, dataset, pretrain, qat, ...config }: LineConfig) {
  const line = openLine(dataset, spec, config);
  const pretrained = await line.run('pretrain', { uses: 'float-pretrain', ...pretrain }, {});
  const trained = await line.run('qat', { uses: 'qat', from: 'pretrain', ...qat }, { model: line.float });
  let runs = 0;
  return {
    pretrain: pretrained as TrainMetrics,
    qat: trained as TrainMetrics,
    run: (tampering: Tampering = {}) => runFromQat(line, config, `-${++runs}`, tampering),
    remove: line.remove,
  };
}

/** What the test stage says of a network that classifies. */
export function classified({ test }: Pick<LineResult, 'test'>): ClassifyTest {
  if (test.task !== 'classify') throw new Error(`the network does not classify, its task is ${test.task}`);
  return test;
}

export const training: Fields<'float-pretrain'> = {
  epochs: 2,
  batch: 16,
  optimizer: {
    ...{ kind: 'sgd', learning_rate: 0.02, momentum: 0.9, nesterov: false, weight_decay: 0 },
    ...{ schedule: 'cosine', warmup: 0 },
  },
  keep: 'last',
  devices: [{ kind: 'cpu', index: 0 }],
};

export const quantization: Fields<'qat'> = {
  ...training,
  ...{ ranges: 'running_extremes', range_window: 10_000 },
  ...{ epochs: 1, delay: 4, ema_decay: 0.8, merge_ranges: 'min_max', observe: 'after_activation' },
  ...{ scheme: 'int8', dense_weights: 'per_channel', batch_norm: 'kept', reestimate_batch_norm: 0, dropout: 'always' },
};
