import { resolve as resolvePath } from 'node:path';
import { internal } from '../core/assert.ts';
import { parseBytes } from '../core/bytes.ts';
import type { ParseRule, SchemaNode } from '../core/schema.ts';
import { chosenSchema, fieldSchema, isRecord } from '../core/schema.ts';
import { completeData } from '../data/config.ts';
import { completeNormalize } from '../data/normalize.ts';
import { identifierOf } from '../export/literals.ts';
import { completeLayers } from '../models/config.ts';
import { calibrationDefaults } from '../stages/ptq.ts';
import { rangeDefaults } from '../stages/qat.ts';
import { modelLayers } from '../models/presets.ts';
import { takesBatchNorm } from '../models/standing-alone.ts';
import type { Scheme, WeightRanges } from '../passes/index.ts';
import { parseTargets } from '../targets/config.ts';
import { targets } from '../targets/index.ts';
import { parseDevice } from '../training/devices.ts';
import type { StageConfig } from '../stages/index.ts';
import { taskOf } from './task.ts';
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
 * @param dataFolders where data sets are looked for, absolute paths
 */
export function parseTexts(validated: unknown, folder: string, dataFolders: readonly string[]): PipelineConfig {
  // The schema's type is by definition what parsing makes of a valid value.
  const parsed = parseValue(pipelineSchema, validated, folder) as PipelineConfig;
  const config = { ...parsed, data: completeData(parsed.data, dataFolders, folder) };
  const { model } = config;
  const complete =
    model !== undefined && 'layers' in model
      ? { ...config, model: { ...model, layers: [...completeLayers(model.layers)] } }
      : config;
  return { ...complete, stages: completeStages(complete) };
}

/** Fills in what the schemas leave to others: a conversion's scheme is that of its qat stage, for instance. */
function completeStages(config: Omit<PipelineConfig, 'data'>): PipelineConfig['stages'] {
  const { stages } = config;
  return Object.fromEntries(
    Object.entries(stages).map(([name, stage]): [string, StageConfig] => {
      // The types promise what this function fills in.
      const given: Partial<StageConfig> = stage;
      if (stage.uses === 'qat') {
        const dense_weights = 'dense_weights' in given ? given.dense_weights : denseWeights(config);
        // Only weights with a scale for each output can take batch norm in at export.
        const isFolded = stage.scheme === 'uint8' || (!('dense_weights' in given) && foldsDense(config, dense_weights));
        const filledIn = {
          dense_weights,
          batch_norm: isFolded ? 'folded' : 'kept',
          ...rangeDefaults[stage.ranges],
        };
        return [name, { ...filledIn, ...given } as StageConfig];
      }
      if (stage.uses === 'ptq') {
        const filledIn = { dense_weights: denseWeights(config), ...calibrationDefaults[stage.ranges] };
        return [name, { ...filledIn, ...given } as StageConfig];
      }
      if (stage.uses === 'import') return [name, { task: taskOf(config), ...given } as StageConfig];
      if (stage.uses === 'export') return [name, { name: identifierOf(config.name), ...given } as StageConfig];
      if (stage.uses !== 'convert') return [name, stage];
      const scheme = ('scheme' in given ? given.scheme : undefined) ?? trainedScheme(stages, stage);
      const { target } = config;
      const filledIn = { scheme, input: scheme, output: scheme, ...(target !== undefined && { targets: target }) };
      return [name, { ...filledIn, ...given } as StageConfig];
    }),
  );
}

/** What every target takes, or a target asks for. */
function denseWeights({ target = [] }: Pick<PipelineConfig, 'target'>): WeightRanges {
  return target.some(({ name }) => targets[name].denseWeights.chosen === 'per_tensor') ? 'per_tensor' : 'per_channel';
}

/** Whether a dense layer takes batch norm into weights of one scale. Layers of a preset are the same for any image. */
function foldsDense({ model }: Pick<PipelineConfig, 'model'>, weights: WeightRanges | undefined): boolean {
  if (weights !== 'per_tensor' || model === undefined) return false;
  const layers = modelLayers(model, 2, [32, 32, 1]);
  return layers.some((layer) => layer.kind === 'fully_connected' && takesBatchNorm(layer, layers));
}

/**
 * The scheme of the qat or ptq stage that a stage's chain passes; the default where none does, which is reported elsewhere.
 */
export function trainedScheme(stages: PipelineConfig['stages'], stage: StageConfig): Scheme {
  // Cycles are reported elsewhere; here they only must end.
  const seen = new Set<StageConfig>();
  let current: StageConfig | undefined = stage;
  while (current !== undefined && !seen.has(current)) {
    if (current.uses === 'qat' || current.uses === 'ptq') return current.scheme;
    seen.add(current);
    current = stageNamed(stages, parentOf(current));
  }
  return 'int8';
}

/** Undefined for names without a stage, `constructor` and other names that every object has among them. */
export function stageNamed(stages: PipelineConfig['stages'], name: string | null): StageConfig | undefined {
  return name !== null && Object.hasOwn(stages, name) ? stages[name] : undefined;
}

/** Puts the stages in order; `config` has passed the semantic checks. */
export function resolve(config: PipelineConfig): ResolvedPipeline {
  return { ...config, stages: inOrder(config.stages) };
}

/** A number is of bytes already. */
const bytesOf = (written: unknown): number => parseBytes(String(written)) ?? Number(written);

function fraction(written: unknown): number {
  const [numerator, denominator] = String(written).split('/').map(Number);
  return typeof written === 'number' ? written : Number(numerator) / Number(denominator);
}

const parsers: { readonly [R in ParseRule]: (written: unknown, folder: string) => unknown } = {
  bytes: bytesOf,
  device: (written) => parseDevice(String(written)),
  file: (written, folder) =>
    isRecord(written)
      ? { ...written, path: resolvePath(folder, String(written['path'])) }
      : resolvePath(folder, String(written)),
  fraction,
  normalize: (written) => {
    const scale = isRecord(written) ? written['scale'] : undefined;
    return completeNormalize(written, scale === undefined ? undefined : fraction(scale));
  },
  pair: (written): unknown => (Array.isArray(written) ? written : [written, written]),
  path: (written, folder) => resolvePath(folder, String(written)),
  target: (written) => parseTargets(written, bytesOf),
  // A word or a map, which mean what they say.
  weights: (written) => written,
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

/** The name of the stage whose result this one reads; null when it has no `from`. */
export function parentOf(config: StageConfig): string | null {
  return 'from' in config ? (config.from ?? null) : null;
}
