/** The inputs of a split, read one by one and put together. */
import type { Split } from '../../src/data/dataset.ts';
import { inputReader } from '../../src/data/inputs.ts';

/** Copies of all inputs, one after the other. */
export function inputsIn({ inputs }: Pick<Split, 'inputs'>): Uint8Array | Float32Array {
  const length = inputs.count * inputs.size;
  const all = inputs.kind === 'pixels' ? new Uint8Array(length) : new Float32Array(length);
  const read = inputReader(inputs);
  for (let index = 0; index < inputs.count; index++) all.set(read(index), index * inputs.size);
  return all;
}

/** The same of inputs that are pixels. */
export function pixelsIn(split: Pick<Split, 'inputs'>): Uint8Array {
  const all = inputsIn(split);
  if (all instanceof Uint8Array) return all;
  throw new Error('the inputs are not pixels');
}

/** The same of real values. */
export function realsIn(split: Pick<Split, 'inputs'>): Float32Array {
  const all = inputsIn(split);
  if (all instanceof Float32Array) return all;
  throw new Error('the inputs are pixels');
}
