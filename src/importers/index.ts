import type { ImporterRow, ModelPath } from './define.ts';
import { keras } from './keras.ts';
import { kerasHdf5 } from './keras-hdf5.ts';
import { onnx } from './onnx/index.ts';
import { frozenGraph } from './tensorflow/frozen-graph.ts';
import { savedModel } from './tensorflow/saved-model.ts';
import { tfjs } from './tfjs.ts';
import { tflite } from './tflite.ts';

/** In the order in which they are asked whether a file is theirs. */
const table = { keras_hdf5: kerasHdf5, keras, tfjs, tflite, onnx, saved_model: savedModel, frozen_graph: frozenGraph };

export type ImporterName = keyof typeof table;

/** Every importer under its own name: another name does not compile. */
export const importers: { readonly [K in ImporterName]: ImporterRow<K> } = table;

export const importerNames = Object.keys(table) as readonly ImporterName[]; // Object.keys loses the key type

/** The importer of a model; null when no format is recognized. */
export function importerOf(model: ModelPath): ImporterRow<ImporterName> | null {
  return Object.values<ImporterRow<ImporterName>>(importers).find((row) => row.recognizes(model)) ?? null;
}
