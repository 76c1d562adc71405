import { internal, unreachable } from '../core/assert.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
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

type LossNames = { readonly [N in keyof typeof lossNames]: string };

/** The same of one output of several. */
export function lossNamesOf(output: string): LossNames {
  const named = (name: string): string => `${output}/${name}`;
  const { labels, loss, top1, localLoss } = lossNames;
  return { labels: named(labels), loss: named(loss), top1: named(top1), localLoss: named(localLoss) };
}

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

/** The loss of one output of several. */
export interface OutputLoss {
  /** Of the output, in the names of what the training graph reads and gives for it. */
  readonly name: string;
  /** What its loss counts in the sum. */
  readonly weight: number;
  readonly loss: Loss;
}

/** The loss of the only output, or those of all outputs in their order. */
export type TrainingLoss = Loss | readonly OutputLoss[];

/**
 * Adds the loss, and what else its kind counts. With several replicas every output is the mean over the replicas. That
 * of several outputs is the sum of their losses, each times its weight, as Keras has it with `loss_weights`.
 */
export function addLoss(graph: Graph, loss: TrainingLoss): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  if ('kind' in loss) return builder.finish(addOutputLoss({ graph, builder, output: 0, names: lossNames }, loss));
  const added = loss.map(({ name, loss: one }, output) =>
    addOutputLoss({ graph, builder, output, names: lossNamesOf(name) }, one),
  );
  const weighted = loss.map(({ name, weight }) => {
    const { loss: own, localLoss } = lossNamesOf(name);
    const factor = builder.constant(`${own}/weight`, floatTensor([], [weight]));
    return only(builder.node('mul', `${own}/weighted`, [builder.ref(localLoss), factor], { activation: 'none' }));
  });
  const local = weighted.reduce((sum, term, index) => {
    const name = index === weighted.length - 1 ? lossNames.localLoss : `${lossNames.loss}/sum_${index}`;
    return only(builder.node('add', name, [sum, term], { activation: 'none' }));
  });
  const total = builder.node('cross_replica', lossNames.loss, [local], { reduce: 'mean' });
  return builder.finish([...total, ...added.flat()]);
}

const only = ([value]: readonly ValueRef[]): ValueRef => value ?? internal('a node without an output');

/** Where a loss is added, and for which output of the graph. */
interface Place {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly output: number;
  readonly names: LossNames;
}

/** @returns the loss, and the count of right answers of a loss that counts them */
function addOutputLoss(place: Place, loss: Loss): readonly ValueRef[] {
  const { graph, builder, output } = place;
  switch (loss.kind) {
    case 'softmax_cross_entropy':
      return addSoftmaxCrossEntropy(place, loss.targets, builder.ref(logitsOf(graph, 'softmax', output)));
    case 'logistic_cross_entropy':
      return addSoftmaxCrossEntropy(place, loss.targets, twoScores(place, logitsOf(graph, 'logistic', output)));
    case 'sigmoid_cross_entropy':
      return addSigmoidCrossEntropy(place, loss.weights, loss.smoothing);
    case 'error_of_targets':
      return addTargetError(place, loss);
    case 'squared_error_of_input':
      return addInputError(place);
    default:
      return unreachable(loss);
  }
}

/**
 * The mean softmax cross entropy of the logits and the count of right answers. A final softmax is for inference: the
 * loss reads the logits before it. Input `labels` [rows].
 */
function addSoftmaxCrossEntropy(place: Place, table: FloatTensor | null, scores: ValueRef): readonly ValueRef[] {
  const { builder, names } = place;
  const logits = asRows(place, scores);
  const labels = builder.input(names.labels, { dtype: 'float32', shape: [logits.type.shape[0] ?? 1] });
  const targets = table === null ? [] : [builder.constant(`${names.loss}/targets`, table)];
  const local = builder.node('softmax_cross_entropy', names.localLoss, [logits, labels, ...targets], {});
  const correct = builder.node('top_1_count', `${names.top1}/local`, [logits, labels], {});
  const [loss = logits] = builder.node('cross_replica', names.loss, local, { reduce: 'mean' });
  const [top1 = logits] = builder.node('cross_replica', names.top1, correct, { reduce: 'mean' });
  return [loss, top1];
}

