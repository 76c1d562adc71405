import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { createRandom } from '../core/random.ts';
import type { Split } from './dataset.ts';
import { pickInputs } from './inputs.ts';

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
  if (count === 0) return { train: training, validation: pick(training, new Uint32Array()) };
  const drawn = createRandom(seed, 'validation-split').permutation(training.count);
  return {
    train: pick(training, drawn.slice(count).sort()),
    validation: pick(training, drawn.slice(0, count).sort()),
  };
}

/** The examples at the indices; their inputs stay where they are. */
export function pick({ inputs, labels, targets, masks, names, waves, count }: Split, indices: Uint32Array): Split {
  const rows = <T extends Uint8Array | Uint16Array | Float32Array>(column: T): T => {
    const size = column.length / Math.max(1, count);
    // Not `slice`, which in a Buffer shares the memory that this is about to read.
    const out = new (arrayType(column))(indices.length * size) as T; // of the same type, as `arrayType` says
    indices.forEach((from, to) => out.set(column.subarray(from * size, (from + 1) * size), to * size));
    return out;
  };
  const texts = (column: readonly string[]): string[] =>
    Array.from(indices, (index) => column[index] ?? internal(`no example ${index}`));
  return {
    count: indices.length,
    inputs: pickInputs(inputs, indices),
    labels: labels && rows(labels),
    targets: targets && rows(targets),
    ...(masks && { masks: pickInputs(masks, indices) }),
    ...(names && { names: texts(names) }),
    ...(waves && { waves: texts(waves) }),
  };
}

function arrayType(column: Uint8Array | Uint16Array | Float32Array) {
  if (column instanceof Float32Array) return Float32Array;
  return column instanceof Uint16Array ? Uint16Array : Uint8Array;
}
