import { userError } from '../core/diagnostic.ts';
import { createRandom } from '../core/random.ts';
import type { Split } from './dataset.ts';

export interface ValidationOptions {
  /** Examples to take out of the training split; 0 for none. */
  readonly count: number;
  readonly seed: number;
}

/**
 * Divides training examples into those to train on and those to validate with. Which ones is drawn from the seed;
 * both parts keep the order of the file.
 *
 * @param name of the dataset, for the error
 * @throws UserError when nothing would be left to train on
 */
export function splitValidation(
  training: Split,
  { count, seed }: ValidationOptions,
  name: string,
): { train: Split; validation: Split } {
  if (count >= training.count) {
    throw userError(
      name,
      'validation-too-large',
      `${count} validation examples are requested, but the training split has ${training.count}`,
      `set aside fewer than ${training.count} examples for validation`,
    );
  }
  const drawn = createRandom(seed, 'validation-split').permutation(training.count);
  return { train: pick(training, drawn.subarray(count)), validation: pick(training, drawn.subarray(0, count)) };
}

function pick(split: Split, drawn: Uint32Array): Split {
  const indices = drawn.slice().sort();
  const imageBytes = split.images.length / split.count;
  const images = new Uint8Array(indices.length * imageBytes);
  indices.forEach((from, to) => {
    images.set(split.images.subarray(from * imageBytes, (from + 1) * imageBytes), to * imageBytes);
  });
  return { images, labels: Uint8Array.from(indices, (index) => split.labels[index]!), count: indices.length };
}
