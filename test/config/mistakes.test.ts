import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/core/diagnostic.ts';
import { parsePipeline } from '../../src/config/load.ts';
import { checkWithoutData } from '../../src/config/plan.ts';
import { sizeDiagnostics } from '../../src/config/checks/data.ts';
import { deviceDiagnostics, normalizedOf, schemeDiagnostics } from '../../src/config/checks/stages.ts';
import { warnings } from '../../src/config/checks/warnings.ts';
import type { Layer } from '../../src/models/layers.ts';
import { conv, dense, network } from '../models/networks.ts';
import { stages } from '../../src/stages/index.ts';
import { edited, example, meaningHint, mistakes } from './example.ts';

/** Every word after `uses:`, as messages list them. */
const kinds = Object.keys(stages)
  .map((kind) => `\`${kind}\``)
  .join(', ');

const lines = (...text: readonly string[]) => text.join('\n');

describe('a mistake in a pipeline file', () => {
  const cases: readonly (readonly [title: string, replacement: readonly [string, string], printed: string])[] = [
    [
      'an unknown key',
      ['    delay: 500', '    delai: 500'],
      lines(
        'p.yaml:23:5 error unknown-key: `stages.qat` has no key `delai`',
        '  23 |     delai: 500',
        '     |     ^^^^^',
        '  hint: did you mean `delay`?',
      ),
    ],
    [
      'a download without its digest',
      ['source: mnist', 'source: cifar10\n  download: { url: "https://example.org/x" }'],
      lines(
        'p.yaml:9:3 error missing-key: `data.download` needs the key `sha256`',
        '   9 |   download: { url: "https://example.org/x" }',
        '     |   ^^^^^^^^',
        '  hint: `sha256`: SHA-256 of the downloaded file, in hexadecimal',
      ),
    ],
    [
      'an address that is none',
      ['source: mnist', `source: cifar10\n  download: { url: ftp://x, sha256: ${'ab'.repeat(32)} }`],
      lines(
        'p.yaml:9:20 error bad-value: `data.download.url` is "ftp://x"; expected a text like `https://example.org/images.gz`',
        `   9 |   download: { url: ftp://x, sha256: ${'ab'.repeat(32)} }`,
        '     |                    ^^^^^^^',
        meaningHint('url'),
      ),
    ],
    [
      'a crop that is no number of pixels',
      ['normalize: { scale: 1/255, mean: 0 }', 'augment: { crop: -1 }'],
      lines(
        'p.yaml:10:20 error bad-value: `data.augment.crop` is -1; expected at least 0',
        '  10 |   augment: { crop: -1 }',
        '     |                    ^^',
        meaningHint('crop'),
      ),
    ],
    [
      'a key that is like no other',
      ['normalize: { scale: 1/255, mean: 0 }', 'normalize: { scale: 1/255, deviation: 0 }'],
      lines(
        'p.yaml:10:30 error unknown-key: `data.normalize` has no key `deviation`',
        '  10 |   normalize: { scale: 1/255, deviation: 0 }',
        '     |                              ^^^^^^^^^',
        '  hint: one of `scale`, `mean`, `std`',
      ),
    ],
    [
      'a wrong type',
      ['    epochs: 3', '    epochs: three  '],
      lines(
        'p.yaml:15:13 error wrong-type: `stages.pretrain.epochs` is "three"; expected a whole number',
        '  15 |     epochs: three  ',
        '     |             ^^^^^',
        meaningHint('epochs'),
      ),
    ],
    [
      'a number in quotes',
      ['    epochs: 3', "    epochs: '3'"],
      lines(
        'p.yaml:15:13 error wrong-type: `stages.pretrain.epochs` is "3"; expected a whole number',
        "  15 |     epochs: '3'",
        '     |             ^^^',
        '  hint: remove the quotes',
      ),
    ],
    [
      'a number with a fraction where a whole one is needed',
      ['    batch: 64', '    batch: 6.5'],
      lines(
        'p.yaml:16:12 error wrong-type: `stages.pretrain.batch` is 6.5; expected a whole number',
        '  16 |     batch: 6.5',
        '     |            ^^^',
        '  hint: for example `6` or `7`',
      ),
    ],
    [
      'a list where a map is needed, over several lines',
      ['model: { preset: lenet5 }', 'model:\n  - preset\n  - lenet5'],
      lines(
        'p.yaml:12:3 error wrong-type: `model` is a list of 2; expected a map',
        '  12 |   - preset',
        '     |   ^^^^^^^^',
        '  hint: write `key: value` without the `- ` or `[ ]` around it',
      ),
    ],
    [
      'an empty value',
      ['    delay: 500', '    delay:'],
      lines(
        'p.yaml:23:5 error wrong-type: `stages.qat.delay` is empty; expected a whole number',
        '  23 |     delay:',
        '     |     ^^^^^',
        '  hint: write a value, or remove the key: its default is `0`',
      ),
    ],
    [
      'a percentage where a fraction is meant',
      ['drop_max: 0.01', 'drop_max: 1.5'],
      lines(
        'p.yaml:32:45 error bad-value: `stages.test.gates.drop_max` is 1.5; expected at most 1',
        '  32 |     gates: { int8_top1_min: 0.98, drop_max: 1.5 }',
        '     |                                             ^^^',
        '  hint: this is a fraction of 1, not a percentage; 1.5 % is 0.015',
      ),
    ],
    [
      'a value out of range',
      ['learning_rate: 0.05', 'learning_rate: 0'],
      lines(
        'p.yaml:17:44 error bad-value: `stages.pretrain.optimizer.learning_rate` is 0; expected more than 0',
        '  17 |     optimizer: { kind: sgd, learning_rate: 0, momentum: 0.9, schedule: cosine }',
        '     |                                            ^',
        meaningHint('learning_rate'),
      ),
    ],
    [
      'a number that is not one',
      ['learning_rate: 0.05', 'learning_rate: .inf'],
      lines(
        'p.yaml:17:44 error wrong-type: `stages.pretrain.optimizer.learning_rate` is Infinity; expected a finite number',
        '  17 |     optimizer: { kind: sgd, learning_rate: .inf, momentum: 0.9, schedule: cosine }',
        '     |                                            ^^^^',
        meaningHint('learning_rate'),
      ),
    ],
    [
      'a word that is none of those allowed',
      ['schedule: cosine', 'schedule: cosin'],
      lines(
        'p.yaml:17:75 error bad-value: `stages.pretrain.optimizer.schedule` is "cosin"; expected one of `constant`, `cosine`',
        '  17 |     optimizer: { kind: sgd, learning_rate: 0.05, momentum: 0.9, schedule: cosin }',
        '     |                                                                           ^^^^^',
        '  hint: did you mean `cosine`?',
      ),
    ],
    [
      'a tag that is none of those allowed, once and not once per alternative',
      ['    uses: float-pretrain', '    uses: float_pretrain'],
      lines(
        'p.yaml:14:11 error bad-value: `stages.pretrain.uses` is "float_pretrain"; expected one of ' + kinds,
        '  14 |     uses: float_pretrain',
        '     |           ^^^^^^^^^^^^^^',
        '  hint: did you mean `float-pretrain`?',
      ),
    ],
    [
      'a key of another alternative',
      ['{ preset: lenet5 }', '{ preset: lenet5, hidden: [3] }'],
      lines(
        'p.yaml:11:26 error unknown-key: `model` has no key `hidden`',
        '  11 | model: { preset: lenet5, hidden: [3] }',
        '     |                          ^^^^^^',
        '  hint: `hidden` goes with `preset: mlp` or `preset: autoencoder`',
      ),
    ],
    [
      'a missing key, placed at the map it is missing from',
      ['    epochs: 3\n', ''],
      lines(
        'p.yaml:13:3 error missing-key: `stages.pretrain` needs the key `epochs`',
        '  13 |   pretrain:',
        '     |   ^^^^^^^^',
        '  hint: `epochs`: Number of passes over the training images',
      ),
    ],
    [
      'a missing key at the root',
      ['name: mnist-lenet\n', ''],
      lines(
        'p.yaml:2:1 error missing-key: the pipeline needs the key `name`',
        '   2 | version: 1',
        '     | ^^^^^^^',
        '  hint: `name`: Name of the pipeline; the names of its runs contain it',
      ),
    ],
    [
      'a missing tag',
      ['    uses: float-pretrain\n', ''],
      lines(
        'p.yaml:13:3 error missing-key: `stages.pretrain` needs the key `uses`',
        '  13 |   pretrain:',
        '     |   ^^^^^^^^',
        '  hint: one of ' + kinds,
      ),
    ],
    [
      'another version',
      ['version: 1', 'version: 2'],
      lines(
        'p.yaml:2:10 error bad-value: `version` is 2; expected `1`',
        '   2 | version: 2',
        '     |          ^',
        meaningHint('version'),
      ),
    ],
    [
      'a malformed device',
      ['[cpu:0, cpu:1]', '[cpu:0, cpu1]'],
      lines(
        'p.yaml:24:22 error bad-value: `stages.qat.devices.1` is "cpu1"; expected a text like `cpu:0`, `gpu:0`',
        '  24 |     devices: [cpu:0, cpu1]',
        '     |                      ^^^^',
      ),
    ],
    [
      'a space in a device',
      ['[cpu:0, cpu:1]', '[cpu:0, cpu: 1]'],
      lines(
        'p.yaml:24:22 error wrong-type: `stages.qat.devices.1` is a map; expected a text like `cpu:0`, `gpu:0`',
        '  24 |     devices: [cpu:0, cpu: 1]',
        '     |                      ^^^^^^',
      ),
    ],
    [
      'a device named twice',
      ['[cpu:0, cpu:1]', '[cpu:0, cpu:0]'],
      lines(
        'p.yaml:24:22 error bad-value: `stages.qat.devices.1` is "cpu:0"; expected every item once; it repeats item 0',
        '  24 |     devices: [cpu:0, cpu:0]',
        '     |                      ^^^^^',
        '  hint: remove one of the two',
      ),
    ],
    [
      'a fraction that is none',
      ['scale: 1/255', 'scale: 1/0'],
      lines(
        'p.yaml:10:23 error bad-value: `data.normalize.scale` is "1/0"; expected a text like `0.0078125`, `1/255`',
        '  10 |   normalize: { scale: 1/0, mean: 0 }',
        '     |                       ^^^',
        meaningHint('scale'),
      ),
    ],
    [
      'a name that cannot be one',
      ['  test:', '  Test/1:'],
      lines(
        'p.yaml:29:3 error bad-name: `Test/1` cannot be a name in `stages`',
        '  29 |   Test/1:',
        '     |   ^^^^^^',
        '  hint: names start with a lower-case letter, followed by lower-case letters, digits, `-` and `_`, at most 100; for example `test-1`',
      ),
    ],
    [
      'a key written twice',
      ['    epochs: 3', '    epochs: 3\n    epochs: 4'],
      lines(
        'p.yaml:16:5 error duplicate-key: the key `epochs` is written twice in the same map',
        '  16 |     epochs: 4',
        '     |     ^^^^^^',
        '  hint: keep one of the two',
      ),
    ],
    [
      'a batch that the devices cannot share',
      ['[cpu:0, cpu:1]', '[cpu:0, cpu:1, cpu:2]\n    batch: 64'],
      lines(
        'p.yaml:25:12 error uneven-batch: `stages.qat.batch` is 64; expected a multiple of 3, the number of devices',
        '  25 |     batch: 64',
        '     |            ^^',
        '  hint: for example 63',
      ),
    ],
    [
      'keeping the best without validation',
      ['validation: 5000', 'validation: 0'],
      lines(
        'p.yaml:18:11 error no-validation: `stages.pretrain.keep: best` needs validation images, ' +
          'but `data.validation` is 0',
        '  18 |     keep: best',
        '     |           ^^^^',
        '  hint: set `data.validation` to a number of images',
      ),
    ],
    [
      'a gate that compares with a float model where there is none',
      ['    from: pretrain\n', ''],
      lines(
        'p.yaml:31:35 error gate-without-float: `stages.test.gates.drop_max` compares with a float model, ' +
          'but no stage with a float model leads here',
        '  31 |     gates: { int8_top1_min: 0.98, drop_max: 0.01 }',
        '     |                                   ^^^^^^^^',
        '  hint: use `int8_top1_min`, or start the `qat` stage from a `float-pretrain` or `import` stage',
      ),
    ],
    [
      'a gate on the error of a reconstruction for a network that classifies',
      ['drop_max: 0.01', 'int8_error_max: 0.01'],
      lines(
        'p.yaml:32:35 error gate-of-other-task: `stages.test.gates.int8_error_max` is for a network that reconstructs; ' +
          'this one classifies',
        '  32 |     gates: { int8_top1_min: 0.98, int8_error_max: 0.01 }',
        '     |                                   ^^^^^^^^^^^^^^',
        '  hint: use `int8_top1_min` or `drop_max` or `fake_quant_top1_min` or `agreement_min` or `worst_recall_min` or `class_drop_max` or `balanced_accuracy_min`',
      ),
    ],
    [
      'a stage that is not there',
      ['from: pretrain', 'from: pretrian'],
      lines(
        'p.yaml:21:11 error unknown-stage: `stages.qat.from` is `pretrian`, but there is no such stage',
        '  21 |     from: pretrian',
        '     |           ^^^^^^^^',
        '  hint: did you mean `pretrain`?',
      ),
    ],
    [
      'a stage of the wrong kind',
      ['freeze, from: eval', 'freeze, from: qat'],
      lines(
        'p.yaml:27:33 error wrong-input: `stages.freeze.from` is `qat`, which gives QatModel/2; freeze takes EvalGraph/1',
        '  27 |   freeze: { uses: freeze, from: qat }',
        '     |                                 ^^^',
        '  hint: `from: eval`',
      ),
    ],
    [
      'a stage of the wrong kind where none of the right kind exists',
      [
        '  eval: { uses: save-eval-graph, from: qat }\n  freeze: { uses: freeze, from: eval }',
        '  freeze: { uses: freeze, from: qat }',
      ],
      lines(
        'p.yaml:26:33 error wrong-input: `stages.freeze.from` is `qat`, which gives QatModel/2; freeze takes EvalGraph/1',
        '  26 |   freeze: { uses: freeze, from: qat }',
        '     |                                 ^^^',
        '  hint: add a stage with `uses: save-eval-graph` and name it here',
      ),
    ],
    [
      'a stage that says not what it takes',
      ['{ uses: convert, from: freeze }', '{ uses: convert }'],
      lines(
        'p.yaml:28:3 error missing-key: `stages.convert` needs the key `from`; convert takes FrozenGraph/1',
        '  28 |   convert: { uses: convert }',
        '     |   ^^^^^^^',
        '  hint: `from: freeze`',
      ),
    ],
    [
      'stages that wait for each other, once for the whole cycle',
      ['from: pretrain', 'from: freeze'],
      lines(
        'p.yaml:21:11 error stage-cycle: these stages depend on each other in a cycle: `qat` from `freeze` from `eval` from `qat`',
        '  21 |     from: freeze',
        '     |           ^^^^^^',
        '  hint: `from` must lead back to a stage that has no `from`',
      ),
    ],
    [
      'a scheme that the weights were not trained for',
      ['{ uses: convert, from: freeze }', '{ uses: convert, from: freeze, scheme: uint8 }'],
      lines(
        'p.yaml:28:51 error other-scheme: `stages.convert.scheme` is uint8, but the weights are trained for int8',
        '  28 |   convert: { uses: convert, from: freeze, scheme: uint8 }',
        '     |                                                   ^^^^^',
        '  hint: leave it out, or set `scheme: uint8` in the qat stage',
      ),
    ],
    [
      'freezing a batch norm that is not folded',
      ['    range_window: 9000', '    freeze_bn_delay: 900'],
      lines(
        'p.yaml:25:5 error freeze-without-folding: `stages.qat.freeze_bn_delay` needs `batch_norm: folded`, but batch ' +
          'norm is kept',
        '  25 |     freeze_bn_delay: 900',
        '     |     ^^^^^^^^^^^^^^^',
        '  hint: add `batch_norm: folded`, or use `reestimate_batch_norm`',
      ),
    ],
    [
      'statistics that are frozen and re-estimated',
      ['    range_window: 9000', '    batch_norm: folded\n    freeze_bn_delay: 900\n    reestimate_batch_norm: 20'],
      lines(
        'p.yaml:27:28 error frozen-and-reestimated: `stages.qat` both freezes the statistics of batch norm and ' +
          're-estimates them after training',
        '  27 |     reestimate_batch_norm: 20',
        '     |                            ^^',
        '  hint: remove `freeze_bn_delay` or `reestimate_batch_norm`',
      ),
    ],
  ];
  it.each(cases)('%s is shown in its place', (_, replacement, printed) => {
    expect(mistakes(edited(replacement))).toEqual([printed]);
  });

  it('is reported together with all others, in the order of the file', () => {
    const text = edited(
      ['seed: 1', 'sed: 1'],
      ['epochs: 3', 'epochs: 0'],
      ['from: pretrain', 'from: pretrian'],
      ['delay: 500', 'delay: soon'],
      ['from: freeze', 'from: eval'],
    );
    expect(mistakes(text).map((printed) => printed.split('\n')[0])).toEqual([
      'p.yaml:5:1 error unknown-key: the pipeline has no key `sed`',
      'p.yaml:15:13 error bad-value: `stages.pretrain.epochs` is 0; expected at least 1',
      'p.yaml:21:11 error unknown-stage: `stages.qat.from` is `pretrian`, but there is no such stage',
      'p.yaml:23:12 error wrong-type: `stages.qat.delay` is "soon"; expected a whole number',
      'p.yaml:28:35 error wrong-input: `stages.convert.from` is `eval`, which gives EvalGraph/1; convert takes FrozenGraph/1',
    ]);
  });

  it('in an empty `from` is shown once', () => {
    expect(mistakes(edited(['{ uses: convert, from: freeze }', '{ uses: convert, from: }']))).toEqual([
      lines(
        'p.yaml:28:29 error wrong-type: `stages.convert.from` is empty; expected a text',
        '  28 |   convert: { uses: convert, from: }',
        '     |                             ^^^^',
        meaningHint('from'),
      ),
    ]);
  });

  it('in a file that is no map at all is shown', () => {
    const begins = '  hint: a pipeline begins with `version: 1` and `name: …`, and has `data`, `model` and `stages`';
    expect(mistakes('just a text\n')).toEqual([
      lines(
        'p.yaml:1:1 error wrong-type: the pipeline is "just a text"; expected a map',
        '   1 | just a text',
        '     | ^^^^^^^^^^^',
        begins,
      ),
    ]);
    const [first = ''] = mistakes('');
    expect(first.split('\n')[0]).toBe('p.yaml:1:1 error wrong-type: the pipeline is empty; expected a map');
    expect(first.split('\n')[3]).toBe(begins);
  });

  it('in a value behind an alias is shown where the value is written', () => {
    const text = edited(['epochs: 3', 'epochs: &rounds 0'], ['epochs: 2', 'epochs: *rounds']);
    expect(mistakes(text).map((printed) => printed.split(' ')[0])).toEqual(['p.yaml:15:21', 'p.yaml:22:13']);
  });

  it('in a list of layers is shown in its place', () => {
    const layers = [
      '- { kind: flatten, name: twin }',
      '- { kind: fully_connected, name: twin }',
      '- { kind: add, with: twn }',
      '- { kind: softmax }',
      '- { kind: mean }',
    ];
    const text = (list: readonly string[]) =>
      edited(['model: { preset: lenet5 }', ['model:\n  layers:', ...list].join('\n    ')]);
    expect(mistakes(text(layers))).toEqual([
      lines(
        'p.yaml:14:9 error missing-key: `model.layers.1` needs the key `units`',
        '  14 |     - { kind: fully_connected, name: twin }',
        '     |         ^^^^',
        '  hint: `units`: Number of output units',
      ),
    ]);
    const complete = text(layers.map((layer) => layer.replace('fully_connected', 'fully_connected, units: 2')));
    expect(mistakes(complete).map((printed) => printed.split('\n')[0])).toEqual([
      'p.yaml:14:48 error duplicate-layer: an earlier layer is also named `twin`',
      'p.yaml:15:26 error unknown-layer: `model.layers.2.with` is `twn`, but no earlier layer has that name',
      'p.yaml:16:15 error softmax-not-last: softmax can only be the last layer',
    ]);
  });
});

