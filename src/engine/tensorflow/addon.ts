/** The native package that brings TensorFlow into this process. It is not a dependency: users install it by wish. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import util from 'node:util';
import { userError } from '../../core/diagnostic.ts';

/** What we use of the package. */
export interface Tfjs {
  tensor(values: Float32Array, shape: readonly number[], dtype: 'float32'): TfjsTensor;
  dispose(tensors: TfjsTensor | readonly TfjsTensor[] | Readonly<Record<string, TfjsTensor>>): void;
  memory(): { readonly numTensors: number };
  backend(): { readonly binding: { readonly TF_Version: string } };
  readonly node: {
    loadSavedModel(folder: string, tags: readonly string[], signature: string): Promise<TfjsSignature>;
    getNumOfSavedModels(): number;
  };
}

export interface TfjsTensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** One signature of a saved model; those of one folder share a session. */
export interface TfjsSignature {
  predict(inputs: Readonly<Record<string, TfjsTensor>>): Readonly<Record<string, TfjsTensor>>;
  dispose(): void;
}

const PACKAGE = '@tensorflow/tfjs-node';

/**
 * Loads the addon.
 *
 * @returns the package, and the version of TensorFlow's own library
 * @throws UserError code 'engine-missing' saying how to install it
 */
export function loadTensorflow(): Promise<{ readonly tf: Tfjs; readonly version: string }> {
  return new Promise((resolve) => {
    // Read once, while the library is loaded: without it, its banner goes to stderr.
    process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
    restoreRemovedFunctions();
    const tf = requirePackage();
    resolve({ tf, version: tf.backend().binding.TF_Version });
  });
}

function requirePackage(): Tfjs {
  const require = createRequire(import.meta.url);
  const home = process.env['QPIPE_HOME'] ?? path.join(os.homedir(), '.cache', 'qpipe');
  const installed = path.join(home, 'engines/tensorflow/node_modules', PACKAGE);
  const found = [PACKAGE, installed].find((name) =>
    name === installed ? existsSync(name) : canResolve(require, name),
  );
  try {
    if (found !== undefined) return require(found) as Tfjs; // the package's own exports
  } catch (error) {
    throw missing(`${PACKAGE} does not load: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw missing(`the package ${PACKAGE} is not installed`);
}

function canResolve(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

const missing = (message: string) =>
  userError('engine tensorflow', 'engine-missing', message, 'install it with `qpipe engine install tensorflow`', 64);

/** Node 23 took away two functions that the package calls. */
function restoreRemovedFunctions(): void {
  const removed = { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray };
  for (const [name, replacement] of Object.entries(removed)) {
    if (!(name in util)) Object.assign(util, { [name]: replacement });
  }
}
