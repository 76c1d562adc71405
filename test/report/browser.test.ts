import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { TestBrowser } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';
import { config, reconstructing, run } from './fixtures.ts';

const broken = `<!doctype html><html lang="en"><title>t</title><style>body{margin:0}.box{width:100px;border:1px solid}</style>
<main><h1>t</h1><div class="box"><div style="width:140px">wide</div></div>
<div class="box" style="overflow:hidden;white-space:nowrap">a text that is longer than its box</div>
<div style="width:3000px">very wide</div>
<svg width="200" height="60" style="display:block"><text x="-12" y="20">cut</text><text x="80" y="20">one</text><text x="84" y="22">two</text>
<text x="140" y="20">crossed</text><line x1="150" y1="0" x2="150" y2="60" stroke="black"></line></svg>
<p style="color:#bbb">pale</p></main><script>console.error('loud'); fetch('http://127.0.0.1:9/x').catch(() => null)</script></html>`;

describe.skipIf(!hasBrowser)('the page in a browser', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it('finds what is wrong with a page that is broken on purpose', async () => {
    const { geometry, accessibility, errors, requests } = await browser.open(broken);
    const kinds = (await geometry()).map((problem) => problem.split(':')[0]);
    expect(new Set(kinds)).toEqual(new Set(['overflow', 'outside', 'cut', 'overlap', 'crossed']));
    expect((await accessibility()).join()).toContain('color-contrast');
    expect(errors.join()).toContain('loud');
    expect(requests).toEqual(['http://127.0.0.1:9/x']);
  });

  it.each([
    ['a classifier', run],
    ['an autoencoder', reconstructing()],
  ])('opens without a message or a request: %s', async (_, record) => {
    const { errors, requests, close } = await browser.open(renderReport(buildReport(record, config)));
    expect(errors).toEqual([]);
    expect(requests).toEqual([]);
    await close();
  });
});