type Edit = readonly [from: string, to: string];

/** What the one mistake of an edited example says: its first line, and its hint. */
function firstAndHint(...edits: readonly Edit[]): readonly (string | undefined)[] {
  const found = mistakes(edited(...edits));
  expect(found).toHaveLength(1);
  const printed = found[0]?.split('\n') ?? [];
  return [printed[0], printed.at(-1)];
}

describe('a mistake says what to do', () => {
  const meaning = (name: string): string => meaningHint(name).replace('  hint: ', '');
  const cases: readonly (readonly [title: string, edits: readonly Edit[], first: string, hint: string])[] = [
    [
      'a decay of 1',
      [['range_window: 9000', 'ema_decay: 1']],
      'p.yaml:25:16 error bad-value: `stages.qat.ema_decay` is 1; expected less than 1',
      'it must be less than 1',
    ],
    [
      'a fraction as a percentage',
      [['range_window: 9000', 'ema_decay: 99']],
      'p.yaml:25:16 error bad-value: `stages.qat.ema_decay` is 99; expected less than 1',
      'this is a fraction of 1, not a percentage; 99 % is 0.99',
    ],
    [
      'a percentage in a text',
      [['range_window: 9000', 'ema_decay: 90 %']],
      'p.yaml:25:16 error wrong-type: `stages.qat.ema_decay` is "90 %"; expected a number',
      'write it as a fraction of 1: `0.9`',
    ],
    [
      'a key of the map below',
      [['    delay: 500', '    learning_rate: 0.1']],
      'p.yaml:23:5 error unknown-key: `stages.qat` has no key `learning_rate`',
      '`learning_rate` belongs in `stages.qat.optimizer`',
    ],
    [
      'a key of another kind of stage',
      [['convert, from: freeze }', 'convert, from: freeze, gates: { drop_max: 0.1 } }']],
      'p.yaml:28:43 error unknown-key: `stages.convert` has no key `gates`',
      '`gates` goes with `uses: test`, such as `stages.test`',
    ],
    [
      'a key of another kind of optimizer',
      [['kind: sgd', 'kind: adam']],
      'p.yaml:17:51 error unknown-key: `stages.pretrain.optimizer` has no key `momentum`',
      '`momentum` goes with `kind: sgd`',
    ],
    [
      'a key of a stage at the root',
      [['seed: 1', 'epochs: 1']],
      'p.yaml:5:1 error unknown-key: the pipeline has no key `epochs`',
      '`epochs` belongs in a stage with `uses: float-pretrain` or `uses: qat`',
    ],
    [
      'a stage at the root',
      [['  test:\n    uses: test\n    from: convert\n    gates:', 'test:\n  uses: test\n  from: convert\n  gates:']],
      'p.yaml:29:1 error unknown-key: the pipeline has no key `test`',
      'stages belong under `stages`: indent `test` further',
    ],
    [
      'a preset beside layers',
      [['{ preset: lenet5 }', '{ preset: lenet5, layers: [ { kind: flatten } ] }']],
      'p.yaml:11:10 error unknown-key: `model` has both `preset` and `layers`; expected one of the two',
      'remove `preset` to use the layers of the list, or `layers` to use the preset',
    ],
    [
      'a task beside a preset',
      [['{ preset: lenet5 }', '{ preset: lenet5, task: classify }']],
      'p.yaml:11:26 error unknown-key: `model` has no key `task`',
      '`task` goes with `layers`',
    ],
    [
      'a key with the word of another program',
      [['    batch: 64', '    batch_size: 64']],
      'p.yaml:16:5 error unknown-key: `stages.pretrain` has no key `batch_size`',
      'did you mean `batch`?',
    ],
    [
      'a layer written as a key',
      [['{ preset: lenet5 }', '{ layers: [{ kind: flatten, dropout: 0.1 }] }']],
      'p.yaml:11:36 error unknown-key: `model.layers.0` has no key `dropout`',
      '`dropout` is a layer of its own: write `- { kind: dropout }` with its settings after this one',
    ],
    [
      'a layer by its kind alone',
      [['{ preset: lenet5 }', '{ layers: [flatten] }']],
      'p.yaml:11:19 error wrong-type: `model.layers.0` is "flatten"; expected a map',
      'write `{ kind: flatten }`',
    ],
    [
      'a number of epochs for steps',
      [['delay: 500', 'delay: 1 epoch']],
      'p.yaml:23:12 error wrong-type: `stages.qat.delay` is "1 epoch"; expected a whole number',
      'it is a number of steps: 1 epoch is 859 of them',
    ],
    [
      'a fraction for a number of images',
      [['validation: 5000', 'validation: 0.1']],
      'p.yaml:9:15 error wrong-type: `data.validation` is 0.1; expected a whole number',
      'this is a number of images, not a fraction; 10 % of 60000 is 6000',
    ],
    [
      'a percentage for a number of images',
      [['validation: 5000', 'validation: 10 %']],
      'p.yaml:9:15 error wrong-type: `data.validation` is "10 %"; expected a whole number',
      'this is a number of images, not a fraction; 10 % of 60000 is 6000',
    ],
    [
      'a value for a map that has one such field',
      [['normalize: { scale: 1/255, mean: 0 }', 'normalize: 1/255']],
      'p.yaml:10:14 error bad-value: `data.normalize` is "1/255"; expected a map, or a text like `auto`, `imagenet`',
      'write `{ scale: 1/255 }`',
    ],
    [
      'a mean that is no whole number',
      [['normalize: { scale: 1/255, mean: 0 }', 'normalize: { scale: 1/64, mean: 121.5 }']],
      'p.yaml:10:29 error bad-normalize: `data.normalize.mean` is 121.5; beside `scale` it is one whole number, the zero point of the input',
      'write `std: 64` in place of `scale`: real = (pixel - mean) / std',
    ],
    [
      'statistics as torchvision writes them',
      [
        [
          'normalize: { scale: 1/255, mean: 0 }',
          'normalize: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }',
        ],
      ],
      'p.yaml:10:45 error bad-normalize: `data.normalize` has means and deviations between 0 and 1; pixels are 0 to 255',
      'write `mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]`',
    ],
    [
      'two words for a scale',
      [['normalize: { scale: 1/255, mean: 0 }', 'normalize: { scale: 1/255, std: 40 }']],
      'p.yaml:10:16 error bad-normalize: `data.normalize` has both `std` and `scale`; expected one of the two',
      'remove `scale`',
    ],
    [
      'as many means as deviations',
      [['normalize: { scale: 1/255, mean: 0 }', 'normalize: { mean: [100, 110], std: [40, 50, 60] }']],
      'p.yaml:10:34 error bad-normalize: `data.normalize` has 2 means and 3 deviations; expected as many',
      'give one for each channel, or one for all',
    ],
    [
      'a word for a map',
      [['{ preset: lenet5 }', 'lenet5']],
      'p.yaml:11:8 error wrong-type: `model` is "lenet5"; expected a map',
      'write `{ preset: lenet5 }`',
    ],
    [
      'a value for a list',
      [['[cpu:0, cpu:1]', 'cpu:0']],
      'p.yaml:24:14 error wrong-type: `stages.qat.devices` is "cpu:0"; expected a list',
      'write it as a list: `[cpu:0]`',
    ],
    [
      'a number for a list',
      [['[cpu:0, cpu:1]', '2']],
      'p.yaml:24:14 error wrong-type: `stages.qat.devices` is 2; expected a list',
      'name them, for example `[cpu:0, cpu:1]`',
    ],
    [
      'a map for a list',
      [['[cpu:0, cpu:1]', '{ cpu: 0 }']],
      'p.yaml:24:14 error wrong-type: `stages.qat.devices` is a map; expected a list',
      'begin each entry with `- `',
    ],
    [
      'no number',
      [['range_window: 9000', 'ema_decay: .nan']],
      'p.yaml:25:16 error wrong-type: `stages.qat.ema_decay` is NaN; expected a finite number',
      meaning('ema_decay'),
    ],
    [
      'a name with spaces',
      [['name: mnist-lenet', 'name: my net 1']],
      'p.yaml:3:7 error bad-value: `name` is "my net 1"; expected a text like `mnist-lenet`',
      'a name consists of letters (a-z, A-Z), digits, `_`, `.` and `-`, and begins with a letter or digit; for example `my-net-1`',
    ],
    [
      'a name in capitals with spaces',
      [['  test:', '  My Test:']],
      'p.yaml:29:3 error bad-name: `My Test` cannot be a name in `stages`',
      'names start with a lower-case letter, followed by lower-case letters, digits, `-` and `_`, at most 100; for example `my-test`',
    ],
    [
      'a number as a name',
      [['name: mnist-lenet', 'name: 123']],
      'p.yaml:3:7 error wrong-type: `name` is 123; expected a text like `mnist-lenet`',
      "put quotes around it: `'123'`",
    ],
    [
      'yes for true',
      [['schedule: cosine', 'nesterov: yes']],
      'p.yaml:17:75 error wrong-type: `stages.pretrain.optimizer.nesterov` is "yes"; expected `true` or `false`',
      'write `true`',
    ],
    [
      'a number of thousands',
      [['batch: 64', 'batch: 64k']],
      'p.yaml:16:12 error wrong-type: `stages.pretrain.batch` is "64k"; expected a whole number',
      'write `64000`',
    ],
    [
      'a number with a unit',
      [['epochs: 3', 'epochs: 10 min']],
      'p.yaml:15:13 error wrong-type: `stages.pretrain.epochs` is "10 min"; expected a whole number',
      'write only the number: `10`',
    ],
    [
      'a number with commas',
      [['delay: 500', 'delay: 1,000']],
      'p.yaml:23:12 error wrong-type: `stages.qat.delay` is "1,000"; expected a whole number',
      'write `1000`',
    ],
    [
      'a decimal comma',
      [['range_window: 9000', 'ema_decay: 0,99']],
      'p.yaml:25:16 error wrong-type: `stages.qat.ema_decay` is "0,99"; expected a number',
      'write `0.99`',
    ],
    [
      'a fraction',
      [['range_window: 9000', 'ema_decay: 99/100']],
      'p.yaml:25:16 error wrong-type: `stages.qat.ema_decay` is "99/100"; expected a number',
      'write `0.99`',
    ],
    [
      'a pair in a text',
      [['{ preset: lenet5 }', '{ layers: [{ kind: conv_2d, filters: 3, kernel: 3x5 }] }']],
      'p.yaml:11:56 error wrong-type: `model.layers.0.kernel` is "3x5"; expected a whole number or a list',
      'write `[3, 5]`',
    ],
    [
      'nothing where there is a default',
      [['learning_rate: 0.05, momentum: 0.9', 'learning_rate: 0.05, momentum: ~']],
      'p.yaml:17:60 error wrong-type: `stages.pretrain.optimizer.momentum` is empty; expected a number',
      'write a value, or remove the key: its default is `0.9`',
    ],
    [
      'nothing where a list has a default',
      [['    keep: best', '    devices:']],
      'p.yaml:18:5 error wrong-type: `stages.pretrain.devices` is empty; expected a list',
      'remove the key to use its default',
    ],
    [
      'a boolean for a word',
      [['keep: best', 'keep: true']],
      'p.yaml:18:11 error bad-value: `stages.pretrain.keep` is true; expected one of `last`, `best`',
      meaning('keep'),
    ],
    [
      'a merge key',
      [['    range_window: 9000', '    <<: { delay: 1 }']],
      'p.yaml:25:5 error unknown-key: `stages.qat` has no key `<<`',
      'YAML 1.2 has no merge keys: write the keys out; a whole value can be repeated with an alias',
    ],
    [
      'no space behind a colon in braces',
      [['{ uses: freeze, from: eval }', '{uses:freeze, from: eval}']],
      'p.yaml:27:3 error missing-key: `stages.freeze` needs the key `uses`',
      'put a space after the colon of `uses:freeze`',
    ],
    [
      'a stage that has the name of what every object has',
      [['from: pretrain', 'from: constructor']],
      'p.yaml:21:11 error unknown-stage: `stages.qat.from` is `constructor`, but there is no such stage',
      '`from: pretrain`',
    ],
    [
      'a fraction of the steps in steps',
      [['schedule: cosine', 'warmup: 500']],
      'p.yaml:17:73 error bad-value: `stages.pretrain.optimizer.warmup` is 500; expected at most 1',
      meaning('warmup'),
    ],
  ];
  it.each(cases)('%s', (_, edits, first, hint) => {
    expect(firstAndHint(...edits)).toEqual([first, `  hint: ${hint}`]);
  });
});

