/** Mistakes in a pipeline: one clear error that names the place and the remedy, before anything is written. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { makeWorkspace, tinyWith } from '../e2e/workspace.ts';

const space = makeWorkspace();

/** The diagnostics of a run that must not start. */
async function refusal(text: string): Promise<UserError> {
  const pipeline = space.write('wrong.yaml', text);
  const error = await run({ pipeline, runs: space.file('runs'), store: space.file('store') }).then(
    () => 'it ran',
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) throw error;
  return error;
}

describe('a pipeline that cannot run', () => {
  it.each([
    ['a key that does not exist', 'epochs: 2,', 'epoch: 2,', ':11:37 error unknown-key', 'did you mean `epochs`?'],
    ['a value of another type', 'train: 256', 'train: many', ':3:57 error wrong-type', 'expected a whole number'],
    ['a number with a unit', 'delay: 2', 'delay: 2 steps', ':12:71 error wrong-type', 'expected a whole number'],
    ['a gate beyond 1', 'top1_min: 0.1', 'top1_min: 97', ' error bad-value', 'at most 1'],
    ['stages in a circle', 'from: pretrain', 'from: convert', ' error stage-cycle', '`qat` from `convert`'],
    ['a stage after the wrong kind', 'from: freeze', 'from: qat', ' error wrong-input', '`from: freeze`'],
    ['a stage after none', 'from: freeze', 'from: frezze', ' error unknown-stage', 'did you mean `freeze`?'],
    ['a batch larger than the data', 'epochs: 2, batch: 32', 'epochs: 2, batch: 500', ' error batch-too-large', '192'],
    ['a delay longer than the training', 'delay: 2', 'delay: 6', ' error ', 'delay'],
    ['more validation than data', 'validation: 64', 'validation: 256', ' error validation-too-large', '256'],
    ['devices that do not share a batch', 'epochs: 1, batch: 32', 'epochs: 1, batch: 33', ' error uneven-batch', '32'],
    ['a name that is a path', 'name: tiny', 'name: ../tiny', ':2:7 error bad-value', 'name'],
    ['a name in other letters', 'name: tiny', 'name: крошка', ':2:7 error bad-value', 'name'],
    ['a window larger than its input', 'window: 2', 'window: 40', ':7:7 error layer-does-not-fit', 'window of 40'],
    [
      'a layer behind flatten that needs pixels',
      '- { kind: flatten }',
      '- { kind: flatten }\n    - { kind: mean }',
      ':9:7 error layer-does-not-fit',
      'gets 144 values',
    ],
    ['fewer scores than classes', 'units: 4', 'units: 3', ':9:7 error wrong-output', 'units: 4'],
    [
      'no scores at all',
      '    - { kind: fully_connected, units: 4 }\n',
      '',
      ':8:7 error wrong-output',
      'gives 144 values',
    ],
    [
      'batch norm that cannot be folded',
      '- { kind: flatten }',
      '- { kind: batch_norm }',
      ':8:15 error batch-norm-not-folded',
      'batch_norm: true',
    ],
    ['YAML that is none', 'stages:', 'stages: }', ' error yaml-syntax', ':10:'],
    ['nothing', tinyWith([]), '', ' error ', 'wrong.yaml'],
    [
      'a data file that is not there',
      'source: synthetic, size: 12, classes: 4, train: 256, test: 64,',
      'source: idx, train_images: a, train_labels: b, test_images: c, test_labels: d,',
      'unreadable-file',
      'ENOENT',
    ],
  ])('%s', async (_case, before, after, place, words) => {
    const { message, exitCode, stack } = await refusal(tinyWith([[before, after]]));
    expect(message).toContain(place);
    expect(message).toContain(words);
    expect(message).not.toContain('internal');
    // A missing data file is found with the pipeline at hand, yet it is the file that is wrong.
    expect(exitCode).toBe(place === 'unreadable-file' ? 1 : 64);
    expect(stack).toBeDefined();
    expect(existsSync(space.file('runs'))).toBe(false);
    expect(existsSync(space.file('store'))).toBe(false);
  });

  it('is refused with all its mistakes at once', async () => {
    const text = tinyWith([
      ['epochs: 2,', 'epoch: 2,'],
      ['from: freeze', 'from: qat'],
    ]);
    expect((await refusal(text)).diagnostics.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['unknown-key', 'missing-key', 'wrong-input']),
    );
  });

  it('is refused on the command line without a stack trace, with exit code 64', async () => {
    space.write('wrong.yaml', tinyWith([['window: 2', 'window: 40']]));
    const { code, stdout, stderr } = await space.qpipe('validate', 'wrong.yaml');
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/^wrong\.yaml:7:7 error layer-does-not-fit: /);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('training that diverges', () => {
  it('ends with the loss, the epoch and a remedy, and keeps nothing of the stage', async () => {
    const store = space.file('diverged');
    const { code, stderr } = await space.qpipe(
      ...['run', 'tiny.yaml', '--json', '--store', store, '--set', 'stages.pretrain.optimizer.learning_rate=1e6'],
    );
    expect(code).toBe(1);
    expect(stderr).toBe('');
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'error', stages: [] });
    const again = await space.qpipe(
      ...['run', 'tiny.yaml', '--store', store, '--set', 'stages.pretrain.optimizer.learning_rate=1e6'],
    );
    expect(again.stdout).toContain('pretrain: started');
    expect(again.stderr).toContain(
      'training-diverged: the loss does not fall: its mean over the second half of epoch 2 is ',
    );
    expect(again.stderr).toContain('hint: lower the learning rate');
    expect(again.stderr).not.toMatch(/^\s+at /m);
  });
});
