/** The fuzz test of Keras files, short in `npm test` and long in `npm run test:soak`. */
import { expect } from 'vitest';
import type { Subject } from '../fault/fuzz.ts';
import { fuzz } from '../fault/fuzz.ts';

/** Some damaged copies still run, and some are refused: otherwise the damage would say nothing. */
export async function expectSoundKeras(subject: Subject, seed: number, count: number): Promise<void> {
  const { faults, grownBytes, outcomes } = await fuzz(subject, seed, count);
  expect(faults).toEqual([]);
  expect(grownBytes).toBeLessThan(2 ** 30);
  const refused = outcomes.get('refused') ?? 0;
  expect(refused).toBeGreaterThan(count / 20);
  expect(count - refused).toBeGreaterThan(count / 200);
}
