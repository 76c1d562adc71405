/** What the weights of a layer look like, channel by channel. */
import { channelScales, perTensor } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import { numElements } from '../core/tensor.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { shownChannels } from '../measurements/layers.ts';
import type { Layer } from '../measurements/layers.ts';
import type { QuantRule } from '../ops/define.ts';
import { createHistogram } from './histogram.ts';

/** Weights of a layer as they are in the file. Null where they are no constants. */
export function describeFilter(
  graph: Graph,
  node: Node,
  rule: Extract<QuantRule, { kind: 'affine' }>,
  constantChannels: number,
): Layer['filter'] {
  const filterName = node.inputs[rule.weight] ?? '';
  const { type, quant, source } = valueOf(graph, filterName);
  if (source.kind !== 'constant' || type.dtype === 'int64') return null;
  const channels = type.shape[rule.channelAxis] ?? internal(`"${filterName}" has no axis ${rule.channelAxis}`);
  const scales = channelScales(quant, channels, filterName);
  const zeroPoint = quant?.kind === 'per_tensor' ? quant.zeroPoint : 0;
  const inner = numElements(type.shape.slice(rule.channelAxis + 1));
  const extremes = Array.from(scales, () => ({ min: Infinity, max: -Infinity }));
  const values = createHistogram(Math.max(...scales));
  for (const [at, code] of source.data.data.entries()) {
    const channel = Math.floor(at / inner) % channels;
    const extreme = extremes[channel]!;
    const weight = scales[channel]! * (Number(code) - zeroPoint);
    extreme.min = Math.min(extreme.min, weight);
    extreme.max = Math.max(extreme.max, weight);
    values.add([weight]);
  }
  const largest = extremes.map(reach);
  const toOutput =
    perTensor(valueOf(graph, node.inputs[0] ?? '').quant, 'the input').scale /
    perTensor(valueOf(graph, node.name).quant, node.name).scale;
  const live = [...largest.keys()].filter((channel) => largest[channel]! > 0);
  return {
    channels,
    deadChannels: channels - live.length,
    constantChannels,
    ranges: spanOf(live.map((channel) => largest[channel]!)),
    weights: { values: values.result(), channels: byReach(extremes) },
    multipliers: spanOf(live.map((channel) => toOutput * scales[channel]!)),
  };
}

interface Extremes {
  readonly min: number;
  readonly max: number;
}

const reach = ({ min, max }: Extremes): number => Math.max(Math.abs(min), Math.abs(max));

/** From the channel that reaches least to the one that reaches furthest; of too many those at even distances. */
function byReach(extremes: readonly Extremes[]): { channel: number; min: number; max: number }[] {
  const order = [...extremes.keys()].sort((a, b) => reach(extremes[a]!) - reach(extremes[b]!) || a - b);
  const count = Math.min(shownChannels, order.length);
  return Array.from({ length: count }, (_, index) => {
    const channel = order[count === 1 ? 0 : Math.round((index * (order.length - 1)) / (count - 1))]!;
    return { channel, ...extremes[channel]! };
  });
}

function spanOf(values: readonly number[]): { min: number; max: number } | null {
  return values.length === 0 ? null : { min: Math.min(...values), max: Math.max(...values) };
}
