/**
 * Our own kernels: sources that come with the package, and the library that an install builds from them next to the
 * addon's native part.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { userError } from '../../core/diagnostic.ts';
import { packageFile } from '../../core/package-file.ts';

const sources = fileURLToPath(packageFile('src/engine/tensorflow/kernels'));

const sourceFiles = (): readonly string[] =>
  readdirSync(sources)
    .filter((file) => /\.(cc|h)$/.test(file))
    .sort();

/** The first eight hex digits of the digest of the sources: other sources make another library. */
function kernelsVersion(): string {
  const hash = createHash('sha256');
  for (const file of sourceFiles()) hash.update(`${file}\n`).update(readFileSync(join(sources, file)));
  return hash.digest('hex').slice(0, 8);
}

/** Where the library of these sources belongs: in the folder of the addon's native part. */
export function kernelsFile(nativeFolder: string): string {
  return join(nativeFolder, `qpipe-kernels-${kernelsVersion()}.node`);
}

/** Whether a file of that folder is such a library, of these or of other sources. */
export const isKernelsFile = (name: string): boolean => /^qpipe-kernels-.*\.node$/.test(name);

/**
 * Arguments for the C++ compiler.
 *
 * @param output the file to write, in the folder of the addon's native part
 */
export function compilerArguments(output: string): readonly string[] {
  const libraries = '../../deps/lib';
  return [
    ...['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread'],
    // Round exactly as written, and relax C's rules only as far as vectorization needs.
    ...['-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'],
    ...['-o', output, ...sourceFiles().flatMap((file) => (file.endsWith('.cc') ? [join(sources, file)] : []))],
    // The library is found where the addon finds it, too.
    ...['-Wl,-z,defs', `-L${join(dirname(output), libraries)}`],
    ...['-l:libtensorflow_framework.so.2', `-Wl,-rpath,$ORIGIN/${libraries}`],
  ];
}

/**
 * Loads the kernels for all sessions of the process, after the addon.
 *
 * @returns their version; null where they were not built, or from other sources
 * @throws UserError `engine-broken`
 */
export function loadKernels(nativeFolder: string): string | null {
  const file = kernelsFile(nativeFolder);
  if (!existsSync(file)) return null;
  try {
    createRequire(import.meta.url)(file);
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw userError(
      file,
      'engine-broken',
      `the kernels are installed but cannot be loaded: ${reason}`,
      'remove the file, then run `qpipe engine install tensorflow`',
    );
  }
  return kernelsVersion();
}
