/** What the row `ethos_u55` takes is what Arm's compiler puts on the NPU. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { setEdgeTypes } from '../../src/passes/index.ts';
import { checkTarget } from '../../src/targets/check.ts';
import { fileOps } from '../../src/targets/define.ts';
import { ethosU55 } from '../../src/targets/ethos_u55.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import { namedNetworks, randomNetwork, randomSeriesNetwork } from './random-networks.ts';
import { seed, variations } from './seed.ts';
import { loweredNetwork } from './target-graphs.ts';

describe.skipIf(!hasRuntimes)(`the row of ethos_u55, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { models: 0, onProcessor: 0 };
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => {
    oracle.close();
    console.info(`${tally.models} models compiled, ${tally.onProcessor} ops left to the processor, as the row says`);
  });

  /** Names of the ops that the compiler leaves to the processor, sorted; null where it fails. */
  async function compiled(graph: Graph): Promise<readonly string[] | null> {
    const answer = await oracle.evaluate('targets.vela(model)', { model: writeTflite(graph) });
    const { cpu } = answer as { readonly cpu?: readonly string[] };
    tally.models++;
    tally.onProcessor += cpu?.length ?? 0;
    return cpu === undefined ? null : [...cpu].sort();
  }

  const ours = (graph: Graph): readonly string[] =>
    checkTarget(ethosU55, graph, true)
      .map(({ node }) => node.op.toUpperCase())
      .sort();

  it.each(fileOps)('%s alone', async (op) => {
    const failures: string[] = [];
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'vela'), variations)) {
      const theirs = await compiled(graph);
      const said = checkTarget(ethosU55, graph, true).map(({ refusal }) => refusal.found);
      if ((theirs?.length === 0) !== (said.length === 0))
        failures.push(`${name}: ${JSON.stringify(theirs)}, ${said.join()}`);
    }
    expect(failures).toEqual([]);
  });

  it('keeps every int8 preset whole', async () => {
    for (const spec of namedNetworks) {
      for (const form of ['int8', 'int8 (dense per tensor)'] as const) {
        const graph = loweredNetwork(spec, form, 'int8');
        expect(await compiled(graph), `${spec.name}, ${form}`).toEqual([]);
        expect(ours(graph), `${spec.name}, ${form}`).toEqual([]);
      }
    }
  });

  it('leaves the output of the uint8 pipeline to the processor', async () => {
    const [, lenet = internal('no preset')] = namedNetworks;
    const graph = setEdgeTypes(loweredNetwork(lenet, 'uint8', 'uint8'), { input: 'uint8', output: 'float32' });
    expect(await compiled(graph)).toEqual(['DEQUANTIZE']);
    expect(ours(graph)).toEqual(['DEQUANTIZE']);
  });

  it('random networks', async () => {
    for (let index = 0; index < 25 * variations; index++) {
      for (const draw of [randomNetwork, randomSeriesNetwork]) {
        const graph = loweredNetwork(draw(createRandom(seed, 'vela', `${index}`)), 'int8', 'int8');
        expect(ours(graph), `network ${index}`).toEqual(await compiled(graph));
      }
    }
  });
});
