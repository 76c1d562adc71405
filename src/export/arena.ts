/** How much memory TensorFlow Lite Micro needs beside the model. */
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { planArena } from '../targets/arena.ts';

/** Bytes of the arena. */
export interface Arena {
  /** Activations and scratch memory, which share it: the allocator's head. */
  readonly activations: number;
  /** What lives as long as the interpreter, the allocator's tail: an upper bound. */
  readonly persistent: number;
  /** Enough for both, and for what the runtime needs to prepare before there are activations. */
  readonly total: number;
  /** The same where all activations are kept until the next run. */
  readonly totalKeepingTensors: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/**
 * sizeof(LinearMemoryPlanner), which knows the place of 1024 buffers, each of 8 bytes on machines of 64 bits.
 *
 * @see tensorflow/tflite-micro, tensorflow/lite/micro/memory_planner/linear_memory_planner.h
 */
const linearPlanner = aligned(8 * 1024 + 24);

/**
 * sizeof(AllocationInfo) by tensor, and what GreedyMemoryPlanner has by buffer.
 *
 * @see tensorflow/tflite-micro, tensorflow/lite/micro/micro_allocation_info.h, memory_planner/greedy_memory_planner.h
 */
const planning = { tensor: 32, buffer: 40, more: 1024 } as const;

/** Zero points of 32 bits by channel, which a kernel is given while it prepares: of its filter twice, and of its bias. */
const zeroPointBytes = 3 * 4;

export function arenaOf(graph: Graph): Arena {
  const { head, buffers } = planArena(graph);
  const persistent = persistentBytes(graph);
  const lists = planning.tensor * graph.values.size + (planning.tensor + planning.buffer) * buffers.length;
  const preparing = planning.more + Math.max(lists, zeroPointBytes * Math.max(0, ...channelsOf(graph)));
  const withPlan = (bytes: number): number => aligned(Math.max(bytes, preparing)) + persistent;
  const all = buffers.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    activations: head,
    persistent,
    total: withPlan(head),
    totalKeepingTensors: withPlan(all) + linearPlanner,
  };
}

/**
 * Structures by tensor and by operator, and two int32 for each channel of a filter with scales of its own. The numbers
 * are a little above what the allocator reports as tail on machines of 64 bits; those of 32 bits need less.
 */
function persistentBytes(graph: Graph): number {
  const fixed = 1024 + 48 * graph.values.size + 128 * graph.nodes.length;
  return aligned(channelsOf(graph).reduce((sum, channels) => sum + 2 * aligned(4 * channels), fixed));
}

/** Of each filter that has a scale for each. */
function channelsOf(graph: Graph): readonly number[] {
  return graph.nodes.flatMap(({ inputs: [, filter] }) => {
    const quant = filter === undefined ? null : valueOf(graph, filter).quant;
    return quant?.kind === 'per_channel' ? [quant.scales.length] : [];
  });
}

/** Constants of C++. */
export function arenaConstants({ graph }: { readonly graph: Graph }): string {
  const { activations, persistent, total, totalKeepingTensors } = arenaOf(graph);
  return `// Memory of TensorFlow Lite Micro beside the model, with its reference kernels: ${activations} bytes of
// activations, planned as its own planner does, and at most ${persistent} bytes of its own. Kernels of a
// chip's vendor may ask for more; arena_used_bytes() says afterwards how much was needed.
inline constexpr size_t kArenaSize = ${total};
// The same where every tensor is kept, to compare the layers (QPIPE_KEEP_TENSORS).
inline constexpr size_t kArenaSizeKeepingTensors = ${totalKeepingTensors};
`;
}