describe('a mistake in the YAML itself is shown where it begins, once, in words of our own', () => {
  const cases: readonly (readonly [title: string, edits: readonly Edit[], first: string, hint: string])[] = [
    [
      'a brace that is not closed',
      [['{ preset: lenet5 }', '{ preset: lenet5']],
      'p.yaml:11:8 error yaml-syntax: the `{` that opens here is not closed',
      'add `}` where it ends',
    ],
    [
      'a bracket that is not closed',
      [['[cpu:0, cpu:1]', '[cpu:0, cpu:1']],
      'p.yaml:24:14 error yaml-syntax: the `[` that opens here is not closed',
      'add `]` where it ends',
    ],
    [
      'a bracket that is closed by a brace',
      [['[cpu:0, cpu:1]', '[cpu:0, cpu:1}']],
      'p.yaml:24:14 error yaml-syntax: the `[` that opens here is not closed',
      'add `]` where it ends',
    ],
    [
      'a quote that is not closed',
      [['optional text', '"optional text']],
      'p.yaml:4:14 error yaml-syntax: the `"` that opens here is not closed on its line',
      'add `"` where it ends',
    ],
    [
      'a quote that the next one closes',
      [
        ['optional text', '"optional text'],
        ['range_window: 9000', 'ema_decay: "0.999"'],
      ],
      'p.yaml:4:14 error yaml-syntax: the `"` that opens here is not closed on its line',
      'add `"` where it ends',
    ],
    [
      'a single quote that is not closed',
      [['optional text', "'optional text"]],
      "p.yaml:4:14 error yaml-syntax: the `'` that opens here is not closed on its line",
      "add `'` where it ends",
    ],
    [
      'an alias without an anchor',
      [['epochs: 3', 'epochs: *rounds']],
      'p.yaml:15:13 error yaml-syntax: `*rounds` refers to a value marked `&rounds` above it, but there is none',
      'write the value itself, or mark it with `&rounds` where it is written first',
    ],
    [
      'an alias like an anchor',
      [
        ['epochs: 3', 'epochs: &rounds 3'],
        ['epochs: 2', 'epochs: *round'],
      ],
      'p.yaml:22:13 error yaml-syntax: `*round` refers to a value marked `&round` above it, but there is none',
      'did you mean `rounds`?',
    ],
    [
      'an alias inside of its own value',
      [['{ preset: lenet5 }', '&x [*x]']],
      'p.yaml:11:12 error yaml-syntax: `*x` is inside the value that it refers to',
      'write the value itself',
    ],
    [
      'a tab',
      [['    delay: 500', '\tdelay: 500']],
      'p.yaml:23:1 error yaml-syntax: this line is indented by a tab',
      'indent by spaces',
    ],
    [
      'a line too far left',
      [['    epochs: 3', '   epochs: 3']],
      'p.yaml:15:4 error yaml-syntax: the indentation of this line matches no map or list around it',
      'indent it like the other keys or items of the same map or list',
    ],
    [
      'a line too far right',
      [['    epochs: 3', '      epochs: 3']],
      'p.yaml:14:11 error yaml-syntax: the line below is indented further, as if it were part of this value',
      'start the line below in the same column as the key of this one',
    ],
    [
      'a second colon',
      [['optional text', 'this: that']],
      'p.yaml:4:14 error yaml-syntax: a second `key: value` begins on the same line, at `this: that`',
      'start a new line for it; put a text that contains `: ` in quotes',
    ],
    [
      'a line without a colon',
      [['    epochs: 3', '    epochs 3']],
      'p.yaml:15:5 error yaml-syntax: `epochs 3` is not of the form `key: value`',
      'write a colon and a space after the key, or `- ` before a list item',
    ],
    [
      'no space behind a colon',
      [['    epochs: 3', '    epochs:3']],
      'p.yaml:15:5 error yaml-syntax: `epochs:3` is not of the form `key: value`',
      'write a colon and a space after the key, or `- ` before a list item',
    ],
    [
      'a sign that YAML keeps for itself',
      [['optional text', '@home']],
      'p.yaml:4:14 error yaml-syntax: a value cannot begin with `@`',
      'put the value in quotes',
    ],
    [
      'a comment without a space',
      [['optional text', '"text"# comment']],
      'p.yaml:4:20 error yaml-syntax: a comment begins directly after a value',
      'put a space before the `#`, or quotes around a text that contains it',
    ],
    [
      'a text behind a text in quotes',
      [['optional text', '"text" more']],
      'p.yaml:4:21 error yaml-syntax: `more` is not allowed here',
      'remove it, or put quotes around the whole value that it is part of',
    ],
    [
      'a backslash in double quotes',
      [['optional text', '"C:\\data"']],
      'p.yaml:4:17 error yaml-syntax: `\\d` is not a valid escape in double quotes',
      'write `\\\\` for a backslash, or use single quotes',
    ],
    [
      'a tag',
      [['epochs: 3', 'epochs: !int 3']],
      'p.yaml:15:13 error yaml-syntax: the tag `!int` has no meaning in a pipeline',
      'remove it, or put a text that begins with `!` in quotes',
    ],
    [
      'a tag for bytes',
      [['optional text', '!!binary aaaa']],
      'p.yaml:4:23 error yaml-syntax: the tag `!!binary` has no meaning in a pipeline',
      'remove it, or put a text that begins with `!` in quotes',
    ],
    [
      'a list as a key',
      [['seed: 1', '[a]: 1']],
      'p.yaml:5:1 error yaml-syntax: `[a]: 1` cannot be a key; a key is a single text',
      'write `key: value`, or put the key in quotes',
    ],
    [
      'a second document',
      [['stages:\n', '---\nstages:\n']],
      'p.yaml:12:1 error yaml-syntax: a second document begins here; a pipeline file holds one',
      'remove the line `---` or `...`, or put the second pipeline into a file of its own',
    ],
    [
      'two anchors',
      [['epochs: 3', 'epochs: &a &b 3']],
      'p.yaml:15:16 error yaml-syntax: a value has two anchors',
      'keep one of the two',
    ],
    [
      'an anchor without a name',
      [['epochs: 3', 'epochs: & 3']],
      'p.yaml:15:13 error yaml-syntax: an anchor or alias has no name, or its name ends with `:`',
      'for example `&rate 0.01` where the value is written, and `*rate` where it is used again',
    ],
    [
      'an instruction',
      [['# A comment', '%TAG']],
      'p.yaml:1:1 error yaml-syntax: `%TAG` begins with `%`, which YAML reserves for directives',
      'remove the line, or begin it with `#` if it is a comment',
    ],
    [
      'a colon in a text in braces',
      [['{ preset: lenet5 }', '{ preset: a: b }']],
      'p.yaml:11:18 error yaml-syntax: inside `{ }` or `[ ]` a second `key: value` begins without a comma, at `a: b }`',
      'separate entries by commas, and put a text that contains `: ` in quotes',
    ],
    [
      'an empty entry',
      [['[cpu:0, cpu:1]', '[cpu:0, , cpu:1]']],
      'p.yaml:24:22 error yaml-syntax: `, cpu:1]` is not allowed here',
      'remove it, or put quotes around the whole value that it is part of',
    ],
  ];
  it.each(cases)('%s', (_, edits, first, hint) => {
    expect(firstAndHint(...edits)).toEqual([first, `  hint: ${hint}`]);
  });

  it('nesting without end, and aliases of aliases', () => {
    expect(mistakes(`a: ${'['.repeat(3000)}${']'.repeat(3000)}`)[0]).toMatch(/yaml-syntax: maps and lists are nested/);
    const doubled = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, index, all) =>
      index === 0
        ? `${name}: &${name} [x, x]`
        : `${name}: &${name} [${Array(9)
            .fill(`*${all[index - 1] ?? ''}`)
            .join()}]`,
    );
    expect(mistakes(doubled.join('\n'))[0]).toMatch(/yaml-syntax: the aliases of this file expand to/);
  });
});

