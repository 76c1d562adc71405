/** Reads pages as a person would: their text, and drawn charts by the marks on their axes. */

import { present } from '../../src/core/assert.ts';

/** Values of a mark on an axis, and its place in the view box. */
interface Tick {
  readonly value: number;
  readonly at: number;
}

export interface Axis {
  /** Where a value stands in the view box. */
  readonly place: (value: number) => number;
  /** The largest distance of a mark from the place of its value: what rounding leaves where the axis is honest. */
  readonly astray: number;
}

export type Place = readonly [x: number, y: number];

/** Of a value's place: coordinates and marks have one decimal each. */
export const PIXELS = 0.2;

/** The charts whose label begins so, in the order of the page. */
export function chartsOf(page: string, label: string): string[] {
  return [
    ...page.matchAll(
      new RegExp(`<figure class="chart[^>]*>(?:(?!</figure>).)*?aria-label="${label}.*?</figure>`, 'gs'),
    ),
  ].map(([chart]) => chart);
}

/** A number as pages print it: `−5`, `20 000`, `1e−5`, `85 %`. */
export function numberOf(text: string): number {
  const plain = text.replaceAll('\u2212', '-').replace(/[\s\u202f]/g, '');
  return plain.endsWith('%') ? Number(plain.slice(0, -1)) / 100 : Number(plain);
}

/** The vertical axis, whose marks have lines. */
export function heightAxis(chart: string, scale: 'linear' | 'logarithmic'): Axis {
  const marks = chart.matchAll(/<line class="grid"[^>]* y1="([-\d.]+)"[^>]*>\s*<text class="tick"[^>]*>([^<]+)</g);
  return axisOf(
    [...marks].map(([, at, text = '']) => ({ value: numberOf(text), at: Number(at) })),
    scale,
  );
}

/** The axis of steps below a curve. */
export function stepAxis(chart: string): Axis {
  const marks = chart.matchAll(/<text class="tick" x="([-\d.]+)"[^>]*text-anchor="middle">([^<]+)</g);
  return axisOf(
    [...marks].map(([, at, text = '']) => ({ value: numberOf(text), at: Number(at) })),
    'linear',
  );
}

/** The axis below a small chart, of which the ends alone are named. */
export function trackAxis(chart: string): Axis {
  const [, left, first = ''] = /<text class="tick" x="([-\d.]+)"[^>]*>step ([^<]+)</.exec(chart) ?? [];
  const ends = [...chart.matchAll(/<text class="tick" x="([-\d.]+)"[^>]*text-anchor="end">([^<]+)</g)].at(-1);
  const [, right, last = ''] = ends ?? [];
  return axisOf(
    [
      { value: numberOf(first), at: Number(left) },
      { value: numberOf(last), at: Number(right) },
    ],
    'linear',
  );
}

function axisOf(ticks: readonly Tick[], scale: 'linear' | 'logarithmic'): Axis {
  const measure = scale === 'linear' ? (value: number) => value : Math.log;
  const [first, last] = [ticks[0], ticks.at(-1)];
  if (first === undefined || last === undefined || first === last) throw new Error('an axis with less than two marks');
  const perUnit = (last.at - first.at) / (measure(last.value) - measure(first.value));
  const place = (value: number): number => first.at + (measure(value) - measure(first.value)) * perUnit;
  return { place, astray: Math.max(...ticks.map(({ value, at }) => Math.abs(place(value) - at))) };
}

/** The points of the lines of a class. */
export function linesOf(chart: string, kind: string): Place[][] {
  return [...chart.matchAll(new RegExp(`<path class="${kind}" d="([^"]*)"`, 'g'))].map(([, path = '']) =>
    [...path.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]),
  );
}

export function dotsOf(chart: string, kind: string): Place[] {
  return [...chart.matchAll(new RegExp(`<circle class="${kind}" cx="([-\\d.]+)" cy="([-\\d.]+)"`, 'g'))].map(
    ([, x, y]) => [Number(x), Number(y)],
  );
}

/** Where upright lines with a label stand, by the label. */
export function marksOf(chart: string): Record<string, number> {
  const marks = chart.matchAll(/<line class="mark" x1="([-\d.]+)"[^>]*>\s*<text class="mark"[^>]*>([^<]+)</g);
  return Object.fromEntries([...marks].map(([, at, label = '']) => [label, Number(at)]));
}

/** What the script that zooms draws. */
export function zoomedOf(chart: string): {
  readonly log: boolean;
  readonly series: readonly {
    readonly name: string;
    readonly x: readonly number[];
    readonly y: readonly number[];
    readonly line: { readonly x: readonly number[]; readonly y: readonly number[] } | null;
  }[];
} {
  const [, text = ''] = /data-curves="([^"]*)"/.exec(chart) ?? [];
  return JSON.parse(text.replaceAll('&quot;', '"').replaceAll('&amp;', '&')) as ReturnType<typeof zoomedOf>;
}

/** The text of a section, a space for each tag but where a name may break. */
export function textOf(page: string, section: string): string {
  const [, body = ''] = new RegExp(`<section id="${section}">(.*?)</section>`, 's').exec(page) ?? [];
  return body
    .replaceAll('<wbr>', '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/[\s\u202f]+/g, ' ');
}

/** The rows of the table with such a column, by the names of its columns. */
export function tableOf(page: string, column: string): Record<string, string>[] {
  const tables = [...page.matchAll(/<table[^>]*>(.*?)<\/table>/gs)].map(([, table = '']) => table);
  const found = present(
    tables.find((table) => table.includes(`>${column}</th>`)),
    `a table of ${column}`,
  );
  const cells = (row: string): string[] =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) =>
      cell
        .replace(/<small>.*<\/small>/, '')
        .replace(/<[^>]+>/g, '')
        .replaceAll('\u202f', ' '),
    );
  const [head = [], ...rows] = [...found.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) => cells(row));
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ''])));
}
