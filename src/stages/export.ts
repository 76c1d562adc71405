import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { derived, key } from '../core/schema.ts';
import type { Exported } from '../export/exported.ts';
import { exportedFiles } from '../export/index.ts';
import { exportedModel } from '../export/model.ts';
import { testVectors } from '../export/vectors.ts';
import type { ExportMetrics } from '../measurements/metrics.ts';
import type { StageContext } from '../runner/plan.ts';
import { readModelFile } from '../training/checkpoint.ts';
import type { StageOutputRule } from './define.ts';
import { defineStage } from './define.ts';
import { inputPath, readInput, writeOutput } from './files.ts';

// A Tflite/1 is read again before it is kept.
const outputs: Readonly<Record<string, StageOutputRule>> = Object.fromEntries(
  Object.keys(exportedFiles).map((file) => [file, { type: file === 'model.tflite' ? 'Tflite/1' : 'Export/1', file }]),
);

export const exportStage = defineStage({
  kind: 'export',
  revision: 1,
  description:
    'Writes a folder for a firmware or a browser: the model as an array, its settings, its operators, test vectors and a program that runs them',
  from: { accepts: ['Tflite/1', 'TestReport/1'], optional: false },
  produces: 'Export/1',
  uses: ['test-data'],
  inputs: {
    model: { type: 'Tflite/1', optional: false },
    qat: { type: 'QatModel/2', optional: false },
    report: { type: 'TestReport/1', optional: true },
  },
  outputs,
  fields: {
    name: derived(
      Type.String({
        ...key('Name of the model in the code: the C++ namespace is `qpipe_` and this'),
        pattern: '^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$',
        maxLength: 64,
      }),
      'name of the pipeline, with `_` for what no identifier holds',
    ),
    test_vectors: Type.Integer({
      ...key('Number of test examples, spread over the test split, whose inputs and outputs are exported'),
      minimum: 1,
      maximum: 1000,
      default: 8,
    }),
    metadata: Type.Boolean({
      ...key("Whether `model.tflite` gets the normalization and the labels that Android's task library reads"),
      default: true,
    }),
  },

  async run({ name, test_vectors: count, metadata }, context, environment) {
    const file = inputPath(context, 'model');
    const bytes = await readInput(context, 'model');
    const { contract } = await readModelFile(inputPath(context, 'qat'));
    const model = exportedModel(name, bytes, contract, await readReport(context), file);
    const { test: split } = await environment.testData();
    const exported: Exported = { ...model, metadata, vectors: await testVectors(model, split, count, file) };
    const sizes: Record<string, number> = {};
    for (const [path, contentOf] of Object.entries(exportedFiles)) {
      const content = contentOf(exported);
      const written = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      await mkdir(dirname(join(context.directory, path)), { recursive: true });
      await writeOutput(context, { type: 'Export/1', file: path }, written);
      sizes[path] = written.length;
      context.signal.throwIfAborted();
    }
    return {
      metrics: {
        kind: 'export',
        name: model.name,
        vectors: exported.vectors.vectors.length,
        sizes,
      } satisfies ExportMetrics,
    };
  },
});

/** What the test stage found, where the chain has one. */
async function readReport(context: StageContext): Promise<unknown> {
  const file = context.inputs['report'];
  return file === undefined ? null : JSON.parse(await readFile(file, 'utf8'));
}
