import { formatDiagnostic, UserError } from '../../src/core/diagnostic.ts';
import { parsePipeline } from '../../src/config/load.ts';
import { pipelineSchema } from '../../src/config/schema.ts';
import { isRecord } from '../../src/core/schema.ts';

/** A pipeline with every stage; the tests count its lines, so changes go to the end. */
export const example = `# A comment
version: 1
name: mnist-lenet
description: optional text
seed: 1
engine: wasm
data:
  source: mnist
  validation: 5000
  normalize: { scale: 1/255, mean: 0 }
model: { preset: lenet5 }
stages:
  pretrain:
    uses: float-pretrain
    epochs: 3
    batch: 64
    optimizer: { kind: sgd, learning_rate: 0.05, momentum: 0.9, schedule: cosine }
    keep: best
  qat:
    uses: qat
    from: pretrain
    epochs: 2
    delay: 500
    devices: [cpu:0, cpu:1]
    range_window: 9000
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test:
    uses: test
    from: convert
    gates: { int8_top1_min: 0.98, drop_max: 0.01 }
`;

/** The example with texts replaced; each must occur. */
export function edited(...replacements: readonly (readonly [from: string, to: string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${from}`);
    return text.replace(from, to);
  }, example);
}

/** The mistakes found in a text, as the command line prints them. */
export function mistakes(text: string, overrides: readonly string[] = []): string[] {
  try {
    parsePipeline(text, 'p.yaml', overrides);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(formatDiagnostic);
  }
  return [];
}

/** The last hint for a value that does not fit: what its field means, in the words of the schema. */
export function meaningHint(name: string): string {
  const descriptions = [...fieldsOf(pipelineSchema, name)];
  if (descriptions[0] === undefined) throw new Error(`no field ${name} has a description`);
  return `  hint: \`${name}\`: ${descriptions[0]}`;
}

function* fieldsOf(schema: unknown, name: string): Generator<string> {
  if (Array.isArray(schema)) for (const each of schema) yield* fieldsOf(each, name);
  if (!isRecord(schema)) return;
  const { properties } = schema;
  const field = isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (isRecord(field) && typeof field['description'] === 'string') yield field['description'];
  for (const each of Object.values(schema)) yield* fieldsOf(each, name);
}
