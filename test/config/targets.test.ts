/** What is said of settings and networks that a target does not take, with the place in the file. */
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { edited, example, mistakes } from './example.ts';

const withTarget = (target: string, ...edits: readonly (readonly [string, string])[]): string =>
  edited(['stages:\n', `target: ${target}\nstages:\n`], ...edits);

describe('the key `target`', () => {
  const targetsOf = (target: string) => parsePipeline(withTarget(target), 'p.yaml').pipeline.target;

  it('is a word, a list or a map to budgets', () => {
    const any = { ram: null, flash: null };
    expect(parsePipeline(example, 'p.yaml').pipeline.target).toBeUndefined();
    expect(targetsOf('tflm')).toEqual([{ name: 'tflm', ...any }]);
    expect(targetsOf('[tflm]')).toEqual([{ name: 'tflm', ...any }]);
    expect(targetsOf('{ tflm: {} }')).toEqual([{ name: 'tflm', ...any }]);
    expect(targetsOf('{ tflm: { ram: 64k, flash: 1.5 MB } }')).toEqual([
      { name: 'tflm', ram: 64 * 1024, flash: 1_500_000 },
    ]);
    expect(targetsOf('{ tflm: { ram: 20000 } }')).toEqual([{ name: 'tflm', ram: 20_000, flash: null }]);
  });

  const bad: readonly (readonly [target: string, printed: string])[] = [
    ['tlfm', 'p.yaml:12:9 error bad-value: `target` is "tlfm"; expected a map, or a text like'],
    ['[tflm, esp]', 'p.yaml:12:16 error bad-value: `target.1` is "esp"; expected'],
    ['[]', 'p.yaml:12:9 error bad-value: `target` is an empty list; expected at least 1 item'],
    ['[tflm, tflm]', 'p.yaml:12:16 error bad-value: `target.1` is "tflm"; expected every item once'],
    ['{ tflm: { ram: 64q } }', 'p.yaml:12:24 error bad-value: `target.tflm.ram` is "64q"; expected a text like `64k`'],
    ['{ tflm: { rom: 64k } }', 'p.yaml:12:19 error unknown-key: `target.tflm` has no key `rom`'],
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
  });
});
