/** Charts by their geometry: what is drawn is where its numbers say, within its box, and crosses no label. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { arenaChart, largestBuffer } from '../../src/report/charts/arena-chart.ts';
import { linearTicks, textWidth, tickText } from '../../src/report/charts/axes.ts';
import { curveChart } from '../../src/report/charts/curve-chart.ts';
import type { CurveChart } from '../../src/report/charts/curve-chart.ts';
import { histogramChart } from '../../src/report/charts/histogram-chart.ts';
import { placeMarks } from '../../src/report/charts/mark-lanes.ts';
import { smoothed } from '../../src/report/charts/smoothing.ts';

interface Drawn {
  readonly tag: string;
  readonly at: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Elements of a drawing in their order. */
function elements(svg: string, tag: string): Drawn[] {
  return [...svg.matchAll(new RegExp(`<${tag}((?: [\\w-]+="[^"]*")*)\\s*(?:/>|>([^<]*))`, 'g'))].map(
    ([, attributes = '', text = '']) => ({
      ...{ tag, text },
      at: Object.fromEntries(
        [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
      ),
    }),
  );
}

/** From where to where a text reaches, at most. */
function extent({ at, text }: Drawn): { from: number; to: number } {
  const [x, width] = [Number(at['x']), textWidth(text)];
  const from = at['text-anchor'] === 'end' ? x - width : at['text-anchor'] === 'middle' ? x - width / 2 : x;
  return { from, to: from + width };
}

const chart = (changes: Partial<CurveChart>): CurveChart => ({
  ...{ title: 'Loss', xName: 'step', yName: 'loss', marks: [], scale: 'linear', floor: -Infinity, tick: tickText },
  series: [],
  ...changes,
});

describe('labels of marks', () => {
  it('cross neither each other nor the line of another, wherever the marks are', () => {
    const random = createRandom(7, 'marks');
    const names = ['qat starts', 'delay ends', 'resumed', 'a stage with a long name starts'];
    for (let round = 0; round < 300; round++) {
      const count = 1 + random.below(6);
      const places = [...new Set(Array.from({ length: count }, () => 60 + random.below(450)))].sort((a, b) => a - b);
      const marks = placeMarks(
        places.map((x) => ({ x, label: names[random.below(3)]! })),
        60,
        520,
      );
      for (const mark of marks) {
        const width = textWidth(mark.label);
        const [from, to] = mark.anchor === 'start' ? [mark.x, mark.x + width] : [mark.x - width, mark.x];
        expect(from).toBeGreaterThanOrEqual(60);
        expect(to).toBeLessThanOrEqual(520);
        for (const other of marks) {
          if (other === mark) continue;
          // A line reaches from below its label to the bottom: through its own lane and all below.
          if (other.lane >= mark.lane) expect(other.x > from && other.x < to, JSON.stringify(marks)).toBe(false);
          const reach = textWidth(other.label);
          const [left, right] = other.anchor === 'start' ? [other.x, other.x + reach] : [other.x - reach, other.x];
          if (other.lane === mark.lane) expect(left < to && from < right, JSON.stringify(marks)).toBe(false);
        }
      }
    }
  });

  it('need no second lane where there is room', () => {
    const lanes = placeMarks([{ x: 100, label: 'qat starts' }, { x: 300, label: 'delay ends' }], 60, 520); // prettier-ignore
    expect(lanes.map(({ lane }) => lane)).toEqual([0, 0]);
  });
});

describe('a moving average', () => {
  it('follows s = d s + (1 - d) y over 1 - d^t, with d = 1 - 20 / n', () => {
    const points = Array.from({ length: 40 }, (_, x) => ({ x, y: x % 2 }));
    // d = 0.5: 0, then (0.5 * 0 + 0.5) / 0.75, then (0.25) / 0.875.
    const line = smoothed(points);
    expect(line.slice(0, 3).map(({ y }) => y)).toEqual([0, expect.closeTo(2 / 3, 12), expect.closeTo(2 / 7, 12)]);
    const flat = smoothed(points.map(({ x }) => ({ x, y: 3 })));
    for (const { y } of flat) expect(y).toBeCloseTo(3, 12);
  });

  it('leaves a few points as they are', () => {
    const points = [1, 5, 2].map((y, x) => ({ x, y }));
    expect(smoothed(points)).toEqual(points);
  });
});

describe('curves', () => {
  const points = (values: readonly number[]) => values.map((y, index) => ({ x: 10 * index, y }));

  it('place points by their values, on either scale', () => {
    for (const scale of ['linear', 'logarithmic'] as const) {
      const { markup } = curveChart(
        chart({ scale, series: [{ name: 'a', color: 0, kind: 'points', points: points([1, 10, 100]) }] }),
      );
      const [low, middle, high] = elements(markup, 'circle').map(({ at }) => Number(at['cy']));
      const ratio = (low! - middle!) / (low! - high!);
      expect(ratio).toBeCloseTo(scale === 'linear' ? 9 / 99 : 1 / 2, 2);
      const xs = elements(markup, 'circle').map(({ at }) => Number(at['cx']));
      expect((xs[1]! - xs[0]!) / (xs[2]! - xs[0]!)).toBeCloseTo(0.5, 2);
    }
  });

  it.each([1e-7, 3e-4, 0.02, 1, 4321, 7e8])('cut no text, with values around %f', (size) => {
    const series = [{ name: 'a', color: 0, kind: 'noisy' as const, points: points([size, size * 2.1, size * 1.3]) }];
    for (const scale of ['linear', 'logarithmic'] as const) {
      const { markup } = curveChart(
        chart({ scale, series, marks: [{ x: 20, label: 'a stage with a long name starts' }] }),
      );
      const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(markup)!;
      for (const text of elements(markup, 'text').filter(({ at }) => at['transform'] === undefined)) {
        const { from, to } = extent(text);
        expect(from, text.text).toBeGreaterThanOrEqual(0);
        expect(to, text.text).toBeLessThanOrEqual(Number(width));
        expect(Number(text.at['y'])).toBeLessThanOrEqual(Number(height));
        expect(Number(text.at['y'])).toBeGreaterThan(8);
      }
    }
  });

  it('draw single batches only a decade below the lines', () => {
    const values = Array.from({ length: 100 }, (_, index) => (index === 50 ? 1e-9 : 1));
    const { markup } = curveChart(
      chart({ scale: 'logarithmic', series: [{ name: 'a', color: 0, kind: 'noisy', points: points(values) }] }),
    );
    expect(markup).not.toContain('e\u22129');
    expect(markup).toContain('data-curves=');
  });
});

describe('a histogram', () => {
  const histogram = { low: -2, width: 1, counts: [3, 0, 7, 1] };

  it('draws what lies outside the range in the other colour', () => {
    const { markup } = histogramChart({ title: 'Values', note: '', histogram, range: { min: 0, max: 0.5 } });
    const [inside, outside] = elements(markup, 'path').map(({ at }) => at['d'] ?? '');
    const heights = (path: string) => [...path.matchAll(/V([\d.]+)H/g)].map(([, y]) => 128 - Number(y));
    // 0..1 is inside, and 1..2 as far as a bin beyond the end.
    expect(heights(inside!).map((height) => height > 0)).toEqual([false, false, true, true]);
    expect(heights(outside!).map((height) => height > 0)).toEqual([true, false, false, false]);
    // Logarithms: 118 pixels for ln 8.
    expect(heights(outside!)[0]).toBeCloseTo((118 * Math.log(4)) / Math.log(8), 0);
  });
});

describe('the arena', () => {
  it('draws a box for each tensor, as high as its bytes and as long as its life', () => {
    const buffers = [
      { name: 'input', bytes: 256, offset: 0, first: 0, last: 1 },
      { name: 'big', bytes: 512, offset: 256, first: 1, last: 3 },
    ];
    const { markup } = arenaChart(buffers, 768);
    const [input, big] = elements(markup, 'rect').map(({ at }) => ({
      width: Number(at['width']) + 1,
      height: Number(at['height']) + 1,
      x: Number(at['x']),
    }));
    expect(big!.height / input!.height).toBeCloseTo(2, 1);
    expect(big!.width / input!.width).toBeCloseTo(1.5, 1);
    expect((big!.x - input!.x) / input!.width).toBeCloseTo(0.5, 1);
    expect(markup).toContain('<g class="buffer largest"><title>big: 512 bytes at 256, ops 1 to 3</title>');
    expect(largestBuffer(buffers)?.name).toBe('big');
  });
});

describe('ticks', () => {
  it('are few characters', () => {
    expect([0, 0.05, 2e-5, 1500, 3e7, -0.5].map(tickText)).toEqual([
      ...['0', '0.05', '2e\u22125', '1500', '3e7', '\u22120.5'],
    ]);
    expect(linearTicks(0, 1234)).toEqual([0, 500, 1000, 1500]);
  });
});
