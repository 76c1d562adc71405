/** Every section of a report shows what TensorFlow, NumPy and SciPy find in the raw files of its run. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import type { ClassifyResult, Report } from '../../src/report/report.ts';
import { makeWorkspace } from '../e2e/workspace.ts';
import { textOf as textOfSection } from './page-reading.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectTensor, hasOracle, hasRuntimes, openOracle } from './oracle.ts';
import { classes, runForNumbers, side } from './report-run.ts';

interface Histogram {
  readonly low: number;
  readonly width: number;
  readonly counts: readonly number[];
}

/** As report_numbers.py says. */
interface Layer {
  readonly [name: string]: number | null | Histogram | Filter;
  readonly fakeQuantSqnrDb: number | null;
  readonly sqnrDb: number | null;
  readonly floatSqnrDb: number | null;
  readonly kernelSqnrDb: number | null;
  readonly outputNoise: number | null;
  readonly values: Histogram;
  readonly filter: Filter | null;
}

interface Filter {
  readonly channels: number;
  readonly dead: number;
  readonly constant: number;
  readonly ranges: readonly number[];
  readonly multipliers: readonly number[];
  readonly values: Histogram;
  readonly extremes: readonly (readonly number[])[];
}

interface Accuracy {
  readonly correct: Readonly<Record<'float' | 'qat_float' | 'fake_quant' | 'int8', number>>;
  readonly confusion: readonly (readonly number[])[];
  readonly confusionBefore: readonly (readonly number[])[];
  readonly agreement: Readonly<Record<'fake_quant_vs_float' | 'int8_vs_fake_quant', number>>;
  readonly whole: readonly [number, number];
  readonly training: readonly [number, number];
  readonly quantization: readonly [number, number];
  readonly groups: readonly number[];
  readonly validation: number;
}

interface Footprint {
  readonly size: number;
  readonly weights: number;
  readonly biases: number;
  readonly multiplications: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly tensors: Readonly<Record<string, readonly [bytes: number, first: number, last: number]>>;
  readonly peak: number;
}

const close = (value: number, digits: number): unknown => expect.closeTo(value, digits);
const closeOrNull = (value: number | null, digits: number): unknown => (value === null ? null : close(value, digits));

