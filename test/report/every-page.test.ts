/** The page of every preset and every task: how large it is, what is cut, and what becomes of markup that others wrote. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listPage } from '../../src/cli/serve/list-page.ts';
import { createRandom } from '../../src/core/random.ts';
import { present } from '../../src/core/assert.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { ClassifyTest } from '../../src/measurements/metrics.ts';
import { compareRuns } from '../../src/report/compare/compare.ts';
import { renderComparisonHtml } from '../../src/report/compare/html.ts';
import { renderReport } from '../../src/report/html.ts';
import type { Report } from '../../src/report/report.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { planArena } from '../../src/targets/arena.ts';
import { presetNetwork, unitPresets } from '../models/unit-presets.ts';
import { loweredNetwork } from '../oracle/target-graphs.ts';
import { outputsLine } from '../stages/output-lines.ts';
import { runLine } from '../stages/pipeline-line.ts';
import { taskLines } from '../stages/task-lines.ts';
import type { TestBrowser } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';
import { config, conversion, qatTraining, reconstructing, reconstruction, run, stages, test } from './fixtures.ts';
import { lineReport } from './line-report.ts';
import { branched, branchedConfig, matrixOfTwenty } from './several.ts';

const limit = 2_000_000;
const random = createRandom(3, 'pages');
const histogram = () => ({ low: -1, width: 0.03125, counts: Array.from({ length: 64 }, () => random.below(90_000)) });
/** The largest picture that a page shows; noise, which no compression makes smaller. */
const picture = () => ({
  ...{ kind: 'picture' as const, width: 96, height: 96, channels: 3 as const },
  pixels: Buffer.from(Uint8Array.from({ length: 96 * 96 * 3 }, () => random.below(256))).toString('base64'),
});

/** A layer with all that may be measured of one. */
function layersOf(graph: Graph): ClassifyTest['layers'] {
  const measured = present(test.layers[1], 'a layer');
  const channels = Array.from({ length: 64 }, (_, channel) => ({ channel, min: -random.float(), max: random.float() }));
  return graph.nodes.map(({ name, op }) => ({
    ...{ ...measured, name, op, shape: [...valueOf(graph, name).type.shape] },
    filter: { ...present(measured.filter, 'a filter'), channels: 64, weights: { values: histogram(), channels } },
    activations: { min: -1, max: 1, values: histogram() },
  }));
}

function convertOf(graph: Graph) {
  const { head, buffers: placed } = planArena(graph);
  const buffers = placed.map((buffer) => ({ ...buffer }));
  const operators = graph.nodes.map(({ name, op }) => ({
    ...{ name, op, macs: 123_456 },
    outputShape: [...valueOf(graph, name).type.shape],
  }));
  return {
    ...stages.convert,
    metrics: { ...conversion, operators, memory: { arena: head, macs: 1_234_567, buffers } },
  };
}

/** Of as many classes as the examples, as many of each kind as a test stage keeps, and ranges for every layer. */
function presetRecord(graph: Graph, classes: readonly string[]): RunRecord {
  const counts = classes.map((_, label) => classes.map((_name, guess) => (label === guess ? 90 : random.below(3))));
  const right = classes.map(() => 90);
  const of = <T>(value: T) => ({ float: value, qat_float: value, fake_quant: value, int8: value, int8_litert: value });
  const [shown] = test.examples.shown;
  const rows = classes.map((name) => [name, 100, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]);
  const metrics: ClassifyTest = {
    ...{ ...test, classes: [...classes], confusion: counts, correctByClass: of(right), layers: layersOf(graph) },
    confusionBefore: { model: 'float', counts },
    tables: [
      { title: 'By class', lead: null, columns: rows[0]!.map((_, at) => ({ head: `${at}`, unit: 'number' })), rows },
    ],
    examples: {
      ...test.examples,
      shown: Array.from({ length: 20 }, (_, index) => ({
        ...{ ...present(shown, 'an example'), index, group: index % 4 },
        views: [{ title: 'input', view: picture() }],
      })),
    },
  };
  const [range] = 'ranges' in qatTraining ? qatTraining.ranges : [];
  const ranges = graph.nodes.map(({ name }) => ({ ...present(range, 'a range'), name }));
  const qat = { ...stages.qat, metrics: { ...qatTraining, ranges } };
  return { ...run, stages: [stages.pretrain, qat, stages.freeze, convertOf(graph), { ...stages.test, metrics }] };
}