describe('a mistake in a layer', () => {
  const inLayers = (...list: readonly string[]) =>
    mistakes(edited(['model: { preset: lenet5 }', ['model:\n  layers:', ...list].join('\n    ')])).map(
      (printed) => printed.split('\n')[0],
    );

  it('that names another one in a list is shown in its place', () => {
    expect(
      inLayers(
        '- { kind: conv_2d, name: one, filters: 3, kernel: 3 }',
        '- { kind: conv_2d, name: two, filters: 3, kernel: 3 }',
        '- { kind: concatenation, with: [one, tow] }',
        '- { kind: mul, with: too }',
      ),
    ).toEqual([
      'p.yaml:15:42 error unknown-layer: `model.layers.2.with.1` is `tow`, but no earlier layer has that name',
      'p.yaml:16:26 error unknown-layer: `model.layers.3.with` is `too`, but no earlier layer has that name',
    ]);
  });

  it('that gives an alpha to what has none is shown in its place', () => {
    expect(
      inLayers(
        '- { kind: conv_2d, filters: 3, kernel: 3, activation: leaky_relu, alpha: 0.1 }',
        '- { kind: conv_2d, filters: 3, kernel: 3, activation: relu, alpha: 0.1 }',
        '- { kind: activation, function: tanh, alpha: 0.1 }',
      ),
    ).toEqual([
      'p.yaml:14:65 error unused-alpha: `alpha` is the slope of leaky_relu or prelu, but the activation here is relu',
      'p.yaml:15:43 error unused-alpha: `alpha` is the slope of leaky_relu or prelu, but the activation here is tanh',
    ]);
  });

  it.each(['-0.1', '1.01', '1000', '.inf', '.nan', 'steep'])(
    'that gives leaky_relu the alpha %s is refused',
    (alpha) => {
      const [first = ''] = inLayers(`- { kind: activation, function: leaky_relu, alpha: ${alpha} }`);
      expect(first).toMatch(/^p\.yaml:13:56 error (bad-value|wrong-type): `model\.layers\.0\.alpha` is /);
      expect(first).toMatch(/; expected (at least 0|at most 1|a (finite )?number)/);
    },
  );

  it.each(['0', '0.2', '1'])('that gives leaky_relu the alpha %s is right', (alpha) => {
    const layer = `- { kind: activation, function: leaky_relu, alpha: ${alpha} }`;
    expect(inLayers(layer).filter((line) => line?.includes('alpha'))).toEqual([]);
  });

  it('that resizes to no size, or to two, is shown in its place', () => {
    expect(
      inLayers(
        '- { kind: resize_bilinear, factor: 2 }',
        '- { kind: resize_bilinear }',
        '- { kind: resize_nearest_neighbor, factor: 2, size: [7, 7] }',
      ),
    ).toEqual([
      'p.yaml:14:15 error resize-size: resize_bilinear has neither `size` nor `factor`; expected one of them',
      'p.yaml:15:15 error resize-size: resize_nearest_neighbor has both `size` and `factor`; expected one of them',
    ]);
  });

  it('that nothing takes is shown in its place', () => {
    expect(
      inLayers(
        '- { kind: conv_2d, name: one, filters: 3, kernel: 3 }',
        '- { kind: max_pool_2d, window: 2 }',
        '- { kind: flatten, input: one }',
      ),
    ).toEqual(['p.yaml:14:15 error unread-layer: nothing reads the output of this layer: the next one reads `one`']);
  });

  it('that drops everything, or transposes the batch, is against the schema', () => {
    expect(
      inLayers('- { kind: dropout, rate: 1 }', '- { kind: transpose, permutation: [0, 1] }', '- { kind: flatten }'),
    ).toEqual([
      'p.yaml:13:30 error bad-value: `model.layers.0.rate` is 1; expected less than 1',
      'p.yaml:14:40 error bad-value: `model.layers.1.permutation.0` is 0; expected at least 1',
    ]);
  });
});

