// The sections of examples and classes: numbers by hand, text as text, and in a browser nothing outside its card.
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Examples, ShownExample, View } from '../../src/measurements/examples.ts';
import type { ClassifyTest } from '../../src/measurements/metrics.ts';
import type { Markup } from '../../src/report/markup.ts';
import { markup } from '../../src/report/markup.ts';
import { page } from '../../src/report/page.ts';
import { confusionSection } from '../../src/report/sections/confusion.ts';
import { examplesSection } from '../../src/report/sections/examples.ts';
import { drawView } from '../../src/report/views.ts';
import type { TestBrowser, View as BrowserView } from './browser.ts';
import { hasBrowser, openBrowser } from './browser.ts';
import { test } from './fixtures.ts';

const base64 = (bytes: readonly number[]): string => Buffer.from(bytes).toString('base64');
const ramp = (length: number, times = 1): number[] => Array.from({ length }, (_, at) => (at * times) % 256);
const longName = 'a_very_long_class_name_without_any_space_that_somebody_really_uses';

const sound: View = {
  ...{ kind: 'heat', width: 49, height: 40, values: base64(ramp(1960)), min: -13.8, max: 4.25 },
  ...{ across: 'time', up: 'frequency', seconds: 1, wave: base64(ramp(320, 7)) },
};

const views: Readonly<Record<string, View>> = {
  'small image': { kind: 'picture', width: 8, height: 8, channels: 1, pixels: base64(ramp(64, 4)) },
  'large image': { kind: 'picture', width: 96, height: 64, channels: 3, pixels: base64(ramp(96 * 64 * 3)) },
  mask: { kind: 'mask', width: 24, height: 24, labels: base64(ramp(576).map((at) => at % 3)) },
  sound,
  series: {
    ...{ kind: 'series', steps: 480, averaged: 3, hidden: 2 },
    channels: Array.from({ length: 9 }, (_, channel) => ({
      name: channel === 0 ? `${longName} [m/s²]` : `channel ${channel}`,
      values: Array.from({ length: 160 }, (_, at) => Math.sin(at / (3 + channel)) * 10 ** (channel - 3)),
    })),
  },
  features: {
    ...{ kind: 'features', hidden: 3 },
    features: Array.from({ length: 16 }, (_, at) => ({
      name: at === 0 ? longName : `f${at}`,
      value: 1.2345e6 * (at - 7),
      standard: at - 7,
    })),
  },
};

const classes = [longName, 'seven', '<b>bold</b>'];
const shownOf = (group: number, index: number, seen: ShownExample['views'], answered = true): ShownExample => ({
  ...{ index, group, hidden: 0, views: seen },
  name: `recordings/${longName}/${longName}_${index}.wav`,
  truth: answered ? longName : null,
  answers: (['float', 'fake_quant', 'int8'] as const).map((model, at) => ({
    model,
    text: answered ? (classes[at] ?? null) : null,
    right: answered ? at === 0 : null,
    margin: answered ? 0.0123456 : null,
    error: answered ? null : 1234.5678,
  })),
  values: classes.map((name, at) => ({
    ...{ name, truth: answered ? null : -1234.56, first: 0.012345 * at, fakeQuant: 0.2 },
    ...{ int8: -12.3456 * at, code: -128 },
  })),
});

const examplesOf = (shown: readonly ShownExample[]): Examples => ({
  ...{ unit: 'logits', scale: 0.123456789, zeroPoint: -3, threshold: null, classes },
  groups: [
    { title: 'Turned wrong', lead: 'Right in float, wrong in int8.', found: shown.length },
    { title: 'Turned right', lead: 'Wrong in float, right in int8.', found: 0 },
  ],
  shown: [...shown],
});

/** Numbered classes of which int8 confuses some with the next. */
const measuredOf = (names: readonly string[]): Pick<ClassifyTest, 'classes' | 'confusion' | 'confusionBefore'> => {
  const counts = (shift: number) =>
    names.map((_, label) =>
      names.map((_name, guess) =>
        label === guess ? 90 - shift : guess === (label + 1) % names.length ? 10 + shift : 0,
      ),
    );
  return { classes: [...names], confusion: counts(3), confusionBefore: { model: 'float', counts: counts(0) } };
};

const pageOf = (...sections: readonly (Markup | null)[]): string =>
  page('test', markup`<main><h1>t</h1>${sections.map((body) => markup`<section><h2>s</h2>${body}</section>`)}</main>`);

const everyKind = Object.entries(views).map(([title, view], index) => shownOf(0, index, [{ title, view }]));
const several = shownOf(
  0,
  99,
  Object.entries(views).map(([title, view]) => ({ title, view })),
  false,
);

