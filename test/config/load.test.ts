import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import { keyPart } from '../../src/config/key-part.ts';
import { loadPipeline, parsePipeline } from '../../src/config/load.ts';
import { pipelineSchema } from '../../src/config/schema.ts';
import { completeData, dataSchema, dataSource } from '../../src/data/config.ts';
import { modelSchema } from '../../src/models/config.ts';
import { stages } from '../../src/stages/index.ts';
import { edited, example } from './example.ts';

const load = (text: string, overrides: readonly string[] = []) => parsePipeline(text, '/pipelines/p.yaml', overrides);

// The package's types say `default` where Node gives the function itself.
const canonicalJson = canonicalize as unknown as typeof canonicalize.default;

/** What keys are made of, with the stages by their kind: names are not part of any key. */
function keyTexts(text: string, overrides: readonly string[] = []): string | undefined {
  const { pipeline } = load(text, overrides);
  return canonicalJson([
    keyPart(dataSchema, pipeline.data),
    keyPart(modelSchema, pipeline.model),
    pipeline.stages.map(({ config }) => keyPart(stages[config.uses].config, config)),
    keyPart(pipelineSchema, { seed: pipeline.seed, engine: pipeline.engine, name: pipeline.name }),
  ]);
}

describe('a pipeline file', () => {
  it('is resolved with defaults, fractions and devices', () => {
    const sgd = { kind: 'sgd', nesterov: false, weight_decay: 0, warmup: 0, schedule: 'cosine', momentum: 0.9 };
    expect(load(example).pipeline).toEqual({
      version: 1,
      name: 'mnist-lenet',
      description: 'optional text',
      seed: 1,
      engine: 'wasm',
      data: {
        source: 'mnist',
        validation: 5000,
        normalize: { scale: 0.00392156862745098, mean: 0 },
        augment: {
          ...{ crop: 0, flip: false, rotation: 0, translation: 0, zoom: 0, fill: 'reflect' },
          ...{ brightness: 0, contrast: 0, cutout: 0 },
        },
      },
      model: { preset: 'lenet5' },
      loss: {},
      stages: [
        {
          name: 'pretrain',
          config: {
            uses: 'float-pretrain',
            epochs: 3,
            batch: 64,
            optimizer: { ...sgd, learning_rate: 0.05 },
            keep: 'best',
            devices: [{ kind: 'cpu', index: 0 }],
          },
        },
        {
          name: 'qat',
          config: {
            uses: 'qat',
            from: 'pretrain',
            epochs: 2,
            batch: 64,
            delay: 500,
            optimizer: { ...sgd, learning_rate: 0.01 },
            keep: 'last',
            devices: [
              { kind: 'cpu', index: 0 },
              { kind: 'cpu', index: 1 },
            ],
            ranges: 'running_extremes',
            range_window: 9000,
            merge_ranges: 'min_max',
            observe: 'after_activation',
            scheme: 'int8',
            dense_weights: 'per_channel',
            batch_norm: 'kept',
            reestimate_batch_norm: 0,
            dropout: 'always',
          },
        },
        { name: 'eval', config: { uses: 'save-eval-graph', from: 'qat' } },
        { name: 'freeze', config: { uses: 'freeze', from: 'eval' } },
        {
          name: 'convert',
          config: { uses: 'convert', from: 'freeze', scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
        },
        {
          name: 'test',
          config: {
            uses: 'test',
            from: 'convert',
            examples: 4,
            litert: 'optional',
            gates: { int8_top1_min: 0.98, drop_max: 0.01 },
          },
        },
      ],
    });
  });

  it('is read from disk, and may have Windows line ends', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'qpipe-config-'));
    try {
      const file = join(folder, 'p.yaml');
      await writeFile(file, example.replaceAll('\n', '\r\n'));
      expect((await loadPipeline(file)).pipeline).toEqual(load(example).pipeline);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that does not exist is a mistake of the user', async () => {
    await expect(loadPipeline('/nowhere/p.yaml')).rejects.toMatchObject({
      exitCode: 64,
      diagnostics: [{ code: 'unreadable-pipeline', place: { file: '/nowhere/p.yaml' } }],
    });
  });

  it('may have its stages in any order; they are run in an order that works', () => {
    const swapped = edited(
      ['  eval: { uses: save-eval-graph, from: qat }\n', ''],
      ['stages:\n', 'stages:\n  eval: { uses: save-eval-graph, from: qat }\n'],
    );
    expect(load(swapped).pipeline.stages.map(({ name }) => name)).toEqual([
      'pretrain',
      'qat',
      'eval',
      'freeze',
      'convert',
      'test',
    ]);
  });

  it('may have qat start from scratch', () => {
    const text = edited(['    from: pretrain\n', ''], [', drop_max: 0.01', '']);
    expect(load(text).pipeline.stages[1]?.config).not.toHaveProperty('from');
  });

  it('names the files of its data relative to itself', () => {
    const files = 'source: idx\n  train_images: a\n  train_labels: ../b\n  test_images: /c\n  test_labels: d/e';
    expect(load(edited(['source: mnist', files])).pipeline.data).toMatchObject({
      train_images: '/pipelines/a',
      train_labels: '/b',
      test_images: '/c',
      test_labels: '/pipelines/d/e',
    });
  });

  it('may say where to get the files of its data', () => {
    const sha256 = 'ab'.repeat(32);
    const address = `url: https://example.org/x, sha256: ${sha256}`;
    const idx = `source: idx\n  train_images: { path: a, ${address} }\n  train_labels: b\n  test_images: c\n  test_labels: d`;
    expect(load(edited(['source: mnist', idx])).pipeline.data).toMatchObject({
      train_images: { path: '/pipelines/a', url: 'https://example.org/x', sha256 },
    });
    const cifar10 = edited(['source: mnist', `source: cifar10\n  path: c\n  download: { ${address} }`]);
    expect(dataSource(load(cifar10).pipeline.data)).toEqual({
      kind: 'cifar10',
      path: '/pipelines/c',
      download: { url: 'https://example.org/x', sha256 },
    });
  });

  it('need not say where CIFAR-10 is: it is looked for in the data folder', async () => {
    const text = edited(['source: mnist', 'source: cifar10']);
    const pathIn = (dataFolder?: string) => {
      const source = dataSource(parsePipeline(text, '/pipelines/p.yaml', [], dataFolder).pipeline.data);
      return source.kind === 'cifar10' ? source.path : null;
    };
    expect(pathIn('/sets')).toBe('/sets/cifar10');
    // Without a folder it is one of two beside the current one, whichever holds it.
    expect([resolve('data/cifar10'), resolve('../shared/data/cifar10')]).toContain(pathIn());
    const folder = await mkdtemp(join(tmpdir(), 'data-'));
    try {
      const places = [join(folder, 'a'), join(folder, 'b')];
      const { data } = parsePipeline(text, '/pipelines/p.yaml').pipeline;
      const { path: _unused, ...written } = { path: '', ...data };
      const found = () => completeData(written as typeof data, places, '/pipelines');
      expect(found()).toMatchObject({ path: join(folder, 'a', 'cifar10') });
      await mkdir(join(folder, 'b', 'cifar10'), { recursive: true });
      expect(found()).toMatchObject({ path: join(folder, 'b', 'cifar10') });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says what data to load', () => {
    const source = (text: string) => dataSource(load(edited(['source: mnist', text])).pipeline.data);
    expect(source('source: mnist\n  path: m')).toEqual({ kind: 'mnist', path: '/pipelines/m' });
    expect(source('source: mnist')).toMatchObject({ path: expect.stringMatching(/data.mnist$/) as string });
    expect(source('source: cifar10\n  path: c')).toEqual({ kind: 'cifar10', path: '/pipelines/c', download: null });
    expect(source('source: synthetic\n  train: 6000\n  test: 7\n  seed: 8')).toEqual({
      kind: 'synthetic',
      classes: 10,
      size: 16,
      trainCount: 6000,
      testCount: 7,
      noise: 16,
      seed: 8,
    });
  });

  it('has layers completed: pairs written out, names given, the stride of a pool known', () => {
    const layers = [
      '- { kind: conv_2d, filters: 8, kernel: [3, 5], name: conv_2d_1 }',
      '- { kind: conv_2d, filters: 8, kernel: 1, batch_norm: true, activation: relu6 }',
      '- { kind: add, with: conv_2d_1 }',
      '- { kind: max_pool_2d, window: 2 }',
      '- { kind: average_pool_2d, window: [2, 3], stride: 1, padding: same }',
      '- { kind: mean }',
      '- { kind: fully_connected, units: 10, name: logits }',
    ];
    const model = edited(['model: { preset: lenet5 }', ['model:\n  layers:', ...layers].join('\n    ')]);
    const conv = { kind: 'conv_2d', filters: 8, stride: [1, 1], dilation: [1, 1], padding: 'same', bias: true };
    expect(load(model).pipeline.model).toEqual({
      task: 'classify',
      layers: [
        { ...conv, name: 'conv_2d_1', kernel: [3, 5], batch_norm: false, activation: 'none' },
        { ...conv, name: 'conv_2d_2', kernel: [1, 1], batch_norm: true, activation: 'relu6' },
        { kind: 'add', name: 'add_1', with: 'conv_2d_1', activation: 'none' },
        { kind: 'max_pool_2d', name: 'max_pool_2d_1', window: [2, 2], stride: [2, 2], padding: 'valid' },
        { kind: 'average_pool_2d', name: 'average_pool_2d_1', window: [2, 3], stride: [1, 1], padding: 'same' },
        { kind: 'mean', name: 'mean_1' },
        { kind: 'fully_connected', name: 'logits', units: 10, bias: true, batch_norm: false, activation: 'none' },
      ],
    });
  });
});

