/** Photographs in folders that name their class. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, key, object } from '../../core/schema.ts';
import { defaultMaxPixels, ImageDecoder } from '../../formats/image.ts';
import { resize } from '../../formats/resize.ts';
import type { ClassFile } from '../class-folders.ts';
import { classFolders } from '../class-folders.ts';
import type { DataContent, DecodedData } from '../dataset.ts';
import type { Mistakes } from '../mistakes.ts';
import { collectMistakes, ignoredNotes } from '../mistakes.ts';
import type { PartExamples } from '../parts.ts';
import { makeParts, splitField } from '../parts.ts';
import { defineSource, sourceFields } from './define.ts';
import { imageFields, missingFolder, pathToData } from './fields.ts';

const imageField = object(
  {
    size: Type.Unsafe<readonly [number, number]>({
      type: ['integer', 'array'],
      minimum: 1,
      items: { type: 'integer', minimum: 1 },
      minItems: 2,
      maxItems: 2,
      examples: [64, [48, 64]],
      'x-parse': 'pair',
      ...key('Size to which every image is resized: one whole number, or [height, width]'),
    }),
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
  normalize,
  augment,
});

export type ImageFolderSource = { readonly kind: 'image_folder' } & Pick<
  Static<typeof schema>,
  'path' | 'image' | 'split'
>;

const extensions = /\.(jpe?g|png)$/;

export const imageFolder = defineSource({
  kind: 'image_folder',
  schema,
  from: ({ path, image, split }): ImageFolderSource => ({ kind: 'image_folder', path, image, split }),
  tree: ({ path }) => path,
  files: () => [],
  unreadable: 'make the file readable, or take it out of the folder',
  missing: { kind: 'together', field: 'path', hint: missingFolder },
  knownSize: () => null,
  recipe: ({ image, split }) => ({ image: { ...image, size: [...image.size] }, split: { ...split } }),
  decode: decodeFolder,
});

function decodeFolder(source: ImageFolderSource, contents: ReadonlyMap<string, DataContent>): DecodedData {
  const { classNames, files, ignored } = classFolders(source.path, contents, (name) => extensions.test(name));
  const [height, width] = source.image.size;
  const mistakes = collectMistakes();
  const given = Object.fromEntries(
    Object.entries(files).map(([part, list]) => [part, decodeImages(source, list, mistakes)]),
  );
  mistakes.check();
  const { notes, ...parts } = makeParts(given, source.split);
  return {
    name: source.path,
    classNames,
    image: { height, width, channels: source.image.color === 'rgb' ? 3 : 1 },
    notes: [...ignoredNotes(ignored), ...notes],
    ...parts,
  };
}

function decodeImages(
  { image: { size, color, aspect, interpolation, exif } }: ImageFolderSource,
  files: readonly ClassFile[],
  mistakes: Mistakes,
): PartExamples {
  const [height, width] = size;
  const decoder = new ImageDecoder();
  const options = { color, orient: exif === 'apply', maxPixels: defaultMaxPixels };
  const length = height * width * (color === 'rgb' ? 3 : 1);
  const inputs = new Uint8Array(files.length * length);
  for (const [index, { content }] of files.entries()) {
    const resized = mistakes.attempt(() => {
      const image = decoder.decode(content.bytes, content.path, options);
      return resize(image, { height, width }, interpolation, aspect === 'stretch' ? 'fit' : aspect);
    });
    if (resized === null) continue;
    // To the nearest, half to even, as `tf.cast(tf.round(…), tf.uint8)`.
    for (let at = 0; at < length; at++) inputs[index * length + at] = roundHalfEven(resized.pixels[at]!);
  }
  return {
    split: { count: files.length, inputs, labels: Uint16Array.from(files, ({ label }) => label), targets: null },
    origins: files.map(({ name }) => ({ name, recording: name })),
  };
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