describe('a mistake that the data show', () => {
  const found = (text: string, trainingImages: number, overrides: readonly string[] = []) => {
    const { pipeline, locate } = parsePipeline(text, 'p.yaml', overrides);
    const image = { height: 28, width: 28, channels: 1 };
    return sizeDiagnostics(pipeline, locate, { trainingImages, image }).map(formatDiagnostic);
  };

  it('shows statistics of more channels than there are', () => {
    const text = example.replace('normalize: { scale: 1/255, mean: 0 }', 'normalize: imagenet');
    expect(found(text, 60000).join()).toContain(
      'error wrong-channels: `data.normalize` is for 3 channels; the images have 1',
    );
    const one = example.replace('normalize: { scale: 1/255, mean: 0 }', 'normalize: { mean: 33.3, std: 78 }');
    expect(found(one, 60000)).toEqual([]);
  });

  it('is none where everything fits', () => {
    expect(found(example, 60000)).toEqual([]);
  });

  it('a validation split that leaves nothing to train on is shown in its place', () => {
    expect(found(example, 5000)).toEqual([
      lines(
        'p.yaml:9:15 error validation-too-large: `data.validation` is 5000, but the training split has 5000 images',
        '   9 |   validation: 5000',
        '     |               ^^^^',
        '  hint: leave most of the images for training',
      ),
    ]);
  });

  it('a batch larger than the data is shown in its place, a default one at its stage', () => {
    expect(found(example, 5063)).toEqual([
      lines(
        'p.yaml:16:12 error batch-too-large: `stages.pretrain.batch` is 64, but there are 63 images to train on',
        '  16 |     batch: 64',
        '     |            ^^',
        '  hint: a batch of at most 63',
      ),
      lines(
        'p.yaml:19:3 error batch-too-large: `stages.qat.batch` is 64, but there are 63 images to train on',
        '  19 |   qat:',
        '     |   ^^^',
        '  hint: a batch of at most 63',
      ),
    ]);
    expect(found(example, 5064, ['stages.qat.delay=1'])).toEqual([]);
  });

  it('a crop that could miss the image is shown in its place', () => {
    const augmented = (crop: number) => edited(['mean: 0 }', `mean: 0 }\n  augment: { crop: ${crop} }`]);
    expect(found(augmented(27), 60000)).toEqual([]);
    expect(found(augmented(28), 60000)).toEqual([
      lines(
        'p.yaml:11:20 error crop-too-large: `data.augment.crop` is 28, but the images are 28x28; a crop could miss ' +
          'the image',
        '  11 |   augment: { crop: 28 }',
        '     |                    ^^',
        '  hint: a few pixels, at most 27; 4 is usual for images of 32x32',
      ),
    ]);
  });

  it('settings for pixels are shown in their place where inputs are real values', () => {
    const data = (more: string) =>
      example.replace(/^data:\n(?: .*\n)+/m, `data: { source: npz, path: set.npz${more} }\n`);
    const reals = { range: { min: -1, max: 1 }, channels: [] };
    const ofReals = (text: string) => {
      const { pipeline, locate } = parsePipeline(text, 'p.yaml');
      const size = { trainingImages: 60000, image: { height: 1, width: 1, channels: 1 }, reals };
      return sizeDiagnostics(pipeline, locate, size).map(({ code, place: { line, column }, message }) =>
        [code, line, column, message.slice(0, 16)].join(' '),
      );
    };
    expect(ofReals(data(''))).toEqual([]);
    expect(ofReals(data(', normalize: { scale: 1/255 }'))).toEqual([]);
    expect(ofReals(data(', normalize: auto'))).toEqual([]);
    expect(ofReals(data(', augment: { flip: true }, normalize: { mean: 3 }'))).toEqual([
      'not-pixels 7 48 `data.augment.fl',
      'not-pixels 7 62 `data.normalize`',
    ]);
    const jittered = parsePipeline(data(', augment: { jitter: 0.1, zoom: 0.1 }'), 'p.yaml');
    const image = { height: 28, width: 28, channels: 1 };
    const [only, ...others] = sizeDiagnostics(jittered.pipeline, jittered.locate, { trainingImages: 60000, image });
    expect(others).toEqual([]);
    expect(only).toMatchObject({ code: 'not-series', place: { line: 7, column: 48 } });
    expect(ofReals(data(', augment: { jitter: 0.1, zoom: 0.1 }'))).toEqual(['not-pixels 7 61 `data.augment.zo']);
  });

  it('a delay longer than the training is shown in its place', () => {
    // 55000 images make 859 batches of 64, so two epochs are 1718 steps, of which step 1718 is the last.
    expect(found(edited(['delay: 500', 'delay: 1717']), 60000)).toEqual([]);
    expect(found(edited(['delay: 500', 'delay: 1718']), 60000)).toEqual([
      lines(
        'p.yaml:23:12 error delay-too-long: `stages.qat.delay` is 1718 steps, but the training ends after 1718 ' +
          '(epochs 2, 859 steps each); nothing would be quantized',
        '  23 |     delay: 1718',
        '     |            ^^^^',
        '  hint: a delay below 1718, or more epochs',
      ),
    ]);
    expect(found(example, 60000, ['stages.qat.delay=5000'])[0]).toMatch(/^command line error delay-too-long: /);
    const frozen = edited(['range_window: 9000', 'batch_norm: folded\n    freeze_bn_delay: 1718']);
    expect(found(frozen, 60000)).toEqual([
      lines(
        'p.yaml:26:22 error delay-too-long: `stages.qat.freeze_bn_delay` is 1718 steps, but the training ends after 1718 ' +
          '(epochs 2, 859 steps each); nothing would be frozen',
        '  26 |     freeze_bn_delay: 1718',
        '     |                      ^^^^',
        '  hint: a delay below 1718, or more epochs',
      ),
    ]);
  });
});

