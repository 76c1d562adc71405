/** Settings by which a device turns sound into the input of the model. */
import { isRecord } from '../core/schema.ts';
import type { FeaturesConfig } from '../data/features/config.ts';
import { featureOptions } from '../data/features/config.ts';
import type { Purpose } from '../graph/contract.ts';
import { cFloat, cString, pascalCase } from './literals.ts';

type Option = number | string | boolean;

export interface SoundFeatures {
  readonly kind: FeaturesConfig['kind'];
  /** Samples a second. */
  readonly rate: number;
  readonly seconds: number;
  /** All of them, in the words of a pipeline. */
  readonly options: Readonly<Record<string, Option>>;
}

/** Null for a model whose examples are not made of sound. */
export function soundFeatures({ decoding }: Pick<Purpose, 'decoding'>): SoundFeatures | null {
  const { audio, features } = decoding ?? {};
  if (!isRecord(audio) || !isRecord(features)) return null;
  const { rate, seconds } = audio;
  if (typeof rate !== 'number' || typeof seconds !== 'number') return null;
  // The contract holds the settings that the pipeline's schema has checked.
  const config = features as FeaturesConfig;
  return { kind: config.kind, rate, seconds, options: featureOptions(config, rate) };
}

/** Constants of C++, and for the front end of TensorFlow Lite Micro the function that fills its configuration. */
export function featureConstants({ kind, rate, seconds, options }: SoundFeatures): string {
  const constants = Object.entries(options).map(([name, value]) => constant(`kFeature${pascalCase(name)}`, value));
  return `// What the model sees of ${seconds} s of sound: ${kind}, with the settings below.
inline constexpr int kSampleRate = ${rate};
inline constexpr int kSamples = ${Math.round(rate * seconds)};
${constants.join('\n')}
${kind === 'micro_frontend' ? frontendConfiguration : ''}
`;
}

function constant(name: string, value: Option): string {
  if (typeof value === 'boolean') return `inline constexpr bool ${name} = ${String(value)};`;
  if (typeof value === 'string') return `inline constexpr const char* ${name} = ${cString(value)};`;
  // A whole number may be one by chance, so that its type would change with its value.
  return isWhole(name)
    ? `inline constexpr int ${name} = ${value};`
    : `inline constexpr float ${name} = ${cFloat(value)};`;
}

const isWhole = (name: string): boolean => /(?:Length|Step|Size|Bins|Mfccs|Channels|Bits|Shift)$/.test(name);

/** @see tensorflow/tflite-micro, tensorflow/lite/experimental/microfrontend/lib/frontend_util.h */
const frontendConfiguration = `
// Sets what FrontendPopulateState of TensorFlow Lite Micro takes: a FrontendConfig.
template <class Config>
void FillFrontendConfig(Config& config) {
  config.window.size_ms = kFeatureWindowSize;
  config.window.step_size_ms = kFeatureWindowStep;
  config.filterbank.num_channels = kFeatureNumChannels;
  config.filterbank.lower_band_limit = kFeatureLowerBandLimit;
  config.filterbank.upper_band_limit = kFeatureUpperBandLimit;
  config.filterbank.output_scale_shift = 0;  // unused there
  config.noise_reduction.smoothing_bits = kFeatureSmoothingBits;
  config.noise_reduction.even_smoothing = kFeatureEvenSmoothing;
  config.noise_reduction.odd_smoothing = kFeatureOddSmoothing;
  config.noise_reduction.min_signal_remaining = kFeatureMinSignalRemaining;
  config.pcan_gain_control.enable_pcan = kFeatureEnablePcan;
  config.pcan_gain_control.strength = kFeaturePcanStrength;
  config.pcan_gain_control.offset = kFeaturePcanOffset;
  config.pcan_gain_control.gain_bits = kFeatureGainBits;
  config.log_scale.enable_log = kFeatureEnableLog;
  config.log_scale.scale_shift = kFeatureScaleShift;
}
`;
