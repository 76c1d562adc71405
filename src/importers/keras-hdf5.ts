import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { UserError } from '../core/diagnostic.ts';
import { defineImporter } from './define.ts';
import type { Imported } from './define.ts';
import { buildKerasGraph, damaged } from './keras/build.ts';
import { readHdf5 } from './keras/hdf5.ts';
import { ConfigError } from './keras/json.ts';
import { namedWeights } from './keras/weights.ts';

/** The first bytes of every HDF5 file. */
const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export const kerasHdf5 = defineImporter({
  name: 'keras_hdf5',
  title: 'Keras model (HDF5)',
  extensions: ['.h5', '.hdf5'],
  recognizes: ({ head }) => signature.every((byte, index) => head[index] === byte),
  files: (path) => [path],
  async read(path): Promise<Imported> {
    const bytes = await readFile(path);
    try {
      const task = { bytes, group: 'model_weights', attributes: ['model_config', 'keras_version'] };
      const { attributes, tensors } = await readHdf5(task, path);
      const config = attributes.get('model_config');
      if (config === undefined) {
        throw new ConfigError('it holds no "model_config": give the file of `model.save`, not of `save_weights`');
      }
      const version = Number.parseInt(attributes.get('keras_version') ?? '2', 10) || 2;
      const graph = buildKerasGraph({ path, config: JSON.parse(config), version, weights: namedWeights(tensors) });
      return { graph, classes: null, notes: [] };
    } catch (error) {
      throw explained(error, path);
    }
  },
});

/** What a damaged file makes of JSON and of names, in one error. */
export function explained(error: unknown, path: string): unknown {
  if (error instanceof UserError) return error;
  if (isMissingFile(error)) return damaged(path, `"${basename(error.path)}", which holds weights, is not there`);
  if (error instanceof SyntaxError) {
    return damaged(path, `its "JSON" is damaged: ${error.message.replace(/in JSON at position (\d+)/, 'at byte $1')}`);
  }
  return error instanceof ConfigError ? damaged(path, error.message) : error;
}

/** A file beside the model that the model names. */
function isMissingFile(error: unknown): error is Error & { readonly path: string } {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' && 'path' in error;
}
