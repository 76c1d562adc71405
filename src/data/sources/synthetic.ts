import { Type } from '@sinclair/typebox';
import { createRandom } from '../../core/random.ts';
import type { Random } from '../../core/random.ts';
import { choice, key } from '../../core/schema.ts';
import type { DecodedData, Split } from '../dataset.ts';
import { squareSize } from '../dataset.ts';
import { inputsOf } from '../inputs.ts';
import { defineSource, sourceFields } from './define.ts';
import { imageFields } from './fields.ts';

/**
 * Grey images of simple shapes at random places, sizes and brightness, with noise: a task that needs no download and
 * that a small network learns almost but not quite. Integers only, so the same bytes on every machine.
 */
export interface SyntheticSource {
  readonly kind: 'synthetic';
  /** 2 .. 10. */
  readonly classes: number;
  /** Height and width in pixels, 12 or more. */
  readonly size: number;
  readonly trainCount: number;
  readonly testCount: number;
  /** Largest change of a pixel by noise, 0 .. 255 grey levels. */
  readonly noise: number;
  readonly seed: number;
  /** Left out for classes: an image of one shape each. */
  readonly answers?: 'labels' | 'masks';
}

/** A network of two convolutions of 8 and 16 channels and a dense layer of 64 gets 97 % after 8 epochs. */
export const syntheticDefaults = { classes: 10, size: 16, trainCount: 4096, testCount: 1024, noise: 16 };

/**
 * Whether a point is inside. All in half pixels, relative to the shape's centre, y downward: `x` and `y` the point,
 * `r` the distance of the edge, `t` the thickness of lines.
 */
type Shape = (x: number, y: number, r: number, t: number) => boolean;

const square: Shape = (x, y, r) => Math.max(Math.abs(x), Math.abs(y)) <= r;
const disc: Shape = (x, y, r) => x * x + y * y <= r * r;

const shapes: readonly { readonly name: string; readonly contains: Shape }[] = [
  { name: 'disc', contains: disc },
  { name: 'square', contains: square },
  { name: 'plus', contains: (x, y, r, t) => square(x, y, r, t) && 2 * Math.min(Math.abs(x), Math.abs(y)) <= t },
  { name: 'cross', contains: (x, y, r, t) => square(x, y, r, t) && Math.abs(Math.abs(x) - Math.abs(y)) < t },
  { name: 'ring', contains: (x, y, r, t) => disc(x, y, r, t) && !disc(x, y, r - t, t) },
  { name: 'frame', contains: (x, y, r, t) => square(x, y, r, t) && !square(x, y, r - t, t) },
  { name: 'triangle', contains: (x, y, r, t) => square(x, y, r, t) && 2 * Math.abs(x) <= y + r },
  { name: 'diamond', contains: (x, y, r) => Math.abs(x) + Math.abs(y) <= r },
  { name: 'rows', contains: (x, y, r, t) => square(x, y, r, t) && Math.abs(y) > r - t },
  { name: 'columns', contains: (x, y, r, t) => square(x, y, r, t) && Math.abs(x) > r - t },
];

/** Every class is equally frequent, up to one example. */
export function makeSynthetic(source: SyntheticSource): DecodedData {
  const { classes, size, trainCount, testCount, seed, answers } = source;
  const names = shapes.slice(0, classes).map(({ name }) => name);
  return {
    name: 'synthetic',
    classNames: answers === 'labels' ? [] : answers === 'masks' ? ['background', ...names] : names,
    ...(answers === 'labels' && { tags: names }),
    ...(answers === 'masks' && { hasMasks: true }),
    image: { height: size, width: size, channels: 1 },
    train: makeSplit(source, trainCount, createRandom(seed, 'synthetic', 'train')),
    test: makeSplit(source, testCount, createRandom(seed, 'synthetic', 'test')),
  };
}

function makeSplit(source: SyntheticSource, count: number, random: Random): Split {
  if (source.answers !== undefined) return makeScenes(source, source.answers, count, random);
  const imageBytes = source.size * source.size;
  const images = new Uint8Array(count * imageBytes);
  const labels = Uint8Array.from({ length: count }, (_, index) => index % source.classes);
  labels.forEach((label, index) => {
    draw(source, label, random, images.subarray(index * imageBytes, (index + 1) * imageBytes));
  });
  return { count, inputs: inputsOf(images, imageBytes), labels, targets: null };
}

