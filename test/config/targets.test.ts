/** What is said of settings and networks that a target does not take, with the place in the file. */
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { checkWithoutData } from '../../src/config/plan.ts';
import { formatDiagnostic, formatWarning, UserError } from '../../src/core/diagnostic.ts';
import { edited, example, mistakes } from './example.ts';

const withTarget = (target: string, ...edits: readonly (readonly [string, string])[]): string =>
  edited(['stages:\n', `target: ${target}\nstages:\n`], ...edits);

describe('the key `target`', () => {
  const targetsOf = (target: string) => parsePipeline(withTarget(target), 'p.yaml').pipeline.target;

  it('is a word, a list or a map to budgets', () => {
    const any = { ram: null, flash: null };
    expect(parsePipeline(example, 'p.yaml').pipeline.target).toBeUndefined();
    expect(targetsOf('tflm')).toEqual([{ name: 'tflm', ...any }]);
    expect(targetsOf('[litert, tflm]')).toEqual([
      { name: 'tflm', ...any },
      { name: 'litert', ...any },
    ]);
    expect(targetsOf('{ tflm: { ram: 64k, flash: 1.5 MB }, edgetpu: {} }')).toEqual([
      { name: 'tflm', ram: 64 * 1024, flash: 1_500_000 },
      { name: 'edgetpu', ...any },
    ]);
    expect(targetsOf('{ tflm: { ram: 20000 } }')).toEqual([{ name: 'tflm', ram: 20_000, flash: null }]);
  });

  const bad: readonly (readonly [target: string, printed: string])[] = [
    ['tlfm', 'p.yaml:12:9 error bad-value: `target` is "tlfm"; expected a map, or a text like'],
    ['[tflm, esp]', 'p.yaml:12:16 error bad-value: `target.1` is "esp"; expected one of'],
    ['[]', 'p.yaml:12:9 error bad-value: `target` is an empty list; expected at least 1 item'],
    ['[tflm, tflm]', 'p.yaml:12:16 error bad-value: `target.1` is "tflm"; expected every item once'],
    ['{ tflm: { ram: 64q } }', 'p.yaml:12:24 error bad-value: `target.tflm.ram` is "64q"; expected a text like `64k`'],
    ['{ tflm: { rom: 64k } }', 'p.yaml:12:19 error unknown-key: `target.tflm` has no key `rom`'],
    // LiteRT has no arena.
    ['{ litert: { ram: 64k } }', 'p.yaml:12:21 error unknown-key: `target.litert` has no key `ram`'],
    ['{ esp: {} }', 'p.yaml:12:11 error unknown-key: `target` has no key `esp`'],
    ['4', 'p.yaml:12:9 error wrong-type: `target` is 4; expected a text or a list or a map'],
  ];
  it.each(bad)('%s is a mistake', (target, printed) => {
    const [found] = mistakes(withTarget(target));
    expect(found?.slice(0, printed.length)).toBe(printed);
    expect(found).toContain('hint: ');
  });

  it('names the word that was meant', () => {
    expect(mistakes(withTarget('tlfm'))[0]).toContain('did you mean `tflm`?');
  });
});

describe('a setting that a target does not take', () => {
  it('is reported where it is written', () => {
    const found = mistakes(withTarget('tflm', ['    delay: 500', '    scheme: uint8\n    delay: 500']));
    expect(found).toEqual([
      'p.yaml:24:13 error target-scheme: `stages.qat.scheme` is uint8; TensorFlow Lite Micro takes int8\n' +
        '  24 |     scheme: uint8\n' +
        '     |             ^^^^^\n' +
        '  hint: use `scheme: int8`, or remove `tflm` from `target`',
    ]);
    const [weights] = mistakes(
      withTarget('edgetpu', ['    delay: 500', '    dense_weights: per_channel\n    delay: 500']),
    );
    expect(weights).toMatch(
      /^p\.yaml:24:20 error target-dense-weights: `stages\.qat\.dense_weights` is per_channel; the Edge TPU takes per_tensor/,
    );
  });
});

