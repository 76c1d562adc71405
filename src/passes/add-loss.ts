import { internal, unreachable } from '../core/assert.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { producers } from '../graph/graph.ts';
import type { ValueRef } from '../ops/define.ts';

/** Names of what a training graph reads and gives beside the model's own values. */
export const lossNames = {
  labels: 'labels',
  loss: 'loss',
  top1: 'top_1',
  /** The replica's own loss, from which gradients start. */
  localLoss: 'loss/local',
} as const;

/** The loss: cross entropy of scores and labels, or squared distance of the output to the targets or to the input. */
export type Loss = 'softmax_cross_entropy' | 'squared_error_of_targets' | 'squared_error_of_input';

/** Adds the loss, and what else its kind counts. With several replicas every output is the mean over the replicas. */
export function addLoss(graph: Graph, loss: Loss): Graph {
  switch (loss) {
    case 'softmax_cross_entropy':
      return addCrossEntropy(graph);
    case 'squared_error_of_targets':
      return addTargetError(graph);
    case 'squared_error_of_input':
      return addInputError(graph);
    default:
      return unreachable(loss);
  }
}

/**
 * The mean softmax cross entropy of the logits and the count of right answers. A final softmax is for inference: the
 * loss reads the logits before it.
 */
function addCrossEntropy(graph: Graph): Graph {
  const logits = logitsOf(graph);
  const builder = buildGraph(graph.name, graph.level, graph);
  const value = builder.ref(logits);
  const labels = builder.input(lossNames.labels, { dtype: 'float32', shape: [value.type.shape[0] ?? 1] });
  const local = builder.node('softmax_cross_entropy', lossNames.localLoss, [value, labels], {});
  const correct = builder.node('top_1_count', `${lossNames.top1}/local`, [value, labels], {});
  const [loss = value] = builder.node('cross_replica', lossNames.loss, local, { reduce: 'mean' });
  const [top1 = value] = builder.node('cross_replica', lossNames.top1, correct, { reduce: 'mean' });
  return builder.finish([loss, top1]);
}

/** The mean squared difference between the output and the images as they come in, before any quantizer. */
function addInputError(graph: Graph): Graph {
  const [image, output] = [graph.inputs[0], graph.outputs[0]];
  if (image === undefined || output === undefined) return internal(`graph "${graph.name}" has no input or no output`);
  const builder = buildGraph(graph.name, graph.level, graph);
  const value = builder.ref(output);
  const { shape } = value.type;
  const [target = value] = builder.node('reshape', 'loss/target', [builder.ref(image)], { shape });
  return finishSquaredError(builder, value, target);
}

/** The mean squared difference between the output and the targets. */
function addTargetError(graph: Graph): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const value = builder.ref(graph.outputs[0] ?? internal(`graph "${graph.name}" has no output`));
  return finishSquaredError(builder, value, builder.input(lossNames.labels, value.type));
}

function finishSquaredError(builder: GraphBuilder, value: ValueRef, target: ValueRef): Graph {
  const local = builder.node('mean_squared_error', lossNames.localLoss, [value, target], {});
  const [loss = value] = builder.node('cross_replica', lossNames.loss, local, { reduce: 'mean' });
  return builder.finish([loss]);
}

/** The value that the model's output is made of, before a final softmax and its quantizer. */
export function logitsOf(graph: Graph): string {
  const makers = producers(graph);
  const [output] = graph.outputs;
  if (output === undefined) return internal(`graph "${graph.name}" has no output`);
  const quantizer = makers.get(output);
  const last = quantizer?.op === 'fake_quant' ? makers.get(quantizer.inputs[0] ?? '') : quantizer;
  return last?.op === 'softmax' ? (last.inputs[0] ?? output) : output;
}
