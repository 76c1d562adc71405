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
 * @param training given up by the caller: what is left to train on moves together in its arrays, which may be as large
 *   as memory allows
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
  if (count === 0) return { train: training, validation: pick(training, new Uint32Array()) };
  const drawn = createRandom(seed, 'validation-split').permutation(training.count);
  const validation = pick(training, drawn.slice(0, count).sort());
  return { train: moveTogether(training, drawn.slice(count).sort()), validation };
}

/** Copies of the examples at the indices. */
function pick({ images, labels, count }: Split, indices: Uint32Array): Split {
  const imageBytes = images.length / count;
  const picked = new Uint8Array(indices.length * imageBytes);
  indices.forEach((from, to) => {
    picked.set(images.subarray(from * imageBytes, (from + 1) * imageBytes), to * imageBytes);
  });
  return { images: picked, labels: Uint8Array.from(indices, (index) => labels[index]!), count: indices.length };
}

/** @param indices ascending, so that none is written over before it is read */
function moveTogether({ images, labels, count }: Split, indices: Uint32Array): Split {
  const imageBytes = images.length / count;
  indices.forEach((from, to) => {
    images.copyWithin(to * imageBytes, from * imageBytes, (from + 1) * imageBytes);
    labels[to] = labels[from]!;
  });
  const left = indices.length;
  return { images: images.subarray(0, left * imageBytes), labels: labels.subarray(0, left), count: left };
}