describe('what resolving fills in for a target', () => {
  const stagesOf = (text: string) =>
    Object.fromEntries(parsePipeline(text, 'p.yaml').pipeline.stages.map(({ name, config }) => [name, config]));

  it('is nothing without one', () => {
    const { qat, convert } = stagesOf(example);
    expect(qat).toMatchObject({ dense_weights: 'per_channel', batch_norm: 'kept' });
    expect(convert).not.toHaveProperty('targets');
  });

  it('is one scale for a dense filter where a target asks for it, and what the file is checked against', () => {
    expect(stagesOf(withTarget('litert'))['qat']).toMatchObject({ dense_weights: 'per_channel' });
    const { qat, convert } = stagesOf(withTarget('[litert, tflm]'));
    expect(qat).toMatchObject({ dense_weights: 'per_tensor', batch_norm: 'kept' });
    expect(convert).toMatchObject({ targets: [{ name: 'tflm' }, { name: 'litert' }] });
    const written = withTarget('tflm', ['    delay: 500', '    dense_weights: per_channel\n    delay: 500']);
    expect(stagesOf(written)['qat']).toMatchObject({ dense_weights: 'per_channel' });
  });

  it('folds batch norm where a dense layer has it, which one scale could not take in', () => {
    const normalized = withTarget(
      'tflm',
      ['preset: lenet5', 'preset: autoencoder'],
      ['{ int8_top1_min: 0.98, drop_max: 0.01 }', '{}'],
    );
    expect(stagesOf(normalized)['qat']).toMatchObject({ dense_weights: 'per_tensor', batch_norm: 'folded' });
  });
});

const network = (target: string, output = 'int8') => `version: 1
name: network
target: ${target}
data: { source: synthetic }
model:
  layers:
    - { kind: conv_2d, filters: 8, kernel: 3, activation: relu }
    - { kind: l2_normalization }
    - kind: transpose_conv
      filters: 4
      kernel: 3
      stride: 3
    - { kind: flatten }
    - { kind: fully_connected, units: 10 }
stages:
  qat: { uses: qat, epochs: 1, batch: 32 }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze, output: ${output} }
`;

async function said(text: string): Promise<readonly string[]> {
  try {
    return (await checkWithoutData(parsePipeline(text, 'p.yaml'))).map(formatWarning);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(formatDiagnostic);
  }
}

const heads = (lines: readonly string[]): readonly string[] => lines.map((text) => text.split('\n')[0] ?? '');

describe('a layer that a target leaves to the processor', () => {
  it('is named at its line, with what to do', async () => {
    const [first, second, ...others] = await said(network('ethos_u55'));
    expect(first).toBe(
      'p.yaml:8:7 warning target-leaves: layer `l2_normalization_1` is L2_NORMALIZATION; the Ethos-U55 takes no such ' +
        'op, so TensorFlow Lite Micro runs it on the processor\n' +
        '   8 |     - { kind: l2_normalization }\n' +
        '     |       ^^^^^^^^^^^^^^^^^^^^^^^^^^\n' +
        '  hint: use another layer, or remove `ethos_u55` from `target`',
    );
    expect(second).toMatch(
      /^p\.yaml:9:7 warning target-leaves: layer `transpose_conv_1` has strides of 3 x 3; the Ethos-U55 takes 1 x 1 or 2 x 2/,
    );
    expect(others).toEqual([]);
  });

  it('is nothing for runtimes that take the whole network', async () => {
    expect(await said(network('[tflm, litert]'))).toEqual([]);
    expect(await said(network('[tflm, litert]', 'float32'))).toEqual([]);
  });

  it('is not told twice of an edge', async () => {
    const { pipeline, locate } = parsePipeline(network('ethos_u55', 'float32'), 'p.yaml');
    const { warnings } = await import('../../src/config/checks/warnings.ts');
    expect(heads(warnings(pipeline, locate).map(formatWarning))).toEqual([
      'p.yaml:19:51 warning target-leaves: `stages.convert.output` is float32, which the Ethos-U55 does not convert: ' +
        'TensorFlow Lite Micro does, on the processor',
    ]);
    expect(heads(await said(network('ethos_u55', 'float32')))).toHaveLength(2);
  });
});

describe('a budget', () => {
  it('is compared with the arena and the file before anything is trained', async () => {
    // The arena holds 16 x 16 x 8 bytes twice, and 48 x 48 x 4 outputs of the transposed convolution as int32 as well.
    const found = await said(network('{ tflm: { ram: 16k, flash: 4k } }'));
    expect(heads(found)).toEqual([
      'p.yaml:3:24 error over-budget: the tensor arena takes 47.0 KiB on TensorFlow Lite Micro; `target.tflm.ram` is 16.0 KiB',
      expect.stringMatching(
        /^p\.yaml:3:36 error over-budget: the model takes [\d.]+ KiB on TensorFlow Lite Micro; `target\.tflm\.flash` is 4\.0 KiB$/,
      ),
    ]);
    expect(await said(network('{ tflm: { ram: 64k, flash: 1M } }'))).toEqual([]);
  });
});
