/** Finds and loads `@tensorflow/tfjs-node`, which an ordinary install of qpipe does not include. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import nodeUtil from 'node:util';
import { userError } from '../../core/diagnostic.ts';
import { loadKernels } from './kernels.ts';

export const addonPackage = '@tensorflow/tfjs-node';

/** What the engine uses of the package, typed by hand: the package's own types come only with its 300 MB. */
export interface Tfjs {
  /** Versions of the package and of its parts, by name. */
  readonly version: Readonly<Record<string, string>>;
  readonly node: {
    /** Opens a TensorFlow session; calls with one folder and the same tags share it and its variables. */
    loadSavedModel(folder: string, tags?: string[], signature?: string): Promise<TfjsModel>;
    getNumOfSavedModels(): number;
  };
  tensor(values: TfjsArray, shape: number[], dtype?: TfjsDType): TfjsTensor;
  dispose(tensors: TfjsTensor | readonly TfjsTensor[] | Readonly<Record<string, TfjsTensor>>): void;
  /** Frees the tensors that `compute` makes, except its result. */
  tidy<T extends TfjsTensor | TfjsTensor[]>(compute: () => T): T;
  memory(): { readonly numTensors: number; readonly numBytes: number };
  backend(): TfjsBackend;
}

export type TfjsDType = 'float32' | 'int32' | 'bool';
export type TfjsArray = Float32Array | Int32Array | Uint8Array;

export interface TfjsTensor {
  readonly shape: number[];
  readonly dtype: string;
  data(): Promise<TfjsArray>;
  dataSync(): TfjsArray;
  dispose(): void;
}

export interface TfjsModel {
  /** Runs the signature. One output comes alone, several by name. */
  predict(inputs: Readonly<Record<string, TfjsTensor>>): TfjsTensor | Readonly<Record<string, TfjsTensor>>;
  dispose(): void;
}

/** Runs any TensorFlow op by name. */
export interface TfjsBackend {
  readonly binding: { readonly TF_Version: string } & Readonly<Record<`TF_${string}`, number | string>>;
  executeSingleOutput(op: string, attributes: TfjsAttribute[], inputs: TfjsTensor[]): TfjsTensor;
  executeMultipleOutputs(
    op: string,
    attributes: TfjsAttribute[],
    inputs: TfjsTensor[],
    numOutputs: number,
  ): TfjsTensor[];
}

export interface TfjsAttribute {
  readonly name: string;
  /** One of the binding's `TF_ATTR_…`. */
  readonly type: number | string;
  readonly value: unknown;
}

export interface LoadedTensorflow {
  readonly tf: Tfjs;
  /** Of the package and of the library under it, for example `tfjs-node 4.22.0, TensorFlow 2.15.1`. */
  readonly version: string;
  /** The version of our own kernels; null where they were not built. */
  readonly kernels: string | null;
}

/** Where `qpipe engine install tensorflow` puts the package and, if it had to fetch it, the library. */
export function tensorflowFolder(home: string): string {
  return join(home, 'engines', 'tensorflow');
}

/** The package's folder inside one where npm installed it. */
export function addonFolder(installed: string): string {
  return join(installed, 'node_modules', addonPackage);
}

/**
 * The folder of the package, wherever npm put it, or below `home`; null when no folder has the package with its native
 * part. That part is missing after an install whose scripts were not allowed or could not download.
 */
export function findAddon(home: string): string | null {
  const folders = [...ordinaryFolder(), addonFolder(tensorflowFolder(home))];
  return folders.find((folder) => nativeFolder(folder) !== null) ?? null;
}

function ordinaryFolder(): string[] {
  try {
    return [dirname(createRequire(import.meta.url).resolve(`${addonPackage}/package.json`))];
  } catch {
    return [];
  }
}

/**
 * Where the native part of the package in `folder` lies: one folder for each version of Node-API, of which one is
 * built.
 */
export function nativeFolder(folder: string): string | null {
  const builds = join(folder, 'lib');
  const versions = existsSync(builds) ? readdirSync(builds).map((name) => join(builds, name)) : [];
  return versions.find((version) => existsSync(join(version, nativeFile))) ?? null;
}

const nativeFile = 'tfjs_binding.node';

/**
 * @param home the folder that qpipe keeps for all pipelines
 * @throws UserError `engine-missing` when the package is nowhere, `engine-broken` when it does not load
 */
export function loadTensorflow(home: string): Promise<LoadedTensorflow> {
  return Promise.resolve().then(() => {
    const folder = findAddon(home);
    if (folder === null) {
      throw userError(
        'engine tensorflow',
        'engine-missing',
        `${addonPackage} is not installed, or its native part could not be built`,
        'run `qpipe engine install tensorflow`, or use `engine: wasm`, which needs no install',
      );
    }
    return loadAddon(folder);
  });
}

/**
 * @param folder of the package
 * @throws UserError `engine-broken`
 */
export function loadAddon(folder: string): LoadedTensorflow {
  // TensorFlow's C++ side reads it when it is loaded; without it every session begins with a banner on stderr.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
  // By itself TensorFlow uses oneDNN only on x86 processors with VNNI or AMX (tensorflow/core/util/util.cc), and the
  // kernels that it has without compute no gradients of dilations and no unequal strides of a depthwise convolution.
  if (process.arch === 'x64') process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  // The package calls functions that Node 23 removed and Node 22 warns about.
  Object.assign(nodeUtil, {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
  const { tf, version } = loadPackage(folder);
  const native = nativeFolder(folder);
  return { tf, version, kernels: native === null ? null : loadKernels(native) };
}

function loadPackage(folder: string): Pick<LoadedTensorflow, 'tf' | 'version'> {
  try {
    const tf = createRequire(import.meta.url)(folder) as Tfjs; // the part of its interface that is written down above
    const { TF_Version: library } = tf.backend().binding;
    return { tf, version: `tfjs-node ${tf.version['tfjs-node'] ?? '?'}, TensorFlow ${library}` };
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw userError(
      folder,
      'engine-broken',
      `${addonPackage} is installed but cannot be loaded: ${reason}`,
      'run `qpipe engine install tensorflow --force`, or remove the folder',
    );
  }
}
