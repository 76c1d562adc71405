import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineData } from '../../src/cli/data.ts';
import { describeData } from '../../src/cli/data.ts';
import { dataText } from '../../src/cli/data-text.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { darkAndLight, greyPng, toneWav, writeTree } from './example-folders.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'qpipe-data-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A pipeline whose network does not fit the data: it is not looked at. */
function pipeline(data: string): string {
  const text = `version: 1
name: x
data: ${data}
model: { layers: [{ kind: fully_connected, units: 99 }] }
stages: { pretrain: { uses: float-pretrain, epochs: 1, batch: 2 } }
`;
  writeFileSync(join(folder, 'x.yaml'), text);
  return join(folder, 'x.yaml');
}

const images = '{ source: image_folder, path: set, image: { size: 4, color: grey }, split: { test: 0.25 } }';
const sounds = '{ source: audio_folder, path: set, audio: { rate: 8000, seconds: 0.5 } }';

const put = (files: Parameters<typeof writeTree>[1]): void => writeTree(join(folder, 'set'), files);
const linesOf = (data: PipelineData, columns: number): string[] => dataText(data, columns, (text) => text).split('\n');

describe('the data of a pipeline', () => {
  it('of an image folder have the sizes of the files, the rare ones by name, and three files of each class', async () => {
    put({ ...darkAndLight(8), 'dark/Ärger 1.png': greyPng(99, 60, 40), 'light/copy.png': greyPng(255) });
    const data = await describeData(pipeline(images));
    expect(data).toMatchObject({
      ...{ source: 'image_folder', paths: [join(folder, 'set')], shape: [4, 4, 1] },
      counts: { validation: 0 },
      // light/0.png and light/copy.png are equal, and stay in one part.
      equal: { between: [], ofOtherClass: 0 },
      tallies: [
        {
          property: 'size',
          values: [
            { value: '20 x 20', files: 17, names: [] },
            { value: '60 x 40', files: 1, names: ['dark/Ärger 1.png'] },
          ],
        },
      ],
    });
    expect(data.equal.within.train + data.equal.within.test).toBe(1);
    expect(data.classes.map(({ name, files }) => [name, files])).toEqual([
      ['dark', ['dark/0.png', 'dark/1.png', 'dark/2.png']],
      ['light', ['light/0.png', 'light/1.png', 'light/2.png']],
    ]);
    const lines = linesOf(data, Infinity);
    expect(lines).toContain('60 x 40      1  dark/Ärger 1.png');
    expect(lines.at(-1)).toMatch(/^- equal examples: 1 within (train|test)$/);
  });

  it('of an image folder with many sizes have how these are spread, and the most frequent ones', async () => {
    const files: Record<string, Uint8Array> = {};
    for (let index = 0; index < 12; index++) {
      files[`a/${index}.png`] = greyPng(index, 20 + index, 30);
      files[`b/${index}.png`] = greyPng(100 + index, 20 + index, 30);
    }
    files['a/wide.png'] = greyPng(50, 200, 30);
    put(files);
    const data = await describeData(pipeline(images));
    expect(data.spreads).toEqual([
      {
        ...{ property: 'width', unit: 'pixels', min: 20, median: 26, max: 200, odd: 1 },
        names: [{ name: 'a/wide.png', value: 200 }],
      },
      { ...{ property: 'height', unit: 'pixels', min: 30, median: 30, max: 30, odd: 0 }, names: [] },
    ]);
    const lines = linesOf(data, 80);
    // 13 sizes, of which 8 are shown; the others are four of two files, and one of one.
    expect(lines.filter((line) => line.includes(' x 30 '))).toHaveLength(8);
    expect(lines).toContain('5 others      9');
    expect(lines).toContain('pixels       20      26      200  a/wide.png (200)');
  });

  it('with equal examples say in which parts they are, and whether they have two classes', async () => {
    put({ 'train/a/1.png': greyPng(1), 'train/b/1.png': greyPng(2), 'train/b/2.png': greyPng(2) });
    put({ 'test/a/copy.png': greyPng(1), 'test/a/wrong.png': greyPng(2), 'test/b/3.png': greyPng(3) });
    const lines = linesOf(await describeData(pipeline(images)), Infinity);
    // Of another class: train/b/1, train/b/2 and test/a/wrong.
    const expected = '1 within train, 2 of test that train has too; 3 have an equal one of another class';
    expect(lines).toContain(`- equal examples: ${expected}`);
    expect(lines.at(-1)).toMatch(/^- 2 test examples are equal to train examples, such as /);
  });

  it('of an audio folder have rates, channels and lengths of the files, the odd ones by name', async () => {
    const files: Record<string, Uint8Array> = { 'low/long.wav': toneWav(200, 16_000, 2) };
    for (let index = 0; index < 6; index++) {
      files[`low/${index}.wav`] = toneWav(200 + index, 8000, 0.25);
      files[`high/${index}.wav`] = toneWav(1000 + 10 * index, 8000, 0.5);
    }
    put(files);
    const data = await describeData(pipeline(sounds));
    expect(data.tallies).toEqual([
      {
        property: 'rate',
        values: [
          { value: '8000 Hz', files: 12, names: [] },
          { value: '16000 Hz', files: 1, names: ['low/long.wav'] },
        ],
      },
      { property: 'channels', values: [{ value: '1', files: 13, names: [] }] },
    ]);
    expect(data.spreads).toEqual([
      {
        ...{ property: 'length', unit: 's', min: 0.25, median: 0.5, max: 2, odd: 0 },
        names: [],
      },
    ]);
    expect(data.notes).toEqual([
      'recordings of another rate are resampled to 8000 Hz: 16000 Hz (low/long.wav)',
      '1 of 13 recordings is longer than 0.5 s: the end is left out',
      '6 of 13 recordings are shorter than 0.5 s: silence is added',
    ]);
    expect(data.element.normalize).toBeNull();
    expect(data.channels.map(({ name }) => name)).toEqual(['log_mel']);
  });

  it('fit the columns of the terminal, whatever the names of files are', async () => {
    const long = 'a-very-long-name-of-a-photograph-that-no-camera-gives';
    put({ ...darkAndLight(8), [`dark/${long}.png`]: greyPng(40, 9), 'dark/\u001b[2J.png': greyPng(41, 11) });
    for (const data of [await describeData(pipeline(images)), await describeData(pipeline('{ source: mnist }'))]) {
      for (const columns of [40, 80, 120]) {
        const lines = linesOf(data, columns);
        expect(lines.filter((line) => line.length > columns)).toEqual([]);
        // What could move the cursor of a terminal is not printed.
        expect(lines.join('')).not.toContain('\u001b');
      }
    }
  });

  it('that are not there are a mistake of the pipeline, and those that can be had say how', async () => {
    const failureOf = async (data: string): Promise<string[]> => {
      const error: unknown = await describeData(pipeline(data)).catch((reason: unknown) => reason);
      return error instanceof UserError ? error.diagnostics.map(({ code, hint }) => `${code}: ${hint ?? ''}`) : [];
    };
    expect(await failureOf(images)).toEqual([expect.stringMatching(/^missing-data: /)]);
    const sha256 = '0'.repeat(64);
    const download = `{ url: 'https://example.org/c.tar.gz', sha256: '${sha256}' }`;
    const cifar = `{ source: cifar10, path: here, download: ${download} }`;
    expect(await failureOf(cifar)).toEqual(['not-downloaded: `qpipe run` downloads it']);
  });
});
