import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present, unreachable } from '../core/assert.ts';
import { derived, discriminated, key, object, runtime } from '../core/schema.ts';
import type { FileReference } from './sources/idx.ts';
import type { DataSource } from './load.ts';
import { mnistFolder } from './sources/mnist.ts';
import { syntheticDefaults } from './sources/synthetic.ts';

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
    ...runtime('URL of the file'),
    pattern: '^https?://.',
    examples: ['https://example.org/images.gz'],
  }),
  sha256: Type.String({
    ...runtime('SHA-256 of the downloaded file, in hexadecimal'),
    pattern: '^[0-9a-f]{64}$',
    examples: ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  }),
};

const file = (what: string) =>
  Type.Unsafe<FileReference>({
    ...object({ path: pathTo('Path of the file, or where to save the download'), ...download }),
    type: ['string', 'object'],
    minLength: 1,
    'x-parse': 'file',
    ...runtime(
      `${what} as idx or idx.gz: a path relative to the pipeline file, or a map that also says where to download it`,
    ),
  });

const common = {
  validation: Type.Integer({
    ...key('Number of training images to set aside for validation, chosen by the seed'),
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
        ...key('Real value of one pixel step: a number, or a fraction of two whole numbers'),
      }),
      mean: Type.Integer({
        ...key('Pixel value that becomes real 0'),
        minimum: 0,
        maximum: 255,
        default: 0,
      }),
    },
    { ...key('How pixel values 0..255 become real numbers: real = scale * (pixel - mean)'), default: {} },
  ),
  augment: object(
    {
      crop: Type.Integer({
        ...key(
          'Random crop: pad each side by this many black pixels (value 0 before `normalize`), then cut out a random window of the original size',
        ),
        minimum: 0,
        default: 0,
      }),
      flip: Type.Boolean({ ...key('Flip each image left to right with probability 1/2'), default: false }),
    },
    {
      ...key('Random changes to training images, new in each epoch; validation and test images are not changed'),
      default: {},
    },
  ),
};

const source = <const S extends string>(name: S) => Type.Literal(name, key('Kind of data source'));

const mnistSchema = object(
  {
    source: source('mnist'),
    path: Type.Optional(pathTo('Folder with the four idx files; default: the copy that comes with qpipe')),
    ...common,
  },
  { description: 'MNIST: digits in 10 classes, 28 x 28 pixels, grey' },
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
      ...key('Largest change of a pixel value by noise'),
      minimum: 0,
      maximum: 255,
      default: syntheticDefaults.noise,
    }),
    seed: Type.Integer({
      ...key('Random seed for the images; independent of the seed of the pipeline'),
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 1,
    }),
    ...common,
  },
  { description: 'Generated grey images; needs no files' },
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
      pathTo('Folder with the six files of the binary version, or with cifar-10-binary.tar.gz'),
      '`cifar10` in the data folder',
    ),
    download: Type.Optional(
      object(
        download,
        runtime('Where to download cifar-10-binary.tar.gz if the folder has neither the archive nor its files'),
      ),
    ),
    ...common,
  },
  { description: 'CIFAR-10: images in 10 classes, 32 x 32 pixels, colour' },
);

export const dataSchema = discriminated('source', [mnistSchema, syntheticSchema, idxSchema, cifar10Schema], {
  ...key('Images for training and testing'),
});

/** Everything present; `scale` is a number and paths are absolute. */
export type DataConfig = Static<typeof dataSchema>;

/**
 * Fills in the path of a data set for which the pipeline gives none: the first folder that has it, else the first.
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
