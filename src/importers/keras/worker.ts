/** The thread in which an HDF5 file is read: damaged files may keep the library busy for ever. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Dataset, File, Group } from 'h5wasm';
import type { FloatTensor } from '../../core/tensor.ts';
import { numElements, tensor } from '../../core/tensor.ts';
import { ConfigError } from './json.ts';
import type { Hdf5Answer, Hdf5Content, Hdf5Task } from './messages.ts';

/** Filters that the library brings; with another it would give wrong values without a word. */
const knownFilters = ['deflate', 'gzip', 'shuffle', 'fletcher32'];

/** Trained weights can hardly be packed: a file that claims more than this factor holds something else. */
const mostUnpacked = 50;

/** More than any real file has, and few enough to walk. */
const mostObjects = 100_000;

type Library = typeof import('h5wasm');

const { bytes, group, attributes } = workerData as Hdf5Task;

async function answer(): Promise<Hdf5Answer> {
  let library: Library;
  try {
    library = await import('h5wasm');
  } catch {
    return { kind: 'missing' };
  }
  const module = await library.ready;
  // It would print errors else, and go on.
  module.activate_throwing_error_handler();
  module.FS.writeFile('/model.h5', bytes);
  let file: File | null = null;
  try {
    file = new library.File('/model.h5', 'r');
    return { kind: 'read', content: contentOf(file, library) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'refused', reason: error instanceof ConfigError ? reason : `its "HDF5" cannot be read: ${reason}` };
  } finally {
    file?.close();
  }
}

function contentOf(file: File, library: Library): Hdf5Content {
  const texts = attributes.flatMap((name) => {
    const value: unknown = Object.hasOwn(file.attrs, name) ? file.attrs[name]?.value : undefined;
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  const tensors = new Map<string, FloatTensor>();
  const root = group === '' ? file : file.get(group);
  const budget = { left: mostObjects, bytes: mostUnpacked * bytes.length + 2 ** 20 };
  if (root instanceof library.Group) collect(root, '', tensors, library, budget);
  return { attributes: new Map(texts), tensors };
}

interface Budget {
  left: number;
  bytes: number;
}

function collect(
  group: Group,
  prefix: string,
  found: Map<string, FloatTensor>,
  library: Library,
  budget: Budget,
): void {
  for (const key of group.keys()) {
    budget.left -= 1;
    if (budget.left < 0) throw new ConfigError(`it holds more than ${mostObjects} objects`);
    const item = group.get(key);
    const name = `${prefix}${key}`;
    if (item instanceof library.Group) collect(item, `${name}/`, found, library, budget);
    else if (item instanceof library.Dataset) if (isFloat(item)) found.set(name, tensorOf(item, name, budget));
  }
}

function tensorOf(dataset: Dataset, name: string, budget: Budget): FloatTensor {
  const { shape, metadata } = dataset;
  const filter = dataset.filters.find((each) => !knownFilters.includes(each.name));
  if (filter !== undefined)
    throw new ConfigError(
      `weights "${name}" are packed with the filter ${filter.name}; expected ${knownFilters.join(', ')}`,
    );
  if (shape === null) throw new ConfigError(`weights "${name}" are empty`);
  const count = numElements(shape);
  budget.bytes -= 8 * count;
  if (budget.bytes < 0) throw new ConfigError(`weights "${name}" are larger than the file can hold`);
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

/** Class 1 is floating point. What is none is no weight: counters, for example. */
const isFloat = ({ metadata }: Dataset): boolean => metadata.type === 1;

parentPort?.postMessage(await answer());
