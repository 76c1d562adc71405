import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import type { Json, JsonObject } from '../core/json.ts';
import type { Digest } from '../core/digest.ts';
import { ownerSchema } from './owner.ts';

/** Any JSON object. */
const anyObject = Type.Unsafe<JsonObject>(Type.Object({}));

export const digestSchema = Type.Unsafe<Digest>(Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }));
export const keySchema = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'names the execution; see fingerprint.ts',
});

export const verdictSchema = Type.Union([Type.Literal('pass'), Type.Literal('fail')]);

/** What the machine and the program were. Shown and compared, never part of a key. */
const provenanceSchema = Type.Object({
  commandLine: Type.Array(Type.String()),
  node: Type.String(),
  platform: Type.String(),
  arch: Type.String(),
  cpus: Type.Integer(),
  qpipeVersion: Type.String(),
});
export type Provenance = Static<typeof provenanceSchema>;

const artifactFields = {
  type: Type.String({ description: 'format and version, for example Tflite/1' }),
  digest: digestSchema,
  bytes: Type.Integer({ minimum: 0 }),
};

/** No part of the result: with and without an interruption its bytes are the same. */
const resumedAtSchema = Type.Array(Type.Integer(), {
  description: 'steps behind which the execution was interrupted and went on',
});

/** The result of one execution, kept under its key and sealed. Writing it is what makes the result exist. */
export const actionRecordSchema = Type.Object({
  schema: Type.Literal('qpipe-action-v2'),
  key: keySchema,
  outputs: Type.Record(Type.String(), Type.Object(artifactFields)),
  metrics: anyObject,
  startedAt: Type.String({ description: 'ISO 8601, UTC' }),
  seconds: Type.Number({ minimum: 0 }),
  run: Type.String({ description: 'the run that executed it' }),
  resumedAt: Type.Optional(resumedAtSchema),
  provenance: provenanceSchema,
});
export type ActionRecord = Static<typeof actionRecordSchema>;

const reachedFields = {
  name: Type.String(),
  kind: Type.String(),
  key: keySchema,
  cached: Type.Boolean({ description: 'the result of an earlier execution was used' }),
  seconds: Type.Number({ description: 'of the execution that made the result, in this run or an earlier one' }),
  verdict: verdictSchema,
  inputs: Type.Record(Type.String(), Type.Object({ type: Type.String(), digest: digestSchema })),
  outputs: Type.Record(
    Type.String(),
    Type.Object({ ...artifactFields, path: Type.String({ description: 'relative to the run folder' }) }),
  ),
  resumedAt: Type.Optional(resumedAtSchema),
};

export const stageRecordSchema = Type.Object({ ...reachedFields, metrics: anyObject });
export type StageRecord = Static<typeof stageRecordSchema>;

/** A finished stage without its measurements, which are in its folder: what an event says of it. */
export const reachedStageSchema = Type.Object(reachedFields);

/** What is odd about a run apart from its stages' results, whose metrics speak for themselves. */
export const runWarningSchema = Type.Object({
  code: Type.String(),
  layer: Type.Union([Type.String(), Type.Null()]),
  message: Type.String({ description: 'what was found and what was expected' }),
  hint: Type.Union([Type.String(), Type.Null()], { description: 'what to do about it' }),
});
export type RunWarning = Static<typeof runWarningSchema>;

const anyJson = Type.Unsafe<Json>(Type.Unknown());

/** How the stages of a plan make up the cells of a matrix: stages that are equal in several cells are one stage. */
export const matrixSchema = Type.Object({
  axes: Type.Array(
    Type.Object({
      setting: Type.String({ description: 'its path in the pipeline, for example stages.qat.scheme' }),
      name: Type.String({ description: 'short for it' }),
      values: Type.Array(anyJson),
      labels: Type.Array(Type.String(), { description: 'a short word for each value' }),
    }),
  ),
  cells: Type.Array(
    Type.Object({
      name: Type.String({ description: 'labels of the axes that vary, for example `seed=1, scheme=int8`' }),
      choices: Type.Array(Type.Integer(), { description: 'of each axis the index of the value' }),
      stages: Type.Record(Type.String(), Type.String(), {
        description: 'by the name of a stage in the pipeline, that of the stage of the run which is it in this cell',
      }),
    }),
  ),
});
export type MatrixRecord = Static<typeof matrixSchema>;

export const runStatusSchema = Type.Union([
  Type.Literal('running', { description: 'or its process was killed and nothing has looked at it since' }),
  Type.Literal('pass'),
  Type.Literal('fail', { description: 'all stages ran; a gate was not met' }),
  Type.Literal('error'),
  Type.Literal('interrupted'),
]);
export type RunStatus = Static<typeof runStatusSchema>;

const originSchema = Type.Object({
  file: Type.String({ description: 'absolute path of the pipeline file' }),
  set: Type.Array(Type.String(), { description: 'what the command line changed, each path=value' }),
  data: Type.Union([Type.String(), Type.Null()], { description: 'the folder of data sets that was named' }),
});

/** `run.json` without its seal, and the value the report is rendered from. */
export const runRecordSchema = Type.Object({
  schema: Type.Literal('qpipe-run-v2'),
  id: Type.String({ description: 'also the name of the run folder' }),
  pipeline: Type.String(),
  origin: originSchema,
  status: runStatusSchema,
  startedAt: Type.String({ description: 'ISO 8601, UTC' }),
  seconds: Type.Number({ description: '0 while running' }),
  provenance: provenanceSchema,
  owner: Type.Optional(ownerSchema),
  /** Of resolved.json: what the report says of the settings is what the run was given. */
  resolved: digestSchema,
  /** Of a pipeline with `matrix`. */
  matrix: Type.Optional(matrixSchema),
  warnings: Type.Array(runWarningSchema, { description: 'of the pipeline, then of the stored results' }),
  stages: Type.Array(stageRecordSchema, { description: 'those that have a result, in the order of the plan' }),
});
export type RunRecord = Static<typeof runRecordSchema>;
