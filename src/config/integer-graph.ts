/** The integer graph that a pipeline will convert to, before anything is trained. */
import { floatTensor } from '../core/tensor.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';
import { evalGraph } from '../evaluation/graphs.ts';
import type { Model } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import { verify } from '../graph/verify.ts';
import type { EdgeTypes, Ranges } from '../passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses, setEdgeTypes } from '../passes/index.ts';

/**
 * A range of its own for each value: equal ones would hide the QUANTIZE that conversion puts where scales have to agree.
 * They begin at 0 and end below 6, so that every rectifier disappears into its range, as after training.
 */
function differentRanges(): Ranges {
  const known = new Map<string, number>();
  return {
    kind: 'trained',
    range(name) {
      const index = known.get(name) ?? known.size;
      known.set(name, index);
      return { min: floatTensor([], [0]), max: floatTensor([], [1 + (4 * index) / (index + 100)]) };
    },
  };
}

/** The ops, shapes and types of the file are those after training; weights and scales are not. */
export function untrainedIntegers(model: Model, form: QuantizationForm, edges: EdgeTypes): Graph {
  const frozen = runPasses(evalGraph(model, differentRanges(), form), freezePasses);
  const { graph } = lowerToIntegers(frozen, form.scheme, 'the pipeline');
  return verify(setEdgeTypes(verify(graph), edges));
}
