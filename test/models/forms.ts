/** Graphs of networks written as layers: each form with given or fresh weights, for any batch. */
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import type { QuantizationForm, QuantizationOptions, TensorSource } from '../../src/evaluation/graphs.ts';
import * as graphs from '../../src/evaluation/graphs.ts';
import type { Model } from '../../src/graph/contract.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { batchNormDefaults } from '../../src/models/batch-norm.ts';
import type { Weights } from '../../src/models/build.ts';
import { buildModel as buildNetwork, newModel } from '../../src/models/build.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import type { Loss, OptimizerSpec } from '../../src/passes/index.ts';
import { removeDropout, setBatch, trainedRanges, trainingForm } from '../../src/passes/index.ts';

export type InitialWeights =
  | { readonly kind: 'random'; readonly seed: number }
  | { readonly kind: 'given'; readonly tensor: (name: string, shape: Shape) => FloatTensor };

export function modelOf(spec: ModelSpec, weights: InitialWeights): Model {
  if (weights.kind === 'random') return newModel(spec, weights.seed);
  return { graph: buildNetwork(spec, 1, weights), contract: newModel(spec, 0).contract };
}

export function buildModel(spec: ModelSpec, batch: number, form: 'training' | 'inference', weights: Weights): Graph {
  const graph = buildNetwork(spec, batch, weights);
  return verify(form === 'training' ? trainingForm(graph, batchNormDefaults.momentum) : removeDropout(graph));
}

export function trainingGraph(
  spec: ModelSpec,
  batch: number,
  weights: InitialWeights,
  quantization: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss: Loss,
): Graph {
  return graphs.trainingGraph(modelOf(spec, weights), batch, quantization, optimizer, loss);
}

export function floatGraph(spec: ModelSpec, batch: number, tensor: TensorSource): Graph {
  return setBatch(graphs.floatGraph(modelOf(spec, { kind: 'given', tensor })), batch);
}

export function evalGraph(spec: ModelSpec, batch: number, tensor: TensorSource, form: QuantizationForm): Graph {
  const model = modelOf(spec, { kind: 'given', tensor });
  return setBatch(graphs.evalGraph(model, trainedRanges(tensor), form), batch);
}
