/** The inputs of examples: where they lie, and how one is read. */
import { readSync } from 'node:fs';
import { internal } from '../core/assert.ts';
import type { Turn } from './turn.ts';

/**
 * The inputs of a number of examples, read one at a time: they may not fit into memory. Plain data, so that a thread
 * can be told of them.
 */
export interface Inputs {
  readonly count: number;
  /** Elements of one input. */
  readonly size: number;
  /** Pixels 0 .. 255 of a byte each, or real values in float32. */
  readonly kind: 'pixels' | 'reals';
  readonly place: Place;
  /** The row at the place, by example; null where example k is row k. */
  readonly rows: Uint32Array | null;
  /** What real values are measured by; null where they are read as they lie there. */
  readonly standard: Standard | null;
}

export const elementBytes = { pixels: 1, reals: 4 } as const;

/** Rows of one length, one after the other. */
export type Place =
  | { readonly kind: 'memory'; readonly data: Uint8Array | Float32Array }
  /** Of raw elements, in the byte order of this machine. The descriptor is open while the examples are in use. */
  | { readonly kind: 'file'; readonly path: string; readonly descriptor: number };

/** value = (measured - mean) / deviation, by channel, which is the last axis of an input. */
export interface Standard {
  readonly means: readonly number[];
  readonly deviations: readonly number[];
}

/**
 * Inputs that are in memory.
 *
 * @param data [count, size]: pixels, or real values
 */
export function inputsOf(data: Uint8Array | Float32Array, size: number): Inputs {
  const count = data.length / size;
  if (!Number.isInteger(count)) internal(`${data.length} elements for inputs of ${size}`);
  const kind = data instanceof Uint8Array ? 'pixels' : 'reals';
  return { count, size, kind, place: { kind: 'memory', data }, rows: null, standard: null };
}

/** The inputs of some examples, in their order; nothing is copied. */
export function pickInputs(inputs: Inputs, indices: Uint32Array): Inputs {
  const { rows } = inputs;
  const wrong = indices.find((index) => index >= inputs.count);
  if (wrong !== undefined) internal(`example ${wrong} of ${inputs.count}`);
  return { ...inputs, count: indices.length, rows: rows === null ? indices : indices.map((index) => rows[index]!) };
}

/** Reads the pixels of an example: an array that is good until the next call, and not to be changed. */
export function pixelReader(inputs: Inputs): (index: number) => Uint8Array {
  if (inputs.kind !== 'pixels') return internal('the inputs are not pixels');
  const { place, size } = inputs;
  const row = rowOf(inputs);
  if (place.kind === 'memory') {
    const { data } = place;
    if (!(data instanceof Uint8Array)) return internal('pixels are bytes');
    return (index) => data.subarray(row(index) * size, (row(index) + 1) * size);
  }
  const bytes = new Uint8Array(size);
  return (index) => {
    readRow(place, row(index), bytes);
    return bytes;
  };
}

/** Reads the real values of an example: an array that is good until the next call, and not to be changed. */
export function realReader(inputs: Inputs): (index: number) => Float32Array {
  if (inputs.kind !== 'reals') return internal('the inputs are pixels');
  const { place, size, standard } = inputs;
  const row = rowOf(inputs);
  const values = new Float32Array(size);
  let measured: (index: number) => Float32Array;
  if (place.kind === 'memory') {
    const { data } = place;
    if (!(data instanceof Float32Array)) return internal('real values are float32');
    measured = (index) => data.subarray(row(index) * size, (row(index) + 1) * size);
  } else {
    const bytes = new Uint8Array(values.buffer);
    measured = (index) => {
      readRow(place, row(index), bytes);
      return values;
    };
  }
  if (standard === null) return measured;
  return (index) => {
    standardizeInto(measured(index), standard, values);
    return values;
  };
}

/** @param out may be the values themselves */
function standardizeInto(measured: Float32Array, { means, deviations }: Standard, out: Float32Array): void {
  const channels = means.length;
  for (let at = 0, channel = 0; at < out.length; at++) {
    out[at] = (measured[at]! - means[channel]!) / deviations[channel]!;
    if (++channel === channels) channel = 0;
  }
}

/** Reads an example of either kind. */
export function inputReader(inputs: Inputs): (index: number) => Uint8Array | Float32Array {
  return inputs.kind === 'pixels' ? pixelReader(inputs) : realReader(inputs);
}

const examplesInTurn = 64;

/** Reads one after the other. What `visit` is given is good until it returns. */
export async function eachInput(
  inputs: Inputs,
  turn: Turn,
  visit: (values: Uint8Array | Float32Array, index: number) => void,
): Promise<void> {
  const read = inputReader(inputs);
  for (let index = 0; index < inputs.count; index++) {
    visit(read(index), index);
    if (index % examplesInTurn === 0) await turn();
  }
}

function rowOf({ count, rows }: Inputs): (index: number) => number {
  return (index) => {
    // Written so that NaN is refused too.
    if (!(index >= 0 && index < count)) return internal(`example ${index} of ${count}`);
    return rows === null ? index : rows[index]!;
  };
}

function readRow({ path, descriptor }: Extract<Place, { kind: 'file' }>, row: number, out: Uint8Array): void {
  for (let filled = 0; filled < out.length;) {
    const got = readSync(descriptor, out, filled, out.length - filled, row * out.length + filled);
    if (got === 0) internal(`${path} ends within row ${row}`);
    filled += got;
  }
}
