import os from 'node:os';
import { loadPipeline } from '../config/load.ts';
import { makePlan, pipelineModel } from '../config/plan.ts';
import { warnings } from '../config/semantics.ts';
import type { Diagnostic } from '../core/diagnostic.ts';

export interface Validation {
  readonly name: string;
  /** In the order in which they would run. */
  readonly stages: readonly { readonly name: string; readonly kind: string }[];
  readonly warnings: readonly Diagnostic[];
}

/**
 * Checks a pipeline and its data without running it.
 *
 * @throws UserError with every mistake
 */
export async function validate(pipeline: string, set: readonly string[] = []): Promise<Validation> {
  const loaded = await loadPipeline(pipeline, set);
  pipelineModel(loaded); // reads the data
  const plan = await makePlan(loaded, {
    threads: null,
    cores: os.availableParallelism(),
    now: () => performance.now(),
  });
  return {
    name: plan.name,
    stages: plan.stages.map(({ name, kind }) => ({ name, kind })),
    warnings: warnings(loaded.pipeline, loaded.locate),
  };
}
