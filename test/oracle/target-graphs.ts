/** Integer graphs to compare the rows of targets with what runs on them. */
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import type { EdgeType } from '../../src/passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses, setEdgeTypes } from '../../src/passes/index.ts';
import { evalGraph } from '../models/forms.ts';
import type { QuantizationFormName } from './random-networks.ts';
import { quantizationForms, trainedTensors } from './random-networks.ts';
import { seed } from './seed.ts';

/** A network as the stages convert it, with random weights and ranges. */
export function loweredNetwork(spec: ModelSpec, formName: QuantizationFormName, edge: EdgeType): Graph {
  const form = quantizationForms[formName];
  const frozen = runPasses(evalGraph(spec, 1, trainedTensors(seed), form), freezePasses);
  const { graph } = lowerToIntegers(frozen, form.scheme, spec.name);
  return verify(setEdgeTypes(verify(graph), { input: edge, output: edge }));
}

/**
 * The wheel of TensorFlow Lite Micro has assertions, and one ends the process where 512 classes or more are equal:
 * gemmlowp's RoundingDivideByPOT shifts by at most 31 bits. Its inputs are zeros here.
 */
export const endsTheProcess = ({ nodes, values }: Graph): boolean =>
  nodes.some(({ op, name }) => op === 'softmax' && (values.get(name)?.type.shape.at(-1) ?? 0) >= 512);
