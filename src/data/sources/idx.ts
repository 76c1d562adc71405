/** The idx format of the MNIST files: 0, 0, element type, rank, each dimension as big-endian uint32, elements. */
import { dirname } from 'node:path';
import { userError } from '../../core/diagnostic.ts';
import { numElements } from '../../core/tensor.ts';
import { unpack } from '../../formats/bytes.ts';
import type { FormatKind } from '../../formats/detect.ts';
import { detectFormat } from '../../formats/detect.ts';
import type { DataContent, DataFile, DecodedData, FileReference, ImageShape, Split } from '../dataset.ts';
import { contentIn } from '../dataset.ts';
import { inputsOf } from '../inputs.ts';
import { defineSource, sourceFields } from './define.ts';
import { file, imageFields } from './fields.ts';

/** Four idx files, each plain or packed with gzip. */
export interface IdxSource {
  readonly kind: 'idx';
  readonly trainImages: FileReference;
  readonly trainLabels: FileReference;
  readonly testImages: FileReference;
  readonly testLabels: FileReference;
}

const idxRemedy = 'copy or download the file again; it may be plain idx or packed with gzip';
const unsignedByte = 0x08;

/** By the third byte of the file. */
const elementTypes: Readonly<Record<number, string>> = {
  0x09: 'signed bytes',
  0x0b: 'integers of 16 bits',
  0x0c: 'integers of 32 bits',
  0x0d: 'floats of 32 bits',
  0x0e: 'floats of 64 bits',
};

const otherFormat =
  'give an IDX file: 0, 0, 0x08, the number of dimensions, each size as 4 bytes from the highest, then the bytes';

/** What to do with a file of another format that holds such data. */
const conversions: Readonly<Partial<Record<FormatKind, string>>> = {
  npy: 'use `source: npz`, which reads a folder of such files',
  npz: 'use `source: npz`, which reads it',
  wav: 'use `source: audio_folder`, which reads WAV files in class folders',
  png: 'use `source: image_folder`, which reads images in class folders',
  jpeg: 'use `source: image_folder`, which reads images in class folders',
  tar: 'unpack it, and give the IDX files in it',
  zip: 'unpack it, and give the IDX files in it',
  empty: idxRemedy,
};

/** An array of unsigned bytes in row-major order. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

function locate(reference: FileReference): Omit<DataFile, 'name'> {
  if (typeof reference === 'string') return { path: reference };
  const { path, url, sha256 } = reference;
  return { path, download: { url, sha256 } };
}

/** Classes are named by their numbers, up to the largest training label. */
export function decodeIdx(contentOf: (name: string) => DataContent): DecodedData {
  const train = decodePair(contentOf('train_images'), contentOf('train_labels'));
  const test = decodePair(contentOf('test_images'), contentOf('test_labels'));
  const classCount = train.split.labels.reduce((largest, label) => Math.max(largest, label), 0) + 1;
  const { path } = contentOf('test_images');
  const [expected, found] = [train, test].map(
    ({ image: { height, width, channels } }) => `${height}x${width}x${channels}`,
  );
  if (expected !== found) {
    const remedy = 'give test images of the same size';
    throw userError(path, 'mismatched-idx', `the test images are ${found}, the training images ${expected}`, remedy);
  }
  const stranger = test.split.labels.find((label) => label >= classCount);
  if (stranger !== undefined) {
    const message = `label ${stranger} occurs, but the largest training label is ${classCount - 1}`;
    throw userError(contentOf('test_labels').path, 'mismatched-idx', message, 'give labels of the same classes');
  }
  const classNames = Array.from({ length: classCount }, (_, label) => String(label));
  return { name: 'idx', classNames, image: train.image, train: train.split, test: test.split };
}

/** With the type of the labels of this source. */
type IdxSplit = Omit<Split, 'labels'> & { readonly labels: Uint8Array };

function decodePair(images: DataContent, labels: DataContent): { split: IdxSplit; image: ImageShape } {
  const pixels = readIdx(images);
  const classes = readIdx(labels);
  const [count = 0, height = 0, width = 0, channels = 1] = pixels.shape;
  if (pixels.shape.length < 3 || pixels.shape.length > 4 || pixels.data.length === 0) {
    const message = `the array is [${pixels.shape.join(',')}], expected [count, height, width] or with channels, not empty`;
    throw userError(images.path, 'mismatched-idx', message, 'give the file of images here');
  }
  if (classes.shape.length !== 1 || classes.data.length !== count) {
    const message = `the array is [${classes.shape.join(',')}], expected [${count}] labels`;
    throw userError(labels.path, 'mismatched-idx', message, `give the labels that belong to ${images.path}`);
  }
  return {
    split: { count, inputs: inputsOf(pixels.data, height * width * channels), labels: classes.data, targets: null },
    image: { height, width, channels },
  };
}

/**
 * One array of unsigned bytes, unpacked if it is gzip.
 *
 * @throws UserError unless the length is exactly what the dimensions say
 */
export function readIdx({ path, bytes: found }: DataContent): IdxArray {
  const bytes = unpack(found, path, idxRemedy);
  const fail = (offset: number, message: string): never => {
    throw userError(path, 'malformed-idx', `byte ${offset}: ${message}`, idxRemedy);
  };
  const format = detectFormat(bytes);
  const [zero0, zero1, type = 0, rank = 0] = bytes;
  if (zero0 !== 0 || zero1 !== 0 || (format.kind !== 'idx' && format.kind !== 'unknown')) {
    const message = `the file is ${format.name}; expected an IDX array of unsigned bytes`;
    throw userError(path, 'not-idx', message, conversions[format.kind] ?? otherFormat);
  }
  if (type !== unsignedByte) {
    const message = `the elements are ${elementTypes[type] ?? `of the unknown type 0x${type.toString(16)}`}; expected unsigned bytes`;
    throw userError(path, 'not-idx', message, 'write pixels 0 to 255 and labels from 0 on as type 0x08');
  }
  const dataStart = 4 + 4 * rank;
  if (rank === 0 || bytes.length < dataStart) {
    return fail(3, `${rank} dimensions take ${dataStart} bytes, the file has ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart, bytes.byteLength - dataStart);
  if (data.length !== numElements(shape)) {
    fail(4, `the dimensions ${shape.join(' x ')} mean ${numElements(shape)} elements, the file holds ${data.length}`);
  }
  return { shape, data };
}

export const idx = defineSource({
  kind: 'idx',
  schema: sourceFields('idx', 'Any data set in the idx format of MNIST', {
    train_images: file('Training images'),
    train_labels: file('Training labels'),
    test_images: file('Test images'),
    test_labels: file('Test labels'),
    ...imageFields,
  }),
  from: (config): IdxSource => ({
    kind: 'idx',
    trainImages: config.train_images,
    trainLabels: config.train_labels,
    testImages: config.test_images,
    testLabels: config.test_labels,
  }),
  files: (source) => [
    { name: 'train_images', ...locate(source.trainImages) },
    { name: 'train_labels', ...locate(source.trainLabels) },
    { name: 'test_images', ...locate(source.testImages) },
    { name: 'test_labels', ...locate(source.testLabels) },
  ],
  unreadable: 'check the paths of the four idx files',
  missing: {
    kind: 'each',
    hint: (path) => `paths are relative to the pipeline file: put the file into ${dirname(path)}, or correct the path`,
  },
  knownSize: () => null,
  recipe: () => ({}),
  decode: (_source, contents) => decodeIdx(contentIn(contents)),
});
