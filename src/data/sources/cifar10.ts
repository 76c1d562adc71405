import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { userError } from '../../core/diagnostic.ts';
import { derived, object, runtime } from '../../core/schema.ts';
import { unpack } from '../../formats/bytes.ts';
import { inMemory } from '../../formats/random-access.ts';
import { listTar } from '../../formats/tar.ts';
import type { DataContent, DataFile, DecodedData, Download, Split } from '../dataset.ts';
import { squareSize } from '../dataset.ts';
import { inputsOf } from '../inputs.ts';
import { defineSource, sourceFields } from './define.ts';
import { download, imageFields, pathTo } from './fields.ts';
import { packedOrPlain, verify } from './published.ts';

/** CIFAR-10 of Krizhevsky, 50,000 and 10,000 colour images of 32 x 32, in its binary version. */
export interface Cifar10Source {
  readonly kind: 'cifar10';
  /**
   * Folder of data_batch_1.bin to data_batch_5.bin and test_batch.bin, with or without `.gz`, or of the archive
   * cifar-10-binary.tar.gz as published.
   */
  readonly path: string;
  /** Of the archive; null when it is not to be downloaded. */
  readonly download: Download | null;
}

const classNames = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'] as const;
const image = { height: 32, width: 32, channels: 3 };
const planePixels = image.height * image.width;
const recordBytes = 1 + image.channels * planePixels;

/** SHA-256 of the unpacked files. */
const canonicalFiles = [
  { name: 'data_batch_1.bin', digest: 'd1eacf8cd2c8d58863e96ec6cf7236ae560eafed6a3ce5a2dd3fc999c6d83ce5' },
  { name: 'data_batch_2.bin', digest: 'cfe3f0b22e8ba6dc8e5bfc28e5c78e78e6bac81f303970bf7f3672b1ce954c3a' },
  { name: 'data_batch_3.bin', digest: '7be2bc1462644875f4c81b6522b2200e63b6287ed41636d8d98b9a5562da2d2e' },
  { name: 'data_batch_4.bin', digest: '03c8cb79bb6dce0c26782f8c9cc15b1dca550183c29d2a067527265d64194921' },
  { name: 'data_batch_5.bin', digest: '438714a0c67d0c0982b116fee80f65288e1358ecb3f00ed473b7cb25f631ba7e' },
  { name: 'test_batch.bin', digest: 'e8eb486685a8e541e6634d4c530c7d90746d368f1a33d0a617c960d7c00ae1ff' },
] as const;

const archiveName = 'cifar-10-binary.tar.gz';

const remedy = `download ${archiveName} again, and put the archive or its files into this folder`;

/** The six files if there is any of them, else the archive if it is there or can be had. */
export function cifar10Files({ path, download }: Cifar10Source): readonly DataFile[] {
  const six = canonicalFiles.map(({ name }) => ({ name, path: packedOrPlain(join(path, name)) }));
  const archive = { name: archiveName, path: join(path, archiveName) };
  if (six.some((file) => existsSync(file.path))) return six;
  if (download !== null) return [{ ...archive, download }];
  return existsSync(archive.path) ? [archive] : six;
}

/** @throws UserError when a file is not, after unpacking, the published one */
export function decodeCifar10(contents: ReadonlyMap<string, DataContent>): DecodedData {
  const archive = contents.get(archiveName);
  const files = archive === undefined ? contents : filesOf(archive);
  const contentOf = (name: string): DataContent =>
    files.get(name) ?? fail(archive?.path ?? name, `there is no ${name} in it`);
  const splits = canonicalFiles.map(({ name, digest }) => {
    const { path, bytes } = contentOf(name);
    return decodeRecords(verify({ path, bytes: unpack(bytes, path, remedy) }, digest, remedy));
  });
  return {
    name: 'cifar10',
    classNames,
    image,
    train: concatenate(splits.slice(0, 5)),
    test: concatenate(splits.slice(5)),
  };
}

/** The files of a tar archive packed with gzip, by their names without folders. */
function filesOf({ path, bytes }: DataContent): ReadonlyMap<string, DataContent> {
  const unpacked = unpack(bytes, path, remedy);
  try {
    const entries = listTar(inMemory(unpacked), path).filter(({ refusal }) => refusal === null);
    return new Map(
      entries.map((entry) => {
        const name = basename(entry.name);
        return [name, { path: join(path, name), bytes: entry.read() }] as const;
      }),
    );
  } catch {
    return fail(path, 'the archive is damaged');
  }
}

function fail(path: string, message: string): never {
  throw userError(path, 'malformed-cifar10', message, remedy);
}

/** What a file holds: pixels, and a label for each image. */
interface Records {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** Records of a label and three planes of 32 x 32, made NHWC. */
export function decodeRecords({ path, bytes }: DataContent): Records {
  const count = bytes.length / recordBytes;
  if (count === 0 || !Number.isInteger(count)) {
    fail(path, `${bytes.length} bytes, expected whole records of ${recordBytes}`);
  }
  const labels = Uint8Array.from({ length: count }, (_, record) => bytes[record * recordBytes]!);
  const wrong = labels.findIndex((label) => label >= classNames.length);
  if (wrong !== -1) {
    fail(path, `byte ${wrong * recordBytes}: the label is ${labels[wrong]!}, expected 0 to 9`);
  }
  const images = new Uint8Array(count * (recordBytes - 1));
  let to = 0;
  for (let record = 0; record < count; record++) {
    const planes = record * recordBytes + 1;
    for (let pixel = 0; pixel < planePixels; pixel++) {
      for (let channel = 0; channel < image.channels; channel++) {
        images[to++] = bytes[planes + channel * planePixels + pixel]!;
      }
    }
  }
  return { pixels: images, labels };
}

function concatenate(files: readonly Records[]): Split {
  const labels = Buffer.concat(files.map((file) => file.labels));
  const pixels = Buffer.concat(files.map((file) => file.pixels));
  return { count: labels.length, inputs: inputsOf(pixels, recordBytes - 1), labels, targets: null };
}

export const cifar10 = defineSource({
  kind: 'cifar10',
  schema: sourceFields('cifar10', 'CIFAR-10: images in 10 classes, 32 x 32 pixels, colour', {
    path: derived(
      pathTo('Folder with the six files of the binary version, or with cifar-10-binary.tar.gz'),
      '`cifar10` in the data folder',
    ),
    download: Type.Optional(
      object(
        download,
        runtime('Where to download cifar-10-binary.tar.gz if the folder has neither the archive nor its files'),
      ),
    ),
    ...imageFields,
  }),
  from: (config): Cifar10Source => ({ kind: 'cifar10', path: config.path, download: config.download ?? null }),
  files: cifar10Files,
  unreadable:
    'put cifar-10-binary.tar.gz or its files into this folder, set `path` to where they are, or set `download`',
  missing: {
    kind: 'together',
    field: 'path',
    hint: 'put cifar-10-binary.tar.gz, or the files in it, into this folder, let `path` lead to it, or add `download`; `--data` says where data sets are',
  },
  knownSize: () => squareSize(image.height, image.channels, classNames.length, 50_000),
  recipe: () => ({}),
  decode: (_source, contents) => decodeCifar10(contents),
});
