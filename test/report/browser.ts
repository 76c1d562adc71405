/** Pages in a real browser: Debian's chromium, or the one that CHROMIUM names. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { geometryProblems } from './geometry.ts';

const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether there is a browser; without one its tests are skipped. */
export const hasBrowser = existsSync(executable);

export interface View {
  /** Pixels, default 1440. */
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  /** Default true. */
  readonly javascript?: boolean;
  readonly media?: 'screen' | 'print';
  /** Opens every fold-out before anything is measured; default false. */
  readonly unfold?: boolean;
}

export interface Opened {
  readonly page: Page;
  /** Messages of the console that are errors or warnings, and exceptions. */
  readonly errors: readonly string[];
  /** Addresses of all that was asked for, besides the page itself and `data:`. */
  readonly requests: readonly string[];
  /** What axe finds that is serious or critical: rule, element, reason. */
  readonly accessibility: () => Promise<readonly string[]>;
  /** What is cut, crossed, overlapping or outside its box, each with the element; see geometry.ts. */
  readonly geometry: () => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

export interface TestBrowser {
  /** Opens the page from a file of its own, `report.html` in an empty folder. */
  readonly open: (html: string, view?: View) => Promise<Opened>;
  /** Opens the page of a server. */
  readonly visit: (address: string, view?: View) => Promise<Opened>;
  readonly close: () => Promise<void>;
}

export async function openBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-page-'));
  let pages = 0;
  return {
    open: (html, view = {}) => {
      pages += 1;
      const file = join(folder, `${pages}.html`);
      writeFileSync(file, html);
      return openPage(browser, pathToFileURL(file).href, view);
    },
    visit: (address, view) => openPage(browser, address, view),
    close: async () => {
      await browser.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** @param address `file:` or `http:`; requests to the same server are counted too */
export async function openPage(browser: Browser, address: string, view: View = {}): Promise<Opened> {
  const { width = 1440, scheme = 'light', javascript = true, media = 'screen', unfold = false } = view;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    javaScriptEnabled: javascript,
  });
  const page = await context.newPage();
  await page.emulateMedia({ media });
  const errors: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) requests.push(request.url());
  });
  await page.goto(address);
  if (unfold) await unfoldAll(page);
  return {
    page,
    errors,
    requests,
    accessibility: () => accessibilityProblems(page),
    geometry: () => page.evaluate(geometryProblems),
    close: () => context.close(),
  };
}

/** Opens every fold-out, those inside others too. */
export async function unfoldAll(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const fold of document.querySelectorAll('details')) fold.open = true;
  });
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(
        ({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 160)}: ${failureSummary.replace(/\s+/g, ' ')}`,
      ),
    );
}
