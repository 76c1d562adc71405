/** The fuzz test of ONNX files, short in `npm test` and long in `npm run test:soak`. */
import { expect } from 'vitest';
import { fuzz } from '../fault/fuzz.ts';
import { onnxSubject } from './onnx-fuzz.ts';

/** Some damaged copies still run, and some are refused: otherwise the damage would say nothing. */
export async function expectSoundOnnx(seed: number, count: number): Promise<void> {
  const { faults, grownBytes, outcomes } = await fuzz(onnxSubject, seed, count);
  expect(faults).toEqual([]);
  expect(grownBytes).toBeLessThan(2 ** 30);
  const refused = outcomes.get('refused') ?? 0;
  expect(refused).toBeGreaterThan(count / 20);
  expect(count - refused).toBeGreaterThan(count / 100);
}
