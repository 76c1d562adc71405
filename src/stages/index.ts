import type { TUnsafe } from '@sinclair/typebox';
import { discriminated } from '../core/schema.ts';
import { convert } from './convert.ts';
import type { ConfigOf, StageDefinition } from './define.ts';
import { exec } from './exec.ts';
import { exportStage } from './export.ts';
import { floatPretrain } from './float-pretrain.ts';
import { freeze } from './freeze.ts';
import { importModel } from './import.ts';
import { ptq } from './ptq.ts';
import { qat } from './qat.ts';
import { saveEvalGraph } from './save-eval-graph.ts';
import { test } from './test.ts';

const table = {
  import: importModel,
  'float-pretrain': floatPretrain,
  ptq,
  qat,
  'save-eval-graph': saveEvalGraph,
  freeze,
  convert,
  test,
  export: exportStage,
  exec,
};

export type StageKind = keyof typeof table;

/** Config of a stage by its kind; without a kind, the union discriminated by `uses`. */
export type StageConfig<K extends StageKind = StageKind> = { [P in K]: ConfigOf<(typeof table)[P]> }[K];

/** Every stage kind under its own name: another name does not compile. */
export const stages: { readonly [K in StageKind]: StageDefinition<K> } = table;

export const stageSchema: TUnsafe<StageConfig> = discriminated(
  'uses',
  Object.values(table).map((stage) => stage.config),
);

export function isStageKind(text: unknown): text is StageKind {
  return typeof text === 'string' && Object.hasOwn(table, text);
}
