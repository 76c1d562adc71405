import { readFile } from 'node:fs/promises';
import { packageFile } from '../core/package-file.ts';

const modules = new Map<string, Promise<WebAssembly.Module>>();

/**
 * A file of this package, compiled once a process.
 *
 * @param file from the root of the package: `dist/engine/wasm/kernels.wasm`
 */
export function compiledModule(file: string): Promise<WebAssembly.Module> {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const module = readFile(packageFile(file)).then((bytes) => WebAssembly.compile(bytes));
  modules.set(file, module);
  // A file that could not be read may be there the next time.
  module.catch(() => modules.delete(file));
  return module;
}
