import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, doc, key, memorySize, object, runtime } from '../core/schema.ts';
import { dataSchema } from '../data/config.ts';
import { engineNames } from '../engine/engine.ts';
import { modelSchema } from '../models/config.ts';
import type { StageConfig } from '../stages/index.ts';
import { stageSchema } from '../stages/index.ts';
import { targetField } from '../targets/config.ts';
import { lossSchema } from '../tasks/loss-options.ts';

const stagesSchema = Type.Unsafe<Readonly<Record<string, StageConfig>>>({
  type: 'object',
  propertyNames: { pattern: '^[a-z][a-z0-9_-]*$' },
  additionalProperties: stageSchema,
  minProperties: 1,
  ...key('The stages, by name. `from` names the stage whose result a stage reads'),
});

/** The whole pipeline file. */
export const pipelineSchema = object(
  {
    version: Type.Literal(1, key('Version of the pipeline format')),
    name: Type.String({
      ...doc('Name of the pipeline; the names of its runs contain it'),
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      examples: ['mnist-lenet'],
    }),
    description: Type.Optional(Type.String(doc('What the pipeline is for'))),
    seed: Type.Integer({
      ...key('Random seed for initial weights, order of images, augmentation and dropout'),
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 1,
    }),
    engine: choice(engineNames, {
      ...key(
        'What trains and evaluates: `wasm` (WebAssembly kernels), `tensorflow` (if installed), or `reference` (slow plain loops, for comparison)',
      ),
      default: 'wasm',
    }),
    threads: Type.Optional(
      Type.Integer({
        ...runtime('Number of worker threads; the results do not depend on it; default: all cores'),
        minimum: 1,
      }),
    ),
    memory: Type.Optional(
      memorySize(
        runtime(
          'How much memory the examples may take while they are read and decoded; more of them stay on the disk. The results do not depend on it; default: a quarter of the machine, or of the container',
        ),
      ),
    ),
    data: dataSchema,
    model: Type.Optional(modelSchema),
    target: Type.Optional(
      targetField(
        runtime('Where the model is to run. `validate` checks the network against it before anything is trained'),
      ),
    ),
    loss: lossSchema,
    matrix: Type.Optional(
      Type.Unsafe<Readonly<Record<string, readonly unknown[]>>>({
        type: ['object', 'null'],
        additionalProperties: {
          type: 'array',
          minItems: 1,
          uniqueItems: true,
          ...runtime('The values of a setting, each of which is part of the cells that have it'),
        },
        ...runtime(
          'Runs the pipeline once for every choice of values: a map from settings to lists of values, such as `stages.qat.scheme: [int8, uint8]`',
        ),
      }),
    ),
    stages: stagesSchema,
  },
  { title: 'qpipe pipeline', description: 'From a float model to a tested int8 .tflite file' },
);

/** A pipeline file with defaults filled in and texts parsed; stages still by name. */
export type PipelineConfig = Static<typeof pipelineSchema>;
