import { createHash } from 'node:crypto';
import { internal } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { hashBytes } from '../formats/bytes.ts';
import type { RandomAccess } from '../formats/random-access.ts';
import { inMemory } from '../formats/random-access.ts';
import type { Inputs } from './inputs.ts';
import { eachInput, pixelReader } from './inputs.ts';
import type { PixelMoments } from './pixel-measure.ts';
import { measurePixels } from './pixel-measure.ts';
import type { RealRange } from './real-range.ts';
import type { Turn } from './turn.ts';
import { createTurn } from './turn.ts';

/** What all examples of a data set have in common. */
export interface DatasetForm {
  readonly name: string;
  /** What a user should know about the examples, in sentences. */
  readonly notes?: readonly string[];
  /** By label; empty where examples have no class. */
  readonly classNames: readonly string[];
  /** Of answers of yes and no, by column of the targets; left out where examples have none. */
  readonly tags?: readonly string[];
  /** By column; left out where examples have no target. */
  readonly targets?: readonly TargetColumn[];
  /** Whether each example has a mask, of which the classes are those of the pixels. */
  readonly hasMasks?: true;
  readonly image: ImageShape;
  /** What real inputs are; left out where inputs are pixels. */
  readonly reals?: RealInputs;
  /**
   * Settings by which a file became an example, in the words of a pipeline: what a device has to do with what it
   * records. Left out where examples are in files as the network takes them.
   */
  readonly decoding?: JsonObject;
}

/** Inputs that are not pixels: how measured values become those that the network takes. */
export interface RealInputs {
  /** The range of the network's input: values beyond it are clipped by its quantizer. */
  readonly range: RealRange;
  /** By channel: value = (measured - mean) / deviation, of the training examples; what a device has to compute. */
  readonly channels: readonly { readonly name: string; readonly mean: number; readonly deviation: number }[];
}

/** target = mean + deviation * value, of the training examples: networks learn values about 0. */
export interface TargetColumn {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

export type { RealRange };

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

/** Examples in columns: what the network reads, and what its answers are compared with. */
export interface Split {
  readonly count: number;
  /** Each [height, width, channels]: raw pixels 0 .. 255, or real values as the network takes them. */
  readonly inputs: Inputs;
  /** [count], indices into the class names; null where examples have no class. */
  readonly labels: Labels | null;
  /** [count, number of targets], as the network is to give them, or 0 and 1 for tags; null where examples have neither. */
  readonly targets: Float32Array | null;
  /** Each [height, width], indices into the class names; left out where examples have none. */
  readonly masks?: Inputs;
  /** The file or the row that each test example comes from, where the source knows it. */
  readonly names?: readonly string[];
  /** What the recording of each test example looks like, where it is one: base64 of `envelope`. */
  readonly waves?: readonly string[];
}

export type Labels = Uint8Array | Uint16Array;

/** The classes of examples that have some. */
export function labelsOf({ labels }: Pick<Split, 'labels'>): Labels {
  return labels ?? internal('the examples have no classes');
}

/** The masks of examples that have some. */
export function masksOf({ masks }: Pick<Split, 'masks'>): Inputs {
  return masks ?? internal('the examples have no masks');
}

/** The targets of examples that have some. */
export function targetsOf({ targets }: Pick<Split, 'targets'>): Float32Array {
  return targets ?? internal('the examples have no targets');
}

/** The examples of a source, before a validation split is set aside. */
export interface DecodedData extends Omit<Dataset, 'validation'> {
  /** Where the source has one of its own. */
  readonly validation?: Split;
}

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
  /** Of a source with many files they are read on every access, so that few are in memory at once. */
  readonly bytes: Uint8Array;
  /** Of the bytes, where it is known without reading them. */
  readonly size?: number;
  /** Reads the bytes in parts. */
  open?(): RandomAccess;
  /** Whether the bytes are those of the file at `path`, as they lie on the disk. */
  readonly isPlainFile?: boolean;
}

