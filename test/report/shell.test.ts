// The page as a whole: in a browser at three widths, dark, printed and without scripts, and what stands at its top.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../../src/report/html.ts';
import type { Report } from '../../src/report/report.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { pairedShareInterval } from '../../src/report/statistics.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { TestBrowser } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';
import { config, reconstructing, run, test } from './fixtures.ts';
import { branched, branchedConfig, matrixOfTwenty } from './several.ts';

/** A name without a place to break it. */
const long = 'a_network_of_a_name_that_nobody_would_ever_want_to_type_again_but_that_some_tool_made_up';

const longNames: RunRecord = {
  ...run,
  pipeline: long,
  stages: run.stages.map((stage) => (stage.name === 'test' ? { ...stage, metrics: named(test) } : stage)),
};

function named<T extends typeof test>(metrics: T): T {
  return { ...metrics, layers: metrics.layers.map((layer) => ({ ...layer, name: `${long}/${layer.name}` })) };
}

describe('what stands at the top', () => {
  const text = (report: Report): string =>
    renderReport(report)
      .replace(/<[^>]+>/g, ' ')
      .replaceAll('\u202f', ' ');

  it('is what a device gets and what it costs', () => {
    const page = text(buildReport(run, config));
    // 15 wrong and 7 right of 10,000, half an example more in each cell: (8 ± 1.96 sqrt(23 - 64 / 10002)) / 10002.
    const half = (1.959964 * Math.sqrt(23 - 64 / 10_002)) / 10_002;
    const [low, high] = [8 / 10_002 - half, 8 / 10_002 + half].map((value) => (-100 * value).toFixed(2));
    expect([low, high]).toEqual(['0.01', '-0.17']);
    expect(page).toContain('95\u00a0%, paired: −0.17 pp to\u00a0+0.01 pp');
    for (const words of ['99.04 %', '99.05 %', '65.2 KiB', 'trained for 8 epochs in float', '61 706 parameters']) {
      expect(page).toContain(words);
    }
  });

  it('has intervals that include no difference exactly when there may be none', () => {
    // Nothing lost, 10 of 100 gained: 10 / 102 and sqrt(11 - 100 / 102) / 102.
    const { low, high } = pairedShareInterval(0, 10, 100);
    expect(low).toBeCloseTo((-10 - 1.959964 * Math.sqrt(11 - 100 / 102)) / 102, 6);
    expect(high).toBeCloseTo((-10 + 1.959964 * Math.sqrt(11 - 100 / 102)) / 102, 6);
    expect(pairedShareInterval(0, 0, 1).low).toBeGreaterThanOrEqual(-1);
  });

  it('depends on report.json alone', () => {
    for (const report of [buildReport(run, config), buildReport(branched(), branchedConfig)]) {
      const read = JSON.parse(JSON.stringify(report)) as Report;
      expect(renderReport(read)).toBe(renderReport(report));
    }
  });
});

describe('several tests', () => {
  const report = buildReport(branched(), branchedConfig);

  it('are branches with the settings that differ, of which the best is named', () => {
    const { branches } = report;
    expect(branches?.axes.map(({ setting }) => setting)).toEqual(['qat.delay']);
    expect(branches?.rows.map(({ cell, labels }) => [cell, ...labels])).toEqual([
      ['test', '500'],
      ['test-2', '20'],
    ]);
    expect(branches?.best?.name).toBe('test');
    // Seven to none: twice 1 / 2^7.
    expect(branches?.best?.leads).toMatchObject([{ over: 'test-2', beyondChance: true }]);
    expect(branches?.best?.leads[0]?.p).toBeCloseTo(2 / 128, 12);
    expect(report.sentence).toContain('Best of 2 branches: test, int8 top-1 99.04');
    expect(report.model?.sha256).toBe(test.model.sha256);
  });

  it('read the files of their own line where another wrote the same bytes', () => {
    const reads = new Map(report.stages.map(({ name, reads: before }) => [name, before]));
    for (const [name, before] of reads) {
      const strangers = before.filter((one) => one !== 'pretrain' && one.endsWith('-2') !== name.endsWith('-2'));
      expect(strangers, name).toEqual([]);
    }
  });

  it('say what they have in common once', () => {
    const page = renderReport(buildReport({ ...branched(), warnings: [] }, branchedConfig));
    const top = page.slice(0, page.indexOf('<nav>'));
    const codes = [...top.matchAll(/<code>([a-z-]+)<\/code>/g)].map(([, code]) => code);
    expect(codes.length).toBe(new Set(codes).size);
  });
});

describe.skipIf(!hasBrowser)('the whole page in a browser', { timeout: 240_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  const pages = [
    ['a classifier', renderReport(buildReport(run, config))],
    ['an autoencoder', renderReport(buildReport(reconstructing(), config))],
    ['branches', renderReport(buildReport(branched(), branchedConfig))],
    ['long names', renderReport(buildReport(longNames, config))],
  ] as const;

  it.each(pages)('has nothing cut, crossed or outside its box: %s', async (_, html) => {
    for (const width of [380, 800, 1440]) {
      const { geometry, errors, requests, close } = await browser.open(html, { width, unfold: true });
      expect(await geometry(), `${width} px`).toEqual([]);
      expect([...errors, ...requests]).toEqual([]);
      await close();
    }
  });

  it.each([
    ['light', ...pages[0]],
    ['dark', ...pages[0]],
    ['light', ...pages[1]],
    ['dark', ...pages[2]],
  ] as const)('has nothing that axe finds serious: %s, %s', async (scheme, name, html) => {
    // Branches fold out to what the others show.
    const { accessibility, close } = await browser.open(html, { scheme, unfold: name !== 'branches' });
    expect(await accessibility()).toEqual([]);
    await close();
  });

  it('of twenty cells is short before anything is folded out, and small', async () => {
    const html = renderReport(buildReport(matrixOfTwenty(), config));
    expect(Buffer.byteLength(html)).toBeLessThan(2_000_000);
    const { page, geometry, close } = await browser.open(html, { width: 1280 });
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(8000);
    expect(await geometry()).toEqual([]);
    await page.setViewportSize({ width: 380, height: 900 });
    expect(await geometry(), 'narrow').toEqual([]);
    const best = page.locator('#cells details').first();
    await best.locator('summary').first().click();
    expect(await best.locator('h3.part').allTextContents()).toEqual(expect.arrayContaining(['Accuracy', 'Footprint']));
    await close();
  });

  it('is complete without scripts, and prints what is open', async () => {
    const html = renderReport(buildReport(run, config));
    const still = await browser.open(html, { javascript: false });
    const headings = await still.page.locator('main h2').allTextContents();
    expect(headings).toEqual(expect.arrayContaining(['Accuracy', 'Training', 'Layers', 'Agreement', 'Provenance']));
    await still.close();
    const printed = await browser.open(html, { media: 'print', width: 700 });
    expect(await printed.geometry()).toEqual([]);
    expect(await printed.page.locator('nav').isVisible()).toBe(false);
    await printed.close();
  });
});
