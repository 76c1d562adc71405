/** NumPy's archives of arrays (`numpy.savez`, `savez_compressed`): a ZIP archive with a .npy file for each name. */
import { userError } from '../core/diagnostic.ts';
import { openTree } from './archive.ts';
import { readNumericNpy } from './npy.ts';
import type { NumericArray } from './npy.ts';

export interface Npz {
  /** Of the arrays, without `.npy`, in natural order. */
  readonly names: readonly string[];
  /** @throws UserError `unknown-array`, and what `readNumericNpy` throws */
  readonly read: (name: string) => NumericArray;
}

const extension = '.npy';

/**
 * Lists the arrays; each is read when it is asked for.
 *
 * @throws UserError as `openTree`; `not-an-npz` where no entry is an array
 */
export function openNpz(path: string): Npz & { readonly close: () => void } {
  const tree = openTree(path);
  try {
    const names = tree.files().map(({ name }) => name);
    return { ...arraysIn(path, names, tree.read), close: tree.close };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/**
 * The arrays of a folder or archive that is open.
 *
 * @param path of it, for errors
 * @param files the names in it, in natural order
 * @throws UserError `not-an-npz` where none is an array
 */
export function arraysIn(path: string, files: readonly string[], read: (file: string) => Uint8Array): Npz {
  const names = files.filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length));
  if (names.length === 0) {
    throw userError(path, 'not-an-npz', 'there is no .npy file in it', 'write it with numpy.savez');
  }
  return {
    names,
    read(name) {
      if (names.includes(name)) return readNumericNpy(read(name + extension), `${path}/${name}`);
      const message = `there is no array "${name}"; the archive has ${names.join(', ')}`;
      throw userError(path, 'unknown-array', message, 'name one of them');
    },
  };
}
