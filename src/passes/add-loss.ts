import { internal, unreachable } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
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

/** What training makes small. Labels and targets are those of the examples, in their order. */
export type Loss =
  /**
   * Of scores over classes; a label for each row of scores (a pixel of a map has a row of its own). `targets` [classes,
   * classes] has the target of each label, times its weight, in a row; null for 1 at the label.
   */
  | { readonly kind: 'softmax_cross_entropy'; readonly targets: FloatTensor | null }
  /** Of one score that decides between two classes: as the scores 0 and the output of the network. */
  | { readonly kind: 'logistic_cross_entropy'; readonly targets: FloatTensor | null }
  /**
   * Of any number of answers of yes and no, labels 0 .. 1. `weights` [2, answers] has those of no in row 0, those of yes
   * in row 1; `smoothing` in [0, 1).
   */
  | { readonly kind: 'sigmoid_cross_entropy'; readonly weights: FloatTensor | null; readonly smoothing: number }
  /** Of the output and the targets. */
  | { readonly kind: 'error_of_targets'; readonly of: 'squared' | 'absolute' }
  | { readonly kind: 'error_of_targets'; readonly of: 'huber'; readonly delta: number }
  /** Of the output and the input as it comes in, before any quantizer. */
  | { readonly kind: 'squared_error_of_input' };

/** Adds the loss, and what else its kind counts. With several replicas every output is the mean over the replicas. */
export function addLoss(graph: Graph, loss: Loss): Graph {
  switch (loss.kind) {
    case 'softmax_cross_entropy':
      return addSoftmaxCrossEntropy(graph, loss.targets, (builder) => builder.ref(logitsOf(graph, 'softmax')));
    case 'logistic_cross_entropy':
      return addSoftmaxCrossEntropy(graph, loss.targets, (builder) => twoScores(builder, logitsOf(graph, 'logistic')));
    case 'sigmoid_cross_entropy':
      return addSigmoidCrossEntropy(graph, loss.weights, loss.smoothing);
    case 'error_of_targets':
      return addTargetError(graph, loss);
    case 'squared_error_of_input':
      return addInputError(graph);
    default:
      return unreachable(loss);
  }
}

/**
 * The mean softmax cross entropy of the logits and the count of right answers. A final softmax is for inference: the
 * loss reads the logits before it. Input `labels` [rows].
 */
function addSoftmaxCrossEntropy(
  graph: Graph,
  table: FloatTensor | null,
  scores: (builder: GraphBuilder) => ValueRef,
): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const logits = asRows(builder, scores(builder));
  const labels = builder.input(lossNames.labels, { dtype: 'float32', shape: [logits.type.shape[0] ?? 1] });
  const targets = table === null ? [] : [builder.constant('loss/targets', table)];
  const local = builder.node('softmax_cross_entropy', lossNames.localLoss, [logits, labels, ...targets], {});
  const correct = builder.node('top_1_count', `${lossNames.top1}/local`, [logits, labels], {});
  const [loss = logits] = builder.node('cross_replica', lossNames.loss, local, { reduce: 'mean' });
  const [top1 = logits] = builder.node('cross_replica', lossNames.top1, correct, { reduce: 'mean' });
  return builder.finish([loss, top1]);
}

/** Rows of one score z become rows of 0 and z, whose softmax is the logistic function of z. */
function twoScores(builder: GraphBuilder, logits: string): ValueRef {
  const value = builder.ref(logits);
  const paddings = [
    [0, 0],
    [1, 0],
  ] as const;
  const [scores = value] = builder.node('pad', 'loss/scores', [value], { paddings });
  return scores;
}

/** The mean over all answers; the loss reads the logits before a final logistic. Input `labels` [rows, answers]. */
function addSigmoidCrossEntropy(graph: Graph, table: FloatTensor | null, smoothing: number): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const logits = asRows(builder, builder.ref(logitsOf(graph, 'logistic')));
  const labels = builder.input(lossNames.labels, logits.type);
  const weights = table === null ? [] : [builder.constant('loss/weights', table)];
  const operands = [logits, labels, ...weights];
  return finishLoss(builder, builder.node('sigmoid_cross_entropy', lossNames.localLoss, operands, { smoothing }));
}

/** Maps [batch, height, width, values] become rows [batch * height * width, values]. */
function asRows(builder: GraphBuilder, value: ValueRef): ValueRef {
  const { shape } = value.type;
  if (shape.length <= 2) return value;
  const depth = shape.at(-1) ?? 1;
  const [rows = value] = builder.node('reshape', 'loss/rows', [value], { shape: [numElements(shape) / depth, depth] });
  return rows;
}

/** The mean squared difference between the output and the images as they come in, before any quantizer. */
function addInputError(graph: Graph): Graph {
  const [image, output] = [graph.inputs[0], graph.outputs[0]];
  if (image === undefined || output === undefined) return internal(`graph "${graph.name}" has no input or no output`);
  const builder = buildGraph(graph.name, graph.level, graph);
  const value = builder.ref(output);
  const { shape } = value.type;
  const [target = value] = builder.node('reshape', 'loss/target', [builder.ref(image)], { shape });
  return finishLoss(builder, builder.node('mean_squared_error', lossNames.localLoss, [value, target], {}));
}

/** The mean difference between the output and the targets. */
function addTargetError(graph: Graph, loss: Extract<Loss, { kind: 'error_of_targets' }>): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const value = builder.ref(graph.outputs[0] ?? internal(`graph "${graph.name}" has no output`));
  const operands = [value, builder.input(lossNames.labels, value.type)];
  switch (loss.of) {
    case 'squared':
      return finishLoss(builder, builder.node('mean_squared_error', lossNames.localLoss, operands, {}));
    case 'absolute':
      return finishLoss(builder, builder.node('mean_absolute_error', lossNames.localLoss, operands, {}));
    case 'huber':
      return finishLoss(
        builder,
        builder.node('mean_huber_error', lossNames.localLoss, operands, { delta: loss.delta }),
      );
    default:
      return unreachable(loss);
  }
}

function finishLoss(builder: GraphBuilder, local: readonly ValueRef[]): Graph {
  return builder.finish(builder.node('cross_replica', lossNames.loss, local, { reduce: 'mean' }));
}

/**
 * The value that the model's output is made of, before a final function and its quantizer.
 *
 * @param last the function that may be there; another one is part of the model
 */
export function logitsOf(graph: Graph, last: 'softmax' | 'logistic'): string {
  const makers = producers(graph);
  const [output] = graph.outputs;
  if (output === undefined) return internal(`graph "${graph.name}" has no output`);
  const quantizer = makers.get(output);
  const maker = quantizer?.op === 'fake_quant' ? makers.get(quantizer.inputs[0] ?? '') : quantizer;
  return maker?.op === last ? (maker.inputs[0] ?? output) : output;
}
