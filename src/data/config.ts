import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present, unreachable } from '../core/assert.ts';
import { derived, discriminated, key, object, runtime } from '../core/schema.ts';
import type { FileReference } from './idx.ts';
import type { DataSource } from './load.ts';
import { mnistFolder } from './mnist.ts';
import { syntheticDefaults } from './synthetic.ts';

// Paths are `runtime`: the cache key holds the digest of the images, wherever they lie.
const pathTo = (what: string) =>
  Type.Unsafe<string>({
    type: 'string',
    minLength: 1,
    'x-parse': 'path',
    ...runtime(`${what}; relative to the pipeline file`),
  });

const download = {
  url: Type.String({
    ...runtime('Address of the file'),
    pattern: '^https?://.',
    examples: ['https://example.org/images.gz'],
  }),
  sha256: Type.String({
    ...runtime('SHA-256 of the file as it is sent, in hexadecimal'),
    pattern: '^[0-9a-f]{64}$',
    examples: ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  }),
};

const file = (what: string) =>
  Type.Unsafe<FileReference>({
    ...object({ path: pathTo('Where the file is, or will be'), ...download }),
    type: ['string', 'object'],
    minLength: 1,
    'x-parse': 'file',
    ...runtime(`${what}, idx or idx.gz: a path relative to the pipeline file, or a map that says where to get it, too`),
  });

const common = {
  validation: Type.Integer({
    ...key('Number of images taken out of the training split for validation, chosen by the seed'),
    minimum: 0,
    default: 0,
  }),
  normalize: object(
    {
      scale: Type.Unsafe<number>({
        type: ['number', 'string'],
        exclusiveMinimum: 0,
        pattern: '^[1-9][0-9]*/[1-9][0-9]*$',
        examples: [0.0078125, '1/255'],
        default: '1/255',
        'x-parse': 'fraction',
        ...key('Real units of one pixel step, a number or a fraction of whole numbers'),
      }),
      mean: Type.Integer({
        ...key('The pixel value that stands for real 0'),
        minimum: 0,
        maximum: 255,
        default: 0,
      }),
    },
    { ...key('How pixels 0..255 become real numbers: real = scale * (pixel - mean)'), default: {} },
  ),
  augment: object(
    {
      crop: Type.Integer({
        ...key(
          'Pixels of black (pixel value 0, before `normalize`) around the image, out of which a window of its own size is cut at a random place',
        ),
        minimum: 0,
        default: 0,
      }),
      flip: Type.Boolean({ ...key('Mirror every second image, by chance, left to right'), default: false }),
    },
    {
      ...key('How training images vary from epoch to epoch, by the seed; validation and test images stay as they are'),
      default: {},
    },
  ),
};

const source = <const S extends string>(name: S) => Type.Literal(name, key('Where the images come from'));

const mnistSchema = object(
  {
    source: source('mnist'),
    path: Type.Optional(pathTo('Folder of the four idx files; default: the embedded set')),
    ...common,
  },
  { description: 'MNIST, 28 x 28 grey digits in 10 classes' },
);

const syntheticSchema = object(
  {
    source: source('synthetic'),
    classes: Type.Integer({
      ...key('Number of classes'),
      minimum: 2,
      maximum: 10,
      default: syntheticDefaults.classes,
    }),
    size: Type.Integer({
      ...key('Height and width of the images'),
      minimum: 12,
      maximum: 256,
      default: syntheticDefaults.size,
    }),
    train: Type.Integer({ ...key('Number of training images'), minimum: 1, default: syntheticDefaults.trainCount }),
    test: Type.Integer({ ...key('Number of test images'), minimum: 1, default: syntheticDefaults.testCount }),
    noise: Type.Integer({
      ...key('Largest change of a pixel by noise, in grey levels'),
      minimum: 0,
      maximum: 255,
      default: syntheticDefaults.noise,
    }),
    seed: Type.Integer({
      ...key('Seed of the images, apart from the seed of the training'),
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 1,
    }),
    ...common,
  },
  { description: 'Generated grey images, needs no files' },
);

const idxSchema = object(
  {
    source: source('idx'),
    train_images: file('Training images'),
    train_labels: file('Training labels'),
    test_images: file('Test images'),
    test_labels: file('Test labels'),
    ...common,
  },
  { description: 'Any data set in the idx format of MNIST' },
);

const cifar10Schema = object(
  {
    source: source('cifar10'),
    path: derived(
      pathTo('Folder of the six files of the binary version, or of cifar-10-binary.tar.gz'),
      'cifar10 in the data folder',
    ),
    download: Type.Optional(
      object(download, runtime('Where to get cifar-10-binary.tar.gz when the folder has neither it nor the files')),
    ),
    ...common,
  },
  { description: 'CIFAR-10, 32 x 32 colour images in 10 classes' },
);

export const dataSchema = discriminated('source', [mnistSchema, syntheticSchema, idxSchema, cifar10Schema], {
  ...key('The images to train and test on'),
});

/** Everything present; `scale` is a number and paths are absolute. */
export type DataConfig = Static<typeof dataSchema>;

/**
 * Says where a data set lies of which the pipeline does not: in the first folder that has it, else in the first.
 *
 * @param dataFolders absolute paths of folders of data sets, at least one
 */
export function completeData(written: DataConfig, dataFolders: readonly string[]): DataConfig {
  // As written the path may be missing, unlike in the type.
  if (written.source !== 'cifar10' || Object.hasOwn(written, 'path')) return written;
  const places = dataFolders.map((folder) => join(folder, written.source));
  return { ...written, path: places.find((place) => existsSync(place)) ?? present(places[0], 'a data folder') };
}

/** What to load, without how to split and normalize it. */
export function dataSource(config: DataConfig): DataSource {
  switch (config.source) {
    case 'mnist':
      return { kind: 'mnist', path: config.path ?? mnistFolder };
    case 'synthetic': {
      const { classes, size, train: trainCount, test: testCount, noise, seed } = config;
      return { kind: 'synthetic', classes, size, trainCount, testCount, noise, seed };
    }
    case 'idx':
      return {
        kind: 'idx',
        trainImages: config.train_images,
        trainLabels: config.train_labels,
        testImages: config.test_images,
        testLabels: config.test_labels,
      };
    case 'cifar10':
      return { kind: 'cifar10', path: config.path, download: config.download ?? null };
    default:
      return unreachable(config);
  }
}
