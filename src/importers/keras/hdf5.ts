/** HDF5 files by the HDF Group's library, compiled to WebAssembly (h5wasm). */
import type { File, Group } from 'h5wasm';
import { userError } from '../../core/diagnostic.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { numElements, tensor } from '../../core/tensor.ts';
import { ConfigError } from './json.ts';

/** What of a file is read; closed when the import ends. */
export interface Hdf5 {
  /** The text of an attribute of the whole file; null where there is none. */
  readonly attribute: (name: string) => string | null;
  /** Names of float tensors below a group, as paths from it, in no order. */
  readonly tensors: (group: string) => ReadonlyMap<string, () => FloatTensor>;
}

/** Filters that the library brings; with another it would give wrong values without a word. */
const knownFilters = ['deflate', 'gzip', 'shuffle', 'fletcher32'];

/** More than any real file has, and few enough to walk. */
const mostObjects = 100_000;

/**
 * @param path named in errors
 * @throws UserError for a file that is not HDF5, and where the library is not installed
 */
export async function withHdf5<T>(bytes: Uint8Array, path: string, use: (file: Hdf5) => T): Promise<T> {
  const library = await import('h5wasm').catch(() => {
    throw userError(
      path,
      'missing-package',
      'HDF5 files are read by the package h5wasm, which is not installed',
      'npm install h5wasm',
    );
  });
  const { FS } = await library.ready;
  const name = '/model.h5';
  FS.writeFile(name, bytes);
  let file: File | null = null;
  try {
    file = new library.File(name, 'r');
    return use(contentOf(file, library));
  } catch (error) {
    if (error instanceof Error && error.name === 'UserError') throw error;
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`it cannot be read as HDF5 (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    file?.close();
    FS.unlink(name);
  }
}

type Library = typeof import('h5wasm');

function contentOf(file: File, library: Library): Hdf5 {
  return {
    attribute(name) {
      const value = Object.hasOwn(file.attrs, name) ? file.attrs[name]?.value : undefined;
      return typeof value === 'string' ? value : null;
    },
    tensors(group) {
      const found = new Map<string, () => FloatTensor>();
      const root = group === '' ? file : file.get(group);
      if (root !== null && 'keys' in root) collect(root, '', found, library, { left: mostObjects });
      return found;
    },
  };
}

function collect(
  group: Group,
  prefix: string,
  found: Map<string, () => FloatTensor>,
  library: Library,
  budget: { left: number },
): void {
  for (const key of group.keys()) {
    if (--budget.left < 0) throw new ConfigError(`it holds more than ${mostObjects} objects`);
    const item = group.get(key);
    const name = `${prefix}${key}`;
    if (item instanceof library.Group) collect(item, `${name}/`, found, library, budget);
    else if (item instanceof library.Dataset) found.set(name, () => tensorOf(item, name));
  }
}

function tensorOf(dataset: InstanceType<Library['Dataset']>, name: string): FloatTensor {
  const { shape, metadata } = dataset;
  const filter = dataset.filters.find((each) => !knownFilters.includes(each.name));
  if (filter !== undefined)
    throw new ConfigError(
      `weights "${name}" are packed with the filter ${filter.name}; expected ${knownFilters.join(', ')}`,
    );
  if (shape === null) throw new ConfigError(`weights "${name}" are empty`);
  const count = numElements(shape);
  if (count > 2 ** 29) throw new ConfigError(`weights "${name}" have ${count} values`);
  // Class 1 is floating point.
  if (metadata.type !== 1) throw new ConfigError(`weights "${name}" are no floats`);
  // The library does not read float16.
  if (metadata.size < 4)
    throw new ConfigError(`weights "${name}" are floats of ${8 * metadata.size} bits; save the model with float32`);
  const values = dataset.value;
  if (!(values instanceof Float32Array || values instanceof Float64Array) && typeof values !== 'number') {
    throw new ConfigError(`weights "${name}" are no floats of 16, 32 or 64 bits`);
  }
  const data = typeof values === 'number' ? Float32Array.of(values) : Float32Array.from(values);
  if (data.length !== count) throw new ConfigError(`weights "${name}" are cut off`);
  return tensor('float32', shape, data);
}
