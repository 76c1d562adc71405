/** Every class of Keras's layers that can be imported. */
import { internal } from '../../core/assert.ts';
import { activationLayers } from './activations.ts';
import { affineLayers } from './affine.ts';
import { lambdaFunctions, operations } from './functions.ts';
import { text } from './json.ts';
import type { LayerRow } from './layer.ts';
import { mergeLayers } from './merges.ts';
import type { KerasLayer } from './network.ts';
import { normalizationLayers } from './normalization.ts';
import { shapeLayers } from './shapes.ts';

export const layerRows: Readonly<Record<string, LayerRow>> = {
  ...affineLayers,
  ...activationLayers,
  ...shapeLayers,
  ...mergeLayers,
  ...normalizationLayers,
};

/** The row of a layer; null for a class that cannot be imported. */
export function rowOf({ className, module, config }: KerasLayer): LayerRow | null {
  if (className === 'TFOpLambda') {
    const name = text(config['function'] ?? config['name'], 'function');
    return Object.hasOwn(lambdaFunctions, name) ? { build: lambdaFunctions[name] ?? missing } : null;
  }
  // `keras.src.ops.numpy` and others; `keras.layers` has classes of the same names. HDF5 files leave modules out: there,
  // an operation is what does not say whether it is trainable.
  const isUnsaid = module === '' && Object.hasOwn(operations, className);
  if ((isUnsaid && !Object.hasOwn(config, 'trainable')) || /(^|\.)ops(\.|$)/.test(module)) {
    return Object.hasOwn(operations, className) ? { build: operations[className] ?? missing } : null;
  }
  return Object.hasOwn(layerRows, className) ? (layerRows[className] ?? null) : null;
}

/** What a layer is called in messages: its class, or the function that it calls. */
export const classText = ({ className, config }: Pick<KerasLayer, 'className' | 'config'>): string =>
  className === 'TFOpLambda' ? `tf.${String(config['function'])}` : className;

const missing = (): never => internal('a name of the table is not in it');
