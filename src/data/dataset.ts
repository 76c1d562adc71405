import { createHash } from 'node:crypto';
import type { JsonObject } from '../core/json.ts';

/** Labelled images in memory, as the files hold them. */
export interface Dataset {
  readonly name: string;
  /** `sha256:` and 64 hexadecimal digits: see `datasetDigest`. */
  readonly digest: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly image: ImageShape;
  readonly train: Split;
  /** Taken out of the training examples, never of the test ones; may be empty. */
  readonly validation: Split;
  readonly test: Split;
}

export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface Split {
  /** [count, height, width, channels], raw pixels. */
  readonly images: Uint8Array;
  /** [count], indices into the class names. */
  readonly labels: Uint8Array;
  readonly count: number;
}

/** What a source's files or generator give, before a validation split is taken. */
export type DecodedData = Omit<Dataset, 'digest' | 'validation'>;

/** One file of a source. `name` is what it is for, so that a digest does not depend on where files lie. */
export interface DataFile {
  readonly name: string;
  readonly path: string;
  /** Where it can be had when it is not at its path. */
  readonly download?: Download;
}

export interface Download {
  /** http or https. */
  readonly url: string;
  /** Hexadecimal, of the file as it is sent. */
  readonly sha256: string;
}

/** The bytes of one file as found, `path` for errors. */
export interface DataContent {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface FileDigest {
  readonly name: string;
  readonly size: number;
  /** Hexadecimal, of the bytes as found: packed ones are not unpacked first. */
  readonly sha256: string;
}

/**
 * The identity of a dataset: SHA-256 of the JSON of its decoder, its files sorted by name, and the options that
 * decide which examples it holds.
 *
 * @param decoder name and revision of the code that turns files into images; a change of what it returns changes it
 */
export function datasetDigest(files: readonly FileDigest[], decoder: string, options: JsonObject): string {
  const manifest = files
    .map(({ name, size, sha256: digest }) => ({ name, size, sha256: digest }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return `sha256:${sha256(new TextEncoder().encode(JSON.stringify({ decoder, files: manifest, options })))}`;
}

/** Hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
