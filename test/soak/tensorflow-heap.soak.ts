/** What the addon does to JavaScript's heap while TensorFlow's threads let go of what they were given. */
import { describe, expect, it } from 'vitest';
import { variablesOf } from '../../src/graph/graph.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import { feeds, presetGraph, quantized, sgd } from '../engine/presets.ts';

describe.skipIf(tensorflowEngine === null)('a session whose variables are written again and again', () => {
  // Before arrays were kept from being shared, three of five runs ended the process.
  it('leaves the heap whole', { timeout: 300_000 }, async () => {
    const graph = presetGraph({ preset: 'resnet8', filters: 16 }, 32, 2, sgd, quantized(0));
    const session = await tensorflowEngine!.open(graph, { replicas: 1, threads: 2 });
    const values = variablesOf(graph).map(({ name }) => [name, session.read(name)] as const);
    let kept: Float32Array[] = [];
    for (let round = 0; round < 1500; round++) {
      for (const [name, data] of values) session.write(name, data);
      await session.run(feeds(graph, 2, round));
      // Work for the garbage collector, whose threads meet those of TensorFlow.
      kept = [...kept.slice(-1000), ...Array.from({ length: 200 }, () => new Float32Array(64 + (round % 200)))];
    }
    expect(kept).toHaveLength(1200);
    await session.close();
  });
});
