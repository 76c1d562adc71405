/** The key `target` of a pipeline. */
import type { SchemaOptions } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { byteCount, choice, object, runtime } from '../core/schema.ts';
import type { TargetName } from './index.ts';
import { targetNames, targets } from './index.ts';

/** A target, and what a model may take there; null for any amount. */
export interface TargetChoice {
  readonly name: TargetName;
  /** Bytes of the tensor arena. */
  readonly ram: number | null;
  /** Bytes of the .tflite file. */
  readonly flash: number | null;
}

const budget = (description: string) =>
  Type.Optional(
    byteCount(['k', 'M', 'kB', 'MB', 'KiB', 'MiB'], { minimum: 1, examples: ['64k', '1M'], ...runtime(description) }),
  );

const budgetsOf = (name: TargetName) =>
  object(
    {
      ...(targets[name].hasArena && {
        ram: budget('Most bytes for the tensor arena (its head: activations and scratch memory); `k` is 1024'),
      }),
      flash: budget('Most bytes for the .tflite file; `k` is 1024'),
    },
    runtime(`Budgets of ${targets[name].title}`),
  );

/** A word, a list of words, or a map from words to budgets. */
export const targetField = (options: SchemaOptions) =>
  Type.Unsafe<readonly TargetChoice[]>({
    type: ['string', 'array', 'object'],
    pattern: `^(${targetNames.join('|')})$`,
    examples: [...targetNames],
    items: choice(targetNames, { ...runtime('A target'), examples: [...targetNames] }),
    minItems: 1,
    uniqueItems: true,
    properties: Object.fromEntries(targetNames.map((name) => [name, budgetsOf(name)])),
    additionalProperties: false,
    minProperties: 1,
    'x-parse': 'target',
    ...options,
  });

/** What is written as a list of targets, each with its budgets. */
export function parseTargets(value: unknown, bytes: (written: unknown) => number): readonly TargetChoice[] {
  const given: Readonly<Record<string, unknown>> =
    typeof value === 'string'
      ? { [value]: {} }
      : Array.isArray(value)
        ? Object.fromEntries(value.map((name) => [String(name), {}]))
        : { ...(value as object | null) };
  return targetNames.flatMap((name): readonly TargetChoice[] => {
    if (!(name in given)) return [];
    const { ram, flash } = (given[name] ?? {}) as { readonly ram?: unknown; readonly flash?: unknown };
    return [{ name, ram: ram === undefined ? null : bytes(ram), flash: flash === undefined ? null : bytes(flash) }];
  });
}
