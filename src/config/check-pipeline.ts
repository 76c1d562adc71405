import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import type { PipelineConfig } from './schema.ts';
import { withDefinitions } from './definitions.ts';
import { pipelineSchema } from './schema.ts';

/** How pipelines are checked: all mistakes at once, and defaults filled in. */
export const ajvOptions = {
  ...{ allErrors: true, useDefaults: true, discriminator: true, allowUnionTypes: true },
  inlineRefs: false,
  messages: false,
  keywords: ['x-qpipe', 'x-parse', 'x-derived'],
};

/**
 * The check of a pipeline by its schema. The command line has it as code that the build writes
 * (scripts/standalone-check.js): compiling the schema takes longer than a run of stored stages.
 */
export const checkPipeline: ValidateFunction<PipelineConfig> = new Ajv(ajvOptions).compile<PipelineConfig>(
  withDefinitions(pipelineSchema),
);
