import type { FloatTensor } from '../core/tensor.ts';
import { openTree } from '../formats/archive.ts';
import { defineImporter } from './define.ts';
import type { Imported } from './define.ts';
import { buildKerasGraph } from './keras/build.ts';
import { readHdf5 } from './keras/hdf5.ts';
import { ConfigError, record } from './keras/json.ts';
import type { WeightSource } from './keras/weights.ts';
import { explained } from './keras-hdf5.ts';

/** Files of the archive: the configuration, what wrote it, and the weights. */
const parts = { config: 'config.json', metadata: 'metadata.json', weights: 'model.weights.h5' } as const;

export const keras = defineImporter({
  name: 'keras',
  title: 'Keras model',
  extensions: ['.keras'],
  recognizes: ({ head, path }) => head[0] === 0x50 && head[1] === 0x4b && path.toLowerCase().endsWith('.keras'),
  files: (path) => [path],
  async read(path): Promise<Imported> {
    try {
      const { config, metadata, weights } = readParts(path);
      const { keras_version: written = '3' } = record(JSON.parse(metadata), parts.metadata);
      const version = Number.parseInt(String(written), 10) || 3;
      const { tensors } = await readHdf5({ bytes: weights, group: '', attributes: [] }, path);
      const graph = buildKerasGraph({ path, config: JSON.parse(config), version, weights: storedWeights(tensors) });
      return { graph, classes: null, notes: [] };
    } catch (error) {
      throw explained(error, path);
    }
  },
});

interface Parts {
  readonly config: string;
  readonly metadata: string;
  readonly weights: Uint8Array;
}

function readParts(path: string): Parts {
  const tree = openTree(path);
  try {
    const names = new Set(tree.files().map(({ name }) => name));
    const missing = Object.values(parts).filter((name) => !names.has(name));
    if (missing.length > 0) throw new ConfigError(`the archive has no ${missing.join(' and no ')}`);
    const text = (name: string): string => Buffer.from(tree.read(name)).toString('utf8');
    return { config: text(parts.config), metadata: text(parts.metadata), weights: tree.read(parts.weights) };
  } finally {
    tree.close();
  }
}

/** `layers/conv2d_1/vars/0` and so on, the number being the place in Keras's order. */
function storedWeights(tensors: ReadonlyMap<string, FloatTensor>): WeightSource {
  const all = new Map(
    Array.from(tensors, ([name, value]) => [name.replace(/^_layer_checkpoint_dependencies\//, 'layers/'), value]),
  );
  return {
    read: ({ names, stored }, variables) =>
      variables.map((variable, index) => {
        const path = `${stored.map((name) => `layers/${name}`).join('/')}/vars/${index}`;
        const found = all.get(path) ?? all.get(`${names.map((name) => `layers/${name}`).join('/')}/vars/${index}`);
        if (found === undefined)
          throw new ConfigError(`the file has no weights "${path}", the ${variable} of "${names.join('/')}"`);
        return found;
      }),
  };
}
