import path from 'node:path';
import { internal } from '../core/assert.ts';
import type { ParseRule, SchemaNode } from '../core/schema.ts';
import { chosenSchema, fieldSchema, isRecord } from '../core/schema.ts';
import { completeLayers } from '../models/config.ts';
import { parseDevice } from '../stages/devices.ts';
import type { StageConfig } from '../stages/index.ts';
import type { PipelineConfig } from './schema.ts';
import { pipelineSchema } from './schema.ts';

export interface ResolvedStage {
  readonly name: string;
  readonly config: StageConfig;
}

/** A pipeline in which everything is present, as plain JSON: what a run records and computes its keys from. */
export interface ResolvedPipeline extends Omit<PipelineConfig, 'stages'> {
  /** In an order in which they can run: every stage after the one its `from` names, otherwise as in the file. */
  readonly stages: readonly ResolvedStage[];
}

/**
 * Parses the texts of a pipeline that fits the schema, defaults filled in, and completes its layers.
 *
 * @param folder of the pipeline file, from which its relative paths start
 */
export function parseTexts(validated: unknown, folder: string): PipelineConfig {
  // The schema's type is by definition what parsing makes of a valid value.
  const config = parseValue(pipelineSchema, validated, folder) as PipelineConfig;
  const { model } = config;
  return 'layers' in model ? { ...config, model: { ...model, layers: [...completeLayers(model.layers)] } } : config;
}

/** Puts the stages in order; `config` has passed the semantic checks. */
export function resolve(config: PipelineConfig): ResolvedPipeline {
  return { ...config, stages: inOrder(config.stages) };
}

const parsers: { readonly [R in ParseRule]: (written: unknown, folder: string) => unknown } = {
  device: (written) => parseDevice(String(written)),
  fraction: (written) => {
    const [numerator, denominator] = String(written).split('/').map(Number);
    return typeof written === 'number' ? written : Number(numerator) / Number(denominator);
  },
  pair: (written): unknown => (Array.isArray(written) ? written : [written, written]),
  path: (written, folder) => path.resolve(folder, String(written)),
};

function parseValue(schema: SchemaNode, value: unknown, folder: string): unknown {
  const chosen = chosenSchema(schema, value);
  const rule = chosen['x-parse'];
  if (rule !== undefined) return parsers[rule](value, folder);
  const { items } = chosen;
  if (Array.isArray(value) && items !== undefined) return value.map((item) => parseValue(items, item, folder));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, parseValue(fieldSchema(chosen, name) ?? {}, field, folder)]),
  );
}

function inOrder(stages: PipelineConfig['stages']): ResolvedStage[] {
  const waiting = new Map(Object.entries(stages));
  const ordered: ResolvedStage[] = [];
  while (waiting.size > 0) {
    const ready = [...waiting].find(([, config]) => !waiting.has(parentOf(config) ?? ''));
    if (ready === undefined) return internal('stages in a cycle passed the semantic checks');
    const [name, config] = ready;
    waiting.delete(name);
    ordered.push({ name, config });
  }
  return ordered;
}

/** The name of the stage whose result this one takes; null when it starts from nothing. */
export function parentOf(config: StageConfig): string | null {
  return 'from' in config ? (config.from ?? null) : null;
}
