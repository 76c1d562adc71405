/** The page that shows a .tflite file: its drawing by geometry, and in a browser. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectPage } from '../../src/cli/inspect-page.ts';
import { createRandom } from '../../src/core/random.ts';
import { histogramOf } from '../../src/report/model/histogram.ts';
import { layeredLayout } from '../../src/report/model/layout.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { conv, dense } from '../models/networks.ts';
import { builtin, handmade, plainOperator, plainTensor } from '../tflite/handmade.ts';
import { everyLayer, lowered } from '../tflite/lowered.ts';
import type { TestBrowser } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-model-'));
afterAll(() => rmSync(folder, { recursive: true }));
function write(name: string, content: Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const size = { width: 100, height: 40, gapX: 10, gapY: 20 } as const;

describe('the places of boxes', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))('overlap nowhere and lie inside, network %i', (seed) => {
    const random = createRandom(seed, 'layout');
    const count = 2 + Math.floor(random.float() * 40);
    const parents = Array.from({ length: count }, (_, node) =>
      Array.from({ length: node === 0 ? 0 : 1 + Math.floor(random.float() * 3) }, () =>
        Math.floor(random.float() * node),
      ),
    );
    const { width, height, boxes, edges } = layeredLayout(parents, size);
    const wrong = boxes.flatMap((a, index) =>
      boxes.slice(index + 1).filter((b) => Math.abs(a.x - b.x) < size.width && Math.abs(a.y - b.y) < size.height),
    );
    expect(wrong).toEqual([]);
    for (const { x, y } of boxes) {
      expect(Math.min(x, y, width - x - size.width, height - y - size.height)).toBeGreaterThanOrEqual(0);
    }
    for (const [node, above] of parents.entries()) {
      for (const parent of above) expect(boxes[parent]?.y).toBeLessThan(boxes[node]?.y ?? 0);
    }
    // Edges pass the rows of boxes straight down, beside the boxes.
    const straight = edges.flatMap((edge) => [...edge.matchAll(/^M(\S+) (\S+)V(\S+)$/g)]);
    for (const [x = 0, top = 0, bottom = 0] of straight.map(([, ...places]) => places.map(Number))) {
      const isCrossed = (box: { readonly x: number; readonly y: number }): boolean =>
        box.y < bottom && box.y + size.height > top && box.x < x && x < box.x + size.width;
      expect(boxes.filter(isCrossed)).toEqual([]);
    }
  });

  it('are one below the other for a chain, in one column', () => {
    const { boxes } = layeredLayout([[], [0], [1], [2]], size);
    expect(new Set(boxes.map(({ x }) => x)).size).toBe(1);
    expect(boxes.map(({ y }) => y)).toEqual([4, 64, 124, 184]);
  });
});

describe('a histogram', () => {
  it('has bins of four codes, or of one width', () => {
    const codes = histogramOf([-128, -125, -124, 0, 127, 127], 'int8');
    expect([codes.counts[0], codes.counts[1], codes.counts[32], codes.counts[63]]).toEqual([2, 1, 1, 2]);
    const reals = histogramOf([0, 1, 64, Number.NaN, Infinity], 'float32');
    expect(reals).toMatchObject({ min: 0, max: 64, zeros: 1, notFinite: 2, total: 5 });
    expect([reals.counts[0], reals.counts[1], reals.counts[63]]).toEqual([1, 1, 1]);
    expect(histogramOf([3, 3], 'float32').counts.reduce((sum, count) => sum + count)).toBe(2);
    expect(histogramOf([], 'float32').min).toBeNull();
  });
});

const hostile = `"><script>alert(1)</script>&`;
const foreign = handmade({
  codes: [209, builtin.add],
  tensors: [
    plainTensor(`${hostile}${'block/'.repeat(40)}`, [1, 224, 224, 3], 'INT8'),
    plainTensor(hostile, [1, 224, 224, 1024], 'INT8'),
    plainTensor('sum', [1, 224, 224, 1024], 'INT8'),
  ],
  operators: [plainOperator(0, [0], [1]), plainOperator(1, [1, 0], [2], { optionsType: 11 })],
  inputs: [0],
  outputs: [2],
});
const deep = lowered([
  ...Array.from({ length: 60 }, (_, index) => conv(`conv${index}`, 64, 1)),
  dense('logits', 10),
]).graph;
const resnet = join(process.env['QPIPE_DATA'] ?? '../shared/data', '../models/pretrainedResnet.tflite');

const pages: readonly (readonly [string, () => string])[] = [
  ['of every kind of layer', () => inspectPage(write('every.tflite', writeTflite(lowered(everyLayer).graph)))],
  ['of a model with an unknown op and hostile names', () => inspectPage(write('foreign.tflite', foreign))],
  ['of 60 layers', () => inspectPage(write('deep.tflite', writeTflite(deep)))],
  ...(existsSync(resnet) ? [['of a float ResNet', () => inspectPage(resnet)] as const] : []),
];

describe.skipIf(!hasBrowser)('the page of a model in a browser', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it.each(pages)('%s is whole at every width, without JavaScript, dark and printed', async (_, html) => {
    const text = html();
    expect(Buffer.byteLength(text)).toBeLessThan(2_000_000);
    for (const view of [
      { width: 380, scheme: 'dark', unfold: true },
      { width: 1440, javascript: false },
      { width: 800, media: 'print' },
    ] as const) {
      const { geometry, errors, requests, accessibility, page, close } = await browser.open(text, view);
      expect(await geometry()).toEqual([]);
      expect([errors, requests]).toEqual([[], []]);
      if (!('javascript' in view)) expect(await accessibility()).toEqual([]);
      const overlaps = await page.evaluate(() => {
        const found: string[] = [];
        for (const svg of document.querySelectorAll('.net svg')) {
          const frame = svg.getBoundingClientRect();
          const boxes = [...svg.querySelectorAll('rect')].map((rect) => rect.getBoundingClientRect());
          boxes.forEach((box, index) => {
            if (box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom) found.push('outside');
            for (const other of boxes.slice(index + 1)) {
              if (Math.abs(box.left - other.left) < box.width && Math.abs(box.top - other.top) < box.height)
                found.push('overlap');
            }
          });
          for (const link of svg.querySelectorAll('a')) {
            const [rect, ...texts] = [...link.querySelectorAll('rect, text')].map((part) =>
              part.getBoundingClientRect(),
            );
            if (texts.some((part) => rect === undefined || part.right > rect.right || part.left < rect.left))
              found.push('text outside its box');
            if (document.querySelector(link.getAttribute('href') ?? '') === null) found.push('a link to nothing');
          }
        }
        return found;
      });
      expect(overlaps).toEqual([]);
      await close();
    }
  });

  it('shows names as text, and what is not known', async () => {
    const { page, close } = await browser.open(inspectPage(write('foreign.tflite', foreign)));
    const text = await page.evaluate(() => document.body.innerText);
    expect(text).toContain(`${hostile}block/block/`);
    expect(text).toContain('not known to qpipe');
    expect(await page.locator('.net a').count()).toBe(4);
    await close();
  });
});
