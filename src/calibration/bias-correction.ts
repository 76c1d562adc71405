/** Bias correction: quantization must not move the mean of what a layer gives. */
import { internal, present } from '../core/assert.ts';
import { floatTensor } from '../core/tensor.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';
import { evalGraph, withWeights } from '../evaluation/graphs.ts';
import type { Model } from '../graph/contract.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { consumers, parameterOf, producers, valueOf } from '../graph/graph.ts';
import type { Ranges } from '../passes/index.ts';
import { removeFakeQuant } from '../passes/index.ts';
import { ops } from '../ops/index.ts';
import type { CalibrationExamples } from './examples.ts';
import { runOver } from './examples.ts';

export interface Corrected {
  readonly model: Model;
  /** Names of the layers whose bias changed, in graph order. */
  readonly layers: readonly string[];
}

/**
 * Corrects each layer with weights in turn, first to last, so that a layer sees what the corrected ones before it give:
 * for each output channel, the mean over all examples and positions before the activation, with quantization, less
 * that without, is taken off its bias, or off the offset of its batch norm. A bias that several layers share stays.
 *
 * @param model whose layers all have a bias or batch norm
 * @see Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", appendix D
 */
export async function correctBiases(
  model: Model,
  ranges: Ranges,
  form: QuantizationForm,
  examples: CalibrationExamples,
): Promise<Corrected> {
  const quantized = evalGraph(model, ranges, form);
  const layers = quantized.nodes.flatMap(({ op, name }) => {
    const offset = ops[op].quant.kind === 'affine' ? offsetOf(model.graph, name) : null;
    return offset === null ? [] : [{ name, offset }];
  });
  const wanted = await meansOf(removeFakeQuant({ ...quantized, outputs: layers.map(({ name }) => name) }), examples);
  let corrected = model;
  for (const { name, offset } of layers) {
    const graph = evalGraph(corrected, ranges, form);
    const found = await meansOf({ ...graph, outputs: [name] }, examples);
    corrected = withOffset(corrected, offset, present(found.get(name), name), present(wanted.get(name), name));
  }
  return { model: corrected, layers: layers.map(({ name }) => name) };
}

function withOffset(model: Model, offset: string, found: Float64Array, wanted: Float64Array): Model {
  const { shape, data } = parameterOf(model.graph, offset);
  const moved = floatTensor(
    shape,
    data.map((value, channel) => value - (found[channel]! - wanted[channel]!)),
  );
  return withWeights(model, (name) => (name === offset ? moved : parameterOf(model.graph, name)));
}

/** The mean of each output over examples and positions, by channel. */
async function meansOf(graph: Graph, examples: CalibrationExamples): Promise<ReadonlyMap<string, Float64Array>> {
  const sums = new Map(graph.outputs.map((name) => [name, new Float64Array(channelsOf(graph, name))]));
  const counts = new Map<string, number>();
  await runOver(graph, graph.outputs, examples, (name, values) => {
    const sum = present(sums.get(name), name);
    for (let at = 0; at < values.length; at++) sum[at % sum.length]! += values[at]!;
    counts.set(name, (counts.get(name) ?? 0) + values.length / sum.length);
  });
  return new Map([...sums].map(([name, sum]) => [name, sum.map((total) => total / present(counts.get(name), name))]));
}

const channelsOf = (graph: Graph, name: string): number => valueOf(graph, name).type.shape.at(-1) ?? 1;

/** The variable that adds a number to each channel of a layer, and to nothing else; null where there is none. */
function offsetOf(graph: Graph, layer: string): string | null {
  const readers = consumers(graph);
  const makers = producers(graph);
  const node = makers.get(layer) ?? internal(`no layer "${layer}"`);
  const { quant } = ops[node.op];
  if (quant.kind !== 'affine') return internal(`${node.op} has no bias`);
  const [reader] = readers.get(layer) ?? [];
  const name = reader?.op === 'batch_norm' ? reader.inputs[2] : node.inputs[quant.bias];
  const variable = name === undefined ? null : biasUnder(graph, makers, name);
  return variable !== null && readers.get(variable)?.length === 1 ? variable : null;
}

/** A bias itself, or what another one is computed from by adding. */
function biasUnder(graph: Graph, makers: ReadonlyMap<string, Node>, name: string): string | null {
  const { source } = valueOf(graph, name);
  if (source.kind === 'variable') return source.role === 'bias' || source.role === 'beta' ? name : null;
  const maker = makers.get(name);
  if (maker?.op !== 'add') return null;
  const [found, ...others] = maker.inputs.flatMap((input) => biasUnder(graph, makers, input) ?? []);
  return found !== undefined && others.length === 0 ? found : null;
}
