import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { checkWithoutData } from '../../src/config/plan.ts';
import { UserError, formatDiagnostic, formatWarning } from '../../src/core/diagnostic.ts';

const lines = (...text: readonly string[]) => text.join('\n');

/** A pipeline with batch norm on a dense layer and on a convolution of 12 x 12 pixels. */
const pipeline = (qat: string, layers = 'fully_connected, name: dense, units: 8, batch_norm: true') => `version: 1
name: fit
data: { source: synthetic, size: 12, classes: 4, train: 1064, validation: 64 }
model:
  layers:
    - { kind: conv_2d, name: conv, filters: 2, kernel: 3, batch_norm: true }
    - { kind: ${layers} }
    - { kind: fully_connected, units: 4 }
stages:
  qat: { uses: qat, epochs: 3, ${qat} }
`;

/** What is found; warnings come only where there are no errors. */
async function found(
  text: string,
): Promise<{ readonly errors: readonly string[]; readonly warnings: readonly string[] }> {
  try {
    return { errors: [], warnings: (await checkWithoutData(parsePipeline(text, 'p.yaml'))).map(formatWarning) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { errors: error.diagnostics.map(formatDiagnostic), warnings: [] };
  }
}

describe('batch norm', () => {
  it('over a single value per channel is a mistake', async () => {
    expect((await found(pipeline('batch: 1'))).errors).toEqual([
      lines(
        'p.yaml:10:39 error batch-norm-of-one-value: `stages.qat.batch` is 1, so batch norm of `dense` sees one value ' +
          'per channel: it subtracts the value from itself, and nothing of the image is left',
        '  10 |   qat: { uses: qat, epochs: 3, batch: 1 }',
        '     |                                       ^',
        '  hint: a batch of at least 9, or `dense` without batch norm',
      ),
    ]);
  });

  it.each([
    ['on each of several devices', 'batch: 2, devices: [cpu:0, cpu:1]'],
    ['folded', 'batch: 1, batch_norm: folded'],
    ['of scheme uint8', 'batch: 1, scheme: uint8'],
    ['frozen later', 'batch: 1, batch_norm: folded, freeze_bn_delay: 2'],
  ])('over a single value is a mistake too: %s', async (_, qat) => {
    expect((await found(pipeline(qat))).errors).toEqual([expect.stringContaining('batch-norm-of-one-value')]);
  });

  it('as a layer of its own is seen too, and so is one pixel', async () => {
    const own = 'fully_connected, name: dense, units: 8 }\n    - { kind: batch_norm, name: norm';
    expect((await found(pipeline('batch: 1', own))).errors[0]).toContain('batch norm of `norm` sees one value');
    const pixel = 'conv_2d, name: pixel, filters: 2, kernel: 12, padding: valid, batch_norm: true';
    expect((await found(pipeline('batch: 1', pixel))).errors[0]).toContain('batch norm of `pixel` sees one value');
  });

  it('over few values is a warning, with the error of their variance', async () => {
    // sqrt(2 / 3) is 0.816.
    expect((await found(pipeline('batch: 8, devices: [cpu:0, cpu:1]'))).warnings).toEqual([
      lines(
        'p.yaml:10:39 warning batch-norm-of-few-values: `stages.qat.batch` is 8 on 2 devices, so batch norm of `dense` ' +
          'sees 4 values per channel; the variance of so few is off by about 82 %',
        '  10 |   qat: { uses: qat, epochs: 3, batch: 8, devices: [cpu:0, cpu:1] }',
        '     |                                       ^',
        '  hint: a batch of at least 18, or `dense` without batch norm',
      ),
    ]);
  });

  it.each([
    ['over enough values', 'batch: 9', undefined],
    ['over the pixels of an image', 'batch: 1', 'mean, name: dense'],
    ['that never looks at the batch', 'batch: 1, batch_norm: folded, freeze_bn_delay: 1', undefined],
  ])('is fine %s', async (_, qat, layers) => {
    expect(await found(pipeline(qat, layers))).toEqual({ errors: [], warnings: [] });
  });
});

describe('a network without batch norm', () => {
  const plain = (qat: string) => pipeline(qat).replaceAll(', batch_norm: true', '');

  it.each([
    ['reestimate_batch_norm', 'reestimate_batch_norm: 4'],
    ['freeze_bn_delay', 'batch_norm: folded, freeze_bn_delay: 9'],
  ])('has no use for %s', async (field, qat) => {
    const message = `\`stages.qat.${field}\` has no effect: the network has no batch norm`;
    expect((await found(plain(qat))).warnings).toEqual([expect.stringContaining(message)]);
    expect((await found(pipeline(qat))).warnings).toEqual([]);
  });
});

describe('choosing the best epoch', () => {
  // 1000 images make 100 steps an epoch: step 201 begins the last one.
  it('is fine where an epoch is quantized from its first step on', async () => {
    expect((await found(pipeline('batch: 10, keep: best, delay: 201'))).warnings).toEqual([]);
    expect((await found(pipeline('batch: 10, delay: 202'))).warnings).toEqual([]);
  });

  it('among none is a warning that says how many epochs it takes', async () => {
    expect((await found(pipeline('batch: 10, keep: best, delay: 202'))).warnings).toEqual([
      lines(
        'p.yaml:10:43 warning nothing-to-judge: `stages.qat.keep` has no epoch to judge: quantization starts at step ' +
          '202, within the last of 3 epochs (100 steps each), and only epochs that are quantized from their first step ' +
          'on count; the last weights are kept',
        '  10 |   qat: { uses: qat, epochs: 3, batch: 10, keep: best, delay: 202 }',
        '     |                                           ^^^^',
        '  hint: `epochs: 4` or more, or a delay of at most 201 steps',
      ),
    ]);
    const stopping = (await found(pipeline('batch: 10, early_stopping: { patience: 1 }, delay: 299'))).warnings;
    expect(stopping[0]).toContain('`stages.qat.early_stopping` has no epoch to judge');
  });
});
