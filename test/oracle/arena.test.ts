/** The planned arena is the head that TensorFlow Lite Micro's allocator reports. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { pipelineNetwork } from '../../src/config/plan.ts';
import { conversions } from '../../src/config/targets.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { planArena } from '../../src/targets/arena.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases, integerOps } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import { namedNetworks, randomNetwork, randomSeriesNetwork } from './random-networks.ts';
import { seed, variations } from './seed.ts';
import { endsTheProcess, loweredNetwork } from './target-graphs.ts';

describe.skipIf(!hasRuntimes)(`arenas, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { models: 0, refused: 0 };
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => {
    oracle.close();
    console.info(`${tally.models} arenas planned as by TensorFlow Lite Micro, which refuses ${tally.refused} models`);
  });

  /** Null where the runtime refuses the model. */
  async function headOf(graph: Graph): Promise<number | null> {
    const answer = await oracle.evaluate('targets.tflm(model)', { model: writeTflite(graph) });
    const { head } = answer as { readonly head?: number };
    tally[head === undefined ? 'refused' : 'models']++;
    return head ?? null;
  }

  const known = [
    'autoencoder',
    'cifar10-resnet8',
    'ds-cnn',
    'mnist-lenet',
    'mobilenet-v1',
    'mobilenet-v2',
    'quickstart',
  ];

  it.each(known)('pipelines/%s.yaml before it is trained', async (name) => {
    const file = join(import.meta.dirname, '../../pipelines', `${name}.yaml`);
    const loaded = parsePipeline(readFileSync(file, 'utf8'), file, ['target=tflm', 'data.normalize={ scale: 1/255 }']);
    const model = await pipelineNetwork(loaded);
    const found = conversions(loaded.pipeline, () => model);
    expect(found.length).toBeGreaterThan(0);
    for (const { graph } of found) expect(planArena(graph).head).toBe(await headOf(graph));
  });

  it.each(namedNetworks)('$name', async (spec) => {
    for (const edge of ['int8', 'uint8', 'float32'] as const) {
      const graph = loweredNetwork(spec, 'int8', edge);
      const head = await headOf(graph);
      // The runtime converts floats and codes of either type to int8, and to uint8 only from int8.
      if (edge !== 'float32') expect(head, `${spec.name} ${edge}`).not.toBeNull();
      if (head !== null) expect(planArena(graph).head, `${spec.name} ${edge}`).toBe(head);
    }
  });

  it.each([
    ['random networks', randomNetwork],
    ['random networks over series', randomSeriesNetwork],
  ] as const)('%s', async (name, draw) => {
    for (let index = 0; index < 60 * variations; index++) {
      const spec = draw(createRandom(seed, 'arena', name, `${index}`));
      const graph = loweredNetwork(spec, 'int8', 'int8');
      const head = await headOf(graph);
      expect(planArena(graph).head, `${name} ${index}`).toBe(head);
    }
  });

  it.each(integerOps)('%s alone', async (op) => {
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'arena'), variations)) {
      if (endsTheProcess(graph)) continue;
      const head = await headOf(graph);
      if (head !== null) expect(planArena(graph).head, name).toBe(head);
    }
  });
});
