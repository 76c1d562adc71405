/** What of a training does not fit its network and its data, though the pipeline makes sense without them. */
import type { Diagnostic } from '../core/diagnostic.ts';
import { numElements, zeros } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { buildModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { StageConfig } from '../stages/index.ts';
import { firstQuantizedEpoch, stepsPerEpoch } from '../training/steps.ts';
import type { ResolvedPipeline } from './resolve.ts';
import type { Locate } from './source.ts';

/**
 * From so many values on, the standard error of their variance is at most half of it: sqrt(2 / (count - 1)) for normal
 * values. The statistics of fewer are mostly chance, and inference uses their average.
 */
const fewestForVariance = 9;

type TrainingStage = Extract<StageConfig, { readonly batch: number }>;

/** Batch norm that would divide by the spread of one value, which is none. */
export function batchNormDiagnostics(pipeline: ResolvedPipeline, layers: Normalized[], locate: Locate): Diagnostic[] {
  return fewestNormalized(pipeline, layers).flatMap(({ name, stage, normalized, enough }): Diagnostic[] => {
    if (normalized.count > 1) return [];
    return [
      {
        code: 'batch-norm-of-one-value',
        place: locate(['stages', name, 'batch'], 'value'),
        message:
          `\`stages.${name}.batch\` is ${stage.batch}${deviceText(stage)}, so batch norm of \`${normalized.layer}\` sees ` +
          'one value per channel: it subtracts the value from itself, and nothing of the image is left',
        hint: `a batch of at least ${enough}, or \`${normalized.layer}\` without batch norm`,
      },
    ];
  });
}

/** Statistics of a few values are allowed, but they are mostly chance. */
export function batchNormWarnings(pipeline: ResolvedPipeline, layers: Normalized[], locate: Locate): Diagnostic[] {
  return fewestNormalized(pipeline, layers).flatMap(({ name, stage, normalized, enough }): Diagnostic[] => {
    const { count, layer } = normalized;
    if (count >= fewestForVariance) return [];
    const error = Math.round(100 * Math.sqrt(2 / (count - 1)));
    return [
      {
        code: 'batch-norm-of-few-values',
        place: locate(['stages', name, 'batch'], 'value'),
        message:
          `\`stages.${name}.batch\` is ${stage.batch}${deviceText(stage)}, so batch norm of \`${layer}\` sees ${count} ` +
          `values per channel; the variance of so few is off by about ${error} %`,
        hint: `a batch of at least ${enough}, or \`${layer}\` without batch norm`,
      },
    ];
  });
}

/** Fields for batch norm in a network that has none. */
export function unusedBatchNormWarnings(
  pipeline: ResolvedPipeline,
  layers: Normalized[],
  locate: Locate,
): Diagnostic[] {
  if (layers.length > 0) return [];
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat') return [];
    const given = { freeze_bn_delay: config.freeze_bn_delay ?? 0, reestimate_batch_norm: config.reestimate_batch_norm };
    return Object.entries(given).flatMap(([field, value]): Diagnostic[] => {
      if (value === 0) return [];
      return [
        {
          code: 'unused-field',
          place: locate(['stages', name, field], 'key'),
          message: `\`stages.${name}.${field}\` has no effect: the network has no batch norm`,
          hint: `remove \`${field}\`, or give a layer \`batch_norm: true\``,
        },
      ];
    });
  });
}

const deviceText = ({ devices }: TrainingStage): string =>
  devices.length === 1 ? '' : ` on ${devices.length} devices`;

/** Each stage that trains with statistics of the batch, and its layer that takes them over the fewest values. */
function fewestNormalized({ stages }: ResolvedPipeline, layers: Normalized[]) {
  const [fewest] = layers.toSorted((a, b) => a.values - b.values);
  if (fewest === undefined) return [];
  return stages.flatMap(({ name, config: stage }) => {
    if (stage.uses !== 'float-pretrain' && stage.uses !== 'qat') return [];
    // Frozen from the first step on, batch norm never looks at the batch.
    if (stage.uses === 'qat' && stage.freeze_bn_delay === 1) return [];
    const replicas = stage.devices.length;
    const count = (stage.batch / replicas) * fewest.values;
    const enough = Math.ceil(fewestForVariance / fewest.values) * replicas;
    return [{ name, stage, normalized: { layer: fewest.layer, count }, enough }];
  });
}

/** A layer with batch norm. */
interface Normalized {
  readonly layer: string;
  /** Of one image, in each channel. */
  readonly values: number;
}

/** @throws ShapeError when the network cannot be built */
export function normalizedLayers(spec: ModelSpec): Normalized[] {
  if (!spec.layers.some((layer) => layer.kind === 'batch_norm' || ('batch_norm' in layer && layer.batch_norm)))
    return [];
  const weights = { kind: 'given', tensor: (_name: string, shape: Shape) => zeros('float32', shape) } as const;
  return batchNormsIn(buildModel(spec, 1, weights));
}

/** Of a network in inference form with a batch of 1. */
export function batchNormsIn(graph: Graph): Normalized[] {
  return graph.nodes.flatMap(({ op, name, inputs }) => {
    if (op !== 'batch_norm') return [];
    const { shape } = valueOf(graph, inputs[0] ?? '').type;
    return [
      {
        layer: name.endsWith(`/${op}`) ? name.slice(0, -`/${op}`.length) : name,
        values: numElements(shape.slice(0, -1)),
      },
    ];
  });
}

/**
 * `keep: best` or `early_stopping` that have nothing to judge, since no epoch is quantized from its first step on.
 *
 * @param trainingImages without those of `data.validation`
 */
export function judgementWarnings(pipeline: ResolvedPipeline, locate: Locate, trainingImages: number): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat' || (config.keep === 'last' && config.early_stopping === undefined)) return [];
    const { delay, epochs, batch, keep } = config;
    const perEpoch = stepsPerEpoch(trainingImages, batch);
    const first = firstQuantizedEpoch(delay, perEpoch);
    if (first <= epochs) return [];
    const field = keep === 'best' ? 'keep' : 'early_stopping';
    const atMost = (epochs - 1) * perEpoch + 1;
    return [
      {
        code: 'nothing-to-judge',
        place: locate(['stages', name, field], 'key'),
        message:
          `\`stages.${name}.${field}\` has no epoch to judge: quantization starts at step ${delay}, within the last of ` +
          `${epochs} epochs (${perEpoch} steps each), and only epochs that are quantized from their first step on count; ` +
          'the last weights are kept',
        hint: `\`epochs: ${first}\` or more, or a delay of at most ${atMost} steps`,
      },
    ];
  });
}
