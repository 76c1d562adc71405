/** The task of a pipeline's networks. */
import type { Task } from '../measurements/metrics.ts';
import type { ModelConfig } from '../models/config.ts';
import { modelTasks } from '../models/presets.ts';
import type { StageConfig } from '../stages/index.ts';
import type { PipelineConfig } from './schema.ts';

/** The task of all networks of a pipeline, which is that of its `model` where it has one. */
export function pipelineTask(model: ModelConfig | undefined, stages: readonly StageConfig[]): Task {
  return pipelineTasks(model, stages)[0];
}

/** The same of every output. */
export function pipelineTasks(
  model: ModelConfig | undefined,
  stages: readonly StageConfig[],
): readonly [Task, ...Task[]] {
  if (model !== undefined) return modelTasks(model);
  const imported = stages.find((stage) => stage.uses === 'import');
  // Filled in while texts are parsed, which asks for the task of `model`.
  const { task }: { readonly task?: Task } = imported ?? {};
  return [task ?? 'classify'];
}

/** By output, of a pipeline whose stages are still by name. */
export const tasksOf = ({ model, stages }: Pick<PipelineConfig, 'model' | 'stages'>): readonly [Task, ...Task[]] =>
  pipelineTasks(model, Object.values(stages));

/** Of the first output. */
export const taskOf = ({ model, stages }: Pick<PipelineConfig, 'model' | 'stages'>): Task =>
  pipelineTask(model, Object.values(stages));
