/** The variables of a training graph by their roles: what a model is made of, and which of them belong together. */
import { internal, present } from '../core/assert.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph, Node, Value, Variable } from './graph.ts';
import { isVariable, producers, variablesOf } from './graph.ts';
import { isKept } from './roles.ts';

/** The variables of a training graph that make up the trained model. */
export function modelVariables(graph: Graph): readonly string[] {
  return variablesOf(graph).flatMap(({ name, source }) => (isKept(source.role) ? [name] : []));
}

/** The same graph with other values of its variables. */
export function withVariables(graph: Graph, valueFor: (variable: Variable) => Tensor): Graph {
  const values = [...graph.values.values()].map((value): readonly [string, Value] => [
    value.name,
    isVariable(value) ? { ...value, source: { ...value.source, initial: valueFor(value) } } : value,
  ]);
  return { ...graph, values: new Map(values) };
}

export interface QuantizerRange {
  readonly quantizer: string;
  /** Names of the variables. */
  readonly min: string;
  readonly max: string;
}

/** The ranges that training estimates, in graph order. */
export function estimatedRanges(graph: Graph): readonly QuantizerRange[] {
  const variables = variablesOf(graph);
  const maxima = new Map(
    variables.flatMap(({ name, source }) => (source.role === 'range_max' ? [[source.owner, name] as const] : [])),
  );
  return variables.flatMap(({ name, source: { role, owner } }) => {
    if (role !== 'range_min') return [];
    const quantizer = present(owner, `quantizer of "${name}"`);
    return [{ quantizer, min: name, max: present(maxima.get(owner), `upper end of "${quantizer}"`) }];
  });
}

export interface MovingStatistic {
  readonly variable: string;
  /** The statistic of one replica's batch, and what all replicas agree on; the variable moves towards that. */
  readonly local: string;
  readonly agreed: string;
}

/** The statistics of batch norm that a training graph moves. */
export function movingStatistics(graph: Graph): readonly MovingStatistic[] {
  const makers = producers(graph);
  const updates = new Map(graph.updates.map(({ variable, value }) => [variable, value]));
  const makerOf = <Op extends Node['op']>(value: string | undefined, op: Op): Node<Op> => {
    const node = makers.get(value ?? '');
    // A union cannot be narrowed by a generic; the comparison does what the type says.
    return node?.op === op ? (node as Node<Op>) : internal(`"${value ?? ''}" is not made by ${op}`);
  };
  return variablesOf(graph).flatMap(({ name, source: { role } }) => {
    if (role !== 'moving_mean' && role !== 'moving_variance') return [];
    const [, agreed = ''] = makerOf(updates.get(name), 'moving_average').inputs;
    const [local = ''] = makerOf(agreed, 'cross_replica').inputs;
    return [{ variable: name, local, agreed }];
  });
}
