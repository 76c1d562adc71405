/** Photographs in folders that name their class. */
import { roundHalfEven } from '../../core/affine.ts';
import type { Static } from '@sinclair/typebox';
import { choice, key, object, pair } from '../../core/schema.ts';
import { defaultMaxPixels, ImageDecoder, imageSize } from '../../formats/image.ts';
import { resize } from '../../formats/resize.ts';
import type { ClassFile } from '../class-folders.ts';
import { decodeClassFiles } from '../class-examples.ts';
import { classFolders } from '../class-folders.ts';
import type { DataContent, DecodedData } from '../dataset.ts';
import type { Decoding, ReadFile } from '../decoding/decoding.ts';
import { examplesOfClasses, medianOf, spread, tally } from '../facts.ts';
import type { SourceFacts } from '../facts.ts';
import { brokenFiles, collectBroken, ignoredNotes } from '../mistakes.ts';
import { guessedSplit, makeParts, splitField } from '../parts.ts';
import { defineSource, sourceFields } from './define.ts';
import type { GuessedSettings } from './define.ts';
import { imageFields, missingFolder, pathToData } from './fields.ts';

const imageField = object(
  {
    size: pair([64, [48, 64]], key('Size to which every image is resized: one whole number, or [height, width]')),
    color: choice(['rgb', 'grey'], { ...key('Colours, or their luminance'), default: 'rgb' }),
    aspect: choice(['stretch', 'crop', 'pad'], {
      ...key('What to do with images of another aspect ratio: stretch them, cut out the centre, or add black bars'),
      default: 'stretch',
    }),
    interpolation: choice(['bilinear', 'area'], {
      ...key('How pixels are computed, as in `tf.image.resize`: area averages, which suits much smaller images'),
      default: 'bilinear',
    }),
    exif: choice(['apply', 'ignore'], {
      ...key('Whether an image is turned as its EXIF orientation says; TensorFlow does not'),
      default: 'apply',
    }),
  },
  key('How files become images of one size'),
);

const { augment, normalize } = imageFields;

const schema = sourceFields('image_folder', 'JPEG and PNG files in folders that name their class', {
  path: pathToData(
    'Folder, .zip or .tar of the classes, `<class>/<file>`, or of the parts, `train/<class>/<file>` and `test/…`',
  ),
  image: imageField,
  split: splitField,
  broken: brokenFiles,
  normalize,
  augment,
});

export type ImageFolderSource = { readonly kind: 'image_folder' } & Pick<
  Static<typeof schema>,
  'path' | 'image' | 'split' | 'broken'
>;

const isImage = (name: string): boolean => /\.(jpe?g|png)$/.test(name);

export const imageFolder = defineSource({
  kind: 'image_folder',
  schema,
  from: ({ path, image, split, broken }): ImageFolderSource => ({ kind: 'image_folder', path, image, split, broken }),
  tree: ({ path }) => path,
  files: () => [],
  unreadable: 'make the file readable, or take it out of the folder',
  missing: { kind: 'together', field: 'path', hint: missingFolder },
  knownSize: () => null,
  recipe: ({ image, split, broken }) => ({ image: { ...image, size: [...image.size] }, split: { ...split }, broken }),
  decode: decodeFolder,
  readFile: imageReader,
  describe,
  guess: { what: 'JPEG and PNG files in class folders', accepts: isImage, settings: guessSettings },
});

const channelsOf = ({ image }: ImageFolderSource): number => (image.color === 'rgb' ? 3 : 1);

async function decodeFolder(
  source: ImageFolderSource,
  contents: ReadonlyMap<string, DataContent>,
  decoding: Decoding,
): Promise<DecodedData> {
  const folders = classFolders(source.path, contents, isImage);
  const [height, width] = source.image.size;
  const channels = channelsOf(source);
  const broken = collectBroken(source.broken);
  const size = height * width * channels;
  const given = await decodeClassFiles(decoding, { path: source.path, folders, broken, kind: 'pixels', size });
  const { notes, ...parts } = await makeParts(given, source.split, decoding.turn);
  return {
    name: source.path,
    classNames: folders.classNames,
    image: { height, width, channels },
    notes: [...ignoredNotes(folders.ignored), ...broken.notes(), ...notes],
    decoding: { image: { ...source.image, size: [height, width] } },
    ...parts,
  };
}

