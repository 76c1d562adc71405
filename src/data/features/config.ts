/** `features:` of sound, and the table of its kinds. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, discriminated, key, object } from '../../core/schema.ts';
import type { RealRange } from '../real-range.ts';
import type { FeatureDefinition, FeatureShape } from './define.ts';
import { logMel } from './log-mel.ts';
import { mfcc } from './mfcc.ts';
import { frontendQuantization, microFrontend } from './micro-frontend.ts';

const kind = <const K extends string>(name: K) => Type.Literal(name, key('Kind of features'));
const whole = (description: string) => Type.Optional(Type.Integer({ ...key(description), minimum: 1 }));
const amount = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0 }));
const fraction = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0, maximum: 1 }));

const melFields = {
  frame_length: whole('Samples of a frame; default: those of 32 ms'),
  frame_step: whole('Samples from the start of one frame to that of the next; default: those of 20 ms'),
  fft_length: whole('Samples of the transform; default: the next power of two from `frame_length`'),
  spectrum: Type.Optional(choice(['power', 'magnitude'], key('What is summed over a band; default: power'))),
  num_mel_bins: whole('Number of mel bands; default: 40'),
  lower_edge_hertz: amount('Where the first band begins; default: 20'),
  upper_edge_hertz: amount('Where the last band ends; default: half the rate'),
  log_offset: amount('Added to a band before the logarithm; default: 1e-6'),
};

const logMelSchema = object(
  { kind: kind('log_mel'), ...melFields },
  { description: 'Logarithm of a mel spectrogram, with the names and results of `tf.signal`' },
);

const mfccSchema = object(
  { kind: kind('mfcc'), ...melFields, num_mfccs: whole('Number of coefficients to keep; default: 13') },
  { description: 'Mel-frequency cepstral coefficients, as `tf.signal` computes them' },
);

const microFrontendSchema = object(
  {
    kind: kind('micro_frontend'),
    window_size: whole('Milliseconds of a frame; default: 30'),
    window_step: whole('Milliseconds from one frame to the next; default: 10'),
    num_channels: whole('Number of channels; default: 40'),
    lower_band_limit: amount('Where the first channel begins, in hertz; default: 125'),
    upper_band_limit: amount('Where the last channel ends, in hertz; default: 15/32 of the rate, at most 7500'),
    even_smoothing: fraction('Part of a new frame in the noise estimate of channels 0, 2, 4, ...; default: 0.025'),
    odd_smoothing: fraction('Part of a new frame in the noise estimate of channels 1, 3, 5, ...; default: 0.06'),
    min_signal_remaining: fraction('Part of the signal that noise reduction leaves at least; default: 0.05'),
    enable_pcan: Type.Optional(Type.Boolean(key('Per-channel amplitude normalization; default: true'))),
    pcan_strength: amount('Exponent of that normalization; default: 0.95'),
    pcan_offset: amount('Added to the noise estimate there; default: 80'),
  },
  { description: 'The integer front end of TensorFlow Lite Micro, bit for bit' },
);

export const featuresSchema = discriminated('kind', [logMelSchema, mfccSchema, microFrontendSchema], {
  ...key('What the network gets to see of a recording: frames in time, numbers in each'),
  default: { kind: 'log_mel' },
});

export type FeaturesConfig = Static<typeof featuresSchema>;

interface FeatureRow {
  readonly definition: FeatureDefinition<string, object>;
  /** The range of the model's input where the device fixes it; null standardizes the values. */
  readonly range: RealRange | null;
}

/** The integers of the front end as the device's code makes them: scale 1/256 of this range, zero point -128. */
const frontendRange = { min: 0, max: 255 * frontendQuantization.scale };

// The definitions forget their options, which `preparedFeatures` pairs with them again by name.
const row = (definition: unknown, range: FeatureRow['range']): FeatureRow => ({
  definition: definition as FeatureRow['definition'],
  range,
});

const rows: { readonly [K in FeaturesConfig['kind']]: FeatureRow } = {
  log_mel: row(logMel, null),
  mfcc: row(mfcc, null),
  micro_frontend: row(microFrontend, frontendRange),
};

export interface PreparedFeatures {
  readonly shape: FeatureShape;
  readonly range: FeatureRow['range'];
  readonly compute: (samples: Float32Array) => Float32Array;
}

/** @returns what computes the features, or the options that do not fit the recordings, in sentences */
export function preparedFeatures(
  config: FeaturesConfig,
  samples: number,
  rate: number,
): PreparedFeatures | { readonly problems: readonly string[] } {
  const { definition, range } = rows[config.kind];
  const options = completeOptions(config, rate);
  const problems = definition
    .problems(rate, options)
    .map(({ option, message }) => `\`${snake(option)}\` is ${message}`);
  if (problems.length > 0) return { problems };
  const shape = definition.shapeOf(samples, rate, options);
  if (shape[0] === 0) return { problems: [`a recording of ${samples} samples is shorter than one frame`] };
  return { shape, range, compute: definition.prepare(rate, options) };
}

/** All options of features, in the words of a pipeline. */
export function featureOptions(
  config: FeaturesConfig,
  rate: number,
): Readonly<Record<string, number | string | boolean>> {
  const options = Object.entries(completeOptions(config, rate)).map(([name, value]) => [snake(name), value] as const);
  return Object.fromEntries(options); // no option is a list
}

function completeOptions(config: FeaturesConfig, rate: number): object {
  const given = Object.entries(config).filter(([name, value]) => name !== 'kind' && value !== undefined);
  return {
    ...rows[config.kind].definition.defaults(rate),
    ...Object.fromEntries(given.map(([name, value]) => [camel(name), value])),
  };
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
