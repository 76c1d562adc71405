/** Weights that lie in files beside the model. */
import { userError } from '../../core/diagnostic.ts';
import type { OnnxContent, OnnxModel, OnnxTensor } from '../../formats/protobuf/onnx.ts';
import { readOnnxModel } from '../../formats/protobuf/onnx.ts';
import { closeSync, fstatSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

type External = Extract<OnnxContent, { readonly kind: 'external' }>;

/** Every tensor of a model that can have its values elsewhere. */
const tensorsOf = ({ graph }: OnnxModel): readonly OnnxTensor[] => graph.initializers;

/** The model's file, and the files beside it that it names, as far as they are there. */
export function modelFiles(path: string): readonly string[] {
  const locations = new Set<string>();
  try {
    for (const { content } of tensorsOf(readOnnxModel(readFileSync(path), path))) {
      if (content.kind === 'external') locations.add(locate(path, content.location));
    }
  } catch {
    // What is wrong with the model is said when it is read.
    return [path];
  }
  return [path, ...[...locations].sort()];
}

/**
 * The path of a file that a model names.
 *
 * @throws UserError for one that is not there, and for one outside the model's folder, by a link too
 */
function locate(path: string, location: string): string {
  const folder = dirname(path);
  const wanted = join(folder, location);
  const leaves = (from: string, to: string): boolean => {
    const way = relative(from, to);
    return way === '' || way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
  };
  if (location === '' || isAbsolute(location) || leaves(folder, wanted)) {
    throw userError(
      path,
      'bad-onnx-data',
      `it has weights in "${location}"; expected a file in its own folder`,
      'save the model with its data beside it',
    );
  }
  let real: string;
  try {
    real = realpathSync(wanted);
  } catch {
    throw userError(
      path,
      'missing-onnx-data',
      `it has weights in "${location}", which is not beside it`,
      'copy the file of weights into the folder of the model',
    );
  }
  if (leaves(realpathSync(folder), real)) {
    throw userError(path, 'bad-onnx-data', `it has weights in "${location}", a link out of its own folder`);
  }
  return wanted;
}

/** Reads the bytes of a tensor from the file that holds them. @throws UserError where they are not there */
export function readExternal(path: string, { location, offset, length }: External): Uint8Array {
  const file = openSync(locate(path, location), 'r');
  try {
    const { size } = fstatSync(file);
    const count = length ?? size - offset;
    const isInside = Number.isSafeInteger(offset) && Number.isSafeInteger(count) && offset >= 0 && count >= 0;
    if (!isInside || offset + count > size) {
      throw userError(
        path,
        'bad-onnx-data',
        `it has weights at bytes ${offset} to ${offset + count} of "${location}", which has ${size}`,
        'copy the file of weights again',
      );
    }
    const bytes = new Uint8Array(count);
    let done = 0;
    while (done < count) {
      const read = readSync(file, bytes, done, count - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}
