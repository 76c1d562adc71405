/** Every preset in a size that tests can afford. */
import type { ModelConfig } from '../../src/models/config.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import { modelLayers, modelTask } from '../../src/models/presets.ts';
import { network } from './networks.ts';

type Preset = Extract<ModelConfig, { readonly preset: string }>;

/** A preset without an entry does not compile. */
const unitSized: { readonly [P in Preset['preset']]: Extract<Preset, { readonly preset: P }> } = {
  lenet5: { preset: 'lenet5' },
  mlp: { preset: 'mlp', hidden: [32, 16] },
  resnet8: { preset: 'resnet8', filters: 4 },
  ds_cnn: { preset: 'ds_cnn', filters: 8 },
  mobilenet_v1: { preset: 'mobilenet_v1', alpha: 0.125 },
  mobilenet_v2: { preset: 'mobilenet_v2', alpha: 0.125 },
  autoencoder: { preset: 'autoencoder', hidden: 32, bottleneck: 8 },
};

export const unitPresets: readonly Preset[] = Object.values(unitSized);

/** The network of a preset for images of 24 x 24 grey pixels. */
export function presetNetwork(preset: Preset, classes: readonly string[]): ModelSpec {
  const image = [24, 24, 1] as const;
  const layers = modelLayers(preset, classes.length, image);
  return { ...network(layers, image), name: preset.preset, classes, task: modelTask(preset) };
}
