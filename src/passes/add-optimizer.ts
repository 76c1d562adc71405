import { internal, unreachable } from '../core/assert.ts';
import { zeros } from '../core/tensor.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { variablesOf } from '../graph/graph.ts';
import { gradientName } from './add-gradients.ts';

export type OptimizerSpec =
  | { readonly kind: 'sgd'; readonly momentum: number; readonly nesterov: boolean; readonly weightDecay: number }
  | {
      readonly kind: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };

export const learningRateInput = 'learning_rate';

/** Adds one update for every trainable variable. The learning rate is an input, so that a schedule can drive it. */
export function addOptimizer(graph: Graph, optimizer: OptimizerSpec): Graph {
  const builder = buildGraph(graph.name, graph.level, graph);
  const rate = builder.input(learningRateInput, { dtype: 'float32', shape: [] });
  const count = optimizer.kind === 'adam' ? countSteps() : null;

  function countSteps() {
    const counter = builder.variable('optimizer_step', zeros('float32', []), 'slot');
    const [next = counter] = builder.node('increment', 'optimizer_step/next', [counter], {});
    builder.update(counter.name, next);
    return next;
  }

  for (const { name, type, source } of variablesOf(graph)) {
    if (!source.trainable) continue;
    const parameter = builder.ref(name);
    const gradient = builder.ref(gradientName(name));
    // Decay shrinks kernels; pulling biases and batch-norm parameters to zero only hurts.
    const weightDecay = source.role === 'weight' ? optimizer.weightDecay : 0;
    const slot = (slotName: string) =>
      builder.variable(`${name}/${slotName}`, zeros('float32', type.shape), 'slot', { owner: name });
    switch (optimizer.kind) {
      case 'sgd': {
        const velocity = slot('momentum');
        const { momentum, nesterov } = optimizer;
        const outputs = builder.node('momentum_update', `${name}/next`, [parameter, gradient, velocity, rate], {
          momentum,
          nesterov,
          weightDecay,
        });
        updateAll([parameter, velocity], outputs);
        break;
      }
      case 'adam': {
        const [first, second] = [slot('first_moment'), slot('second_moment')];
        const { beta1, beta2, epsilon } = optimizer;
        const steps = count ?? internal('adam counts its steps');
        const outputs = builder.node('adam_update', `${name}/next`, [parameter, gradient, first, second, rate, steps], {
          beta1,
          beta2,
          epsilon,
          weightDecay,
        });
        updateAll([parameter, first, second], outputs);
        break;
      }
      default:
        unreachable(optimizer);
    }
  }

  function updateAll(variables: readonly { readonly name: string }[], values: ReturnType<typeof builder.node>): void {
    for (const [index, variable] of variables.entries()) {
      builder.update(variable.name, values[index] ?? internal(`no new value for "${variable.name}"`));
    }
  }

  return builder.finish(graph.outputs.map((output) => builder.ref(output)));
}
