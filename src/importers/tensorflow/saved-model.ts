import { userError } from '../../core/diagnostic.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { MetaGraph, SignatureDef } from '../../formats/protobuf/saved-model.ts';
import { readMetaGraphs } from '../../formats/protobuf/saved-model.ts';
import type { BundleIndex } from '../../formats/tensor-bundle.ts';
import { bundleTensor, readBundleIndex, shardPath } from '../../formats/tensor-bundle.ts';
import type { Imported } from '../define.ts';
import { defineImporter } from '../define.ts';
import { inlineFunctions } from './inline.ts';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readNetwork } from './read.ts';
import { checkpointNames } from './variables.ts';

const graphFile = 'saved_model.pb';
const usual = 'serving_default';

/** The folder of a model that is named by it or by its graph's file. */
const folderOf = (path: string): string => (basename(path) === graphFile ? dirname(path) : path);

/** The files of a SavedModel by name, as far as an import reads them. */
export interface SavedModelFiles {
  readonly path: string;
  readonly graph: Uint8Array;
  /** The index of the values; null for a model without variables. */
  readonly index: Uint8Array | null;
  /** The contents of a data file. @throws UserError where it is not there */
  readonly shard: (name: string) => Uint8Array;
}

/** @throws UserError for files that are damaged or missing, and for all nodes that cannot be imported */
export function readSavedModelFiles(files: SavedModelFiles): Imported {
  const { path } = files;
  const graph = chooseGraph(readMetaGraphs(files.graph, path), path);
  const [name, signature] = chooseSignature(graph, path);
  const { nodes, resolve } = inlineFunctions(graph.graph.nodes, graph.functions, path);
  const restored = checkpointNames(nodes, path);
  const index = files.index === null ? null : readBundleIndex(files.index, `${path}/variables/variables.index`);
  const outputs = [...signature.outputs].map(([key, { name: value }]) => ({ value: resolve(value), name: key }));
  if (outputs.length === 0) throw badModel(path, `signature "${name}" has no outputs`);
  return readNetwork({
    ...{ path, nodes, outputs },
    variable: (node) => variableValue(files, index, node, restored.get(node)),
  });
}

const badModel = (path: string, message: string, remedy = 'save the model again'): Error =>
  userError(path, 'bad-saved-model', message, remedy);

function chooseGraph(graphs: readonly MetaGraph[], path: string): MetaGraph {
  const serving = graphs.filter(({ tags }) => tags.includes('serve'));
  const [graph, ...others] = serving.length > 0 ? serving : graphs;
  if (graph !== undefined && others.length === 0) return graph;
  throw badModel(
    path,
    `byte 0: the file has ${graphs.length} graphs, ${serving.length} of them with the tag "serve"; expected one`,
    'export the model for serving',
  );
}

function chooseSignature({ signatures }: MetaGraph, path: string): readonly [string, SignatureDef] {
  const known = [...signatures].filter(([name]) => !name.startsWith('__saved_model'));
  const found = known.find(([name]) => name === usual) ?? (known.length === 1 ? known[0] : undefined);
  if (found !== undefined) return found;
  const names = known.map(([name]) => `"${name}"`).join(', ');
  throw badModel(
    path,
    `the model has no signature "${usual}"${names === '' ? '' : `, but ${names}`}`,
    'save it with one: tf.saved_model.save(module, folder, signatures=function.get_concrete_function(...))',
  );
}

function variableValue(
  files: SavedModelFiles,
  index: BundleIndex | null,
  node: string,
  key: string | undefined,
): Tensor {
  if (index === null || key === undefined) {
    const problem =
      index === null ? 'the folder has no variables/variables.index' : 'the graph restores it from nothing';
    throw badModel(
      files.path,
      `variable "${node}" has no value: ${problem}`,
      'copy the whole folder, or save the model again',
    );
  }
  if (!index.entries.has(key))
    throw badModel(files.path, `variable "${node}" is "${key}" in the checkpoint, which has none`);
  return bundleTensor(index, key, (shard) => files.shard(shardPath('variables', shard, index.shards)));
}

function filesOf(path: string): readonly string[] {
  const folder = folderOf(path);
  const variables = join(folder, 'variables');
  const names = existsSync(variables)
    ? readdirSync(variables)
        .filter((name) => name.startsWith('variables.'))
        .sort()
    : [];
  return [join(folder, graphFile), ...names.map((name) => join(variables, name))];
}

async function read(path: string): Promise<Imported> {
  const folder = folderOf(path);
  const variables = join(folder, 'variables');
  const present = new Set(filesOf(path).map((file) => basename(file)));
  const shards = new Map<string, Uint8Array>();
  return readSavedModelFiles({
    path: folder,
    graph: await readFile(join(folder, graphFile)),
    index: present.has('variables.index') ? await readFile(join(variables, 'variables.index')) : null,
    shard(name) {
      if (!present.has(name)) throw badModel(folder, `variables/"${name}" is missing`, 'copy the whole folder');
      const known = shards.get(name) ?? readFileSync(join(variables, name));
      shards.set(name, known);
      return known;
    },
  });
}

export const savedModel = defineImporter({
  name: 'saved_model',
  title: 'TensorFlow SavedModel',
  extensions: ['folder with saved_model.pb'],
  recognizes: ({ path, entries }) => (entries === null ? basename(path) === graphFile : entries.includes(graphFile)),
  files: filesOf,
  read,
});
