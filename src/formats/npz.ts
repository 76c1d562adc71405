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
  readonly close: () => void;
}

const extension = '.npy';

/**
 * Lists the arrays; each is read when it is asked for.
 *
 * @throws UserError as `openTree`; `not-an-npz` where no entry is an array
 */
export function openNpz(path: string): Npz {
  const tree = openTree(path);
  const names = tree
    .files()
    .filter(({ name }) => name.endsWith(extension))
    .map(({ name }) => name.slice(0, -extension.length));
  if (names.length === 0) {
    tree.close();
    throw userError(path, 'not-an-npz', 'the archive holds no .npy file', 'write it with numpy.savez');
  }
  return {
    names,
    read(name) {
      if (names.includes(name)) return readNumericNpy(tree.read(name + extension), `${path}/${name}`);
      const message = `there is no array "${name}"; the archive has ${names.join(', ')}`;
      throw userError(path, 'unknown-array', message, 'name one of them');
    },
    close: tree.close,
  };
}
