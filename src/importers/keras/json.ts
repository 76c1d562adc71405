/** Fields of a configuration that someone else wrote, each checked when it is read. */
import { isRecord } from '../../core/schema.ts';
import { Refusal } from '../refusal.ts';

/** What is not as it should be; the place is added by whoever knows it. */
export class ConfigError extends Error {}

export type Config = Readonly<Record<string, unknown>>;

export function record(value: unknown, what: string): Config {
  if (isRecord(value)) return value;
  throw new ConfigError(`${quoted(what)} is ${shown(value)}; expected an object`);
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new ConfigError(`${quoted(what)} is ${shown(value)}; expected a list`);
}

export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new ConfigError(`${quoted(what)} is ${shown(value)}; expected a text`);
}

export function number(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new ConfigError(`${quoted(what)} is ${shown(value)}; expected a number`);
}

export function whole(value: unknown, what: string, least = 0): number {
  const found = number(value, what);
  if (Number.isInteger(found) && found >= least && found < 2 ** 31) return found;
  throw new ConfigError(`${quoted(what)} is ${found}; expected a whole number of at least ${least}`);
}

/** A number for one direction, or one for each. */
export function wholes(value: unknown, count: number, what: string, least = 1): readonly number[] {
  if (!Array.isArray(value)) return Array.from({ length: count }, () => whole(value, what, least));
  if (value.length !== count) throw new ConfigError(`${quoted(what)} has ${value.length} numbers; expected ${count}`);
  return value.map((item) => whole(item, what, least));
}

export function pairOf(value: unknown, what: string, least = 1): readonly [number, number] {
  const [first = 0, second = 0] = wholes(value, 2, what, least);
  return [first, second];
}

/** A word out of some. */
export function word<const W extends readonly string[]>(value: unknown, words: W, what: string): W[number] {
  const found = words.find((each) => each === value);
  if (found !== undefined) return found;
  throw new Refusal(`${what} is ${shown(value)}`, `${what} must be ${words.join(' or ')}`);
}

export const flag = (value: unknown, otherwise: boolean): boolean => (typeof value === 'boolean' ? value : otherwise);

export function shown(value: unknown): string {
  const written = value === undefined ? 'missing' : JSON.stringify(value);
  return written.length > 60 ? `${written.slice(0, 59)}…` : written;
}

/** A name as messages show it. */
const quoted = (what: string): string => (what.includes('"') ? what : `"${what}"`);
