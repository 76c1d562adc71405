/** NumPy's archives of arrays (`numpy.savez`, `savez_compressed`): a ZIP archive with a .npy file for each name. */
import { userError } from '../core/diagnostic.ts';
import { openTree } from './archive.ts';
import { openNumericNpy } from './npy.ts';
import type { NumericArray, NumericRows } from './npy.ts';
import type { RandomAccess } from './random-access.ts';

export interface Npz {
  /** Of the arrays, without `.npy`, in natural order. */
  readonly names: readonly string[];
  /** @throws UserError `unknown-array`, and what `readNumericNpy` throws */
  readonly read: (name: string) => NumericArray;
  /** The same, for an array of any size. */
  readonly open: (name: string) => NumericRows & { readonly close: () => void };
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
    return { ...arraysIn(path, names, tree.open), close: tree.close };
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
export function arraysIn(path: string, files: readonly string[], openFile: (file: string) => RandomAccess): Npz {
  const names = files.filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length));
  if (names.length === 0) {
    throw userError(path, 'not-an-npz', 'there is no .npy file in it', 'write it with numpy.savez');
  }
  const open: Npz['open'] = (name) => {
    if (!names.includes(name)) {
      const message = `there is no array "${name}"; the archive has ${names.join(', ')}`;
      throw userError(path, 'unknown-array', message, 'name one of them');
    }
    const file = openFile(name + extension);
    return { ...openNumericNpy(file, `${path}/${name}`), close: file.close };
  };
  return {
    ...{ names, open },
    read(name) {
      const { read, close, ...array } = open(name);
      try {
        return { ...array, data: read(0, array.shape[0] ?? 1) };
      } finally {
        close();
      }
    },
  };
}
