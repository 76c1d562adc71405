/** The fuzz test of TensorFlow's files, short in `npm test` and long in `npm run test:soak`. */
import { expect } from 'vitest';
import { fuzz } from '../fault/fuzz.ts';
import type { Subject } from '../fault/fuzz.ts';
import { frozenSubject, savedSubjects, tfliteSubject } from './tensorflow-fuzz.ts';

export const subjects: readonly (readonly [string, Subject])[] = [
  ['frozen graph', frozenSubject],
  ...savedSubjects.map((subject, at) => [`SavedModel's ${['graph', 'index', 'data'][at] ?? ''}`, subject] as const),
  ['float .tflite file', tfliteSubject()],
];

/** Some damaged copies still run, and some are refused: otherwise the damage would say nothing. */
export async function expectSound(subject: Subject, seed: number, count: number): Promise<void> {
  const { faults, grownBytes, outcomes } = await fuzz(subject, seed, count);
  expect(faults).toEqual([]);
  expect(grownBytes).toBeLessThan(2 ** 30);
  expect(outcomes.get('refused') ?? 0).toBeGreaterThan(count / 20);
}