describe('the section of examples', () => {
  const html = pageOf(examplesSection({ examples: examplesOf([...everyKind, several]), n: 1000 })).replaceAll(
    '\u202f',
    ' ',
  );

  it('says how many there are of a kind, and that there are none of another', () => {
    expect(html).toContain('Turned wrong <span class="muted">7 of 1000, all shown</span>');
    expect(html).toContain('<strong>Turned right</strong>: none of 1000.');
    const fewer = { ...examplesOf(everyKind), groups: [{ title: 'T', lead: 'l', found: 31 }] };
    const capped = examplesSection({ examples: fewer, n: 1000 })?.markup ?? '';
    expect(capped).toContain('31 of 1000, 6 shown');
  });

  it('shows names as text, and says what is seen', () => {
    expect(html).toContain('&lt;b&gt;bold&lt;/b&gt;');
    expect(html).not.toContain('<b>bold');
    for (const title of ['small image', 'large image', 'mask', 'sound']) {
      expect(html).toContain(`alt="${title} of example ${Object.keys(views).indexOf(title)}, ${longName}`);
    }
  });

  it('calls equal outputs a tie', () => {
    const [first] = everyKind;
    const answers = first!.answers.map((answer) => ({ ...answer, margin: 0 }));
    const section = examplesSection({ examples: examplesOf([{ ...first!, answers }]), n: 10 })?.markup ?? '';
    expect(section.match(/<td class="n">tie<\/td>/g)).toHaveLength(3);
  });

  it('stays small', () => {
    expect(Buffer.byteLength(html)).toBeLessThan(120_000);
  });
});

