import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { isRecord } from '../core/schema.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { dataFromBytes, numElements, tensor } from '../core/tensor.ts';
import { defineImporter } from './define.ts';
import type { Imported } from './define.ts';
import { buildKerasGraph } from './keras/build.ts';
import { ConfigError, list, record, text, whole } from './keras/json.ts';
import { namedWeights } from './keras/weights.ts';
import { explained } from './keras-hdf5.ts';

/** A network of layers as TensorFlow.js keeps it: `model.json` with its weights in files beside it. */
export const tfjs = defineImporter({
  name: 'tfjs',
  title: 'TensorFlow.js layers model',
  extensions: ['model.json'],
  recognizes: ({ path, head }) =>
    path.toLowerCase().endsWith('.json') &&
    String.fromCharCode(...head)
      .trimStart()
      .startsWith('{'),
  files(path) {
    try {
      return [
        path,
        ...manifestOf(JSON.parse(readFileSync(path, 'utf8'))).flatMap(({ paths }) =>
          paths.map((file) => inFolder(path, file)),
        ),
      ];
    } catch {
      // `read` says what is wrong.
      return [path];
    }
  },
  async read(path): Promise<Imported> {
    try {
      const model = record(JSON.parse(await readFile(path, 'utf8')), 'the file');
      const topology = record(model['modelTopology'], 'modelTopology');
      const config = topology['model_config'] ?? topology;
      const version = Number.parseInt(String(topology['keras_version']).replace(/^tfjs-layers /, ''), 10);
      const weights = namedWeights(await readWeights(path, manifestOf(model)));
      return {
        graph: buildKerasGraph({ path, config, version: version >= 3 ? version : 2, weights }),
        classes: null,
        notes: [],
      };
    } catch (error) {
      throw explained(error, path);
    }
  },
});

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly unknown[];
}

function manifestOf(model: unknown): readonly Group[] {
  const manifest = isRecord(model) ? model['weightsManifest'] : undefined;
  return list(manifest, 'weightsManifest').map((entry) => {
    const { paths, weights } = record(entry, 'a group of weightsManifest');
    return { paths: list(paths, 'paths').map((file) => text(file, 'a path')), weights: list(weights, 'weights') };
  });
}

/** @throws ConfigError for a path that leads out of the model's folder */
function inFolder(model: string, file: string): string {
  const folder = dirname(resolve(model));
  const found = resolve(folder, file);
  const inside = relative(folder, found);
  if (inside === '' || inside.startsWith('..') || resolve(folder, inside) !== found) {
    throw new ConfigError(`the weights "${file}" are not in the folder of the model`);
  }
  return found;
}

async function readWeights(path: string, groups: readonly Group[]): Promise<ReadonlyMap<string, FloatTensor>> {
  const found = new Map<string, FloatTensor>();
  for (const { paths, weights } of groups) {
    const shards = await Promise.all(paths.map((file) => readFile(inFolder(path, file))));
    const bytes = Buffer.concat(shards);
    let offset = 0;
    for (const entry of weights) {
      const { name, shape, dtype, quantization } = record(entry, 'a weight');
      const own = text(name, 'name of a weight');
      if (dtype !== 'float32' || quantization !== undefined) {
        throw new ConfigError(
          `weights "${own}" are ${quantization === undefined ? String(dtype) : 'quantized'}; expected float32: convert the model without quantization`,
        );
      }
      const sizes = list(shape, `shape of "${own}"`).map((size) => whole(size, 'a size'));
      const length = 4 * numElements(sizes);
      if (offset + length > bytes.length) throw new ConfigError(`the files of the weights end within "${own}"`);
      const part = bytes.subarray(offset, offset + length);
      offset += length;
      found.set(own, tensor('float32', sizes, dataFromBytes('float32', part)));
    }
  }
  return found;
}
