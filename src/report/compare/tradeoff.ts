/** What is reached against the size of the file. */
import type { Kind, Tradeoff } from './schema.ts';
import { gain } from './contrast.ts';
import { nameOf } from './names.ts';
import type { Tested } from './tested.ts';

/** Null where fewer than three models were tested, or not all by one measure. */
export function tradeoffOf(runs: readonly (readonly Tested[])[]): Tradeoff | null {
  const tested = runs.flatMap((tests, run) => tests.map((test) => ({ run: nameOf(run), test })));
  const [first] = tested;
  if (first === undefined || tested.length < 3) return null;
  const { kind, measure } = first.test;
  if (tested.some(({ test }) => test.kind !== kind || test.measure !== measure)) return null;
  const points = tested.flatMap(({ run, test }) => {
    const { int8 } = test.values;
    return int8 === null ? [] : [{ run, test: test.name, value: int8.value, bytes: test.model.bytes }];
  });
  return { measure, kind, points: points.map((point) => ({ ...point, best: isBest(kind, point, points) })) };
}

interface Point {
  readonly value: number;
  readonly bytes: number;
}

function isBest(kind: Kind, { value, bytes }: Point, all: readonly Point[]): boolean {
  return !all.some((other) => {
    const more = gain(kind, value, other.value);
    return more >= 0 && other.bytes <= bytes && (more > 0 || other.bytes < bytes);
  });
}