describe('an example', () => {
  it('of the largest images takes a reconstruction of eight with three pictures each to less than a megabyte', () => {
    const random = createRandom(3, 'page');
    const noise = Buffer.from(Array.from({ length: 96 * 96 * 3 }, () => random.below(256))).toString('base64');
    const view: View = { kind: 'picture', width: 96, height: 96, channels: 3, pixels: noise };
    expect(24 * drawView(view, 'x').markup.length).toBeLessThan(1_000_000);
  });

  it('is drawn with its own pixels', () => {
    const { markup: html } = drawView(views['small image']!, 'x');
    const file = Buffer.from(/base64,([^"]+)"/.exec(html)?.[1] ?? '', 'base64');
    const data = file.subarray(file.indexOf('IDAT') + 4);
    const rows = inflateSync(data);
    // Each row has its filter in front; all are undone here. 1: the pixel to the left is added, 2: the one above.
    const pixels: number[] = [];
    for (let row = 0; row < 8; row++) {
      for (let column = 0; column < 8; column++) {
        const filter = rows[row * 9]!;
        const before =
          filter === 1
            ? column === 0
              ? 0
              : pixels[8 * row + column - 1]!
            : filter === 2
              ? (pixels[8 * (row - 1) + column] ?? 0)
              : 0;
        pixels.push((rows[row * 9 + 1 + column]! + before) % 256);
      }
    }
    expect(pixels).toEqual(ramp(64, 4));
    // Eight pixels are twelve times as large, and stay sharp.
    expect(html).toContain('class="pixels" alt="x" width="96" height="96"');
  });

  it('is a line from its lowest to its highest value', () => {
    const series: View = {
      kind: 'series',
      steps: 3,
      averaged: 1,
      hidden: 0,
      channels: [{ name: 'c', values: [5, -5, 0] }],
    };
    const { markup: html } = drawView(series, 'x');
    expect(html).toContain('d="M0 4L1 96L2 50"');
    expect(html).toContain('\u22125 to 5');
  });

  it('has a wave as high as its loudest sample', () => {
    // Lowest and highest: -32 and 16, then silence.
    const wave = Buffer.from(Int8Array.of(-32, 16, 0, 0)).toString('base64');
    const { markup: html } = drawView({ ...sound, wave }, 'x');
    expect(html).toContain('viewBox="0 -32 2 64"');
    expect(html).toContain('d="M0 -16V32M1 0V0.5"');
    expect(html).toContain('the loudest at 25 % of full scale');
  });

  it('has bars of features as long as they are deviations from the mean, up to three', () => {
    const { markup: html } = drawView(views['features']!, 'x');
    const bars = [...html.matchAll(/left:([\d.]+)%;width:([\d.]+)%/g)].map(([, left, width]) => [
      Number(left),
      Number(width),
    ]);
    // -7 and -3 end at the left, -1 reaches a third of the half, 0 has no length, 2 two thirds.
    expect([bars[0], bars[4], bars[6], bars[7], bars[9]]).toEqual([
      [0, 50],
      [0, 50],
      [33.3, 16.7],
      [50, 0],
      [50, 33.3],
    ]);
  });
});

describe('the section of classes', () => {
  const html = (confusionSection(measuredOf(classes), 'c')?.markup ?? '').replaceAll('\u202f', ' ');

  it('shows the confusion of int8 and what quantization changes in it', () => {
    const cells = [...html.matchAll(/<td class="(right|wrong)[^"]*"[^>]*>([^<]*)<\/td>/g)].map(
      ([, tone, text]) => `${tone} ${text}`,
    );
    // Of each class 90 are right in float and 87 in int8; 10 and 13 are taken for the next one.
    const counts = [
      'right 87',
      'wrong 13',
      'wrong 0',
      'wrong 0',
      'right 87',
      'wrong 13',
      'wrong 13',
      'wrong 0',
      'right 87',
    ];
    const changes = [
      'wrong \u22123',
      'wrong +3',
      'wrong 0',
      'wrong 0',
      'wrong \u22123',
      'wrong +3',
      'wrong +3',
      'wrong 0',
      'wrong \u22123',
    ];
    expect(cells).toEqual([...counts, ...changes]);
  });

  it('shows recall and precision of each class from float to int8', () => {
    // 90 of 100 and 87 of 100; as many answers have the class.
    const shares = [...html.matchAll(/aria-label="(Recall|Precision) of [^"]* from ([^"]+), n = (\d+)"/g)].map(
      ([, kind, text, n]) => `${kind}: ${text}, ${n}`,
    );
    expect(shares).toEqual([
      ...Array<string>(3).fill('Recall: 90.00 % to 87.00 %, 100'),
      ...Array<string>(3).fill('Precision: 90.00 % to 87.00 %, 100'),
    ]);
    // The axis begins at 80 %: 87 % is at 35 %, 90 % at half.
    expect(html).toContain('class="dot" style="left:35.0%"');
    expect(html).toContain('class="ring" style="left:50.0%"');
    expect(html).toContain('\u22123.00 pp');
  });

  it('of a real confusion agrees with counting', () => {
    const { confusion, confusionBefore } = test;
    const row = confusion[4]!;
    const column = confusion.map((of) => of[4]!);
    const total = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0);
    const text = (confusionSection(test, 'c')?.markup ?? '').replaceAll('\u202f', ' ');
    const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
    expect(confusionBefore?.counts[4]?.[9]).toBe(4);
    expect(text).toContain(
      `aria-label="Recall of 4 from ${percent((row[4]! + 7) / total(row))} to ${percent(row[4]! / total(row))}`,
    );
    expect(text).toContain(
      `aria-label="Precision of 4 from ${percent((row[4]! + 7) / (total(column) + 7))} to ${percent(row[4]! / total(column))}`,
    );
  });

  it('of many classes names the pairs that are confused most, and folds in the classes that lose least', () => {
    const names = Array.from({ length: 100 }, (_, at) => `class ${at}`);
    const measured = measuredOf(names);
    measured.confusion[42] = names.map((_, guess) => (guess === 7 ? 60 : guess === 42 ? 40 : 0));
    const many = confusionSection(measured, 'c')?.markup ?? '';
    expect(many).not.toContain('class="confusion"');
    const [, first = ''] = many.split('<tbody>');
    expect(
      first
        .slice(0, 200)
        .replace(/<[^>]+>/g, ' ')
        .trim()
        .split(/\s+/)
        .slice(0, 6),
    ).toEqual(['class', '42', 'class', '7', '0', '60']);
    expect(many.indexOf('Recall of class 42')).toBeLessThan(many.indexOf('Recall of class 1 '));
    expect(many.match(/<details><summary>84 more classes/g)).toHaveLength(2);
  });
});

describe.skipIf(!hasBrowser)('examples and classes in a browser', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  const whole = pageOf(
    examplesSection({ examples: examplesOf([...everyKind, several]), n: 1000 }),
    confusionSection(measuredOf(classes), 'three'),
    confusionSection(measuredOf(['no', 'yes']), 'two'),
    confusionSection(measuredOf(Array.from({ length: 100 }, (_, at) => `class ${at}`)), 'many'),
  );
  const looks: readonly BrowserView[] = [
    ...[380, 800, 1440].map((width) => ({ width, unfold: true })),
    { width: 800, scheme: 'dark' },
    { width: 800, media: 'print' },
  ];

  it.each(looks)('keep everything in its box, and axe finds nothing: %o', async (look) => {
    const { geometry, accessibility, errors, requests, close } = await browser.open(whole, look);
    expect(await geometry()).toEqual([]);
    expect(await accessibility()).toEqual([]);
    expect([errors, requests]).toEqual([[], []]);
    await close();
  });

  it('switch between counts and changes without a script', async () => {
    const { page: opened, close } = await browser.open(whole, { javascript: false });
    const panes = opened.locator('.toggle').first().locator('.pane');
    const seen = async () => [await panes.nth(0).isVisible(), await panes.nth(1).isVisible()];
    expect(await seen()).toEqual([true, false]);
    await opened.locator('label[for="three-change"]').click();
    expect(await seen()).toEqual([false, true]);
    await close();
  });
});