describe.skipIf(!hasOracle || !hasRuntimes)('the numbers of a report', { timeout: 120_000 }, () => {
  const space = makeWorkspace();
  let [oracle, runtimes]: (Oracle | undefined)[] = [];
  let [run, data, html]: string[] = [];
  let report: Report;
  let test: ClassifyResult;

  const ask = async <T>(expression: string, values: Record<string, OracleValue> = {}): Promise<T> => {
    const names = { run: present(run, 'the run'), data: present(data, 'the data'), ...values };
    return (await present(oracle, 'the oracle').evaluate(`report_numbers.${expression}`, names)) as unknown as T;
  };
  const askRuntimes = (expression: string, values: Record<string, OracleValue>): Promise<OracleValue> =>
    present(runtimes, 'the runtimes').evaluate(expression, values);

  beforeAll(async () => {
    oracle = openOracle();
    runtimes = openOracle('runtimes');
    ({ run, data, html, report } = await runForNumbers(space));
    const [first] = report.tests;
    if (first === undefined || !('accuracy' in first)) throw new Error('no test counts right answers');
    test = first;
  });
  afterAll(() => {
    oracle?.close();
    runtimes?.close();
  });

  const metrics = () => test.metrics;
  const layerNamed = (name: string) =>
    present(
      metrics().layers.find((layer) => layer.name === name),
      name,
    );
  const textOf = (section: string): string => textOfSection(present(html, 'the page'), section);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

  it('layers: noise, ranges, codes and kernels', async () => {
    const theirs = await ask<Readonly<Record<string, Layer>>>('layers(run, data)');
    expect(metrics().layers.map(({ name }) => name)).toEqual(Object.keys(theirs));
    const whole = Object.values(theirs).reduce((sum, { outputNoise }) => sum + (outputNoise ?? 0), 0);
    const text = textOf('layers-test');
    for (const [name, their] of Object.entries(theirs)) {
      expect(layerNamed(name), name).toMatchObject({
        ...{ scale: their['scale'], zeroPoint: their['zeroPoint'], usedCodes: their['usedCodes'] },
        fakeQuantSqnrDb: closeOrNull(their.fakeQuantSqnrDb, 2),
        // Of few steps of difference, one that another engine rounds the other way counts.
        sqnrDb: closeOrNull(their.sqnrDb, 0),
        floatSqnrDb: closeOrNull(their.floatSqnrDb, 2),
        withinOneStep: close(Number(their['withinOneStep']), 3),
        kernel: { sqnrDb: closeOrNull(their.kernelSqnrDb, 0), withinOneStep: close(Number(their['kernelWithin']), 3) },
        headroom: closeOrNull(Number(their['headroom']), 6),
      });
      const noise = layerNamed(name).outputNoise;
      expect(noise === null, name).toBe(their.outputNoise === null);
      // Two engines round a few values of all differently.
      if (noise !== null) expect(Math.abs(noise / Number(their.outputNoise) - 1), name).toBeLessThan(0.02);
      // As a row of the table begins: noise, own part, what is cut off, codes.
      const cut = percent(Number(their['below']) + Number(their['above']));
      // Of a few values, how many codes they use says nothing.
      const [codes, few] = [
        Number(their['usedCodes']),
        their.values.counts.reduce((sum, count) => sum + count, 0) < 1000,
      ];
      const end = ` ${cut} ${few ? '–' : codes} `;
      const row = new RegExp(`${name} .{0,80}?([\\d.]+) % (–|([\\d.]+) %)${end}`);
      const [, amplitude, own, part] = row.exec(text) ?? [];
      expect(Number(amplitude), `${name}: ${row.source}`).toBeCloseTo(100 * 10 ** (-Number(their.floatSqnrDb) / 20), 1);
      expect(own === '–', name).toBe(their.outputNoise === null);
      if (part !== undefined) expect(Number(part), name).toBeCloseTo((100 * Number(their.outputNoise)) / whole, 0);
    }
    expect(test.diagnosis?.sqnrDb).toBeCloseTo(Number(Object.values(theirs).at(-1)?.floatSqnrDb), 2);
  });

  it('layers: histograms of values beside the range, and what it cuts off', async () => {
    const theirs = await ask<Readonly<Record<string, Layer>>>('layers(run, data)');
    let cut = 0;
    for (const [name, their] of Object.entries(theirs)) {
      const { activations, clipped } = layerNamed(name);
      expect(activations, name).toMatchObject({
        min: close(Number(their['min']), 9),
        max: close(Number(their['max']), 9),
      });
      expectAlike(name, present(activations, name).values, their.values, 4);
      expect(clipped, name).toEqual({
        below: close(Number(their['below']), 4),
        above: close(Number(their['above']), 4),
        noiseShare: close(Number(their['clippedNoise']), 2),
      });
      cut += Number(their['below']) + Number(their['above']);
    }
    expect(cut, 'a range that cuts something off').toBeGreaterThan(0);
    const [drawing] = drawingsOf(present(html, 'the page'), 'Values');
    const [first] = Object.values(theirs);
    expectDrawn(present(drawing, 'a drawing'), present(first, 'a layer').values, [
      Number(first?.['min']),
      Number(first?.['max']),
    ]);
  });

  it('layers: histograms and channels of weights', async () => {
    const theirs = await ask<Readonly<Record<string, Layer>>>('layers(run, data)');
    const filters = Object.entries(theirs).flatMap(([name, { filter }]) => (filter === null ? [] : [{ name, filter }]));
    expect(filters).toHaveLength(4);
    const drawings = drawingsOf(present(html, 'the page'), 'Weights');
    for (const [index, { name, filter }] of filters.entries()) {
      const ours = present(layerNamed(name).filter, name);
      const weights = present(ours.weights, name);
      expect(weights.values, name).toEqual(filter.values);
      expect(ours, name).toMatchObject({
        ...{ channels: filter.channels, deadChannels: filter.dead, constantChannels: filter.constant },
        ranges: { min: filter.ranges[0], max: filter.ranges[1] },
        multipliers: { min: close(filter.multipliers[0] ?? NaN, 9), max: close(filter.multipliers[1] ?? NaN, 9) },
      });
      const extremes = weights.channels.map(({ min, max }) => [min, max]).sort(([a = 0], [b = 0]) => a - b);
      expect(extremes, name).toEqual(filter.extremes);
      expectDrawn(present(drawings[index], name), filter.values, null);
    }
  });

  it('accuracy, intervals and the paired test', async () => {
    const theirs = await ask<Accuracy>('accuracy(run, data)');
    const { n } = metrics();
    const text = textOf('accuracy-test');
    for (const name of ['float', 'qat_float', 'fake_quant', 'int8'] as const) {
      const correct = theirs.correct[name];
      const [low, high] = (await askRuntimes('comparisons.share(correct, n)', { correct, n })) as number[];
      expect(test.accuracy[name], name).toMatchObject({
        ...{ correct, n, top1: close(correct / n, 12) },
        interval: { low: close(low ?? NaN, 9), high: close(high ?? NaN, 9) },
      });
      const span = `${percent(low ?? NaN).slice(0, -2)} – ${percent(high ?? NaN)}`;
      expect(text).toContain(`${percent(correct / n)} ${span}`);
    }
    const [lost, won] = theirs.whole;
    expect(lost + won, 'examples that turn').toBeGreaterThan(0);
    expect(metrics().flips).toEqual({ rightToWrong: lost, wrongToRight: won });
    expect(metrics().costs).toEqual({
      training: { rightToWrong: theirs.training[0], wrongToRight: theirs.training[1] },
      quantization: { rightToWrong: theirs.quantization[0], wrongToRight: theirs.quantization[1] },
    });
    expect(test.mcnemarP).toBeCloseTo(Number(await askRuntimes('comparisons.fair(lost, won)', { lost, won })), 12);
    const [low, high] = (await askRuntimes('comparisons.paired_loss(lost, won, n)', { lost, won, n })) as number[];
    expect(test.lossInterval).toEqual({ low: close(low ?? NaN, 9), high: close(high ?? NaN, 9) });
    expect(report.gates.find(({ name }) => name === 'int8_top1_min')).toMatchObject({
      value: close(theirs.correct.int8 / n, 12),
    });
  });

  it('LiteRT, agreement, confusion, recall and precision', async () => {
    const theirs = await ask<Accuracy>('accuracy(run, data)');
    const { n, confusion, confusionBefore, agreement, correctByClass, tables } = metrics();
    expect(confusion).toEqual(theirs.confusion);
    expect(confusionBefore).toEqual({ model: 'float', counts: theirs.confusionBefore });
    expect(agreement).toMatchObject(theirs.agreement);
    expect(correctByClass.float).toEqual(theirs.confusionBefore.map((row, label) => row[label]));
    const model = readFileSync(join(present(run, 'the run'), 'stages/convert/model.tflite'));
    const inputs = expectTensor(await ask('input_codes(run, data)'));
    const codes = expectTensor(await askRuntimes('targets.litert_codes(model, inputs)', { model, inputs }));
    const { guesses, truth } = await ask<{ guesses: number[]; truth: number[] }>('guesses(run, data)');
    const answers = Array.from({ length: n }, (_, at) =>
      argmax([...codes.data.slice(at * classes, (at + 1) * classes)].map(Number)),
    );
    const same = answers.filter((answer, at) => answer === guesses[at]).length;
    expect(agreement.int8_vs_litert).toBeCloseTo(same / n, 12);
    expect(test.accuracy.int8_litert?.correct).toBe(answers.filter((answer, at) => answer === truth[at]).length);
    const [row] = present(tables, 'tables')[0]?.rows ?? [];
    const answered = theirs.confusion.reduce((sum, counts) => sum + (counts[0] ?? 0), 0);
    const right = theirs.confusion[0]?.[0] ?? NaN;
    expect([row?.[4], row?.[7]]).toEqual([close(right / (n / classes), 12), close(right / answered, 12)]);
    expect(textOf('agreement-test')).toContain(`${percent(same / n)} ${n - same} `);
    expect(textOf('confusion-test')).toContain(` 0 ${(theirs.confusion[0] ?? []).join(' ')} `);
  });

  it('examples', async () => {
    const theirs = await ask<Accuracy>('accuracy(run, data)');
    const { groups, shown } = metrics().examples;
    expect(groups.map(({ found }) => found)).toEqual(theirs.groups);
    expect(shown.length).toBeGreaterThan(3);
    for (const one of shown) {
      const raw = await ask<RawExample>('example(run, data, index)', { index: one.index });
      const [view] = one.views;
      expect(view?.view).toMatchObject({
        width: side,
        height: side,
        pixels: Buffer.from(raw.pixels).toString('base64'),
      });
      expect(one.truth).toBe(String(raw.truth));
      expect(one.values.map(({ code }) => code)).toEqual(raw.code);
      for (const model of ['first', 'fakeQuant', 'int8'] as const) {
        expect(one.values.map((value) => value[model])).toEqual(raw[model].map((value) => close(value, 4)));
      }
      expect(one.answers.map(({ model }) => model)).toEqual(['float', 'fake_quant', 'int8']);
      for (const [at, values] of [raw.first, raw.fakeQuant, raw.int8].entries()) {
        const [largest = NaN, second = NaN] = [...values].sort((a, b) => b - a);
        const right = argmax(values) === raw.truth;
        const margin = largest - second;
        expect(one.answers[at]).toMatchObject({ text: String(argmax(values)), right, margin: close(margin, 4) });
        const shown = margin === 0 ? 'tie' : String(Number(margin.toPrecision(3)));
        const name = ['float', 'fake-quant', 'int8'][at] ?? '';
        const card = present(
          new RegExp(`#${one.index} .*?<\\/article>`, 's').exec(present(html, 'the page')),
          'a card',
        )[0];
        expect(card).toMatch(
          new RegExp(`>${name}</th><td[^>]*>${right ? '✓' : '✗'}\\s${argmax(values)}</td><td class="n">${shown}<`),
        );
      }
    }
  });

  it('footprint: bytes by section, multiplications, and the arena by lifetime', async () => {
    const theirs = await ask<Footprint>('footprint(run)');
    const [{ metrics: converted } = { metrics: null }] = report.conversions;
    const { sections, memory, operators } = present(converted, 'the conversion');
    expect(present(converted, 'the conversion').bytes).toBe(theirs.size);
    const other = theirs.size - theirs.weights - theirs.biases;
    expect(sections).toEqual({ weights: theirs.weights, biases: theirs.biases, other });
    expect(Object.fromEntries(operators.map(({ name, macs }) => [name, macs]))).toEqual(theirs.multiplications);
    const { arena, macs, buffers = [] } = present(memory, 'memory');
    expect(macs).toBe(Object.values(theirs.multiplications).reduce((sum, one) => sum + one, 0));
    const spans = buffers.map(({ name, bytes, first, last }): [string, number[]] => [name, [bytes, first, last]]);
    expect(Object.fromEntries(spans)).toEqual(theirs.tensors);
    const model = readFileSync(join(present(run, 'the run'), 'stages/convert/model.tflite'));
    const { head } = (await askRuntimes('targets.tflm(model)', { model })) as { head: number };
    expect(arena).toBe(head);
    expect(arena).toBe(theirs.peak);
    for (const [index, one] of buffers.entries()) {
      const together = buffers.slice(index + 1).filter(({ first, last }) => first <= one.last && last >= one.first);
      for (const { name, offset, bytes } of together) {
        expect(offset >= one.offset + one.bytes || offset + bytes <= one.offset, `${name} and ${one.name}`).toBe(true);
      }
    }
    const text = textOf('footprint');
    expect(text).toContain(`weights ${theirs.weights} ${percent(theirs.weights / theirs.size)}`);
    for (const [name, [bytes, first, last]] of Object.entries(theirs.tensors)) {
      expect(text).toMatch(new RegExp(`${name} ${bytes} \\d+ ${first} to ${last} `));
    }
  });

  it('training: parameters, validation and the learning rate', async () => {
    const { validation } = await ask<Accuracy>('accuracy(run, data)');
    const { parameters } = await ask<Footprint>('footprint(run)');
    const [{ metrics: trained } = { metrics: null }] = report.training;
    if (trained?.task !== 'classify') throw new Error('the training counts no right answers');
    expect(trained.parameters).toBe(parameters);
    expect(trained.epochs.at(-1)?.validationAccuracy).toBeCloseTo(validation, 12);
    const { history, steps } = trained;
    const middle = present(history[Math.floor(history.length / 2)], 'a step');
    // Half a cosine from the first step on, which is number 1.
    expect(middle.learningRate).toBeCloseTo(0.002 * (1 + Math.cos((Math.PI * (middle.step - 1)) / steps)), 9);
    expect(textOf('training')).toContain(percent(validation));
  });

  it('provenance: digests', async () => {
    const files = report.stages.flatMap(({ outputs }) => Object.values(outputs));
    const theirs = await ask<string[]>('digests(run, paths)', { paths: files.map(({ path }) => path) });
    expect(files.length).toBeGreaterThan(6);
    expect(files.map(({ digest }) => digest)).toEqual(theirs.map((one) => `sha256:${one}`));
    const text = textOf('provenance');
    for (const digest of theirs) expect(text).toContain(digest);
    expect(report.model?.sha256).toBe(theirs[files.findIndex(({ path }) => path.endsWith('.tflite'))]);
  });

  // The last one, since the newest run is another one then.
  it('provenance: what makes the files again makes the same bytes', async () => {
    const [, commands = ''] = /Make it again.*?<pre>(.*?)<\/pre>/s.exec(present(html, 'the page')) ?? [];
    const [again = [], verify = []] = commands.split('\n').map((line) => line.replace(/ *#.*/, '').split(' ').slice(1));
    const paths = report.stages.flatMap(({ outputs }) => Object.values(outputs)).map(({ path }) => path);
    const before = await ask<string[]>('digests(run, paths)', { paths });
    rmSync(space.file('.qpipe'), { recursive: true });
    const { code, stdout, stderr } = await space.qpipe(...again);
    expect(code, stdout + stderr).toBe(0);
    const rebuilt = space.json('runs/latest/report.json') as Report;
    expect(rebuilt.run.id).not.toBe(report.run.id);
    expect(rebuilt.stages.map(({ cached }) => cached)).toEqual(report.stages.map(() => false));
    expect(await ask('digests(run, paths)', { paths })).toEqual(before);
    const verified = await space.qpipe(...verify);
    expect(verified.code, verified.stderr).toBe(0);
    expect(verified.stdout.match(/ has the same bytes$/gm)).toHaveLength(paths.length);
  });
});

interface RawExample {
  readonly pixels: Uint8Array;
  readonly truth: number;
  readonly code: readonly number[];
  readonly first: readonly number[];
  readonly fakeQuant: readonly number[];
  readonly int8: readonly number[];
}

const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** @param most values that another engine puts into a neighbouring bin */
function expectAlike(name: string, ours: Histogram, theirs: Histogram, most: number): void {
  expect({ ...ours, counts: ours.counts.length }, name).toEqual({
    ...{ low: close(theirs.low, 9), width: close(theirs.width, 9), counts: theirs.counts.length },
  });
  const moved = ours.counts.reduce((sum, count, bin) => sum + Math.abs(count - (theirs.counts[bin] ?? 0)), 0);
  expect(moved / 2, name).toBeLessThanOrEqual(most);
}

/** The charts of a title, in the order of the page. */
function drawingsOf(page: string, title: string): string[] {
  return [...page.matchAll(new RegExp(`<svg [^>]*aria-label="${title}: .*?</svg>`, 'gs'))].map(([drawing]) => drawing);
}

/** The bars are as high as logarithms of the counts and as wide as the bins, and the range is where they say. */
function expectDrawn(
  drawing: string,
  { low, width, counts }: Histogram,
  range: readonly [number, number] | null,
): void {
  const paths = [...drawing.matchAll(/<path class="fill c[01]" d="M([\d.]+) ([\d.]+)([^"]*)"/g)];
  const bars = paths.map(([, , , path = '']) =>
    [...path.matchAll(/V([\d.]+)H([\d.]+)/g)].map(([, y, x]) => [Number(y), Number(x)]),
  );
  const base = Number(paths[0]?.[2]);
  const left = Number(paths[0]?.[1]);
  const most = Math.max(...counts);
  const tops = counts.map((_, bin) => Math.min(...bars.map((one) => one[bin]?.[0] ?? base)));
  const tallest = base - Math.min(...tops);
  expect(tops.map((top) => (base - top) / tallest)).toEqual(
    counts.map((count) => close(Math.log1p(count) / Math.log1p(most), 2)),
  );
  const right = bars[0]?.at(-1)?.[1] ?? NaN;
  if (range === null) return;
  const perUnit = (right - left) / (width * counts.length);
  const marks = [...drawing.matchAll(/<line class="clip" x1="([\d.]+)"/g)].map(
    ([, x]) => low + (Number(x) - left) / perUnit,
  );
  for (const [index, mark] of marks.entries())
    expect(Math.abs(mark - (range[index] ?? NaN)) * perUnit).toBeLessThan(0.2);
  expect(marks).toHaveLength(2);
}
