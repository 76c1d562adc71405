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
      '144 values',
    ],
    ['fewer scores than classes', 'units: 4', 'units: 3', ':9:7 error wrong-output', 'units: 4'],
    ['no scores at all', '    - { kind: fully_connected, units: 4 }\n', '', ':8:7 error wrong-output', '144 values'],
    ['YAML that is none', 'stages:', 'stages: }', ' error yaml-syntax', ':10:'],
    ['nothing', tinyWith([]), '', ' error ', 'wrong.yaml'],
    [
      'data files that are not there',
      'source: synthetic, size: 12, classes: 4, train: 256, test: 64,',
      'source: idx, train_images: a, train_labels: b, test_images: c, test_labels: d,',
      ':3:36 error missing-data-file: `data.train_images`: there is no file ',
      ':3:85 error missing-data-file: `data.test_labels`: there is no file ',
    ],
  ])('%s', async (_case, before, after, place, words) => {
    const { message, exitCode, stack } = await refusal(tinyWith([[before, after]]));
    expect(message).toContain(place);
    expect(message).toContain(words);
    expect(message).not.toContain('internal');
    expect(exitCode).toBe(64);
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

describe('a file that is no pipeline', () => {
  it.each([
    ['a model', 'model.h5', Buffer.from('\x89HDF\r\n\x1a\n\0\0\0', 'latin1'), 'the file is an HDF5 file (Keras .h5)'],
    ['a .tflite file', 'm.tflite', Buffer.from('\x1c\0\0\0TFL3\0\0\0\0', 'latin1'), '`qpipe inspect`'],
    ['an archive', 'm.keras', Buffer.from('PK\x03\x04\0\0', 'latin1'), 'the file is a ZIP archive'],
    ['text in UTF-16', 'p.yaml', Buffer.from('\ufeffversion: 1', 'utf16le'), 'save it as UTF-8'],
    [
      'text in Latin-1',
      'p.yaml',
      Buffer.from('version: 1\nname: M\xfcller', 'latin1'),
      'byte 18 in line 2 is not UTF-8',
    ],
    ['a long text', 'p.yaml', Buffer.alloc(3e6, 'text\n'), 'the file has 3 MB; a pipeline is a short text'],
  ])('%s is named, in two lines', async (_, name, content, words) => {
    space.write(name, content);
    const { code, stdout, stderr } = await space.qpipe('validate', name);
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toContain(`${name} error unreadable-pipeline: `);
    expect(stderr).toContain(words);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  });

  it('a folder, one that is not there, and one with another name are told apart', async () => {
    expect((await space.qpipe('run', '.')).stderr).toMatch(
      /^\. error unreadable-pipeline: this is a folder; .*\n {2}hint: for example \w+\.yaml/,
    );
    expect((await space.qpipe('run', 'tinny.yaml')).stderr).toContain('hint: did you mean tiny.yaml?');
    expect((await space.qpipe('run', 'no/such.yaml')).stderr).toContain('there is no such file');
  });

  it('a data folder that is not there is refused', async () => {
    const { code, stderr } = await space.qpipe('validate', 'tiny.yaml', '--data', 'nowhere');
    expect(code).toBe(64);
    expect(stderr).toMatch(
      /^command line error no-data-folder: the data folder is nowhere, but there is none\n {2}hint: /,
    );
  });
});

describe('a data file of another kind', () => {
  const source = 'source: synthetic, size: 12, classes: 4, train: 256, test: 64,';
  const idx = (name: string) =>
    `source: idx, train_images: ${name}, train_labels: labels.idx, test_images: ${name}, test_labels: labels.idx,`;

  it.each([
    [
      'a WAV sound',
      Buffer.from('RIFF\0\0\0\0WAVEfmt ', 'latin1'),
      'the file is a WAV sound; expected an IDX array of unsigned bytes',
    ],
    [
      'a NumPy array',
      Buffer.from('\x93NUMPY\x01\0', 'latin1'),
      'use `source: npz`, which reads a folder of such files',
    ],
    [
      'floats',
      Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0),
      'the elements are floats of 32 bits; expected unsigned bytes',
    ],
    ['nothing', new Uint8Array(), 'the file is empty; expected an IDX array'],
  ])('is named: %s', async (_, content, words) => {
    space.write('images.idx', content);
    space.write('labels.idx', Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 0));
    const error = await refusal(tinyWith([[source, idx('images.idx')]]));
    expect(error.message).toContain(`${space.file('images.idx')} error not-idx: `);
    expect(error.message).toContain(words);
  });

  it('is a folder at its place in the pipeline', async () => {
    const { message } = await refusal(tinyWith([[source, idx('.')]]));
    expect(message).toContain(':3:36 error folder-for-file: `data.train_images` is the folder ');
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
      'error training-diverged: the weights `fully_connected_1/filter` have a root mean square of ',
    );
    expect(again.stderr).toContain('hint: lower the learning rate');
    expect(again.stderr).not.toMatch(/^\s+at /m);
  });
});