/** The same of a network that gives three pictures back. */
function autoencoderRecord(graph: Graph): RunRecord {
  const shown = Array.from({ length: 20 }, (_, index) => ({
    ...{ ...present(reconstruction.examples.shown[0], 'an example'), index },
    views: ['input', 'float', 'int8'].map((title) => ({ title, view: picture() })),
  }));
  const record = reconstructing({
    ...{ ...reconstruction, layers: layersOf(graph) },
    examples: { ...reconstruction.examples, shown: shown.slice(0, 8) },
  });
  return { ...record, stages: record.stages.map((one) => (one.kind === 'convert' ? convertOf(graph) : one)) };
}

let browser: TestBrowser | null = null;
beforeAll(async () => {
  if (hasBrowser) browser = await openBrowser();
});
afterAll(() => browser?.close());

/** What is cut, crossed or outside its box in windows of so many pixels; nothing without a browser. */
async function problemsAt(widths: readonly number[], html: string): Promise<readonly string[]> {
  const opened = await browser?.open(html);
  const found: string[] = [];
  for (const width of opened === undefined ? [] : widths) {
    await opened?.page.setViewportSize({ width, height: 900 });
    for (const problem of (await opened?.geometry()) ?? []) found.push(`${width} px: ${problem}`);
  }
  await opened?.close();
  return found;
}

describe(
  'the page of every preset is small, with nothing cut, crossed or outside its box',
  { timeout: 120_000 },
  () => {
    it.each(
      unitPresets.flatMap((preset) => [2, 100].map((classes) => ({ preset: preset.preset, full: preset, classes }))),
    )('$preset, $classes classes', async ({ full, classes }) => {
      const names = Array.from({ length: classes }, (_, index) => `a class with a longer name, number ${index}`);
      const graph = loweredNetwork(presetNetwork(full, names), 'int8', 'int8');
      const record = full.preset === 'autoencoder' ? autoencoderRecord(graph) : presetRecord(graph, names);
      const report = buildReport(record, config);
      expect(report.tests[0]?.metrics.layers.length).toBe(graph.nodes.length);
      const html = renderReport(report);
      expect(Buffer.byteLength(html)).toBeLessThan(limit);
      expect(Buffer.byteLength(html)).toBeGreaterThan(300_000);
      expect(await problemsAt([classes === 2 ? 1440 : 380], html)).toEqual([]);
    });
  },
);

const hostile = `"><img src=x onerror=alert(1)></script></style>'`;

/** Strings that a program chooses from a list, or that are numbers in disguise; by the keys that lead to them. */
const chosen = new Set([
  ...[
    'schema',
    'task',
    'kind',
    'level',
    'status',
    'verdict',
    'blame',
    'cause',
    'loss',
    'rule',
    'severity',
    'startedAt',
  ],
  ...[
    'digest',
    'sha256',
    'key',
    'pixels',
    'labels',
    'wave',
    'outcomes',
    'unit',
    'model',
    'range',
    'op',
    'type',
    'uses',
  ],
]);

/** Everything that is text of others, with markup before it: equal texts stay equal. */
function spoilt<T>(value: T, key = ''): T {
  const change = (one: unknown, at: string): unknown => {
    if (typeof one === 'string')
      return chosen.has(at) || (at === 'values' && one.length > 60) ? one : `${hostile}${one}`;
    if (Array.isArray(one)) return one.map((each) => change(each, at));
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([name, each]) => [name, change(each, name)]));
  };
  return change(value, key) as T;
}

