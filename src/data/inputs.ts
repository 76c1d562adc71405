/** The inputs of examples: where they lie, and how one is read. */
import { readSync } from 'node:fs';
import { internal } from '../core/assert.ts';
import type { FeaturesConfig } from './features/config.ts';
import { preparedFeatures } from './features/config.ts';
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
  /** Where the elements lie in a row, and how long a row is; left out where they are all of it. */
  readonly row?: { readonly length: number; readonly from: number };
  /** The recordings of which the inputs are features, in the same rows; left out where nothing changes them. */
  readonly sound?: Sound;
}

export interface Sound {
  /** Position of the first sample in a row, and how many there are. */
  readonly from: number;
  readonly samples: number;
  /** Samples a second. */
  readonly rate: number;
  readonly features: FeaturesConfig;
  /** To mix in, recordings one after the other; null for nothing. */
  readonly noise: Float32Array | null;
}

/** Elements of a row at the place. */
export const rowLength = ({ size, row }: { readonly size: number; readonly row?: Inputs['row'] | undefined }): number =>
  row?.length ?? size;

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
    readBytes(place, row(index) * size, bytes);
    return bytes;
  };
}

/** Reads the real values of an example: an array that is good until the next call, and not to be changed. */
export function realReader(inputs: Inputs): (index: number) => Float32Array {
  const { size, standard, row } = inputs;
  const measured = partReader(inputs, row?.from ?? 0, size);
  if (standard === null) return measured;
  const values = new Float32Array(size);
  const standardize = standardizer(standard);
  return (index) => {
    standardize(measured(index), values);
    return values;
  };
}

/**
 * Reads an example whose recording is changed first. What it gives is good until the next call.
 *
 * @param change gives the samples that take the recording's place
 */
export function changedSoundReader(
  inputs: Inputs,
  change: (samples: Float32Array, position: number) => Float32Array,
): (index: number, position: number) => Float32Array {
  const { sound, standard } = inputs;
  if (sound === undefined) return internal('the inputs have no recordings');
  const features = preparedFeatures(sound.features, sound.samples, sound.rate);
  if ('problems' in features) return internal(features.problems.join('; '));
  const recording = partReader(inputs, sound.from, sound.samples);
  const standardize = standard === null ? () => undefined : standardizer(standard);
  return (index, position) => {
    const values = features.compute(change(recording(index), position));
    standardize(values, values);
    return values;
  };
}

/** Reads `length` elements of a row, beginning at one of them. */
function partReader(inputs: Inputs, from: number, length: number): (index: number) => Float32Array {
  if (inputs.kind !== 'reals') return internal('the inputs are pixels');
  const { place } = inputs;
  const [row, whole] = [rowOf(inputs), rowLength(inputs)];
  if (place.kind === 'memory') {
    const { data } = place;
    if (!(data instanceof Float32Array)) return internal('real values are float32');
    return (index) => {
      const start = row(index) * whole + from;
      return data.subarray(start, start + length);
    };
  }
  const values = new Float32Array(length);
  const bytes = new Uint8Array(values.buffer);
  return (index) => {
    readBytes(place, elementBytes.reals * (row(index) * whole + from), bytes);
    return values;
  };
}

/** Standardizes values into an array, which may be that of the values. */
function standardizer(standard: Standard): (measured: Float32Array, out: Float32Array) => void {
  const [means, deviations] = [Float64Array.from(standard.means), Float64Array.from(standard.deviations)];
  return (measured, out) => {
    for (let at = 0, channel = 0; at < out.length; at++) {
      out[at] = (measured[at]! - means[channel]!) / deviations[channel]!;
      if (++channel === means.length) channel = 0;
    }
  };
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

/** @param start in the file, bytes */
function readBytes({ path, descriptor }: Extract<Place, { kind: 'file' }>, start: number, out: Uint8Array): void {
  for (let filled = 0; filled < out.length;) {
    const got = readSync(descriptor, out, filled, out.length - filled, start + filled);
    if (got === 0) internal(`${path} ends at byte ${start + filled}`);
    filled += got;
  }
}
