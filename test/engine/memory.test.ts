import { describe, expect, it } from 'vitest';
import { formatDiagnostic, UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import { zeros } from '../../src/core/tensor.ts';
import { align, placeBlocks } from '../../src/wasm/memory.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { makePlan } from '../../src/engine/wasm/plan.ts';
import { buildGraph } from '../../src/graph/builder.ts';

describe('memory', () => {
  it('is shared by blocks that never live at the same time', () => {
    const { offsets, bytes } = placeBlocks([
      { bytes: 128, first: 0, last: 1 },
      { bytes: 128, first: 2, last: 3 },
      { bytes: 100, first: 1, last: 2 },
    ]);
    expect(offsets).toEqual([0, 0, 128]);
    expect(bytes).toBe(256);
  });

  it('is never given to two blocks at once, and begins on a cache line', () => {
    const random = createRandom(11);
    const blocks = Array.from({ length: 200 }, () => {
      const first = random.below(50);
      return { bytes: 1 + random.below(1000), first, last: first + random.below(10) };
    });
    const { offsets, bytes } = placeBlocks(blocks);
    for (const [a, left] of blocks.entries()) {
      expect(offsets[a]! % 64).toBe(0);
      expect(offsets[a]! + left.bytes).toBeLessThanOrEqual(bytes);
      for (const [b, right] of blocks.entries()) {
        if (a === b || left.first > right.last || right.first > left.last) continue;
        const apart = offsets[a]! + left.bytes <= offsets[b]! || offsets[b]! + right.bytes <= offsets[a]!;
        expect(apart, `blocks ${a} and ${b}`).toBe(true);
      }
    }
  });
});

describe('a plan', () => {
  const ELEMENTS = 100_000;

  /** `length` nodes in a row, each of which reads the whole value before it. */
  function chain(op: 'softmax' | 'relu', length: number): number {
    const builder = buildGraph('chain', 'float');
    let value = builder.input('x', { dtype: 'float32', shape: [ELEMENTS] });
    for (let index = 0; index < length; index++) {
      value =
        op === 'relu'
          ? builder.node('relu', `relu ${index}`, [value], {})[0]!
          : builder.node('softmax', `softmax ${index}`, [value], { beta: 1 })[0]!;
    }
    return makePlan(builder.finish([value]), { split: new Set(), replicas: 1, threads: 1 }).memoryBytes;
  }

  it('needs two buffers for a chain, however long', () => {
    expect(chain('softmax', 20)).toBeGreaterThan(2 * 4 * ELEMENTS);
    expect(chain('softmax', 20)).toBeLessThan(2 * 4 * ELEMENTS + 10_000);
  });

  it('needs one buffer where each op may write over its operand', () => {
    expect(chain('relu', 20)).toBeLessThan(4 * ELEMENTS + 10_000);
  });

  it('updates a variable in its own memory', () => {
    const builder = buildGraph('update', 'float');
    const average = builder.variable('average', zeros('float32', [ELEMENTS]), 'slot');
    const value = builder.input('value', { dtype: 'float32', shape: [ELEMENTS] });
    const [next] = builder.node('moving_average', 'next', [average, value], { decay: 0.5 });
    builder.update('average', next!);
    const { memoryBytes } = makePlan(builder.finish([]), { split: new Set(), replicas: 1, threads: 1 });
    expect(memoryBytes).toBeLessThan(2 * 4 * ELEMENTS + 10_000);
  });

  it('leaves out what neither outputs nor updates need', () => {
    const builder = buildGraph('unused', 'float');
    const x = builder.input('x', { dtype: 'float32', shape: [ELEMENTS] });
    const small = builder.input('small', { dtype: 'float32', shape: [] });
    builder.node('softmax', 'unused', [x], { beta: 1 });
    const [used] = builder.node('relu', 'used', [small], {});
    const { memoryBytes } = makePlan(builder.finish([used!]), { split: new Set(), replicas: 1, threads: 1 });
    expect(memoryBytes).toBeLessThan(align(4 * ELEMENTS) + 10_000);
  });
});

describe('a step that WebAssembly cannot address', () => {
  async function refusal(batch: number): Promise<unknown> {
    const builder = buildGraph('wide', 'float');
    const input = builder.input('x', { dtype: 'float32', shape: [batch, 2 ** 30 / batch] });
    const output = builder.node('softmax', 'head/softmax', [input], { beta: 1 })[0]!;
    const session = await wasmEngine.open(builder.finish([output]), { replicas: 1, threads: 1 });
    try {
      return await session.run(new Map([['x', zerosOfLength(2 ** 30)]])).catch((error: unknown) => error);
    } finally {
      await session.close();
    }
  }

  /** Stands for 4 GiB of zeros: the size alone is read before the refusal. */
  function zerosOfLength(length: number): Float32Array {
    return Object.defineProperty(new Float32Array(0), 'length', { value: length });
  }

  async function printed(batch: number): Promise<string> {
    const error = await refusal(batch);
    return error instanceof UserError ? formatDiagnostic(error.diagnostics[0]!) : String(error);
  }

  it('is the mistake of a large batch', async () => {
    const text = await printed(4);
    expect(text).toMatch(
      /^engine wasm error out-of-memory: a step with a batch of 4 takes 8\.0 GiB.* \[4, 268435456\]$/m,
    );
    expect(text).toContain('hint: set a smaller `batch`, or use `engine: tensorflow`');
  });

  it('is the mistake of a large network at batch 1', async () => {
    expect(await printed(1)).toContain('hint: use fewer filters');
  });
});
