/** The named lists of passes, one a stage; the graph is verified after each pass. */
import type { Graph } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import { addGradients } from './add-gradients.ts';
import type { Loss } from './add-loss.ts';
import { addLoss } from './add-loss.ts';
import type { OptimizerSpec } from './add-optimizer.ts';
import { addOptimizer } from './add-optimizer.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { freezeVariables } from './freeze-variables.ts';
import type { FakeQuantOptions, ObservedSide } from './insert-fake-quant.ts';
import { insertFakeQuant } from './insert-fake-quant.ts';
import { prune } from './prune.ts';

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

/** From a network in training form to a graph whose one run is one step of float training. */
export function floatTrainingPasses(optimizer: OptimizerSpec, loss: Loss = 'softmax_cross_entropy'): readonly Pass[] {
  return [
    { name: 'add-loss', run: (graph) => addLoss(graph, loss) },
    { name: 'add-gradients', run: addGradients },
    { name: 'add-optimizer', run: (graph) => addOptimizer(graph, optimizer) },
  ];
}

/** The same with fake quantization between the network and its loss. */
export function qatPasses(options: FakeQuantOptions, optimizer: OptimizerSpec, loss?: Loss): readonly Pass[] {
  return [
    { name: 'insert-fake-quant', run: (graph) => insertFakeQuant(graph, options) },
    ...floatTrainingPasses(optimizer, loss),
  ];
}

/** From a network in inference form to the eval graph. */
export function evalPasses(options: FakeQuantOptions): readonly Pass[] {
  return [
    { name: 'insert-fake-quant', run: (graph) => insertFakeQuant(graph, options) },
    { name: 'prune', run: prune },
  ];
}

/** From the eval graph to what is converted. */
export const freezePasses: readonly Pass[] = [
  { name: 'freeze-variables', run: freezeVariables },
  { name: 'fold-batch-norm', run: foldBatchNorm },
  { name: 'prune', run: prune },
];

export { lowerToInt8 } from './lower-to-int8.ts';
export { setBatch } from './set-batch.ts';
export { removeFakeQuant } from './remove-fake-quant.ts';
export { logitsOf, lossNames } from './add-loss.ts';
export { learningRateInput } from './add-optimizer.ts';
export { rangeNames, stepVariable } from './insert-fake-quant.ts';
export type { FakeQuantOptions, Loss, ObservedSide, OptimizerSpec };
