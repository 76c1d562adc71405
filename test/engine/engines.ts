/** The engines that tests run; TensorFlow's only where its addon is installed. */
import { qpipeHome } from '../../src/cli/home.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { loadTensorflowEngine } from '../../src/engine/tensorflow/index.ts';

/** Null, after one line that says why, without the addon. */
export const tensorflowEngine: Engine | null = await loadTensorflowEngine(qpipeHome()).catch((error: unknown) => {
  if (!(error instanceof UserError)) throw error;
  console.warn(`skipped: tests of the tensorflow engine (${error.diagnostics[0]?.message ?? error.message})`);
  return null;
});
