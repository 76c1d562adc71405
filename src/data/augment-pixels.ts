/** Random changes to images that compute new pixel values, named and measured as Keras's preprocessing layers. */
import { roundHalfEven } from '../core/affine.ts';
import { cosinePi } from '../core/math.ts';
import { createRandom } from '../core/random.ts';
import type { ImageShape } from './dataset.ts';

export interface PixelChanges {
  /** Turned about the centre by up to this fraction of a full turn, to either side. */
  readonly rotation: number;
  /** Moved by up to this fraction of its height and of its width, to either side. */
  readonly translation: number;
  /** Shows up to this much more or less of the image: 0.1 is 1.1 to 0.9 times its sides. */
  readonly zoom: number;
  /** What is seen beyond the border after these three. */
  readonly fill: Fill;
  /** The same value, up to this fraction of 255 to either side, is added to all pixels. */
  readonly brightness: number;
  /** Differences from the mean of their channel are multiplied by one number within 1 - contrast .. 1 + contrast. */
  readonly contrast: number;
  /** Side of a square that takes the mean of each channel, as a fraction of the shorter side of the image. */
  readonly cutout: number;
}

/** reflect: d c b a | a b c d | d c b a; nearest: a a a a | a b c d | d d d d; constant: black. */
export const fills = ['reflect', 'nearest', 'constant'] as const;
export type Fill = (typeof fills)[number];

/** What happens to one image; each is uniform within its limits. */
export interface DrawnChanges {
  /** Of a full turn, against the clock. */
  readonly turn: number;
  /** In pixels. */
  readonly down: number;
  readonly right: number;
  /** How much of the image is seen, as a multiple of its sides: above 1 it looks smaller. */
  readonly seen: number;
  readonly contrast: number;
  /** Added to each pixel. */
  readonly brightness: number;
  /** Centre of the square that is cut out, and its side. */
  readonly cut: { readonly y: number; readonly x: number; readonly side: number };
}

/**
 * Draws what happens to the example at a position of an epoch's order. It depends on seed, epoch and position alone, and
 * setting one change leaves what is drawn for the others.
 */
export function drawChanges(
  seed: number,
  epoch: number,
  position: number,
  changes: PixelChanges,
  { height, width }: ImageShape,
): DrawnChanges {
  const random = createRandom(seed, 'augmentation', String(epoch), String(position), 'pixels');
  const within = (limit: number): number => limit * (2 * random.float() - 1);
  return {
    turn: within(changes.rotation),
    down: within(changes.translation) * height,
    right: within(changes.translation) * width,
    seen: 1 + within(changes.zoom),
    contrast: 1 + within(changes.contrast),
    brightness: within(changes.brightness) * 255,
    cut: {
      y: random.below(height),
      x: random.below(width),
      side: Math.round(changes.cutout * Math.min(height, width)),
    },
  };
}

/** Null where nothing is asked for. The result is good until the next call. */
export function pixelChanger(
  seed: number,
  epoch: number,
  changes: PixelChanges,
  shape: ImageShape,
): ((image: Uint8Array, position: number) => Uint8Array) | null {
  const { rotation, translation, zoom, fill, brightness, contrast, cutout } = changes;
  const moves = rotation > 0 || translation > 0 || zoom > 0;
  if (!moves && brightness === 0 && contrast === 0 && cutout === 0) return null;
  const values = new Float32Array(shape.height * shape.width * shape.channels);
  const pixels = new Uint8Array(values.length);
  return (image, position) => {
    const drawn = drawChanges(seed, epoch, position, changes, shape);
    if (moves) warp(image, shape, drawn, fill, values);
    else values.set(image);
    if (contrast > 0 || brightness > 0) changeColors(values, shape.channels, drawn);
    if (drawn.cut.side > 0) cutOut(values, shape, drawn.cut);
    for (let at = 0; at < pixels.length; at++) pixels[at] = Math.min(255, Math.max(0, roundHalfEven(values[at]!)));
    return pixels;
  };
}

/**
 * The same for the mask of an image: each of its pixels takes the class that lies nearest, 0 beyond a black border. Null
 * where nothing moves.
 *
 * @param shape of the image
 */
export function maskMover(
  seed: number,
  epoch: number,
  changes: PixelChanges,
  shape: ImageShape,
): ((mask: Uint8Array, position: number) => Uint8Array) | null {
  const { rotation, translation, zoom, fill } = changes;
  if (rotation === 0 && translation === 0 && zoom === 0) return null;
  const { height, width } = shape;
  const moved = new Uint8Array(height * width);
  return (mask, position) => {
    eachSource(shape, drawChanges(seed, epoch, position, changes, shape), fill, (to, fromX, fromY) => {
      const [x, y] = [Math.floor(fromX + 0.5), Math.floor(fromY + 0.5)];
      moved[to] = x >= 0 && x < width && y >= 0 && y < height ? mask[y * width + x]! : 0;
    });
    return moved;
  };
}

