/** What the networks of a pipeline are for. */
import { internal } from '../core/assert.ts';
import { dataSettings } from '../data/config.ts';
import type { DatasetIdentity } from '../data/dataset.ts';
import { pixelMeaning } from '../data/normalize.ts';
import type { InputMeaning, OutputMeaning, Purpose } from '../graph/contract.ts';
import type { Task } from '../measurements/metrics.ts';
import type { ModelConfig, OutputConfig } from '../models/config.ts';
import type { ModelSpec } from '../models/layers.ts';
import { modelLayers } from '../models/presets.ts';
import type { ResolvedPipeline } from './resolve.ts';
import { pipelineTask, pipelineTasks } from './task.ts';

/** What of the data a network's inputs and outputs depend on. */
export type NetworkData = Pick<
  DatasetIdentity,
  'image' | 'classNames' | 'tags' | 'targets' | 'reals' | 'decoding' | 'pixels'
>;

/** Of a pipeline whose stages are in order. */
export const resolvedTask = ({ model, stages }: ResolvedPipeline): Task =>
  pipelineTask(
    model,
    stages.map(({ config }) => config),
  );

/** The same of every output. */
export const resolvedTasks = ({ model, stages }: ResolvedPipeline): readonly [Task, ...Task[]] =>
  pipelineTasks(
    model,
    stages.map(({ config }) => config),
  );

export function purposeFor(pipeline: ResolvedPipeline, data: NetworkData): Purpose {
  const { height, width, channels } = data.image;
  return {
    task: resolvedTask(pipeline),
    image: [height, width, channels],
    classes: data.classNames,
    ...(data.tags && { tags: data.tags }),
    ...(data.targets && { targets: data.targets }),
    ...(data.reals && { channels: data.reals.channels }),
    ...(data.decoding && { decoding: data.decoding }),
    ...meaningOf(data, pipeline.data),
  };
}

/**
 * The network of the `model` section; null without one. Its name is not the pipeline's, so that renaming the pipeline
 * does not train again.
 */
export function modelSpec(pipeline: ResolvedPipeline, data: NetworkData): ModelSpec | null {
  const { model } = pipeline;
  if (model === undefined) return null;
  const purpose = purposeFor(pipeline, data);
  return {
    name: 'layers' in model ? 'layers' : model.preset,
    layers: modelLayers(model, data.classNames.length, purpose.image),
    ...purpose,
    ...outputsOf(model, data),
  };
}

function outputsOf(model: ModelConfig, data: NetworkData): Pick<ModelSpec, 'outputs'> {
  if (!('layers' in model) || model.outputs === undefined) return {};
  return {
    outputs: Object.entries(model.outputs).map(([output, config]) => ({ output, ...meaningOfOutput(config, data) })),
  };
}

function meaningOfOutput(
  { task, targets: names, loss_weight: weight }: OutputConfig,
  data: NetworkData,
): OutputMeaning {
  const { classNames: classes, tags, targets = [] } = data;
  const named = names?.flatMap((name) => targets.find((target) => target.name === name) ?? []);
  return {
    ...{ task, classes },
    ...(task === 'multi_label' && tags !== undefined && { tags }),
    ...(task === 'regress' && { targets: named ?? targets }),
    ...(weight !== 1 && { lossWeight: weight }),
  };
}

/** Of an element of the input. */
function meaningOf(
  { reals, image, pixels }: Pick<NetworkData, 'reals' | 'image' | 'pixels'>,
  data: ResolvedPipeline['data'],
): Pick<InputMeaning, 'normalize' | 'pixels'> {
  if (reals !== undefined) return { normalize: reals.range };
  const { normalize } = dataSettings(data);
  return normalize === null ? internal('real inputs without a range') : pixelMeaning(normalize, image.channels, pixels);
}
