/**
 * `node scripts/screenshots.js`: makes the pictures of the README in docs/images/ from runs of pipelines/quickstart.yaml,
 * with Debian's chromium or the one that CHROMIUM names.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const root = join(import.meta.dirname, '..');
const images = join(root, 'docs/images');
const width = 1000;

/** @type {(folder: string, ...args: string[]) => void} */
function qpipe(folder, ...args) {
  execFileSync(process.execPath, [join(root, 'bin/qpipe.js'), ...args], { cwd: folder, stdio: 'ignore' });
}

/**
 * From the top of one element to the bottom of another one, which may be the same.
 *
 * @type {(page: import('playwright-core').Page, name: string, first: string, last?: string) => Promise<void>}
 */
async function picture(page, name, first, last = first) {
  const boxes = await Promise.all([first, last].map((selector) => page.locator(selector).first().boundingBox()));
  const [top, bottom] = boxes;
  if (top == null || bottom == null) throw new Error(`${name}: the page has no ${first} or no ${last}`);
  const margin = 16;
  const y = Math.max(0, top.y - margin);
  const clip = { x: 0, y, width, height: bottom.y + bottom.height + margin - y };
  await page.screenshot({ path: join(images, `${name}.png`), fullPage: true, clip });
}

const folder = mkdtempSync(join(tmpdir(), 'qpipe-screenshots-'));
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
try {
  mkdirSync(images, { recursive: true });
  qpipe(folder, 'run', join(root, 'pipelines/quickstart.yaml'));
  qpipe(folder, 'run', join(root, 'pipelines/quickstart.yaml'), '--set', 'stages.qat.delay=10');
  const [before = '', after = ''] = readdirSync(join(folder, 'runs')).filter((name) => name !== 'latest');
  const comparison = join(folder, 'comparison.html');
  qpipe(folder, 'compare', join('runs', before), join('runs', after), '--html', comparison);
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  await page.goto(pathToFileURL(join(folder, 'runs', before, 'report.html')).href);
  await picture(page, 'report', 'header', 'nav');
  await picture(page, 'layers', 'section[id^="layers"]');
  await page.goto(pathToFileURL(comparison).href);
  await picture(page, 'comparison', 'header', 'section:nth-of-type(2)');
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
