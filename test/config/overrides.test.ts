import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { edited, example, meaningHint, mistakes } from './example.ts';

const load = (...overrides: readonly string[]) => parsePipeline(example, 'p.yaml', overrides);

describe('an override', () => {
  it('replaces a value of the file and is recorded with its text', () => {
    const { pipeline, overrides } = load('stages.qat.delay=1000', 'name=other');
    expect(pipeline).toEqual(
      parsePipeline(edited(['delay: 500', 'delay: 1000'], ['mnist-lenet', 'other']), 'p.yaml').pipeline,
    );
    expect(overrides).toEqual([
      { path: ['stages', 'qat', 'delay'], value: 1000, text: 'stages.qat.delay=1000' },
      { path: ['name'], value: 'other', text: 'name=other' },
    ]);
  });

  it('may be any YAML, name an item of a list, and set what the file leaves out', () => {
    const { pipeline } = load(
      'stages.qat.devices=[cpu:0, cpu:2]',
      'stages.qat.devices.1=cpu:3',
      'stages.qat.optimizer.kind=adam',
    );
    expect(pipeline.stages[1]?.config).toMatchObject({
      devices: [
        { kind: 'cpu', index: 0 },
        { kind: 'cpu', index: 3 },
      ],
      optimizer: { kind: 'adam', learning_rate: 0.001 },
    });
  });

  it('may repair the file', () => {
    const broken = edited(['delay: 500', 'delay: soon']);
    expect(mistakes(broken)).toHaveLength(1);
    expect(mistakes(broken, ['stages.qat.delay=500'])).toEqual([]);
  });

  const bad: readonly (readonly [text: string, printed: string])[] = [
    [
      'stages.qta.delay=1',
      'command line error bad-override: `--set stages.qta.delay=1`: there is no stage `qta`\n  hint: did you mean `qat`?',
    ],
    [
      'stages.qat.dealy=1',
      'command line error unknown-key: `stages.qat` has no key `dealy`\n  hint: did you mean `delay`?',
    ],
    [
      'stages.qat.delay=soon',
      'command line error wrong-type: `stages.qat.delay` is "soon"; expected a whole number\n' + meaningHint('delay'),
    ],
    // Not at line 2 of the file, which has nothing to do with it.
    [
      'qat.delay=100',
      'command line error unknown-key: the pipeline has no key `qat`\n  hint: `qat` is a stage; did you mean `stages.qat`?',
    ],
    [
      'constructor.x=1',
      'command line error unknown-key: the pipeline has no key `constructor`\n' +
        '  hint: one of `version`, `name`, `description`, `seed`, `engine`, `threads`, `memory`, `data`, `model`, `target`, `loss`, `matrix`, `stages`',
    ],
    [
      'seed={ a: 1',
      'command line error bad-override: the value of `--set seed={ a: 1` is not YAML: ' +
        'the `{` that opens here is not closed\n  hint: add `}` where it ends',
    ],
    [
      'seed=*one',
      'command line error bad-override: the value of `--set seed=*one` is not YAML: `*one` refers to a value ' +
        'marked `&one` above it, but there is none\n  hint: write the value itself, or mark it with `&one` where it is written first',
    ],
    [
      'delay',
      'command line error bad-override: `--set delay` is not of the form path=value\n' +
        '  hint: for example --set stages.qat.delay=1000',
    ],
    [
      '__proto__.x=1',
      'command line error bad-override: `--set __proto__.x=1` is not of the form path=value\n' +
        '  hint: for example --set stages.qat.delay=1000',
    ],
    [
      'name.first=1',
      'command line error bad-override: `--set name.first=1`: `name` is a single value, so it has no `first`\n' +
        '  hint: set `name` as a whole',
    ],
    [
      'stages.qat.devices.2=cpu:2',
      'command line error bad-override: `--set stages.qat.devices.2=cpu:2`: `stages.qat.devices` is a list of 2, ' +
        'so it has no item `2`\n  hint: the first item is 0',
    ],
    [
      'stages.freeze.from=qat',
      'command line error wrong-input: `stages.freeze.from` is `qat`, which gives QatModel/2; freeze takes EvalGraph/1\n' +
        '  hint: `from: eval`',
    ],
  ];
  it.each(bad)('%s is a mistake on the command line', (text, printed) => {
    expect(mistakes(example, [text])).toEqual([printed]);
  });

  it('whose value is not YAML is a mistake on the command line', () => {
    expect(mistakes(example, ['stages.qat.devices=[cpu:0'])[0]).toMatch(
      /^command line error bad-override: the value of `--set stages\.qat\.devices=\[cpu:0` is not YAML: /,
    );
  });

  it('leaves values of the file their place', () => {
    const { locate } = load('stages.qat.delay=1');
    expect(locate(['stages', 'qat', 'delay'], 'value')).toEqual({ file: 'command line' });
    expect(locate(['stages', 'qat', 'epochs'], 'value')).toMatchObject({ file: 'p.yaml', line: 22, column: 13 });
  });
});