describe('the key part of a pipeline', () => {
  const same: readonly (readonly [what: string, text: string])[] = [
    ['comments', edited(['# A comment', '# Another\n# one'], ['epochs: 3', 'epochs: 3 # three'])],
    ['the description', edited(['optional text', 'other words'])],
    ['the name of the pipeline', edited(['name: mnist-lenet', 'name: other'])],
    ['the name of a stage', edited(['  pretrain:', '  floats:'], ['from: pretrain', 'from: floats'])],
    ['the number of threads', edited(['engine: wasm', 'engine: wasm\nthreads: 2'])],
    ['where the data lie', edited(['source: mnist', 'source: mnist\n  path: elsewhere'])],
    ['how a number is spelled', edited(['momentum: 0.9', 'momentum: 9e-1'], ['delay: 500', 'delay: 0x1f4'])],
    ['writing a default out', edited(['epochs: 2', 'epochs: 2\n    batch: 64\n    optimizer: { kind: sgd }'])],
    ['the order of the keys', edited(['    epochs: 2\n    delay: 500\n', '    delay: 500\n    epochs: 2\n'])],
    ['a gate', edited(['drop_max: 0.01', 'drop_max: 0.02'])],
    ['a fraction as a number', edited(['scale: 1/255', 'scale: 0.00392156862745098'])],
  ];
  it.each(same)('does not depend on %s', (_, text) => {
    expect(text).not.toBe(example);
    expect(keyTexts(text)).toBe(keyTexts(example));
  });

  const other: readonly (readonly [what: string, text: string])[] = [
    ['the seed', edited(['seed: 1', 'seed: 2'])],
    ['the engine', edited(['engine: wasm', 'engine: reference'])],
    ['the delay', edited(['delay: 500', 'delay: 501'])],
    ['the number of devices', edited(['[cpu:0, cpu:1]', '[cpu:0]'])],
    ['the model', edited(['preset: lenet5', 'preset: mlp'])],
    ['the normalisation', edited(['mean: 0', 'mean: 128'])],
  ];
  it.each(other)('depends on %s', (_, text) => {
    expect(keyTexts(text)).not.toBe(keyTexts(example));
  });

  it('is the same for a value from the command line as for one from the file', () => {
    expect(keyTexts(example, ['stages.qat.delay=501'])).toBe(keyTexts(edited(['delay: 500', 'delay: 501'])));
  });
});