describe('a mistake that the network shows', () => {
  const found = (text: string, batchNorm: boolean) => {
    const { pipeline, locate } = parsePipeline(text, 'p.yaml');
    const spec = network([conv('conv1', 4, 3, { batch_norm: batchNorm }), dense('logits', 3)], [12, 12, 1]);
    return schemeDiagnostics(pipeline, normalizedOf(spec), locate).map(formatDiagnostic);
  };
  const kept = edited(['range_window: 9000', 'scheme: uint8\n    batch_norm: kept']);

  it('batch norm kept beside weights of one range is shown in its place', () => {
    expect(found(kept, true)).toEqual([
      lines(
        'p.yaml:26:17 error batch-norm-kept: `stages.qat` keeps the batch norm of `conv1` separate from its ' +
          'weights, which have one range with `scheme: uint8` but would need one for each channel at export',
        '  26 |     batch_norm: kept',
        '     |                 ^^^^',
        '  hint: set `batch_norm: folded`',
      ),
    ]);
  });

  it('batch norm of a dense layer kept beside weights of one range is shown in its place', () => {
    const { pipeline, locate } = parsePipeline(edited(['range_window: 9000', 'dense_weights: per_tensor']), 'p.yaml');
    const convolution = conv('conv1', 4, 3, { batch_norm: true });
    const problems = (layers: readonly Layer[]) =>
      schemeDiagnostics(pipeline, normalizedOf(network(layers, [12, 12, 1])), locate).map(formatDiagnostic);
    const expected = [
      lines(
        'p.yaml:25:20 error batch-norm-kept: `stages.qat` keeps the batch norm of `fc` separate from its ' +
          'weights, which have one range with `dense_weights: per_tensor` but would need one for each channel at export',
        '  25 |     dense_weights: per_tensor',
        '     |                    ^^^^^^^^^^',
        '  hint: set `batch_norm: folded`',
      ),
    ];
    expect(problems([convolution, dense('fc', 8, { batch_norm: true }), dense('logits', 3)])).toEqual(expected);
    const apart = [dense('fc', 8), { kind: 'batch_norm', name: 'normalized' }, dense('logits', 3)] as const;
    expect(problems([convolution, ...apart])).toEqual(expected);
    expect(problems([convolution, { kind: 'batch_norm', name: 'again' }, dense('logits', 3)])).toEqual([]);
  });

  it('is none where no layer has batch norm, or it is folded', () => {
    expect(found(kept, false)).toEqual([]);
    expect(found(edited(['range_window: 9000', 'scheme: uint8']), true)).toEqual([]);
    expect(found(example, true)).toEqual([]);
  });
});