/** Opens a file to be read in parts. */
export const openContent = (content: DataContent): RandomAccess => content.open?.() ?? inMemory(content.bytes);

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
  /** With those for validation. */
  readonly trainingImages: number;
  readonly validationImages: number;
  readonly testImages: number;
  /** How many images each class has, by label. */
  readonly labels: { readonly training: readonly number[]; readonly test: readonly number[] };
  /** Of the training examples, by channel, where inputs are pixels. */
  readonly pixels?: readonly PixelMoments[];
  /** Of all that a training may read, and of all that a test may read: other test images do not train again. */
  readonly digests: { readonly training: Digest; readonly test: Digest };
}

/** What of a data set decides whether a pipeline fits it. */
export type DataSize = Pick<
  DatasetIdentity,
  'image' | 'classNames' | 'tags' | 'targets' | 'hasMasks' | 'reals' | 'decoding' | 'pixels' | 'trainingImages'
> & {
  /** Left out where the settings alone say it. */
  readonly validationImages?: number;
  /** Left out where there are always some. */
  readonly testImages?: number;
};

/** Of images as high as wide, in classes with numbers for names. */
export function squareSize(side: number, channels: number, classes: number, trainingImages: number): DataSize {
  return {
    image: { height: side, width: side, channels },
    classNames: Array.from({ length: classes }, (_, index) => String(index)),
    trainingImages,
  };
}

/** By class: examples of it, or pixels of masks. */
export function classCounts({ labels, masks }: Pick<Split, 'labels' | 'masks'>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  const count = (label: number): void => void (counts[label] = (counts[label] ?? 0) + 1);
  for (const label of labels ?? []) count(label);
  if (masks !== undefined) {
    const read = pixelReader(masks);
    for (let index = 0; index < masks.count; index++) for (const label of read(index)) count(label);
  }
  return counts;
}

/** The examples themselves are hashed, decoded, so that neither place nor packing of the files matters. */
export async function identify(dataset: Dataset, turn: Turn = createTurn()): Promise<DatasetIdentity> {
  const { name, notes, classNames, tags, targets: columns, hasMasks, image, reals, decoding } = dataset;
  const { train, validation, test } = dataset;
  const measured = reals === undefined ? measurePixels(image.channels) : null;
  // What training mixes in makes other training data.
  const mixed = train.inputs.sound?.noise ?? null;
  const noise = mixed === null ? null : sha256(bytesOf(mixed));
  const digestOf = async (...splits: readonly Split[]): Promise<Digest> => {
    const hash = createHash('sha256');
    hash.update(
      JSON.stringify({
        classNames,
        tags,
        targets: columns,
        hasMasks,
        image,
        reals,
        counts: splits.map(({ count }) => count),
        ...(noise !== null && splits.includes(train) && { noise }),
      }),
    );
    for (const { inputs, labels, targets, masks } of splits) {
      await eachInput(inputs, turn, (values) => {
        // On the way, so that they are read once.
        if (inputs === train.inputs) measured?.add(values);
        hashBytes(hash, bytesOf(values));
      });
      if (masks !== undefined) await eachInput(masks, turn, (values) => hashBytes(hash, bytesOf(values)));
      for (const column of [labels, targets]) if (column !== null) hashBytes(hash, bytesOf(column));
    }
    return `sha256:${hash.digest('hex')}`;
  };
  const digests = { training: await digestOf(train, validation), test: await digestOf(test) };
  const count = ({ labels }: Split): number[] => classCounts({ labels }, classNames.length);
  const validated = count(validation);
  const labels = { training: count(train).map((trained, label) => trained + validated[label]!), test: count(test) };
  const form = {
    ...{ name, classNames, image },
    ...(notes && { notes }),
    ...(tags && { tags }),
    ...(columns && { targets: columns }),
    ...(hasMasks && { hasMasks }),
    ...(reals && { reals }),
    ...(decoding && { decoding }),
  };
  return {
    ...form,
    trainingImages: train.count + validation.count,
    validationImages: validation.count,
    testImages: test.count,
    labels,
    ...(measured !== null && { pixels: measured.moments() }),
    digests,
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return hashBytes(createHash('sha256'), bytes).digest('hex');
}
