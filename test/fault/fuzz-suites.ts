/** The suites of the fuzz test, short in `npm test` and long in `npm run test:soak`. */
import { describe, expect, it } from 'vitest';
import { describeWithModels, sharedModel } from '../tflite/shared-models.ts';
import type { Subject } from './fuzz.ts';
import { fuzz, ownSubjects, tfliteSubject } from './fuzz.ts';

const mostGrownBytes = 2 ** 30;

async function expectNoFaults(subject: Subject, seed: number, count: number): Promise<void> {
  const { faults, grownBytes, outcomes } = await fuzz(subject, seed, count);
  expect(faults).toEqual([]);
  expect(grownBytes).toBeLessThan(mostGrownBytes);
  // Otherwise the damage would be too slight, or too heavy to reach anything behind the first checks.
  const refused = outcomes.get('refused') ?? 0;
  expect(refused).toBeGreaterThan(count / 20);
  expect(count - refused).toBeGreaterThan(count / 100);
}

/** @param thousands of damaged copies of each file of our own; half as many of each by others */
export function describeFuzz(seed: number, thousands: number): void {
  const timeout = 60_000 + thousands * 10_000;

  describe('a damaged file of our own is refused with the place of the fault, or runs', () => {
    for (const subject of ownSubjects()) {
      it(subject.name, () => expectNoFaults(subject, seed, thousands * 1000), timeout);
    }
  });

  describeWithModels('a damaged model by others is refused with the place of the fault, or runs', () => {
    const files = ['hello_world_int8.tflite', 'micro_speech_quantized.tflite', 'person_detect.tflite'];
    for (const file of files) {
      it(file, () => expectNoFaults(tfliteSubject(file, sharedModel(file)), seed, thousands * 500), timeout);
    }
  });
}