describe('a device that the engine does not have', () => {
  const found = async (text: string, name: 'wasm' | 'tensorflow', gpus: number) => {
    const { pipeline, locate } = parsePipeline(text, 'p.yaml');
    const engine = { name, gpus: () => Promise.resolve(gpus) };
    return (await deviceDiagnostics(pipeline, locate, () => engine)).map(formatDiagnostic);
  };

  it('is shown in its place, with those that exist', async () => {
    const text = edited(['engine: wasm', 'engine: tensorflow'], ['[cpu:0, cpu:1]', '[gpu:0, gpu:2]']);
    expect(await found(text, 'tensorflow', 3)).toEqual([]);
    expect(await found(text, 'tensorflow', 2)).toEqual([
      lines(
        'p.yaml:24:22 error unknown-device: `stages.qat.devices.1` is `gpu:2`; ' +
          'engine `tensorflow` has `cpu:0` and on, `gpu:0`, `gpu:1`',
        '  24 |     devices: [gpu:0, gpu:2]',
        '     |                      ^^^^^',
        '  hint: use one of these',
      ),
    ]);
  });

  it('is any GPU on the engines that compute on a CPU', async () => {
    expect(await found(example, 'wasm', 0)).toEqual([]);
    expect(await found(edited(['[cpu:0, cpu:1]', '[cpu:0, gpu:0]']), 'wasm', 0)).toEqual([
      lines(
        'p.yaml:24:22 error unknown-device: `stages.qat.devices.1` is `gpu:0`; engine `wasm` has `cpu:0` and on',
        '  24 |     devices: [cpu:0, gpu:0]',
        '     |                      ^^^^^',
        '  hint: GPUs need `engine: tensorflow`',
      ),
    ]);
  });
});

