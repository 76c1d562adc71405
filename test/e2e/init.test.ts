/** From a folder of files to a model with three commands. */
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { darkAndLight, greyPng, redPng, toneWav, writeTree } from '../cli/example-folders.ts';
import { makeWorkspace } from './workspace.ts';

const space = makeWorkspace();

/** What a pipeline says of its data. */
function dataOf(file: string): unknown {
  return (parse(space.text(file)) as { readonly data: unknown }).data;
}

async function runOneEpoch(file: string): Promise<unknown> {
  const set = ['stages.pretrain.epochs=1', 'stages.qat.epochs=1', 'stages.qat.delay=1', 'stages.test.gates.drop_max=1'];
  const { code, stderr } = await space.qpipe('run', file, ...set.flatMap((one) => ['--set', one]));
  expect(stderr).not.toContain('error');
  return code;
}

describe('qpipe init', () => {
  it('writes a pipeline for images that validates and runs', async () => {
    writeTree(
      space.file('holiday photos'),
      darkAndLight(40, (value) => redPng(value, 40, 30)),
    );
    const { code, stdout } = await space.qpipe('init', 'holiday photos');
    expect(stdout).toContain('wrote holiday-photos.yaml (source image_folder)');
    expect(code).toBe(0);
    expect(dataOf('holiday-photos.yaml')).toEqual({
      source: 'image_folder',
      path: 'holiday photos',
      // The shorter sides are 30.
      image: { size: 32, color: 'rgb' },
      split: { test: 0.2, validation: 0.1 },
      augment: { crop: 4 },
    });
    const validated = await space.qpipe('validate', 'holiday-photos.yaml');
    expect(validated).toMatchObject({ code: 0, stderr: '' });
    // A fifth and a tenth of 80.
    expect(validated.stdout).toContain('data: 56 examples for training, 8 for validation, 2 classes');
    expect(await runOneEpoch('holiday-photos.yaml')).toBe(0);
    expect(existsSync(space.file('runs/latest/stages/convert/model.tflite'))).toBe(true);
  });

  it('writes one for recordings, with the parts that the folder has', async () => {
    const files: Record<string, Uint8Array> = {};
    for (let index = 0; index < 20; index++) {
      const part = index < 16 ? 'train' : 'test';
      files[`${part}/low/${index}.wav`] = toneWav(200 + 5 * index, 8000, 0.4);
      files[`${part}/high/${index}.wav`] = toneWav(1000 + 5 * index, 8000, 0.7);
    }
    writeTree(space.file('tones'), files);
    const { code } = await space.qpipe('init', 'tones', '--out', 'sound.yaml');
    expect(code).toBe(0);
    expect(dataOf('sound.yaml')).toEqual({
      source: 'audio_folder',
      path: 'tones',
      audio: { rate: 8000, seconds: 1 },
      features: { kind: 'log_mel', num_mel_bins: 40 },
      split: { validation: 0.1 },
    });
    expect(await space.qpipe('validate', 'sound.yaml')).toMatchObject({ code: 0, stderr: '' });
    expect(await runOneEpoch('sound.yaml')).toBe(0);
  });

  it('sees that images are grey, and averages those that it makes much smaller', async () => {
    writeTree(
      space.file('large'),
      darkAndLight(12, (value) => greyPng(value, 200)),
    );
    expect(await space.qpipe('init', 'large')).toMatchObject({ code: 0 });
    expect(dataOf('large.yaml')).toMatchObject({ image: { size: 96, color: 'grey', interpolation: 'area' } });
  });

  it('never writes over a file', async () => {
    writeTree(space.file('set'), darkAndLight(4));
    writeFileSync(space.file('set.yaml'), 'mine');
    const { code, stderr } = await space.qpipe('init', 'set');
    expect(code).toBe(64);
    expect(stderr).toBe(
      'set.yaml error file-exists: the file exists already\n  hint: name another one with `--out`, or remove it',
    );
    expect(space.text('set.yaml')).toBe('mine');
  });

  it('tells what it found where no source reads it, and what is missing', async () => {
    writeTree(space.file('papers'), { 'a/1.pdf': 'x', 'a/2.pdf': 'x', 'b/notes': 'x' });
    const unknown = await space.qpipe('init', 'papers');
    expect(unknown.stderr).toContain(
      'papers error unknown-data: no source reads these files: 2 x .pdf, 1 x no extension',
    );
    writeTree(space.file('one'), { 'a/1.png': greyPng(1), 'a/2.png': greyPng(2) });
    expect((await space.qpipe('init', 'one')).stderr).toContain('one error too-few-classes');
    expect((await space.qpipe('init', 'one/a/1.png')).stderr).toContain('one/a/1.png error too-few-classes');
    const nowhere = await space.qpipe('init', 'one', '--out', 'no/such.yaml');
    expect(nowhere.stderr).toContain('no/such.yaml error no-folder');
    const nothing = await space.qpipe('init', 'nothing');
    expect(nothing.code).toBe(64);
    expect(nothing.stderr).toContain('nothing error missing-data');
  });

  it('names broken files', async () => {
    writeTree(space.file('broken'), { ...darkAndLight(4), 'dark/x.png': 'no image', 'light/y.png': 'no image' });
    const { stderr } = await space.qpipe('init', 'broken');
    expect(stderr.match(/error [a-z-]+/g)).toEqual(['error not-an-image', 'error not-an-image']);
    expect(existsSync(space.file('broken.yaml'))).toBe(false);
  });
});
