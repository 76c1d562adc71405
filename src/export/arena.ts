/** How much memory TensorFlow Lite Micro needs beside the model. */
import { elementBytes, numElements } from '../core/tensor.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';

/** Bytes of the arena. */
export interface Arena {
  /** Activations, which share memory. */
  readonly activations: number;
  /** The same where all are kept until the next run. */
  readonly allActivations: number;
  /** What lives as long as the interpreter: an upper bound, with pointers of 64 bits. */
  readonly persistent: number;
}

const alignment = 16;
const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export function arenaOf(graph: Graph): Arena {
  const activations = [...graph.values.values()].filter(({ source }) => source.kind !== 'constant');
  const all = activations.reduce(
    (sum, { type }) => sum + aligned(numElements(type.shape) * elementBytes[type.dtype]),
    0,
  );
  return { activations: all, allActivations: all, persistent: persistentBytes(graph) };
}

/**
 * Structures of the runtime by tensor and by operator, and two int32 for each channel of a filter with a scale of its
 * own. The numbers are above what the runtime's `arena_used_bytes` shows on our networks.
 */
function persistentBytes(graph: Graph): number {
  const perChannel = (value: Value): number => (value.quant?.kind === 'per_channel' ? value.quant.scales.length : 0);
  const channels = graph.nodes.flatMap(({ inputs }) => inputs.map((name) => perChannel(valueOf(graph, name))));
  const factors = channels.reduce((sum, count) => sum + 2 * aligned(4 * count), 0);
  return aligned(2048 + 32 * graph.values.size + 256 * graph.nodes.length + factors);
}

/** Constants of C++. */
export function arenaConstants({ graph }: { readonly graph: Graph }): string {
  const { activations, allActivations, persistent } = arenaOf(graph);
  return `// Memory of TensorFlow Lite Micro beside the model: ${activations} bytes of activations, and
// at most ${persistent} bytes of its own. arena_used_bytes() says afterwards how much was needed.
inline constexpr size_t kArenaSize = ${activations + persistent};
// The same where every tensor is kept, to compare the layers (QPIPE_KEEP_TENSORS).
inline constexpr size_t kArenaSizeKeepingTensors = ${allActivations + persistent};
`;
}
