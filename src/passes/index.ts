/** The named lists of passes, one a stage; the graph is verified after each pass. */
import type { Graph } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import { addGradients } from './add-gradients.ts';
import type { Loss, OutputLoss, TrainingLoss } from './add-loss.ts';
import { addLoss } from './add-loss.ts';
import type { OptimizerSpec } from './add-optimizer.ts';
import { addOptimizer } from './add-optimizer.ts';
import { foldBatchNormInTraining } from './fold-batch-norm-in-training.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { foldParameters } from './fold-parameters.ts';
import { freezeVariables } from './freeze-variables.ts';
import type { FakeQuantOptions, ObservedSide, RangeEstimator, Ranges, TrainedRange } from './insert-fake-quant.ts';
import { insertFakeQuant } from './insert-fake-quant.ts';
import { prune } from './prune.ts';
import { stopDropout } from './stop-dropout.ts';

export interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
}

/** Runs the passes in order. `observe` sees the graph after each, for printing. */
export function runPasses(
  graph: Graph,
  passes: readonly Pass[],
  observe?: (pass: string, graph: Graph) => void,
): Graph {
  return passes.reduce((current, pass) => {
    const next = verify(pass.run(current));
    observe?.(pass.name, next);
    return next;
  }, graph);
}

const plainCrossEntropy: Loss = { kind: 'softmax_cross_entropy', targets: null };

/** From a network in training form to a graph whose one run is one step of float training. */
export function floatTrainingPasses(optimizer: OptimizerSpec, loss: TrainingLoss = plainCrossEntropy): readonly Pass[] {
  return [
    { name: 'add-loss', run: (graph) => addLoss(graph, loss) },
    { name: 'add-gradients', run: addGradients },
    { name: 'add-optimizer', run: (graph) => addOptimizer(graph, optimizer) },
  ];
}

/** Whether batch norm is folded into the weights while training, or kept beside them and folded at export. */
export type BatchNormForm =
  | { readonly kind: 'kept' }
  /** From step `freezeDelay` on the moving statistics are used and stay; null never. */
  | { readonly kind: 'folded'; readonly freezeDelay: number | null };

/** Whether dropout goes on once quantization is applied. */
export type DropoutInQat = 'always' | 'off_after_delay';

export interface QuantizationOptions extends FakeQuantOptions {
  /** Default always. */
  readonly dropout?: DropoutInQat;
  /** Default kept. */
  readonly batchNorm?: BatchNormForm;
}

/** The same with fake quantization between the network and its loss. */
export function qatPasses(
  options: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss?: TrainingLoss,
): readonly Pass[] {
  const stop = { name: 'stop-dropout', run: stopDropout };
  return [
    ...quantizedForwardPasses(options),
    ...(options.dropout === 'off_after_delay' ? [stop] : []),
    ...floatTrainingPasses(optimizer, loss),
  ];
}

/** The network of level qat in training form, without what learns: observers and statistics run, weights stay. */
function quantizedForwardPasses(options: QuantizationOptions): readonly Pass[] {
  const { batchNorm } = options;
  const insert = { name: 'insert-fake-quant', run: (graph: Graph) => insertFakeQuant(graph, options) };
  if (batchNorm?.kind !== 'folded') return [insert];
  return [
    insert,
    {
      name: 'fold-batch-norm-in-training',
      run: (graph) => foldBatchNormInTraining(graph, batchNorm.freezeDelay),
    },
  ];
}

/** From a network in inference form to the eval graph. */
export function evalPasses(options: QuantizationOptions): readonly Pass[] {
  const range = { kind: 'measured', scheme: options.scheme ?? 'int8' } as const;
  const fold = { name: 'fold-batch-norm', run: (graph: Graph) => foldBatchNorm(graph, range) };
  return [
    { name: 'insert-fake-quant', run: (graph) => insertFakeQuant(graph, options) },
    { name: 'fold-parameters', run: foldParameters },
    ...(options.batchNorm?.kind === 'folded' ? [fold] : []),
    { name: 'prune', run: prune },
  ];
}

/** From the eval graph to what is converted. */
export const freezePasses: readonly Pass[] = [
  { name: 'freeze-variables', run: freezeVariables },
  { name: 'fold-batch-norm', run: (graph) => foldBatchNorm(graph, { kind: 'scaled' }) },
  { name: 'prune', run: prune },
];

export { addBiases } from './add-biases.ts';
export { equalizeLayers } from './equalize-layers.ts';
export { lowerToIntegers } from './lower-to-integers.ts';
export { setEdgeTypes } from './set-edge-types.ts';
export { prune } from './prune.ts';
export { setBatch } from './set-batch.ts';
export { removeFakeQuant } from './remove-fake-quant.ts';
export { logitsOf, lossNames, lossNamesOf } from './add-loss.ts';
export { learningRateInput } from './add-optimizer.ts';
export { stepVariable, trainedRanges } from './insert-fake-quant.ts';
export { removeDropout } from './remove-dropout.ts';
export { dropoutKeyInput, trainingForm } from './training-form.ts';
export type { EdgeType, EdgeTypes } from './set-edge-types.ts';
export type { Scheme, WeightRanges } from './scheme.ts';
export type { Loss, OutputLoss, TrainingLoss, ObservedSide, OptimizerSpec, RangeEstimator, Ranges, TrainedRange };