function imageReader(source: ImageFolderSource): ReadFile {
  const { size, color, aspect, interpolation, exif } = source.image;
  const [height, width] = size;
  const decoder = new ImageDecoder();
  const options = { color, orient: exif === 'apply', maxPixels: defaultMaxPixels };
  return ({ bytes, path }) => {
    const image = decoder.decode(bytes, path, options);
    const { pixels } = resize(image, { height, width }, interpolation, aspect === 'stretch' ? 'fit' : aspect);
    const values = new Uint8Array(height * width * channelsOf(source));
    // To the nearest, half to even, as `tf.cast(tf.round(…), tf.uint8)`.
    for (let at = 0; at < values.length; at++) values[at] = roundHalfEven(pixels[at]!);
    return { values, fact: null };
  };
}

/** Sizes from the headers; more than this many are shown as a spread too. */
const mostSizes = 8;

function sizesOf(files: readonly ClassFile[], isOriented: boolean) {
  return files.flatMap(({ name, content }) => {
    const size = imageSize(content.bytes, isOriented);
    return size === null ? [] : [{ name, ...size }];
  });
}

function describe({ path, image }: ImageFolderSource, contents: ReadonlyMap<string, DataContent>): SourceFacts {
  const folders = classFolders(path, contents, isImage);
  const sizes = sizesOf(Object.values(folders.files).flat(), image.exif === 'apply');
  const sizeTally = tally(
    'size',
    sizes.map(({ name, width, height }) => ({ name, value: `${width} x ${height}` })),
  );
  const spreads = (['width', 'height'] as const).map((side) =>
    spread(
      side,
      'pixels',
      sizes.map(({ name, [side]: value }) => ({ name, value })),
    ),
  );
  return {
    exampleFiles: examplesOfClasses(folders),
    tallies: [sizeTally],
    spreads: sizeTally.values.length > mostSizes ? spreads : [],
  };
}

const sizeStep = 16;
const largestGuess = 96;
/** Images are decoded to see whether they have colours; that many show it. */
const numColorSamples = 24;
/** Largest difference of two channels, averaged over an image, that JPEG makes of grey. */
const greyTolerance = 2;

function guessSettings(path: string, contents: ReadonlyMap<string, DataContent>): GuessedSettings {
  const { files } = classFolders(path, contents, isImage);
  const all = Object.values(files).flat();
  const sides = sizesOf(all, true).map(({ width, height }) => Math.min(width, height));
  const median = medianOf(sides.sort((a, b) => a - b));
  const size = Math.min(largestGuess, Math.max(sizeStep, sizeStep * Math.round(median / sizeStep)));
  const color = areGrey(all) ? 'grey' : 'rgb';
  // Averages use every pixel of an image that is made much smaller; bilinear interpolation uses four.
  const interpolation = median >= 2 * size ? ', interpolation: area' : '';
  return {
    found: [
      `half of the images are at least ${median} pixels high and wide`,
      color === 'grey' ? 'the images have no colours' : 'the images have colours',
    ],
    lines: [
      {
        yaml: `image: { size: ${size}, color: ${color}${interpolation} }`,
        comment: 'every image is resized; smaller is faster and needs less memory on the device',
      },
      ...guessedSplit(files),
      { yaml: 'augment: { crop: 4 }', comment: 'training images are shifted by up to 4 pixels; `flip: true` mirrors' },
    ],
  };
}

function areGrey(files: readonly ClassFile[]): boolean {
  const decoder = new ImageDecoder();
  // Broken files are told where all are decoded.
  const broken = collectBroken('skip');
  const options = { color: 'rgb', orient: false, maxPixels: defaultMaxPixels } as const;
  const step = Math.max(1, Math.floor(files.length / numColorSamples));
  return files
    .filter((_, index) => index % step === 0)
    .every(({ name, content }) => {
      const image = broken.attempt(name, () => decoder.decode(content.bytes, content.path, options));
      return image === null || isGrey(image.pixels);
    });
}

/** @param pixels red, green and blue in turn */
function isGrey(pixels: Uint8Array): boolean {
  let difference = 0;
  for (let at = 0; at < pixels.length; at += 3) {
    const [red, green, blue] = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
    difference += Math.max(red, green, blue) - Math.min(red, green, blue);
  }
  return difference <= (greyTolerance * pixels.length) / 3;
}
