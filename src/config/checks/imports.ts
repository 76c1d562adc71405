/** Import stages that do not go together, or with the pipeline's own network. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import { modelTask } from '../../models/presets.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate } from '../source.ts';

/** Networks that do not have the task of the pipeline's `model`, or of another import. */
export function importTaskDiagnostics({ model, stages }: PipelineConfig, locate: Locate): Diagnostic[] {
  const imports = Object.entries(stages).flatMap(([name, stage]) => (stage.uses === 'import' ? [{ name, stage }] : []));
  const [first] = imports;
  if (first === undefined) return [];
  const task = model === undefined ? first.stage.task : modelTask(model);
  return imports.flatMap(({ name, stage }): Diagnostic[] =>
    stage.task === task
      ? []
      : [
          {
            code: 'other-task',
            place: locate(['stages', name, 'task'], 'value'),
            message: `\`stages.${name}.task\` is ${stage.task}, but ${model === undefined ? `\`stages.${first.name}\`` : '`model`'} is for ${task}; the networks of a pipeline have one task`,
            hint: `set \`task: ${task}\`, or use two pipelines`,
          },
        ],
  );
}
