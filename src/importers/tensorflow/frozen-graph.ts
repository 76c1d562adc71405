import { userError } from '../../core/diagnostic.ts';
import { readFunctionLibrary } from '../../formats/protobuf/function-def.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import { readGraphMessage } from '../../formats/protobuf/graph-def.ts';
import { openMessage } from '../../formats/protobuf/wire.ts';
import type { Imported } from '../define.ts';
import { defineImporter } from '../define.ts';
import { inlineFunctions } from './inline.ts';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { producerOf } from './order.ts';
import type { Output } from './read.ts';
import { readNetwork } from './read.ts';

/** Names that TensorFlow gives to the ends of a function. */
const unnamed = /^(?:.*\/)?Identity(?:_\d+)?$/;

/** Whatever is computed from an input and that nothing else reads. */
function outputsOf(nodes: readonly NodeDef[]): readonly Output[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map(producerOf)));
  const readers = new Map<string, NodeDef[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs.map(producerOf))) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [node]);
      else known.push(node);
    }
  }
  const computed = new Set<string>();
  const waiting = nodes.filter(({ op }) => op === 'Placeholder');
  for (const node of waiting) {
    if (computed.has(node.name)) continue;
    computed.add(node.name);
    for (const reader of readers.get(node.name) ?? []) waiting.push(reader);
  }
  return nodes
    .filter(({ name, op }) => computed.has(name) && !read.has(name) && op !== 'Placeholder' && op !== 'NoOp')
    .map(({ name, op }) => ({ value: name, name: op === 'Identity' && !unnamed.test(name) ? name : null }));
}

/** @throws UserError for files that are damaged and for all nodes that cannot be imported */
export function readFrozenGraph(bytes: Uint8Array, path: string): Imported {
  const message = openMessage(bytes, path);
  const functions = readFunctionLibrary(message);
  const { nodes } = inlineFunctions(readGraphMessage(message).nodes, functions, path);
  const outputs = outputsOf(nodes);
  if (outputs.length === 0) {
    throw userError(
      path,
      'bad-graph-def',
      `node "${nodes[0]?.name ?? ''}" and all others compute nothing from a placeholder`,
      'save the graph of the network',
    );
  }
  return readNetwork({
    ...{ path, nodes, outputs },
    variable(name) {
      throw userError(
        path,
        'graph-not-frozen',
        `node "${name}" is a variable, whose value is not in the file; expected constants`,
        'freeze the graph (convert_variables_to_constants_v2), or import the folder of the SavedModel',
      );
    },
  });
}

/** The tags of a GraphDef's nodes, library and versions. */
const firstTags: ReadonlySet<number> = new Set([0x0a, 0x12, 0x22]);

export const frozenGraph = defineImporter({
  name: 'frozen_graph',
  title: 'frozen TensorFlow graph',
  extensions: ['.pb'],
  recognizes: ({ path, head }) =>
    path.toLowerCase().endsWith('.pb') && basename(path) !== 'saved_model.pb' && firstTags.has(head[0] ?? 0),
  files: (path) => [path],
  read: async (path) => readFrozenGraph(await readFile(path), path),
});
