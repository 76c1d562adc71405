import type { Diagnostic } from '../core/diagnostic.ts';
import { answerDiagnostics, groupDiagnostics, normalizeDiagnostics } from './checks/data.ts';
import { importTaskDiagnostics } from './checks/imports.ts';
import { layerDiagnostics } from './checks/layers.ts';
import { outputStageDiagnostics } from './checks/outputs.ts';
import { stageDiagnostics } from './checks/stages.ts';
import { stageFileDiagnostics } from './checks/stage-files.ts';
import { targetSettingDiagnostics } from './checks/targets.ts';
import type { PipelineConfig } from './schema.ts';
import type { Locate } from './source.ts';
import { taskDiagnostics } from './task-fit.ts';

/** Mistakes that the schema does not catch, as far as they can be known without the data. */
export function semanticDiagnostics(config: PipelineConfig, locate: Locate): Diagnostic[] {
  return [
    ...layerDiagnostics(config, locate),
    ...taskDiagnostics(config, locate),
    ...outputStageDiagnostics(config, locate),
    ...importTaskDiagnostics(config, locate),
    ...answerDiagnostics(config, locate),
    ...groupDiagnostics(config, locate),
    ...normalizeDiagnostics(config, locate),
    ...targetSettingDiagnostics(config, locate),
    ...Object.entries(config.stages).flatMap(([name, stage]) => [
      ...stageDiagnostics(config, name, stage, locate),
      ...stageFileDiagnostics(config, name, stage, locate),
    ]),
  ];
}
