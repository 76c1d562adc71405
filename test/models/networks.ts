/** Small networks for tests, and ways to run them. */
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';

type LayerOf<K extends Layer['kind']> = Extract<Layer, { kind: K }>;

export function conv(
  name: string,
  filters: number,
  size: number,
  options: Partial<LayerOf<'conv_2d'>> = {},
): LayerOf<'conv_2d'> {
  return {
    kind: 'conv_2d',
    name,
    filters,
    kernel: [size, size],
    stride: [1, 1],
    dilation: [1, 1],
    padding: 'same',
    bias: true,
    batch_norm: false,
    activation: 'relu',
    ...options,
  };
}

export function dense(
  name: string,
  units: number,
  options: Partial<LayerOf<'fully_connected'>> = {},
): LayerOf<'fully_connected'> {
  return { kind: 'fully_connected', name, units, bias: true, batch_norm: false, activation: 'none', ...options };
}

export function pool(kind: 'max_pool_2d' | 'average_pool_2d', name: string): Layer {
  return { kind, name, window: [2, 2], stride: [2, 2], padding: 'valid' };
}

export function add(name: string, other: string, activation: 'none' | 'relu' = 'relu'): Layer {
  return { kind: 'add', name, with: other, activation };
}

/** Pixels 0 .. 255 stand for 0 .. 1. */
export function network(layers: readonly Layer[], image: readonly [number, number, number] = [6, 6, 2]): ModelSpec {
  return {
    name: 'small',
    task: 'classify',
    layers,
    image,
    classes: ['a', 'b', 'c'],
    normalize: { scale: Math.fround(1 / 255), mean: 0 },
  };
}

/** Uniform in low .. high. */
export function uniform(random: Random, shape: Shape, low = -1, high = 1): FloatTensor {
  return floatTensor(
    shape,
    Float64Array.from({ length: numElements(shape) }, () => low + (high - low) * random.float()),
  );
}

/**
 * A source in which every variable is away from its initial value: gammas, betas and moving averages too. A name whose
 * shape was asked for once keeps it; others are scalars.
 */
export function scattered(seed: number): (name: string, shape?: Shape) => FloatTensor {
  const shapes = new Map<string, Shape>();
  return (name, wanted) => {
    const shape = wanted ?? shapes.get(name) ?? [];
    shapes.set(name, shape);
    const random = createRandom(seed, name);
    if (name.endsWith('/moving_variance')) return uniform(random, shape, 0.3, 2);
    if (name.endsWith('/gamma')) return uniform(random, shape, 0.5, 1.5);
    if (name.endsWith('/min')) return uniform(random, shape, -2, -1);
    if (name.endsWith('/max')) return uniform(random, shape, 1, 2);
    return uniform(random, shape, -0.6, 0.6);
  };
}

export interface Step {
  readonly outputs: ReadonlyMap<string, Float32Array>;
  /** After the step. */
  readonly read: (variable: string) => Float32Array;
}

/** Runs a graph once for each set of feeds. */
export async function runSteps(
  graph: Graph,
  feeds: readonly ReadonlyMap<string, Float32Array>[],
  replicas = 1,
): Promise<readonly Step[]> {
  const session = await referenceEngine.open(graph, { replicas, threads: 1 });
  const steps: Step[] = [];
  for (const feed of feeds) {
    const outputs = await session.run(feed);
    const names = [...graph.values.values()].filter(({ source }) => source.kind === 'variable').map(({ name }) => name);
    const variables = new Map(names.map((name) => [name, session.read(name)] as const));
    steps.push({ outputs, read: (name) => variables.get(name) ?? new Float32Array() });
  }
  await session.close();
  return steps;
}

/** The first output of an inference graph of one input. */
export async function infer(graph: Graph, input: Float32Array): Promise<Float32Array> {
  const [step] = await runSteps(graph, [new Map([[graph.inputs[0] ?? '', input]])]);
  return step?.outputs.get(graph.outputs[0] ?? '') ?? new Float32Array();
}

/** Images in -1 .. 1, labels below `classes` and a rate for one training step of `batch` images. */
export function trainingFeeds(
  graph: Graph,
  seed: number,
  batch: number,
  rate: number,
): ReadonlyMap<string, Float32Array> {
  const random = createRandom(seed, 'feeds');
  const image = valueOf(graph, 'input').type.shape.slice(1);
  return new Map([
    ['input', uniform(random, [batch, ...image], 0, 1).data],
    ['labels', Float32Array.from({ length: batch }, () => random.below(3))],
    ...(graph.inputs.includes('learning_rate') ? ([['learning_rate', Float32Array.of(rate)]] as const) : []),
  ]);
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) return Infinity;
  return Array.from(a).reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
}
