import { readFile } from 'node:fs/promises';
import type { Graph } from '../graph/graph.ts';
import { consumers, valueOf } from '../graph/graph.ts';
import { ShapeError } from '../ops/define.ts';
import { refusalOf } from '../ops/refusal.ts';
import { readFloatTflite } from '../tflite/read.ts';
import type { Imported } from './define.ts';
import { defineImporter } from './define.ts';
import { withDilations } from './dilations.ts';
import { withFloatForms } from './float-forms.ts';
import { withNames } from './names.ts';

/**
 * Converters join the names of all ops that became one, the last being the op itself; what makes a name unique is a
 * number behind it. Weights have the name of the layer that reads them.
 */
function layerNames(graph: Graph): (name: string) => string {
  const readers = consumers(graph);
  const short = (name: string): string =>
    name
      .slice(name.lastIndexOf(';') + 1)
      .replace(/(?<=[A-Za-z])\d?(?=(\/linear)?$)/, '')
      .replace(/\/ReadVariableOp(\/resource)?/, '');
  return (name) => {
    const { source } = valueOf(graph, name);
    const reader = readers.get(name)?.[0]?.name.replace(/\/linear$/, '');
    return source.kind === 'variable' && reader !== undefined ? `${short(reader)}/${source.role}` : short(name);
  };
}

/** @throws UserError for files that are damaged, quantized, or hold ops that float graphs do not have */
export function importTflite(bytes: Uint8Array, path: string): Imported {
  try {
    const graph = withFloatForms(withDilations(readFloatTflite(bytes, path)), path);
    return { graph: withNames(graph, layerNames(graph)), classes: null, notes: [] };
  } catch (error) {
    throw error instanceof ShapeError ? refusalOf(path, error) : error;
  }
}

export const tflite = defineImporter({
  name: 'tflite',
  title: 'TensorFlow Lite model',
  extensions: ['.tflite'],
  recognizes: ({ head }) => String.fromCharCode(...head.subarray(4, 8)) === 'TFL3',
  files: (path) => [path],
  async read(path) {
    return importTflite(await readFile(path), path);
  },
});
