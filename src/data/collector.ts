/** Where decoded examples go: a file, since there may be more than fit into memory. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { internal } from '../core/assert.ts';
import { explainWriteError } from '../runner/disk-error.ts';
import type { Inputs, Place } from './inputs.ts';
import { elementBytes, rowLength } from './inputs.ts';

export interface Collector {
  /** Takes the inputs of one or more examples, [examples, size]; they are copied. */
  readonly add: (values: Uint8Array | Float32Array) => void;
  /** All that were added, in their order. Nothing can be added after it. */
  readonly finish: () => Inputs;
}

const bufferBytes = 2 ** 20;

/**
 * @param folder that exists; the file is `name` in it
 * @param size elements of one input
 * @throws UserError where the disk is full, or refuses otherwise
 */
export function createCollector(folder: string, name: string, kind: Inputs['kind'], size: number): Collector {
  const path = join(folder, name);
  const descriptor = explained(folder, () => openSync(path, 'wx+'));
  const buffer = new Uint8Array(bufferBytes);
  let filled = 0;
  let count = 0;
  const write = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length;) at += explained(folder, () => writeSync(descriptor, bytes, at));
  };
  const flush = (): void => {
    write(buffer.subarray(0, filled));
    filled = 0;
  };
  return {
    add(values) {
      if (values instanceof Uint8Array !== (kind === 'pixels')) internal(`the inputs are not ${kind}`);
      if (values.length % size !== 0) internal(`${values.length} elements for inputs of ${size}`);
      count += values.length / size;
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      if (filled + bytes.length > bufferBytes) flush();
      if (bytes.length > bufferBytes) return write(bytes);
      buffer.set(bytes, filled);
      filled += bytes.length;
    },
    finish() {
      flush();
      return { count, size, kind, place: { kind: 'file', path, descriptor }, rows: null, standard: null };
    },
  };
}

function explained<T>(folder: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw explainWriteError(error, folder, 'the decoded examples');
  }
}

/** The bytes of a place that is read in an array of its own, which threads share. */
export function intoMemory(inputs: Inputs, rows: number): Place {
  const { place, kind } = inputs;
  if (place.kind === 'memory') return place;
  const bytes = rows * rowLength(inputs) * elementBytes[kind];
  const shared = new SharedArrayBuffer(bytes);
  const target = new Uint8Array(shared);
  for (let filled = 0; filled < bytes;) {
    const got = readSync(place.descriptor, target, filled, Math.min(bytes - filled, 2 ** 30), filled);
    if (got === 0) internal(`${place.path} ends at byte ${filled} of ${bytes}`);
    filled += got;
  }
  return { kind: 'memory', data: kind === 'pixels' ? target : new Float32Array(shared) };
}

/** Closes the file of a place that has one. */
export function closePlace(place: Place): void {
  if (place.kind === 'file') closeSync(place.descriptor);
}
