/** `data.normalize`: what a pixel means to the network. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { derived, key, object } from '../core/schema.ts';
import type { PixelNormalization } from './batches.ts';
import type { PixelMoments } from './pixel-measure.ts';

/** Pixels 0 .. 255 of one channel: normalized = (pixel - mean) / deviation. */
export interface PixelChannel {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** What `normalize` says, its fractions as numbers. */
export type NormalizeConfig =
  | 'auto'
  | 'imagenet'
  /** real = scale * (pixel - mean) */
  | PixelNormalization
  | ChannelStatistics;

/** normalized = (pixel - mean) / std; one number for all channels, or one for each. */
export interface ChannelStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Of no use beside them, which is a mistake of the file. */
  readonly scale?: number;
}

const words = ['auto', 'imagenet'] as const;

/** A number for all channels, or one for each. */
const perChannel = (description: string, limits: { minimum?: number; exclusiveMinimum?: number }) =>
  Type.Unsafe<number | readonly number[]>({
    type: ['number', 'array'],
    ...limits,
    maximum: 255,
    items: { type: 'number', ...limits, maximum: 255 },
    minItems: 1,
    ...key(description),
  });

const fields = object({
  scale: derived(
    Type.Unsafe<number>({
      type: ['number', 'string'],
      exclusiveMinimum: 0,
      pattern: '^[1-9][0-9]*/[1-9][0-9]*$',
      examples: [0.0078125, '1/255'],
      'x-parse': 'fraction',
      ...key('Real value of one pixel step: a number, or a fraction of two whole numbers'),
    }),
    '1/255, without `std`',
  ),
  mean: derived(
    perChannel('Pixel value that becomes real 0, 0 to 255; beside `scale` a whole number', { minimum: 0 }),
    '0',
  ),
  std: Type.Optional(
    perChannel('Standard deviation in pixel values, in place of `scale`: real = (pixel - mean) / std', {
      exclusiveMinimum: 0,
    }),
  ),
});

type Fields = Partial<Static<typeof fields>>;

export const normalizeField = Type.Unsafe<NormalizeConfig>({
  ...fields,
  type: ['string', 'object'],
  pattern: `^(${words.join('|')})$`,
  examples: [...words],
  default: {},
  'x-parse': 'normalize',
  ...key(
    'How pixel values 0..255 become real numbers: real = scale * (pixel - mean), or (pixel - mean) / std by channel. `auto` measures mean and deviation of each channel on the training examples, `imagenet` takes those of ImageNet',
  ),
});

/** @param scale as a number, where there is one */
export function completeNormalize(written: unknown, scale: number | undefined): NormalizeConfig {
  if (written === 'auto' || written === 'imagenet') return written;
  // The schema has checked the fields.
  const { mean = 0, std } = written as Fields;
  if (std !== undefined) return { mean: [mean].flat(), std: [std].flat(), ...(scale !== undefined && { scale }) };
  return { scale: scale ?? 1 / 255, mean: mean as number };
}

/** By channel, in pixel values: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 of 255. */
const imagenet = { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] } as const;

/** Whether it is the scale and zero point of the input as written. */
export const isGrid = (config: NormalizeConfig): config is PixelNormalization =>
  typeof config === 'object' && !('std' in config);

/** How pixels go into a network: the real values of its input, and what it does with each channel. */
export interface PixelMeaning {
  readonly normalize: PixelNormalization;
  /** Left out where `normalize` says all. */
  readonly pixels?: readonly PixelChannel[];
}

/**
 * The scale and zero point of the input hold what they can: one mean that is a whole number, and one deviation. What
 * differs between channels goes into the network; its input is then on a grid between them.
 *
 * @param channels as many as an image has
 * @param measured of the training examples, by channel; needed for `auto`
 */
export function pixelMeaning(
  config: NormalizeConfig,
  channels: number,
  measured: readonly PixelMoments[] | undefined,
): PixelMeaning {
  if (isGrid(config)) return { normalize: config };
  const found = statistics(config, channels, measured);
  if (found === null) return { normalize: { scale: 1 / 255, mean: 0 } };
  const [first, ...others] = found;
  if (first === undefined) return { normalize: { scale: 1 / 255, mean: 0 } };
  const areEqual = others.every(({ mean, deviation }) => mean === first.mean && deviation === first.deviation);
  // What was measured of one channel may be rounded; what was written is meant.
  const mean = config === 'auto' && channels === 1 ? Math.round(first.mean) : first.mean;
  if (areEqual && Number.isInteger(mean)) return { normalize: { scale: 1 / first.deviation, mean } };
  const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    normalize: {
      scale: 1 / average(found.map(({ deviation }) => deviation)),
      mean: Math.round(average(found.map((channel) => channel.mean))),
    },
    pixels: found.map((channel, index) => ({ name: channelName(index, channels), ...channel })),
  };
}

function statistics(
  config: 'auto' | 'imagenet' | ChannelStatistics,
  channels: number,
  measured: readonly PixelMoments[] | undefined,
): readonly PixelMoments[] | null {
  if (config === 'auto') return measured ?? null;
  const { mean, std } = config === 'imagenet' ? imagenet : config;
  const at = (values: readonly number[], channel: number): number => values[values.length === 1 ? 0 : channel] ?? 0;
  return Array.from({ length: channels }, (_, channel) => ({ mean: at(mean, channel), deviation: at(std, channel) }));
}

/** How many channels the words fix; null where they suit any number. */
export function namedChannels(config: NormalizeConfig): number | null {
  if (config === 'imagenet') return imagenet.mean.length;
  if (config === 'auto' || isGrid(config)) return null;
  const longest = Math.max(config.mean.length, config.std.length);
  return longest === 1 ? null : longest;
}

const colors: Readonly<Record<number, readonly string[]>> = { 1: ['grey'], 3: ['red', 'green', 'blue'] };

export const channelName = (channel: number, channels: number): string =>
  colors[channels]?.[channel] ?? String(channel);