/**
 * Turns, then moves, then zooms, all about the centre, in one bilinear interpolation: as TensorFlow's
 * ImageProjectiveTransformV3 with the product of the three transforms of Keras.
 *
 * @param out as long as the image; values before rounding
 */
export function warp(image: Uint8Array, shape: ImageShape, moves: Moves, fill: Fill, out: Float32Array): void {
  const { height, width, channels } = shape;
  eachSource(shape, moves, fill, (to, fromX, fromY) => {
    const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
    const [byX, byY] = [fromX - left, fromY - top];
    const [hasTop, hasBottom] = [top >= 0 && top < height, top >= -1 && top < height - 1];
    const [hasLeft, hasRight] = [left >= 0 && left < width, left >= -1 && left < width - 1];
    const at = (top * width + left) * channels;
    const below = at + width * channels;
    for (let channel = 0; channel < channels; channel++) {
      const a = hasTop && hasLeft ? image[at + channel]! : 0;
      const b = hasTop && hasRight ? image[at + channels + channel]! : 0;
      const c = hasBottom && hasLeft ? image[below + channel]! : 0;
      const d = hasBottom && hasRight ? image[below + channels + channel]! : 0;
      out[to * channels + channel] = (1 - byY) * ((1 - byX) * a + byX * b) + byY * ((1 - byX) * c + byX * d);
    }
  });
}

type Moves = Pick<DrawnChanges, 'turn' | 'down' | 'right' | 'seen'>;

/** Calls back for each pixel of the result, in order, with the place in the image that it shows. */
function eachSource(
  { height, width }: Pick<ImageShape, 'height' | 'width'>,
  { turn, down, right, seen }: Moves,
  fill: Fill,
  take: (to: number, fromX: number, fromY: number) => void,
): void {
  const half = Math.abs(2 * turn);
  const cosine = cosinePi(half);
  const sine = Math.sign(turn) * cosinePi(Math.abs(0.5 - half));
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  for (let y = 0; y < height; y++) {
    const v = (y - middleY) * seen - down;
    for (let x = 0; x < width; x++) {
      const u = (x - middleX) * seen - right;
      const fromX = beyond(middleX + cosine * u - sine * v, width, fill);
      take(y * width + x, fromX, beyond(middleY + sine * u + cosine * v, height, fill));
    }
  }
}

/** Where a coordinate beyond the border is read. */
function beyond(coordinate: number, length: number, fill: Fill): number {
  if (fill === 'constant') return coordinate;
  if (fill === 'nearest' || length === 1) return Math.min(length - 1, Math.max(0, coordinate));
  const period = 2 * length;
  const inPeriod = coordinate - period * Math.floor(coordinate / period);
  const mirrored = inPeriod >= length ? period - 1 - inPeriod : inPeriod;
  // Between the two copies of the last pixel, and before the first.
  return Math.min(length - 1, Math.max(0, mirrored));
}

/** Contrast, then brightness; each ends at black and white. */
export function changeColors(
  values: Float32Array,
  channels: number,
  { contrast, brightness }: Pick<DrawnChanges, 'contrast' | 'brightness'>,
): void {
  for (let channel = 0; channel < channels; channel++) {
    const mean = meanOf(values, channel, channels);
    for (let at = channel; at < values.length; at += channels) {
      const stretched = clip(mean + contrast * (values[at]! - mean));
      values[at] = clip(stretched + brightness);
    }
  }
}

const clip = (value: number): number => Math.min(255, Math.max(0, value));

function meanOf(values: Float32Array, channel: number, channels: number): number {
  let sum = 0;
  for (let at = channel; at < values.length; at += channels) sum += values[at]!;
  return (sum * channels) / values.length;
}

/** A square about its centre, as far as it lies on the image; cutout of DeVries and Taylor, arXiv:1708.04552. */
export function cutOut(
  values: Float32Array,
  { height, width, channels }: ImageShape,
  { y, x, side }: DrawnChanges['cut'],
): void {
  const means = Array.from({ length: channels }, (_, channel) => meanOf(values, channel, channels));
  const [top, left] = [y - Math.floor(side / 2), x - Math.floor(side / 2)];
  for (let row = Math.max(0, top); row < Math.min(height, top + side); row++) {
    for (let column = Math.max(0, left); column < Math.min(width, left + side); column++) {
      const at = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) values[at + channel] = means[channel]!;
    }
  }
}
