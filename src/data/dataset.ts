import { createHash } from 'node:crypto';
import { internal } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import { hashBytes } from '../formats/bytes.ts';

/** What all examples of a data set have in common. */
export interface DatasetForm {
  readonly name: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly image: ImageShape;
}

/** Labelled images in memory, as the files hold them. */
export interface TrainingData extends DatasetForm {
  readonly train: Split;
  /** Taken out of the training examples, never of the test ones; may be empty. */
  readonly validation: Split;
}

export interface TestData extends DatasetForm {
  readonly test: Split;
}

export interface Dataset extends TrainingData, TestData {}

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

/** The examples of a source, before a validation split is set aside. */
export type DecodedData = Omit<Dataset, 'validation'>;

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

/** A path, or a path and where the file can be had. */
export type FileReference = string | ({ readonly path: string } & Download);

/** The bytes of one file as found, `path` for errors. */
export interface DataContent {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Looks a file up by what it is for. */
export function contentIn(contents: ReadonlyMap<string, DataContent>): (name: string) => DataContent {
  return (name) => contents.get(name) ?? internal(`no data file ${name}`);
}

export interface FileDigest {
  readonly name: string;
  readonly size: number;
  /** Hexadecimal, of the bytes as found: packed ones are not unpacked first. */
  readonly sha256: string;
}

/** What cache keys and checks need from a data set without reading its examples. */
export interface DatasetIdentity extends DatasetForm {
  /** Before a validation split is taken. */
  readonly trainingImages: number;
  /** How many images each class has, by label. */
  readonly labels: { readonly training: readonly number[]; readonly test: readonly number[] };
  /** Of all that a training may read, and of all that a test may read: other test images do not train again. */
  readonly digests: { readonly training: Digest; readonly test: Digest };
}

/** What of a data set decides whether a pipeline fits it. */
export type DataSize = Pick<DatasetIdentity, 'image' | 'classNames' | 'trainingImages'>;

/** Of images as high as wide, in classes with numbers for names. */
export function squareSize(side: number, channels: number, classes: number, trainingImages: number): DataSize {
  return {
    image: { height: side, width: side, channels },
    classNames: Array.from({ length: classes }, (_, index) => String(index)),
    trainingImages,
  };
}

/** The examples themselves are hashed, decoded, so that neither place nor packing of the files matters. */
export function identify({ name, classNames, image, train, validation, test }: Dataset): DatasetIdentity {
  const digestOf = (...splits: readonly Split[]): Digest => {
    const hash = createHash('sha256');
    hash.update(JSON.stringify({ classNames, image, counts: splits.map(({ count }) => count) }));
    for (const { images, labels } of splits) hashBytes(hashBytes(hash, images), labels);
    return `sha256:${hash.digest('hex')}`;
  };
  const digests = { training: digestOf(train, validation), test: digestOf(test) };
  const countOf = (...splits: readonly Split[]): number[] => {
    const counts = new Array<number>(classNames.length).fill(0);
    for (const { labels } of splits) for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
    return counts;
  };
  const labels = { training: countOf(train, validation), test: countOf(test) };
  return { name, classNames, image, trainingImages: train.count + validation.count, labels, digests };
}

/** Hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return hashBytes(createHash('sha256'), bytes).digest('hex');
}
