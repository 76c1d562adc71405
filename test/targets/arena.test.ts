/** The planner of TensorFlow Lite Micro on buffers placed by hand, and what a model takes. */
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../src/graph/builder.ts';
import { verify } from '../../src/graph/verify.ts';
import { planArena, placeBuffers } from '../../src/targets/arena.ts';
import { memoryOf } from '../../src/targets/memory.ts';
import { namedNetworks } from '../oracle/random-networks.ts';
import { loweredNetwork } from '../oracle/target-graphs.ts';

const buffer = (name: string, bytes: number, first: number, last: number) => ({ name, bytes, first, last });

describe('the planner', () => {
  it('places the largest first, each into the lowest gap', () => {
    // From tensorflow/lite/micro/memory_planner/greedy_memory_planner_test.cc, TestSimple and TestMedium.
    const simple = placeBuffers([buffer('a', 10, 0, 1), buffer('b', 20, 2, 3)]);
    expect(simple.buffers.map(({ offset }) => offset)).toEqual([0, 0]);
    expect(simple.head).toBe(20);
    const medium = placeBuffers([
      ...[buffer('a', 10, 0, 1), buffer('b', 20, 1, 2), buffer('c', 30, 2, 3)],
      ...[buffer('d', 40, 3, 4), buffer('e', 50, 0, 1)],
    ]);
    expect(medium.buffers.map(({ offset }) => offset)).toEqual([50, 70, 40, 0, 0]);
    expect(medium.head).toBe(90);
  });

  it('keeps a value from its op to its last reader, in multiples of 16 bytes', () => {
    const quant = { kind: 'per_tensor', scale: 1, zeroPoint: 0 } as const;
    const builder = buildGraph('chain', 'int8');
    const input = builder.input('input', { dtype: 'int8', shape: [1, 20] }, quant);
    const [first] = builder.node('relu', 'first', [input], {}, quant);
    const [second] = builder.node('relu', 'second', [first!], {}, quant);
    const graph = verify(builder.finish([second!]));
    expect(planArena(graph)).toEqual({
      head: 64,
      buffers: [
        { name: 'input', bytes: 32, first: 0, last: 1, offset: 0 },
        { name: 'first', bytes: 32, first: 1, last: 2, offset: 32 },
        { name: 'second', bytes: 32, first: 2, last: 2, offset: 0 },
      ],
    });
  });
});

describe('multiplications', () => {
  it('are those of convolutions and dense layers', () => {
    // 16 x 16 x 9 x 8, 8 x 8 x 72 x 16, 256 x 64 and 64 x 10.
    const [quickstart] = namedNetworks;
    const graph = loweredNetwork(quickstart!, 'int8', 'int8');
    expect(memoryOf(graph).macs).toBe(16 * 16 * 9 * 8 + 8 * 8 * 72 * 16 + 256 * 64 + 64 * 10);
  });
});