/** Rows of one score z become rows of 0 and z, whose softmax is the logistic function of z. */
function twoScores({ builder, names }: Place, logits: string): ValueRef {
  const value = builder.ref(logits);
  const paddings = [
    [0, 0],
    [1, 0],
  ] as const;
  const [scores = value] = builder.node('pad', `${names.loss}/scores`, [value], { paddings });
  return scores;
}

/** The mean over all answers; the loss reads the logits before a final logistic. Input `labels` [rows, answers]. */
function addSigmoidCrossEntropy(place: Place, table: FloatTensor | null, smoothing: number): readonly ValueRef[] {
  const { graph, builder, output, names } = place;
  const logits = asRows(place, builder.ref(logitsOf(graph, 'logistic', output)));
  const labels = builder.input(names.labels, logits.type);
  const weights = table === null ? [] : [builder.constant(`${names.loss}/weights`, table)];
  const operands = [logits, labels, ...weights];
  return finishLoss(place, builder.node('sigmoid_cross_entropy', names.localLoss, operands, { smoothing }));
}

/** Maps [batch, height, width, values] become rows [batch * height * width, values]. */
function asRows({ builder, names }: Place, value: ValueRef): ValueRef {
  const { shape } = value.type;
  if (shape.length <= 2) return value;
  const depth = shape.at(-1) ?? 1;
  const rowShape = [numElements(shape) / depth, depth];
  const [rows = value] = builder.node('reshape', `${names.loss}/rows`, [value], { shape: rowShape });
  return rows;
}

/** The mean squared difference between the output and the images as they come in, before any quantizer. */
function addInputError(place: Place): readonly ValueRef[] {
  const { graph, builder, names } = place;
  const [image] = graph.inputs;
  if (image === undefined) return internal(`graph "${graph.name}" has no input`);
  const value = builder.ref(outputOf(graph, place.output));
  const { shape } = value.type;
  const [target = value] = builder.node('reshape', `${names.loss}/target`, [builder.ref(image)], { shape });
  return finishLoss(place, builder.node('mean_squared_error', names.localLoss, [value, target], {}));
}

/** The mean difference between the output and the targets. */
function addTargetError(place: Place, loss: Extract<Loss, { kind: 'error_of_targets' }>): readonly ValueRef[] {
  const { graph, builder, output, names } = place;
  const value = builder.ref(outputOf(graph, output));
  const operands = [value, builder.input(names.labels, value.type)];
  switch (loss.of) {
    case 'squared':
      return finishLoss(place, builder.node('mean_squared_error', names.localLoss, operands, {}));
    case 'absolute':
      return finishLoss(place, builder.node('mean_absolute_error', names.localLoss, operands, {}));
    case 'huber':
      return finishLoss(place, builder.node('mean_huber_error', names.localLoss, operands, { delta: loss.delta }));
    default:
      return unreachable(loss);
  }
}

function finishLoss({ builder, names }: Place, local: readonly ValueRef[]): readonly ValueRef[] {
  return builder.node('cross_replica', names.loss, local, { reduce: 'mean' });
}

const outputOf = (graph: Graph, output: number): string =>
  graph.outputs[output] ?? internal(`graph "${graph.name}" has no output ${output}`);

/**
 * The value that an output of the model is made of, before a final function and its quantizer.
 *
 * @param last the function that may be there; another one is part of the model
 * @param index of the output
 */
export function logitsOf(graph: Graph, last: 'softmax' | 'logistic', index = 0): string {
  const makers = producers(graph);
  const output = outputOf(graph, index);
  const quantizer = makers.get(output);
  const maker = quantizer?.op === 'fake_quant' ? makers.get(quantizer.inputs[0] ?? '') : quantizer;
  return maker?.op === last ? (maker.inputs[0] ?? output) : output;
}
