/** What an example looks like: images as images, sounds as spectrograms, series as lines, features as bars. */
import { writePng } from '../formats/png-write.ts';
import type { FeaturesView, HeatView, MaskView, PictureView, SeriesView, View } from '../measurements/examples.ts';
import { fixed, significant } from './format.ts';
import { markup } from './markup.ts';
import type { Markup } from './markup.ts';

type Color = readonly [red: number, green: number, blue: number];

/** Colours that people with any colour vision tell apart. @see Okabe and Ito 2008, Color Universal Design */
export const maskColors: readonly Color[] = [
  [0, 0, 0],
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
  [255, 255, 255],
];

/** From dark to light with even steps of lightness: five colours of viridis. @see https://bids.github.io/colormap */
const heatStops: readonly Color[] = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

const heatColors: readonly Color[] = Array.from({ length: 256 }, (_, value) => {
  const at = (value / 255) * (heatStops.length - 1);
  const from = Math.min(heatStops.length - 2, Math.floor(at));
  const mixed = (channel: 0 | 1 | 2): number => {
    const [a = 0, b = 0] = [heatStops[from]?.[channel], heatStops[from + 1]?.[channel]];
    return Math.round(a + (at - from) * (b - a));
  };
  return [mixed(0), mixed(1), mixed(2)];
});

/** @param label what it is, for people who do not see it */
export function drawView(view: View, label: string): Markup {
  switch (view.kind) {
    case 'picture':
      return picture(view, label);
    case 'mask':
      return mask(view, label);
    case 'heat':
      return heat(view, label);
    case 'series':
      return series(view, label);
    case 'features':
      return features(view);
  }
}

const bytesOf = (base64: string): Uint8Array => Buffer.from(base64, 'base64');
const dataUri = (file: Uint8Array): string => `data:image/png;base64,${Buffer.from(file).toString('base64')}`;

/** Side on the page that small images are enlarged to, by a whole factor. */
const SHOWN_SIDE = 96;

const image = (file: Uint8Array, { width, height }: { width: number; height: number }, label: string): Markup => {
  const times = Math.max(1, Math.floor(SHOWN_SIDE / Math.max(width, height)));
  return markup`<img class="pixels" alt="${label}" width="${width * times}" height="${height * times}" src="${dataUri(file)}">`;
};

function picture(view: PictureView, label: string): Markup {
  const { width, height, channels: samples } = view;
  return image(writePng({ width, height, samples, pixels: bytesOf(view.pixels) }), view, label);
}

function mask(view: MaskView, label: string): Markup {
  const { width, height } = view;
  const pixels = bytesOf(view.labels).map((of) => of % maskColors.length);
  return image(writePng({ width, height, samples: 1, pixels, palette: maskColors }), view, label);
}

function heat(view: HeatView, label: string): Markup {
  const { width, height, seconds, across, up, min, max, wave } = view;
  const file = writePng({ width, height, samples: 1, pixels: bytesOf(view.values), palette: heatColors });
  const time = seconds === null ? across : `${across}, ${significant(seconds)} s`;
  return markup`<div class="heat">${wave === null ? null : waveform(bytesOf(wave))}
<img alt="${label}: ${up} over ${across}" width="${width}" height="${height}" src="${dataUri(file)}">
<small>\u2192 ${time} \u00b7 \u2191 ${up} \u00b7 dark ${significant(min)}, bright ${significant(max)}</small></div>`;
}

/**
 * Quiet recordings fill the drawing as loud ones do.
 *
 * @param envelope pairs of int8: the lowest and the highest sample of each stretch
 */
function waveform(envelope: Uint8Array): Markup {
  const samples = new Int8Array(envelope);
  const columns = samples.length / 2;
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const parts = Array.from({ length: columns }, (_, at) => {
    const [low = 0, high = 0] = [samples[2 * at], samples[2 * at + 1]];
    // A stretch of silence is a line too.
    return `M${at} ${-high}V${Math.max(-low, peak / 64 - high)}`;
  });
  return markup`<svg class="wave" viewBox="0 ${-peak} ${columns} ${2 * peak}" preserveAspectRatio="none" role="img" aria-label="the samples of the recording, the loudest at ${fixed((100 * peak) / 127, 0)} % of full scale"><path d="${parts.join('')}"/></svg>`;
}

function series({ channels, steps, averaged, hidden }: SeriesView, label: string): Markup {
  const notes = [
    averaged > 1 ? `a point is the mean of ${averaged} of ${steps} steps` : `${steps} steps`,
    ...(hidden > 0 ? [`${hidden} more channels are not shown`] : []),
  ];
  return markup`<div class="series">${channels.map(({ name, values }, at) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return markup`<div><span class="name">${name}</span><span class="range">${significant(low)} to ${significant(high)}</span>
<svg viewBox="0 0 ${Math.max(1, values.length - 1)} 100" preserveAspectRatio="none" role="img" aria-label="${label}: ${name} over steps"><path class="curve c${at % 6}" d="${line(values, low, high)}"/></svg></div>`;
  })}<small>${notes.join('; ')}</small></div>`;
}

function line(values: readonly number[], low: number, high: number): string {
  return values
    .map((value, at) => {
      const height = high === low ? 50 : 96 - (92 * (value - low)) / (high - low);
      return `${at === 0 ? 'M' : 'L'}${at} ${fixedPlace(height)}`;
    })
    .join('');
}

const fixedPlace = (value: number): string => String(Number(value.toFixed(1)));

/** Deviations at which a bar ends. */
const MOST_DEVIATIONS = 3;

function features({ features: shown, hidden }: FeaturesView): Markup {
  return markup`<div class="features"><table><caption>Bars: standard deviations from the mean of training, up to \u00b1${MOST_DEVIATIONS}</caption><tbody>${shown.map(
    ({ name, value, standard }) => {
      const end = 50 + (50 * Math.max(-MOST_DEVIATIONS, Math.min(MOST_DEVIATIONS, standard))) / MOST_DEVIATIONS;
      const [from, width] = [Math.min(50, end), Math.abs(end - 50)];
      return markup`<tr><th scope="row">${name}</th><td class="n">${significant(value)}</td><td><span class="deviation" title="${fixed(standard, 2)} standard deviations"><span style="left:${fixedPlace(from)}%;width:${fixedPlace(width)}%"></span></span></td></tr>`;
    },
  )}</tbody></table>${hidden > 0 ? markup`<small>${hidden} more features are not shown</small>` : null}</div>`;
}