const count = (html: string, tag: string): number => html.split(`<${tag}`).length - 1;

const wellFormed = /<\/?[a-zA-Z][a-zA-Z0-9]*(?:\s+[a-zA-Z][\w:-]*(?:="[^"<>]*")?)*\s*\/?>/g;

/** All of it is text: tags are well formed, and no script, picture or style came with it. */
function expectText(spoiltHtml: string, html: string): void {
  for (const tag of ['img ', 'script', 'style']) expect(count(spoiltHtml, tag), tag).toBe(count(html, tag));
  const rest = spoiltHtml
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace('<!doctype html>', '')
    .replace(wellFormed, '');
  expect(/.{0,60}[<>].{0,60}/.exec(rest)?.[0]).toBeUndefined();
  expect(spoiltHtml.match(/&lt;img src=x onerror=alert\(1\)&gt;/g)?.length ?? 0).toBeGreaterThan(4);
}

describe('the pages of every task', { timeout: 120_000 }, () => {
  const trained: [string, Report][] = [];
  beforeAll(async () => {
    for (const [title, line] of [...taskLines, ['several outputs', outputsLine] as const]) {
      const result = await runLine(line);
      result.remove();
      trained.push([title, lineReport(result)]);
    }
  });
  const others: readonly (readonly [string, () => Report])[] = [
    ['a classifier', () => buildReport(run, config)],
    ['branches', () => buildReport(branched(), branchedConfig)],
    ['a matrix', () => buildReport(matrixOfTwenty(), config)],
    ['an autoencoder', () => buildReport(reconstructing(), config)],
  ];
  const made: readonly (readonly [string, () => Report])[] = [
    ...others,
    ...[...taskLines.map(([title]) => title), 'several outputs'].map(
      (title) =>
        [
          title,
          () =>
            present(
              trained.find(([name]) => name === title),
              title,
            )[1],
        ] as const,
    ),
  ];

  it.each(made)('are small, and markup in what others wrote is text: %s', async (_, build) => {
    const report = build();
    const html = renderReport(spoilt(report));
    expect(Buffer.byteLength(html)).toBeLessThan(limit);
    expectText(html, renderReport(report));
    if (browser === null) return;
    const { page, errors, requests, close } = await browser.open(html);
    expect(await page.locator('[onerror], img[src="x"]').count()).toBe(0);
    expect([...errors, ...requests]).toEqual([]);
    await close();
  });

  // Others are opened by shell.test.ts, also unfolded.
  it.skipIf(!hasBrowser).each(made.slice(others.length))(
    'have nothing cut, crossed or outside its box: %s',
    async (_, build) => {
      expect(await problemsAt([380, 1440], renderReport(build()))).toEqual([]);
    },
  );

  it('and of a comparison have markup as text', () => {
    const runs = [run, { ...run, id: 'another' }].map((record, index) => ({
      record,
      config: { stages: { qat: { uses: 'qat', delay: `${index}` } } },
    }));
    const html = renderComparisonHtml(compareRuns(spoilt(runs)));
    expectText(html, renderComparisonHtml(compareRuns(runs)));
    expect(Buffer.byteLength(html)).toBeLessThan(limit);
  });

  it('and the list of runs have markup as text, also what a reader searched for', () => {
    const listed = { id: run.id, pipeline: run.pipeline, startedAt: run.startedAt, seconds: 4 };
    const measured = { name: 'top-1', kind: 'share' as const, values: [0.9] };
    const list = (prefix: string): string =>
      listPage(
        Array.from({ length: 3 }, (_, index) => ({
          ...{ ...listed, id: `${prefix}${index}`, pipeline: `${prefix}p`, status: 'pass' as const },
          measured: { ...measured, name: `${prefix}top-1` },
        })),
        `${prefix}runs`,
        new URLSearchParams({ filter: `${prefix}p` }),
      );
    expectText(list(hostile), list(''));
  });
});
