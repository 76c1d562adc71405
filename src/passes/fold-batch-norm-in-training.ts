import { internal } from '../core/assert.ts';
import { buildGraph, copyNode, copySources } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, producers, variablesOf } from '../graph/graph.ts';
import { movingStatistics } from '../graph/variables.ts';
import { ops } from '../ops/index.ts';
import { stepCount, stepVariable } from './insert-fake-quant.ts';

/**
 * Folds each training batch norm into the layer before it, as tf.contrib.quantize does: the weights are quantized as
 * filter * gamma / sigma(moving variance), the scale at which they ship, and `fold_correct` makes of the result what
 * the batch's statistics would give. A second run of the layer with its own weights provides those statistics.
 *
 * @param graph level qat, training form, with its fake quantizers
 * @param freezeDelay from this step of this training on, counted from 1, the moving statistics are used and stay as they are; null never
 * @see tensorflow/contrib/quantize/python/fold_batch_norms.py
 */
export function foldBatchNormInTraining(graph: Graph, freezeDelay: number | null): Graph {
  const folds = foldsOf(graph);
  if (folds.length === 0) return graph;
  const byLayer = new Map(folds.map((fold) => [fold.layer.name, fold]));
  const byBatchNorm = new Map(folds.map((fold) => [fold.batchNorm.name, fold]));
  const byFilter = new Map(folds.map((fold) => [fold.filter, fold]));
  const builder = buildGraph(graph.name, graph.level);
  copySources(builder, graph);
  /** Folded filters and biases, by the name of the parameter. */
  const folded = new Map<string, string>();
  let frozen: readonly string[] | null = freezeDelay === null ? [] : null;

  const foldParameter = ({ gamma, movingVariance, epsilon }: Fold, parameter: string, axis: number): void => {
    const operands = [parameter, gamma, movingVariance].map((name) => builder.ref(name));
    const [value] = builder.node('fold_filter', `${parameter}_folded`, operands, { axis, epsilon });
    folded.set(parameter, value?.name ?? internal(`${parameter}_folded has no value`));
  };

  for (const node of graph.nodes) {
    const ofBatchNorm = byBatchNorm.get(node.name);
    if (ofBatchNorm !== undefined) {
      if (frozen === null) {
        const attrs = { threshold: earlierSteps(graph) + (freezeDelay ?? 0) };
        frozen = builder.node('reached', 'batch_norm_frozen', [builder.ref(stepCount)], attrs).map(({ name }) => name);
      }
      const { layer, gamma, beta, movingMean, movingVariance, epsilon } = ofBatchNorm;
      const operands = [layer.name, unfoldedName(layer), gamma, beta, movingMean, movingVariance, ...frozen];
      builder.node(
        'fold_correct',
        node.name,
        operands.map((name) => builder.ref(name)),
        { epsilon },
      );
      continue;
    }
    const ofLayer = byLayer.get(node.name);
    if (ofLayer !== undefined) {
      const [input = '', filter = '', bias] = node.inputs;
      if (bias !== undefined) foldParameter(ofLayer, bias, 0);
      const own = [input, ofLayer.filter, ...(bias === undefined ? [] : [bias])];
      builder.node(
        node.op,
        unfoldedName(node),
        own.map((name) => builder.ref(name)),
        node.attrs,
      );
      copyNode(builder, node, (name) => (name === filter ? name : (folded.get(name) ?? name)));
      continue;
    }
    // The quantizer of the filter and its observer see what ships.
    const ofFilter = byFilter.get(node.inputs[0] ?? '');
    if (ofFilter !== undefined && !folded.has(ofFilter.filter)) foldParameter(ofFilter, ofFilter.filter, ofFilter.axis);
    copyNode(builder, node, (name) => folded.get(name) ?? name);
  }
  for (const update of graph.updates) builder.update(update.variable, builder.ref(update.value));
  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}

interface Fold {
  readonly layer: Node;
  readonly batchNorm: Node<'batch_norm_train'>;
  /** The filter itself, which the layer reads through a fake quantizer. */
  readonly filter: string;
  /** Its output channels. */
  readonly axis: number;
  readonly gamma: string;
  readonly beta: string;
  readonly movingMean: string;
  readonly movingVariance: string;
  readonly epsilon: number;
}

const unfoldedName = (layer: Node): string => `${layer.name}/unfolded`;

function foldsOf(graph: Graph): readonly Fold[] {
  const makers = producers(graph);
  const readers = consumers(graph);
  const statistics = movingStatistics(graph);
  return graph.nodes.flatMap((node): readonly Fold[] => {
    if (node.op !== 'batch_norm_train') return [];
    const [input = '', gamma = '', beta = ''] = node.inputs;
    const layer = makers.get(input);
    const rule = layer === undefined ? null : ops[layer.op].quant;
    if (layer === undefined || rule?.kind !== 'affine' || readers.get(input)?.length !== 1) {
      return internal(`batch norm "${node.name}" does not follow a layer of its own, so it cannot be folded`);
    }
    const filter = makers.get(layer.inputs[rule.weight] ?? '')?.inputs[0];
    const moving = (output: string | undefined): string =>
      statistics.find(({ local }) => local === output)?.variable ?? internal(`"${output ?? ''}" moves no average`);
    return [
      {
        ...{ layer, batchNorm: node, gamma, beta, axis: rule.channelAxis, epsilon: node.attrs.epsilon },
        filter: filter ?? internal(`the filter of "${layer.name}" has no quantizer`),
        movingMean: moving(node.outputs[1]),
        movingVariance: moving(node.outputs[2]),
      },
    ];
  });
}

/** What the counter of steps begins with. */
function earlierSteps(graph: Graph): number {
  const counter = variablesOf(graph).find(({ name }) => name === stepVariable);
  return Number(counter?.source.initial.data[0] ?? internal('the graph counts no steps'));
}
