/** What the addon does to JavaScript's heap while TensorFlow's threads let go of what they were given. */
import { describe, expect, it } from 'vitest';
import { variablesOf } from '../../src/graph/graph.ts';
import { modelLayers } from '../../src/models/presets.ts';
import type { QuantizationOptions } from '../../src/stages/graphs.ts';
import { trainingGraph } from '../../src/stages/graphs.ts';
import { tensorflowEngine } from '../engine/engines.ts';

describe.skipIf(tensorflowEngine === null)('a session whose variables are written again and again', () => {
  // Before arrays were kept from being shared, three of five runs ended the process.
  it('leaves the heap whole', { timeout: 300_000 }, async () => {
    const image = [32, 32, 3] as const;
    const classes = ['a', 'b'];
    const spec = {
      ...({ name: 'heap', task: 'classify', image, classes, normalize: { scale: 1, mean: 0 } } as const),
      layers: modelLayers({ preset: 'resnet8', filters: 16 }, classes.length, image),
    };
    const optimizer = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 } as const;
    const quantization: QuantizationOptions = {
      ...{ scheme: 'int8', observe: 'after_activation', merge: 'mean', decay: 0.99, dropout: 'always', delay: 0 },
      batchNorm: { kind: 'kept' },
    };
    const graph = trainingGraph(spec, 2, { kind: 'random', seed: 1 }, quantization, optimizer);
    const feeds = new Map(
      [new Float32Array(2 * 32 * 32 * 3), new Float32Array(2), Float32Array.of(0.01)].map(
        (data, index) => [graph.inputs[index]!, data] as const,
      ),
    );
    const session = await tensorflowEngine!.open(graph, { replicas: 1, threads: 2 });
    const values = variablesOf(graph).map(({ name }) => [name, session.read(name)] as const);
    let kept: Float32Array[] = [];
    for (let round = 0; round < 1500; round++) {
      for (const [name, data] of values) session.write(name, data);
      await session.run(feeds);
      // Work for the garbage collector, whose threads meet those of TensorFlow.
      kept = [...kept.slice(-1000), ...Array.from({ length: 200 }, () => new Float32Array(64 + (round % 200)))];
    }
    expect(kept).toHaveLength(1200);
    await session.close();
  });
});
