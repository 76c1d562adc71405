/** Training, layers and footprint in a browser: nothing cut, crossed or outside its box, however many layers there are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Layer } from '../../src/measurements/layers.ts';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { TestBrowser, View } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';
import { conversion, floatTraining, qatTraining, run, stages, test } from './fixtures.ts';

const asJson = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

/** A layer with all that opens. */
function layerOf(index: number): Layer {
  const base = test.layers[index % test.layers.length]!;
  const name = `block_${index}/a_rather_long_name_of_a_layer_${index}/${base.op}`;
  const counts = Array.from({ length: 64 }, (_, bin) => (bin * 37 + index * 11) % 90);
  const values = { low: -3.2, width: 0.1, counts };
  const channels = Array.from({ length: 1 + (index % 64) }, (_, channel) => ({
    ...{ channel, min: -0.01 * (channel + 1), max: 0.02 * (channel + 1) },
  }));
  return {
    ...{ ...base, name, activations: { min: -1, max: 0.5 + index, values } },
    filter: base.filter === null ? null : { ...base.filter, weights: { values, channels } },
  };
}

/** The whole run, with as many layers, ranges and tensors. */
function runOf(count: number): RunRecord {
  const layers = Array.from({ length: count }, (_, index) => layerOf(index));
  const [track] = qatTraining.level === 'qat' ? qatTraining.ranges : [];
  const ranges = layers.map(({ name }) => ({ ...track!, name: `${name}/act_quant` }));
  const buffers = layers.map(({ name }, index) => ({
    ...{ name, bytes: 1024 + 512 * (index % 3), offset: index % 2 === 0 ? 0 : 4096, first: index, last: index + 1 },
  }));
  const operators = layers.map(({ name, op, shape }, index) => ({ op, name, outputShape: shape, macs: 1000 * index }));
  const memory = { arena: 6144, macs: 500 * count * (count - 1), buffers };
  return {
    ...run,
    stages: [
      { ...stages.pretrain, metrics: asJson(floatTraining), resumedAt: [800, 3000] },
      { ...stages.qat, metrics: asJson({ ...qatTraining, ranges, delay: 20 }), resumedAt: [30] },
      { ...stages.convert, metrics: asJson({ ...conversion, operators, memory }) },
      { ...stages.test, metrics: asJson({ ...test, layers }) },
    ],
  };
}

const sections = ['training', 'layers-', 'footprint'];

describe.skipIf(!hasBrowser)('sections of layers in a browser', { timeout: 240_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  /** Problems of the whole page, of which those of other sections are for other tests. */
  async function problems(html: string, view: View): Promise<string[]> {
    const { page, geometry, accessibility, errors, requests, close } = await browser.open(html, view);
    await page.evaluate((kept) => {
      for (const section of document.querySelectorAll('section, header, .verdict, .facts, .lints, nav')) {
        if (
          !kept.some((id) => section.id.startsWith(id)) &&
          section.closest('section[id]') === (section.id ? section : null)
        )
          section.remove();
      }
    }, sections);
    expect(await page.locator('section[id]').count()).toBe(sections.length);
    const found = [
      ...(await geometry()),
      ...(view.scheme === 'dark' ? await accessibility() : []),
      ...errors,
      ...requests,
    ];
    await close();
    return found;
  }

  it.each([3, 60])('are as they should be with %i layers', async (count) => {
    const html = renderReport(buildReport(runOf(count), null));
    const views: View[] = [
      { width: 380, unfold: count === 3 },
      { width: 800, scheme: 'dark', unfold: true },
      { width: 1440, javascript: false },
      { width: 1440, unfold: count === 3 },
      { width: 800, media: 'print' },
    ];
    for (const view of views) expect.soft(await problems(html, view), JSON.stringify(view)).toEqual([]);
  });

  it('show noise and output noise in a narrow window, and sort with their folds', async () => {
    const { page, close } = await browser.open(renderReport(buildReport(runOf(12), null)), { width: 380 });
    const head = page.locator('.folding thead th');
    expect(await head.filter({ visible: true }).allInnerTexts()).toEqual([
      'Layer',
      'Noise so far',
      'Share of rounding noise',
    ]);
    await head.nth(1).locator('button').click();
    const values = await page
      .locator('.folding tbody tr:first-child td:nth-child(2)')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.dataset['value'])));
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(await page.locator('.folding tbody').first().locator('tr.fold').count()).toBe(1);
    await close();
  });

  it('zoom the curves of the drawing where scripts run, and print the drawing', async () => {
    const { page, close } = await browser.open(renderReport(buildReport(runOf(3), null)), { width: 1440 });
    const figure = page.locator('figure.curves').first();
    await expect.poll(() => figure.locator('canvas').count()).toBe(1);
    expect(await figure.locator(':scope > svg').isVisible()).toBe(false);
    await page.emulateMedia({ media: 'print' });
    expect(await figure.locator(':scope > svg').isVisible()).toBe(true);
    expect(await figure.locator('canvas').isVisible()).toBe(false);
    await close();
  });
});
