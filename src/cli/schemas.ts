import { pipelineSchema } from '../config/schema.ts';
import { Comparison } from '../report/compare/index.ts';
import { Report } from '../report/report.ts';
import { runEventSchema } from '../runner/event.ts';
import { runRecordSchema } from '../runner/record.ts';

/** The JSON Schema of the pipeline file and of every JSON file that a run or a comparison writes, by file name. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  const schemas = {
    'pipeline.schema.json': pipelineSchema,
    'run.schema.json': runRecordSchema,
    'event.schema.json': runEventSchema,
    'report.schema.json': Report,
    'comparison.schema.json': Comparison,
  };
  return new Map(
    Object.entries(schemas).map(([file, schema]) => [
      file,
      `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...schema }, null, 2)}\n`,
    ]),
  );
}
