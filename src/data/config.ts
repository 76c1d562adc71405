import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { discriminated, key, object, runtime } from '../core/schema.ts';

// Paths are `runtime`: the cache key holds the digest of the images, wherever they lie.
const pathTo = (what: string) =>
  Type.Unsafe<string>({
    type: 'string',
    minLength: 1,
    'x-parse': 'path',
    ...runtime(`${what}; relative to the pipeline file`),
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
};

const source = <const S extends string>(name: S) => Type.Literal(name, key('Where the images come from'));

export const mnistSchema = object(
  { source: source('mnist'), path: Type.Optional(pathTo('Folder of the four idx files; default: the embedded set')), ...common },
  { description: 'MNIST, 28 x 28 grey digits in 10 classes' },
);

export const syntheticSchema = object(
  {
    source: source('synthetic'),
    classes: Type.Integer({ ...key('Number of classes'), minimum: 2, maximum: 1000, default: 10 }),
    size: Type.Integer({ ...key('Height and width of the images'), minimum: 4, maximum: 256, default: 16 }),
    train: Type.Integer({ ...key('Number of training images'), minimum: 1, default: 2000 }),
    test: Type.Integer({ ...key('Number of test images'), minimum: 1, default: 500 }),
    noise: Type.Number({
      ...key('Standard deviation of the noise as a share of the full pixel range'),
      minimum: 0,
      maximum: 1,
      default: 0.1,
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

export const idxSchema = object(
  {
    source: source('idx'),
    train_images: pathTo('Training images, idx or idx.gz'),
    train_labels: pathTo('Training labels, idx or idx.gz'),
    test_images: pathTo('Test images, idx or idx.gz'),
    test_labels: pathTo('Test labels, idx or idx.gz'),
    ...common,
  },
  { description: 'Any data set in the idx format of MNIST' },
);

export const cifar10Schema = object(
  { source: source('cifar10'), path: pathTo('Folder or archive of the binary version'), ...common },
  { description: 'CIFAR-10, 32 x 32 colour images in 10 classes' },
);

export const dataSchema = discriminated('source', [mnistSchema, syntheticSchema, idxSchema, cifar10Schema], {
  ...key('The images to train and test on'),
});

/** Everything present; `scale` is a number and paths are absolute. */
export type DataConfig = Static<typeof dataSchema>;
export type MnistConfig = Static<typeof mnistSchema>;
export type SyntheticConfig = Static<typeof syntheticSchema>;
export type IdxConfig = Static<typeof idxSchema>;
export type Cifar10Config = Static<typeof cifar10Schema>;
