import { extname } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import type { FormatKind } from '../formats/detect.ts';
import { detectFormat } from '../formats/detect.ts';

/**
 * Refuses a file that is recognizably something else; what is of no known format is left to its reader, which says
 * where it is damaged.
 *
 * @param use what the command does with such a file, for the message
 */
export function requireFormat(bytes: Uint8Array, file: string, wanted: FormatKind, use: string): void {
  const { kind, name } = detectFormat(bytes);
  if (kind === wanted || kind === 'unknown') return;
  const isName = extname(file) === `.${wanted}`;
  throw userError(
    file,
    'unknown-format',
    `${use}; this file is ${name}${isName ? ', whatever its name says' : ''}`,
    formatRemedies[kind] ?? 'give the path of another file',
  );
}

/** How to come from what people have to what the commands read. */
export const formatRemedies: { readonly [K in FormatKind]?: string } = {
  hdf5: toTflite('tf.keras.models.load_model("model.h5")', 'from_keras_model'),
  keras: toTflite('tf.keras.models.load_model("model.keras")', 'from_keras_model'),
  saved_model: 'convert it: tf.lite.TFLiteConverter.from_saved_model(FOLDER), with a representative data set for int8',
  onnx: 'convert it to .tflite first, for example with onnx2tf',
  npz: 'save one array with numpy.save',
  zip: 'unpack it first',
  gzip: 'unpack it first',
  tar: 'unpack it first',
  empty: 'write the file again',
};

function toTflite(load: string, converter: string): string {
  return `convert it: tf.lite.TFLiteConverter.${converter}(${load}), with a representative data set for int8`;
}
