/** The engines that tests run; TensorFlow's only where its addon is installed. */
import { qpipeHome } from '../../src/install/home.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { loadTensorflowEngine } from '../../src/engine/tensorflow/index.ts';

/** With our own kernels where they are built. Null, after one line that says why, without the addon. */
export const tensorflowEngine: Engine | null = await loadTensorflowEngine(qpipeHome()).catch((error: unknown) => {
  if (!(error instanceof UserError)) throw error;
  console.warn(`skipped: tests of the tensorflow engine (${error.diagnostics[0]?.message ?? error.message})`);
  return null;
});

/** With the kernels of TensorFlow only. */
const onLibraryKernels: Engine | null =
  tensorflowEngine === null ? null : await loadTensorflowEngine(qpipeHome(), 'library');

export const hasOwnKernels = tensorflowEngine !== null && tensorflowEngine.version !== onLibraryKernels?.version;
if (tensorflowEngine !== null && !hasOwnKernels) {
  console.warn('skipped: tests of the tensorflow engine with our own kernels (run `qpipe engine install tensorflow`)');
}

/** Both forms of it, for tests that are skipped without it. */
export const tensorflowEngines: readonly (readonly [name: string, engine: Engine | null])[] = [
  ...(tensorflowEngine === null || hasOwnKernels ? [['tensorflow, own kernels', tensorflowEngine] as const] : []),
  ["tensorflow, the library's kernels", onLibraryKernels],
];
