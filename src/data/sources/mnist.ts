import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Type } from '@sinclair/typebox';
import { packageFile } from '../../core/package-file.ts';
import { unpack } from '../../formats/bytes.ts';
import type { DataContent, DecodedData } from '../dataset.ts';
import { contentIn, squareSize } from '../dataset.ts';
import { defineSource, sourceFields } from './define.ts';
import { imageFields, pathTo } from './fields.ts';
import { decodeIdx } from './idx.ts';
import { packedOrPlain, verify } from './published.ts';

/** The handwritten digits of LeCun, Cortes and Burges, 60,000 and 10,000 of 28 x 28 x 1. */
export interface MnistSource {
  readonly kind: 'mnist';
  /** Folder of the four files under their usual names, with or without `.gz`. */
  readonly path: string;
}

/** The copy that comes with qpipe. */
export const mnistFolder = fileURLToPath(packageFile('data/mnist'));

/** SHA-256 of the unpacked files, so that any gzip compression of the published files is accepted. */
const canonicalFiles = [
  {
    name: 'train_images',
    file: 'train-images-idx3-ubyte',
    digest: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  },
  {
    name: 'train_labels',
    file: 'train-labels-idx1-ubyte',
    digest: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  {
    name: 'test_images',
    file: 't10k-images-idx3-ubyte',
    digest: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  },
  {
    name: 'test_labels',
    file: 't10k-labels-idx1-ubyte',
    digest: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
] as const;

const remedy = 'restore the four MNIST files of qpipe’s data/mnist, or point `path` to a good copy';

/** @throws UserError when a file is not, after unpacking, the published one */
function decodeMnist(contentOf: (name: string) => DataContent): DecodedData {
  const verified = new Map<string, DataContent>(
    canonicalFiles.map(({ name, digest }) => {
      const { path, bytes } = contentOf(name);
      return [name, verify({ path, bytes: unpack(bytes, path, remedy) }, digest, remedy)];
    }),
  );
  return { ...decodeIdx((name) => verified.get(name) ?? contentOf(name)), name: 'mnist' };
}

export const mnist = defineSource({
  kind: 'mnist',
  schema: sourceFields('mnist', 'MNIST: digits in 10 classes, 28 x 28 pixels, grey', {
    path: Type.Optional(pathTo('Folder with the four idx files; default: the copy that comes with qpipe')),
    ...imageFields,
  }),
  from: ({ path = mnistFolder }): MnistSource => ({ kind: 'mnist', path }),
  files: ({ path }) => canonicalFiles.map(({ name, file }) => ({ name, path: packedOrPlain(join(path, file)) })),
  unreadable: remedy,
  missing: {
    kind: 'together',
    field: 'path',
    hint: 'leave `path` out to use the MNIST that comes with qpipe, or let it lead to the folder of the four files',
  },
  knownSize: () => squareSize(28, 1, 10, 60_000),
  recipe: () => ({}),
  decode: (_source, contents) => decodeMnist(contentIn(contents)),
});
