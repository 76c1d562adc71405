import { describe, expect, it } from 'vitest';
import { renderReport } from '../../src/report/html.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { config, run, stages, test } from './fixtures.ts';

const render = (record: RunRecord): string => renderReport(buildReport(record, config));

const VOID = new Set(['meta', 'img', 'br', 'wbr', 'input']);

/** Tags that are closed by another or not at all. Knows quoted attributes, so that `>` in a value does not fool it. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const text = html.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '').replace('<!doctype html>', '');
  for (const [whole, slash, name = ''] of text.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>"]*(?:"[^"]*"[^<>"]*)*)?>/g)) {
    if (whole.endsWith('/>') || VOID.has(name)) continue;
    if (slash === '') open.push(name);
    else if (open.pop() !== name) wrong.push(whole);
  }
  return [...wrong, ...open];
}

describe('report.html', () => {
  it('closes every tag it opens', () => {
    expect(unbalanced(render(run))).toEqual([]);
    expect(unbalanced('<p><b>text</p></b>')).not.toEqual([]);
  });

  it('loads nothing from anywhere', () => {
    const html = render(run);
    expect(html).not.toMatch(/https?:/);
    expect(html).not.toMatch(/<link|@import|url\(|srcset|<iframe|<object/);
    const images = [...html.matchAll(/\ssrc="([^"]*)"/g)].map(([, target = '']) => target);
    expect(images.filter((target) => !target.startsWith('data:'))).toEqual([]);
  });

  it('links to the files of the run beside it, and nowhere else', () => {
    const targets = [...render(run).matchAll(/\shref="([^"#][^"]*)"/g)].map(([, target = '']) => target);
    const written = run.stages.flatMap(({ outputs }) => Object.values(outputs).map(({ path }) => path));
    const beside = ['pipeline.yaml', 'resolved.json', 'report.json', 'run.json', 'events.ndjson'];
    expect(new Set(targets)).toEqual(new Set([...written, ...beside]));
  });

  it('has the same bytes for equal inputs and stays below a megabyte', () => {
    const copy = JSON.parse(JSON.stringify(run)) as RunRecord;
    expect(render(copy)).toBe(render(run));
    expect(Buffer.byteLength(render(run))).toBeLessThan(1_000_000);
  });

  it('escapes what others wrote', () => {
    const hostile = `"><script>alert('x')</script>&`;
    const metrics = {
      ...test,
      classes: test.classes.map(() => hostile),
      layers: test.layers.map((layer) => ({ ...layer, name: hostile })),
    };
    const html = render({
      ...run,
      pipeline: hostile,
      stages: [stages.qat, { ...stages.test, name: hostile, metrics }],
    });
    expect(html).not.toContain('<script>alert');
    expect(html).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;');
    expect(unbalanced(html)).toEqual([]);
  });

  it('links only to sections that exist', () => {
    const html = render(run);
    const targets = [...html.matchAll(/href="#([^"]*)"/g)].map(([, id = '']) => id);
    expect(targets.length).toBeGreaterThan(5);
    for (const id of targets) expect(html).toContain(`<section id="${id}">`);
  });

  it('shows accuracy, raw integers and recall as text in tables', () => {
    const html = render(run).replaceAll('\u202f', ' ');
    expect(html).toContain('98.83 \u2013 99.21 %');
    expect(html).toContain('which means 0.00390625 \u00d7 (q\u00a0+\u00a0128)');
    // Class 0: 975 of 980.
    expect(html).toContain('99.49 %');
  });

  it('shows diagnosis and lints before the first section, each lint with its remedy', () => {
    const layers = test.layers.map((layer) =>
      layer.range === 'own' ? { ...layer, clipped: { below: 0, above: 0.05, noiseShare: 0.9 } } : layer,
    );
    const html = render({ ...run, stages: [{ ...stages.test, metrics: { ...test, layers } }] });
    const head = html.slice(0, html.indexOf('<nav>')).replaceAll('\u202f', ' ');
    expect(head).toContain(
      'The loss against float is within chance: preparing the weights (<code>ptq</code>) costs 0.03 pp, quantization costs 0.05 pp.',
    );
    expect(head).toContain(
      'At the output, noise is 2.85 % of the signal (signal-to-quantization-noise ratio 30.9 dB):',
    );
    expect(head).toContain('5.00 % above (also conv1/relu, conv2/relu and 3 more); expected at most 1.00 % in total');
    expect(head).toContain('<span class="remedy">Use <code>ranges: running_extremes</code>');
    expect(head).toContain('<summary>all 6</summary>');
    expect(unbalanced(html)).toEqual([]);
  });

  it('names limits that are met, and does not praise a model whose data are at fault', () => {
    const verdict = (change: object): string => {
      const record = { ...run, stages: [{ ...stages.test, metrics: { ...test, ...change } }] };
      return /<div class="verdict (\w+)"><p><strong>([^<]*)/.exec(render(record))?.slice(1).join(': ') ?? '';
    };
    expect(verdict({})).toBe('good: \u2713 Gates met');
    expect(verdict({ gates: [] })).toBe('plain: Finished');
    // A network that always says 0 is right on a tenth, and its gates are met all the same.
    const confusion = test.confusion.map((row) => row.map((_, guess) => (guess === 0 ? 1000 : 0)));
    const accuracy = { ...test.accuracy, int8: { top1: 0.1, correct: 1000, n: 10_000 } };
    expect(verdict({ confusion, accuracy })).toBe('bad: ! Not sound');
  });

  it('says what a pixel is to the file: the pixel less 128 where both scales are 1/255', () => {
    const text = (scale: number, mean: number, input: object): string => {
      const model = { ...test.model, input: { ...test.model.input, ...input } };
      const stage = { ...stages.test, metrics: { ...test, model, preparation: null } };
      const record = { ...run, stages: [stages.convert, stage] };
      const html = renderReport(buildReport(record, { data: { normalize: { scale, mean } } }));
      return /Before the model<\/h3>\s*<p>([^<]*)/.exec(html)?.[1]?.replaceAll('\u202f', ' ') ?? '';
    };
    const fine = { dtype: 'int8', scale: Math.fround(1 / 255), zeroPoint: -128 };
    expect(text(1 / 255, 0, fine)).toContain('The int8 file takes pixel \u2212 128, clamped to int8.');
    // (p - 121) / 64 = (q + 7) / 64
    expect(text(1 / 64, 121, { ...fine, scale: 1 / 64, zeroPoint: -7 })).toContain('takes pixel \u2212 128, clamped');
    expect(text(1 / 64, 128, { ...fine, scale: 1 / 32, zeroPoint: 3 })).toContain(
      'takes round(input / 0.03125) + 3, clamped',
    );
  });

  it('draws a line where the delay ends', () => {
    expect(render(run)).toMatch(/<line class="mark"[^>]*\/>\s*<text class="mark"[^>]*>delay ends<\/text>/);
  });

  it('lists the commonest mistakes where the classes are too many for a matrix', () => {
    const classes = Array.from({ length: 100 }, (_, index) => `class ${index}`);
    const confusion = classes.map((_, label) =>
      classes.map((_, guess) => (label === guess ? 9 : Number(guess === 42))),
    );
    const html = render({ ...run, stages: [{ ...stages.test, metrics: { ...test, classes, confusion } }] });
    expect(html).not.toContain('class="confusion"');
    expect(html).toContain('class 42');
  });

  it('renders partial and failed runs', () => {
    const partial = render({ ...run, status: 'error', stages: [stages.pretrain] });
    expect(partial).toContain('The run failed after stage pretrain.');
    expect(partial).not.toContain('id="footprint"');
    expect(unbalanced(partial)).toEqual([]);
    expect(unbalanced(render({ ...run, status: 'interrupted', stages: [] }))).toEqual([]);
  });
});