describe('a delay too short for the moving averages', () => {
  const warned = (text: string) => {
    const { pipeline, locate } = parsePipeline(text, 'p.yaml');
    return warnings(pipeline, locate).map(({ place, code }) => `${place.line ?? 0}:${place.column ?? 0} ${code}`);
  };
  const fromScratch = [
    ['    from: pretrain\n', ''],
    [', drop_max: 0.01', ''],
    ['range_window: 9000', 'ranges: moving_average'],
  ] as const;

  it('is warned about when training from scratch', () => {
    // 5 / (1 - 0.999) = 5000 steps
    expect(warned(edited(...fromScratch, ['delay: 500', 'delay: 4999']))).toEqual(['22:12 short-delay']);
    expect(warned(edited(...fromScratch, ['delay: 500', 'delay: 5000']))).toEqual([]);
  });

  it('may be shorter after float training: as many steps as the average remembers, or none', () => {
    const afterFloat = (delay: number) =>
      warned(edited(['range_window: 9000', 'ranges: moving_average'], ['delay: 500', `delay: ${delay}`]));
    // 1 / (1 - 0.999) = 1000 steps
    expect(afterFloat(999)).toEqual(['23:12 short-delay']);
    expect(afterFloat(1000)).toEqual([]);
    expect(afterFloat(0)).toEqual([]);
  });

  it('does not matter to running extremes', () => {
    expect(warned(edited(...fromScratch.slice(0, 2), ['delay: 500', 'delay: 1']))).toEqual([]);
  });
});

describe('a value that no training has', () => {
  it('is warned about', () => {
    const { pipeline, locate } = parsePipeline(
      edited(['learning_rate: 0.05', 'learning_rate: 1000, weight_decay: 2']),
      'p.yaml',
    );
    const found = warnings(pipeline, locate);
    expect(found.map(({ code }) => code)).toEqual(['unusual-value', 'unusual-value']);
    expect(found.map(({ place }) => place.line)).toEqual([17, 17]);
  });

  it('is refused where it is a number of epochs', () => {
    expect(() => parsePipeline(edited(['epochs: 3', 'epochs: 1e15']), 'p.yaml')).toThrow(/100000/);
  });

  it.each([
    ['filters: 100000000, kernel: 3', 'parameters'],
    ['filters: 2000000, kernel: 1', 'values for one image'],
  ])('is refused where memory ends: %s', async (layer, what) => {
    const layers = `model: { layers: [{ kind: conv_2d, ${layer} }, { kind: mean }, { kind: fully_connected, units: 10 }] }`;
    const loaded = parsePipeline(edited(['model: { preset: lenet5 }', layers]), 'p.yaml');
    await expect(checkWithoutData(loaded)).rejects.toThrow(new RegExp(what));
  });
});

describe('a field of the other kind of range', () => {
  const warned = (text: string) => {
    const { pipeline, locate } = parsePipeline(text, 'p.yaml');
    return warnings(pipeline, locate);
  };

  it('is warned about, with the kind that reads it', () => {
    const [decay, ...others] = warned(edited(['range_window: 9000', 'ema_decay: 0.99']));
    expect(others).toEqual([]);
    expect(decay).toMatchObject({ code: 'unused-field', place: { line: 25, column: 5 } });
    expect(decay!.hint).toContain('`ranges: moving_average`');
    const both = edited(
      ['range_window: 9000', 'range_window: 9000\n    ranges: moving_average'],
      ['delay: 500', 'delay: 1000'],
    );
    expect(warned(both).map(({ code, place }) => [code, place.line])).toEqual([['unused-field', 25]]);
  });

  it('is warned about in a calibration, too', () => {
    const ptq = (fields: string) => edited(['  eval:', `  ptq: { uses: ptq, from: pretrain, ${fields} }\n  eval:`]);
    expect(warned(ptq('percentile: 99'))).toMatchObject([
      {
        code: 'unused-field',
        message:
          '`stages.ptq.percentile` has no effect: it is only for `ranges: percentile`, and this stage uses `ranges: mse`',
        hint: 'remove `percentile`, or add `ranges: percentile`',
      },
    ]);
    expect(warned(ptq('percentile: 99, ranges: percentile'))).toEqual([]);
    expect(warned(ptq('ranges: percentile'))).toEqual([]);
  });

  it('is not asked for: the kinds have defaults', () => {
    expect(warned(edited(['    range_window: 9000\n', '']))).toEqual([]);
    const { pipeline } = parsePipeline(edited(['range_window: 9000', 'ranges: moving_average']), 'p.yaml');
    const qat = pipeline.stages.find(({ name }) => name === 'qat')!.config;
    expect(qat).toMatchObject({ ema_decay: 0.999, merge_ranges: 'mean' });
    expect(qat).not.toHaveProperty('range_window');
  });
});