/** Images of none to three shapes, one over the other: which there are, or which is at each pixel. */
function makeScenes(source: SyntheticSource, answers: 'labels' | 'masks', count: number, random: Random): Split {
  const { classes, size, noise } = source;
  const imageBytes = size * size;
  const images = new Uint8Array(count * imageBytes);
  const masks = new Uint8Array(count * imageBytes);
  const targets = new Float32Array(count * classes);
  for (let index = 0; index < count; index++) {
    const image = images.subarray(index * imageBytes, (index + 1) * imageBytes).fill(random.below(64));
    const mask = masks.subarray(index * imageBytes, (index + 1) * imageBytes);
    for (let shape = random.below(4); shape > 0; shape--) {
      const label = random.below(classes);
      place(size, label, random, (pixel, grey) => {
        image[pixel] = grey;
        mask[pixel] = label + 1;
      });
    }
    for (let pixel = 0; pixel < imageBytes; pixel++) {
      // A shape that another one hides is not there.
      const shape = mask[pixel]!;
      if (shape > 0) targets[index * classes + shape - 1] = 1;
      image[pixel] = Math.min(Math.max(image[pixel]! + random.below(2 * noise + 1) - noise, 0), 255);
    }
  }
  const inputs = inputsOf(images, imageBytes);
  return answers === 'labels'
    ? { count, inputs, labels: null, targets }
    : { count, inputs, labels: null, targets: null, masks: inputsOf(masks, imageBytes) };
}

/** Calls back for every pixel inside of a shape that lies anywhere. */
function place(size: number, label: number, random: Random, paint: (pixel: number, grey: number) => void): void {
  const { contains } = shapes[label]!; // label < classes <= 10
  const smallest = Math.floor(size / 3);
  const r = smallest + random.below(Math.floor(size / 2) - smallest + 1);
  const t = 2 + Math.floor(r / 4);
  const room = 2 * size - 2 - 2 * r + 1;
  const [centerX, centerY, grey] = [r + random.below(room), r + random.below(room), 96 + random.below(128)];
  for (let pixel = 0; pixel < size * size; pixel++) {
    if (contains(2 * (pixel % size) - centerX, 2 * Math.floor(pixel / size) - centerY, r, t)) paint(pixel, grey);
  }
}

function draw({ size, noise }: SyntheticSource, label: number, random: Random, out: Uint8Array): void {
  const { contains } = shapes[label]!; // label < classes <= 10
  // From a third to three quarters of the image across.
  const smallest = Math.floor(size / 3);
  const r = smallest + random.below(Math.floor((3 * size) / 4) - smallest + 1);
  const t = 2 + Math.floor(r / 4);
  // The whole shape stays inside: 0 .. 2 size - 2 are the centres of the first and the last pixel.
  const room = 2 * size - 2 - 2 * r + 1;
  const centerX = r + random.below(room);
  const centerY = r + random.below(room);
  const background = random.below(64);
  const contrast = 64 + random.below(128);
  for (let pixel = 0; pixel < out.length; pixel++) {
    const x = 2 * (pixel % size) - centerX;
    const y = 2 * Math.floor(pixel / size) - centerY;
    const grey = background + (contains(x, y, r, t) ? contrast : 0) + random.below(2 * noise + 1) - noise;
    out[pixel] = Math.min(Math.max(grey, 0), 255);
  }
}

export const synthetic = defineSource({
  kind: 'synthetic',
  schema: sourceFields('synthetic', 'Generated grey images; needs no files', {
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
    answers: choice(['class', 'labels', 'masks'], {
      ...key(
        'What is known of an image: the class of its one shape; which shapes are among its none to three (labels); or which shape is at each pixel (masks)',
      ),
      default: 'class',
    }),
    ...imageFields,
  }),
  from: ({ classes, size, train: trainCount, test: testCount, noise, seed, answers }): SyntheticSource => ({
    ...{ kind: 'synthetic', classes, size, trainCount, testCount, noise, seed },
    ...(answers !== 'class' && { answers }),
  }),
  files: () => [],
  unreadable: 'nothing to read',
  missing: { kind: 'together', field: 'source', hint: 'nothing to read' },
  knownSize: ({ size, classes, trainCount, answers }) => {
    if (answers === undefined) return squareSize(size, 1, classes, trainCount);
    const { classNames: names, ...form } = squareSize(size, 1, classes, trainCount);
    return answers === 'labels'
      ? { ...form, classNames: [], tags: names }
      : { ...form, classNames: ['background', ...names], hasMasks: true };
  },
  recipe: ({ classes, size, trainCount, testCount, noise, seed, answers }) => ({
    source: { classes, size, trainCount, testCount, noise, seed, ...(answers && { answers }) },
  }),
  decode: makeSynthetic,
});
