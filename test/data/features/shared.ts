import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readWav } from '../../../src/formats/wav.ts';

const folder = process.env['QPIPE_DATA'] ?? '../shared/data';

/** Whether the recordings and what others computed from them are there. */
export const hasFeatureGoldens =
  existsSync(join(folder, 'feature-goldens')) && existsSync(join(folder, 'spoken-digits'));

export const skipped = hasFeatureGoldens
  ? ''
  : ' (skipped: set QPIPE_DATA to a folder with feature-goldens and spoken-digits)';

/** The three recordings that the goldens were made of. */
export const recordings = ['0/0_george_0.wav', '3/3_jackson_1.wav', '7/7_lucas_2.wav'] as const;

export function readRecording(name: string): Float32Array {
  const path = join(folder, 'spoken-digits', 'test', name);
  return readWav(readFileSync(path), path).samples;
}

export function readGoldens(file: string): unknown {
  return JSON.parse(readFileSync(join(folder, 'feature-goldens', file), 'utf8'));
}

/** The largest difference of two lists of one length; Infinity for two lengths. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let largest = 0;
  for (let index = 0; index < found.length; index++) {
    largest = Math.max(largest, Math.abs(found[index]! - expected[index]!));
  }
  return largest;
}
