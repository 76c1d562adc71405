/** Fields of `data` that several sources have. */
import { Type } from '@sinclair/typebox';
import { choice, key, object, runtime } from '../../core/schema.ts';
import { fills } from '../augment-pixels.ts';
import type { FileReference } from '../dataset.ts';
import { normalizeField } from '../normalize.ts';

// Paths are `runtime`: the cache key holds the digest of the examples, wherever their files lie.
export const pathTo = (what: string) =>
  Type.Unsafe<string>({
    type: 'string',
    minLength: 1,
    'x-parse': 'path',
    ...runtime(`${what}; relative to the pipeline file`),
  });

/** A path that leads to data, from the pipeline file or from the data folder. */
export const pathToData = (what: string) =>
  Type.Unsafe<string>({
    type: 'string',
    minLength: 1,
    'x-parse': 'path',
    ...runtime(`${what}; relative to the pipeline file, or else to the data folder`),
  });

/** What to do when it does not. */
export const missingFolder =
  'paths are relative to the pipeline file or to the data folder, which `--data` names: correct `path`, or put the data there';

/** Where a file can be had. */
export const download = {
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

export const file = (what: string) =>
  Type.Unsafe<FileReference>({
    ...object({ path: pathTo('Path of the file, or where to save the download'), ...download }),
    type: ['string', 'object'],
    minLength: 1,
    'x-parse': 'file',
    ...runtime(
      `${what} as idx or idx.gz: a path relative to the pipeline file, or a map that also says where to download it`,
    ),
  });

const augmentOptions = {
  ...key('Random changes to training examples, new in each epoch; validation and test examples are not changed'),
  default: {},
};

const share = (description: string, maximum: number) =>
  Type.Number({ ...key(description), minimum: 0, maximum, default: 0 });

const seriesAugmentFields = {
  shift: Type.Integer({
    ...key('Move each example by up to so many steps in time to either side; its first or last step is repeated'),
    minimum: 0,
    default: 0,
  }),
  scale: share('Multiply the values of each example by one random number, at most this far from 1', 1),
  jitter: Type.Number({
    ...key('Add normal noise with this standard deviation to each value, as the network gets it'),
    minimum: 0,
    default: 0,
  }),
};

/** `augment:` of sources whose examples run in time. */
export const seriesAugmentField = object(seriesAugmentFields, augmentOptions);

const mask = (what: string) =>
  Type.Integer({
    ...key(`SpecAugment: cover up to so many ${what} with the mean of the example`),
    minimum: 0,
    default: 0,
  });

/** That of features of sound. */
export const soundAugmentField = object(
  {
    gain: Type.Number({
      ...key('Make each recording louder or softer by up to so many decibels'),
      minimum: 0,
      maximum: 60,
      default: 0,
    }),
    time_shift: Type.Number({
      ...key('Move each recording by up to so many seconds to either side; silence takes the place of what moved'),
      minimum: 0,
      maximum: 60,
      default: 0,
    }),
    background: Type.Optional(
      object(
        {
          // Not in the key: the digest of the examples holds the noise, wherever its files lie.
          path: pathTo('Folder or archive of WAV files, of any length and rate'),
          snr: Type.Unsafe<readonly [number, number]>({
            type: 'array',
            items: { type: 'number', minimum: -60, maximum: 100 },
            minItems: 2,
            maxItems: 2,
            default: [5, 20],
            ...key('Decibels of the recording above the noise, [from, to]; below 0 the noise is louder'),
          }),
          share: Type.Number({ ...key('Part of the recordings that get noise'), minimum: 0, maximum: 1, default: 0.8 }),
        },
        key('Mix noise into training recordings, another piece of it in each epoch'),
      ),
    ),
    ...seriesAugmentFields,
    time_mask: mask('frames in a row'),
    frequency_mask: mask('neighbouring bands or coefficients'),
    masks: Type.Integer({ ...key('Number of masks of each kind'), minimum: 1, maximum: 100, default: 1 }),
  },
  augmentOptions,
);

const imageAugmentFields = {
  crop: Type.Integer({
    ...key(
      'Random crop: pad each side by this many black pixels (value 0 before `normalize`), then cut out a random window of the original size',
    ),
    minimum: 0,
    default: 0,
  }),
  flip: Type.Boolean({ ...key('Flip each image left to right with probability 1/2'), default: false }),
  rotation: share('Turn each image by up to this fraction of a full turn to either side', 0.5),
  translation: share('Move each image by up to this fraction of its height and width to either side', 1),
  zoom: Type.Number({
    ...key('Show up to this fraction more or less of each image, in both directions alike'),
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
  }),
  fill: choice(fills, {
    ...key(
      'What `rotation`, `translation` and `zoom` show beyond the border: the mirrored image, its outermost pixels, or black',
    ),
    default: 'reflect',
  }),
  brightness: share('Add one random value, up to this fraction of 255 to either side, to all pixels of an image', 1),
  contrast: share('Multiply the differences from the mean of a channel by a random number, at most this far from 1', 1),
  cutout: share('Cover a square of this fraction of the shorter side with the mean of the image', 1),
};

/** What every set of images has. */
export const imageFields = {
  validation: Type.Integer({
    ...key('Number of training images to set aside for validation, chosen by the seed'),
    minimum: 0,
    default: 0,
  }),
  normalize: normalizeField,
  augment: object(imageAugmentFields, augmentOptions),
};

/** `augment:` of arrays, which hold pixels or real values. */
export const anyAugmentField = object({ ...imageAugmentFields, ...seriesAugmentFields }, augmentOptions);
