/** What the row `tflm` takes is what TensorFlow Lite Micro loads, and computes as TensorFlow Lite does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { checkTarget } from '../../src/targets/check.ts';
import { fileOps } from '../../src/targets/define.ts';
import { tflm } from '../../src/targets/tflm.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { unlikeTflm } from './devices.ts';
import { integerCases } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import type { QuantizationFormName } from './random-networks.ts';
import { namedNetworks, quantizationForms, randomNetwork, randomSeriesNetwork } from './random-networks.ts';
import { seed, variations } from './seed.ts';
import { endsTheProcess, loweredNetwork } from './target-graphs.ts';

describe.skipIf(!hasRuntimes)(`the row of tflm, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { taken: 0, refused: 0 };
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => {
    oracle.close();
    console.info(`${tally.taken} models taken and ${tally.refused} refused, as TensorFlow Lite Micro does`);
  });

  async function compare(graph: Graph, name: string): Promise<void> {
    const answer = await oracle.evaluate('targets.tflm(model)', { model: writeTflite(graph) });
    const said = checkTarget(tflm, graph, true).map(({ node, refusal }) => `${node.op} ${refusal.found}`);
    const isTaken = typeof answer === 'object' && answer !== null && 'head' in answer;
    // What it runs and computes otherwise is refused too: devices.test.ts shows that it does.
    const isRight = isTaken && graph.nodes.every((node) => unlikeTflm(graph, node) === null);
    tally[isRight ? 'taken' : 'refused']++;
    expect(said.length === 0, `${name}: ${JSON.stringify(answer)}, and we say: ${said.join('; ')}`).toBe(isRight);
  }

  it.each(fileOps)('%s alone', async (op) => {
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'tflm'), 2 * variations)) {
      if (!endsTheProcess(graph)) await compare(graph, name);
    }
  });

  const forms = Object.keys(quantizationForms) as readonly QuantizationFormName[];

  it.each(forms)('presets, %s', async (form) => {
    for (const spec of namedNetworks) {
      for (const edge of ['int8', 'uint8', 'float32'] as const) {
        await compare(loweredNetwork(spec, form, edge), `${spec.name} ${edge}`);
      }
    }
  });

  it.each(forms)('random networks, %s', async (form) => {
    for (let index = 0; index < 50 * variations; index++) {
      for (const draw of [randomNetwork, randomSeriesNetwork]) {
        const spec = draw(createRandom(seed, 'tflm', form, `${index}`));
        const edge = form === 'uint8' ? 'uint8' : 'int8';
        await compare(loweredNetwork(spec, form, edge), `${spec.name} ${index}`);
      }
    }
  });
});
