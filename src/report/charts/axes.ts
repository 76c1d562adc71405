/** What charts share: positions, ticks, and how wide a text is before a browser has drawn it. */
import { fixed } from '../format.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The longest text of a chart's style is 13 pixels high in narrow windows; digits and letters of it are narrower. */
const characterWidth = 7.2;

/** Pixels of the view box, rather too many. */
export const textWidth = (text: string): number => characterWidth * text.length;

/** A coordinate with one decimal. */
export const place = (value: number): string => String(Number(value.toFixed(1)));

export const minimum = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
export const maximum = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);

export const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}\u2026`;

/** Round numbers (1, 2 or 5 times a power of ten) that cover the interval, about `wanted` of them. */
export function linearTicks(low: number, high: number, wanted = 5): number[] {
  const rough = (high - low || Math.abs(high) || 1) / wanted;
  const exponent = Number(rough.toExponential().split('e')[1]);
  const power = Number(`1e${exponent}`);
  const step = ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const places = Math.min(100, Math.max(0, -exponent));
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(places)));
}

/** 1, 2 and 5 in every decade that the interval touches, or the powers of ten alone where that is too many. */
export function decadeTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let exponent = -12; exponent <= 12; exponent++) {
    for (const factor of [1, 2, 5]) ticks.push(Number(`${factor}e${exponent}`));
  }
  const first = Math.max(
    0,
    ticks.findLastIndex((tick) => tick <= low),
  );
  const last = ticks.findIndex((tick) => tick >= high);
  const covering = ticks.slice(first, last === -1 ? ticks.length : Math.max(last, first + 1) + 1);
  return covering.length <= 7 ? covering : covering.filter((tick) => tick.toExponential().startsWith('1e'));
}

/** A round number in few characters: `0.02`, `1e−5`, `20 000`. */
export function tickText(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e6)) {
    return Number(value.toPrecision(3)).toExponential().replace('e+', 'e').replaceAll('-', '\u2212');
  }
  const [, fraction = ''] = String(Number(magnitude.toPrecision(3))).split('.');
  return fixed(value, fraction.length);
}
