/** Training graphs of presets, and what a step of one is fed. */
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { dropoutKeyInput } from '../../src/passes/index.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import { modelLayers, modelTask } from '../../src/models/presets.ts';
import type { BatchNormForm, OptimizerSpec } from '../../src/passes/index.ts';
import { learningRateInput, lossNames } from '../../src/passes/index.ts';
import type { QuantizationOptions } from '../../src/evaluation/graphs.ts';
import { tasks } from '../../src/tasks/index.ts';
import { trainingGraph } from '../models/forms.ts';

const CLASSES = 5;

export const sgd: OptimizerSpec = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 1e-3 };

export const quantized = (delay: number, batchNorm: BatchNormForm = { kind: 'kept' }): QuantizationOptions => ({
  delay,
  // An extreme is one value of a batch, so it follows every flipped code; an average does not.
  estimator: { kind: 'moving_average', decay: 0.9 },
  merge: 'mean',
  observe: 'after_activation',
  scheme: 'int8',
  denseWeights: 'per_channel',
  batchNorm,
  dropout: 'off_after_delay',
});

export function presetGraph(
  model: ModelConfig,
  side: number,
  batch: number,
  optimizer: OptimizerSpec,
  quantization: QuantizationOptions,
): Graph {
  const spec = {
    name: 'preset',
    task: modelTask(model),
    layers: modelLayers(model, CLASSES, [side, side, 1]),
    image: [side, side, 1] as const,
    classes: Array.from({ length: CLASSES }, (_, index) => String(index)),
    normalize: { scale: Math.fround(1 / 255), mean: 0 },
  };
  return trainingGraph(
    spec,
    batch,
    { kind: 'random', seed: 3 },
    quantization,
    optimizer,
    tasks[spec.task].loss({}, spec, null),
  );
}

export function feeds(graph: Graph, batch: number, step: number): ReadonlyMap<string, Float32Array> {
  const random = createRandom(5, `step ${step}`);
  const [images = ''] = graph.inputs;
  const pixels = batch * numElements(valueOf(graph, images).type.shape.slice(1));
  return new Map([
    [images, Float32Array.from({ length: pixels }, () => random.below(256) / 255)],
    ...(graph.inputs.includes(lossNames.labels)
      ? [[lossNames.labels, Float32Array.from({ length: batch }, () => random.below(CLASSES))] as const]
      : []),
    [learningRateInput, Float32Array.of(0.01)],
    ...(graph.inputs.includes(dropoutKeyInput) ? [[dropoutKeyInput, Float32Array.of(step, 0)] as const] : []),
  ]);
}
