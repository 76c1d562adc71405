/** What a person sees of the input of an example, or of an output that is one. */
import { roundHalfAway } from '../core/affine.ts';
import type { RealInputs, TestData } from '../data/dataset.ts';
import { pixelReader, realReader } from '../data/inputs.ts';
import type { FeaturesView, HeatView, MaskView, PictureView, SeriesView, View } from '../measurements/examples.ts';

/** Pixels of a side that a page shows at most: larger images are averaged over squares. */
export const LARGEST_SIDE = 96;
/** Points of a line, and lines, at most. */
const MOST_STEPS = 160;
const MOST_CHANNELS = 9;
const MOST_FEATURES = 16;

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export interface Viewer {
  /** Of the test example; null for what cannot be shown. */
  readonly input: (index: number) => View | null;
  /** Of values as the input's: pixels 0..255, or real values. */
  readonly values: (values: Uint8Array | Float32Array) => View | null;
}

export function viewerOf({ image, reals, decoding, test: { inputs, waves } }: TestData): Viewer {
  const { height, width, channels } = image;
  if (inputs.kind === 'pixels') {
    if (channels !== 1 && channels !== 3) return { input: () => null, values: () => null };
    const read = pixelReader(inputs);
    const values = (pixels: Uint8Array | Float32Array): View => pictureOf(pixels, width, height, channels);
    return { input: (index) => values(read(index)), values };
  }
  const read = realReader(inputs);
  const form = formOf(reals, image, decoding);
  const values = (of: Uint8Array | Float32Array): View => form(Float32Array.from(of));
  const input = (index: number): View => {
    const view = values(read(index));
    const wave = waves?.[index];
    return view.kind === 'heat' && wave !== undefined ? { ...view, wave } : view;
  };
  return { input, values };
}

/** Drawn by shape: a row is features or a series of them, everything else has two axes. */
function formOf(
  reals: RealInputs | undefined,
  { height, width, channels }: TestData['image'],
  decoding: TestData['decoding'],
): (values: Float32Array) => View {
  const named = reals?.channels ?? [];
  const channel = (at: number): Channel => named[at] ?? { name: `channel ${at}`, mean: 0, deviation: 1 };
  const steps = height * width;
  if (steps === 1) return (values) => featuresOf(values, channel);
  if (height === 1 || width === 1) return (values) => seriesOf(values, steps, channels, channel);
  const audio = decoding?.['audio'];
  const isSound = typeof audio === 'object' && audio !== null && 'seconds' in audio;
  const seconds = isSound && typeof audio['seconds'] === 'number' ? audio['seconds'] : null;
  const axes = isSound ? { across: 'time', up: 'frequency' } : { across: 'rows', up: 'columns' };
  const { mean, deviation } = channel(0);
  return (values) => ({
    ...heatOf(
      Float32Array.from({ length: steps }, (_, at) => mean + deviation * values[at * channels]!),
      { rows: height, columns: width },
    ),
    ...axes,
    ...{ seconds, wave: null },
  });
}

interface Channel {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** Five digits say more than a drawing shows, and keep records small. */
const rounded = (value: number): number => Number(value.toPrecision(5));

function featuresOf(values: Float32Array, channel: (at: number) => Channel): FeaturesView {
  const shown = Math.min(values.length, MOST_FEATURES);
  return {
    kind: 'features',
    features: Array.from({ length: shown }, (_, at) => {
      const { name, mean, deviation } = channel(at);
      return { name, value: rounded(mean + deviation * values[at]!), standard: rounded(values[at]!) };
    }),
    hidden: values.length - shown,
  };
}

function seriesOf(values: Float32Array, steps: number, channels: number, channel: (at: number) => Channel): SeriesView {
  const averaged = Math.ceil(steps / MOST_STEPS);
  const shown = Math.min(channels, MOST_CHANNELS);
  return {
    kind: 'series',
    ...{ steps, averaged },
    channels: Array.from({ length: shown }, (_, at) => {
      const { name, mean, deviation } = channel(at);
      const points = Array.from({ length: Math.ceil(steps / averaged) }, (_point, point) => {
        const [start, end] = [point * averaged, Math.min(steps, (point + 1) * averaged)];
        let sum = 0;
        for (let step = start; step < end; step++) sum += values[step * channels + at]!;
        return rounded(mean + (deviation * sum) / (end - start));
      });
      return { name, values: points };
    }),
    hidden: channels - shown,
  };
}

/** @param values [rows, columns], drawn with the rows from left to right and the first column at the bottom */
function heatOf(values: Float32Array, { rows, columns }: { rows: number; columns: number }) {
  const { width, height, data } = reduced(values, { width: columns, height: rows, channels: 1 });
  let [min, max] = [Infinity, -Infinity];
  for (const value of data) [min, max] = [Math.min(min, value), Math.max(max, value)];
  const turned = Uint8Array.from({ length: width * height }, (_, at) => {
    const [row, column] = [at % height, width - 1 - Math.floor(at / height)];
    return max === min ? 0 : roundHalfAway((255 * (data[row * width + column]! - min)) / (max - min));
  });
  const form: Pick<HeatView, 'kind' | 'width' | 'height' | 'values' | 'min' | 'max'> = {
    kind: 'heat',
    ...{ width: height, height: width, values: base64(turned), min: rounded(min), max: rounded(max) },
  };
  return form;
}

function pictureOf(pixels: ArrayLike<number>, width: number, height: number, channels: 1 | 3): PictureView {
  const { data, ...size } = reduced(pixels, { width, height, channels });
  return { kind: 'picture', ...size, channels, pixels: base64(Uint8Array.from(data, roundHalfAway)) };
}

/** @param labels of every pixel; of a large mask every n-th is shown */
export function maskOf(labels: Uint8Array, width: number, height: number): MaskView {
  const step = Math.ceil(Math.max(width, height) / LARGEST_SIDE);
  const size = { width: Math.ceil(width / step), height: Math.ceil(height / step) };
  const shown = Uint8Array.from({ length: size.width * size.height }, (_, at) => {
    const [row, column] = [Math.floor(at / size.width), at % size.width];
    return labels[row * step * width + column * step]!;
  });
  return { kind: 'mask', ...size, labels: base64(shown) };
}

/** The means of squares, so that no side is longer than what is shown; incomplete ones at the edges are of what there is. */
function reduced(
  values: ArrayLike<number>,
  { width, height, channels }: { width: number; height: number; channels: number },
): { width: number; height: number; data: Float64Array } {
  const step = Math.ceil(Math.max(width, height) / LARGEST_SIDE);
  const size = { width: Math.ceil(width / step), height: Math.ceil(height / step) };
  const data = Float64Array.from({ length: size.width * size.height * channels }, (_, at) => {
    const [pixel, channel] = [Math.floor(at / channels), at % channels];
    const [top, left] = [Math.floor(pixel / size.width) * step, (pixel % size.width) * step];
    const [bottom, right] = [Math.min(height, top + step), Math.min(width, left + step)];
    let sum = 0;
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) sum += values[(row * width + column) * channels + channel]!;
    }
    return sum / ((bottom - top) * (right - left));
  });
  return { ...size, data };
}
