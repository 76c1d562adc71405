/** What the row `litert` takes is what LiteRT loads and runs, with XNNPACK. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { checkTarget } from '../../src/targets/check.ts';
import { fileOps } from '../../src/targets/define.ts';
import { litert } from '../../src/targets/litert.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import type { QuantizationFormName } from './random-networks.ts';
import { namedNetworks, quantizationForms, randomNetwork, randomSeriesNetwork } from './random-networks.ts';
import { seed, variations } from './seed.ts';
import { loweredNetwork } from './target-graphs.ts';

describe.skipIf(!hasRuntimes)(`the row of litert, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { taken: 0, refused: 0, unasked: 0 };
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => {
    oracle.close();
    console.info(`${tally.taken} models taken, ${tally.refused} refused as LiteRT does, ${tally.unasked} would end it`);
  });

  async function compare(graph: Graph, name: string): Promise<string | null> {
    const said = checkTarget(litert, graph, true).map(({ node, refusal }) => `${node.op} ${refusal.found}`);
    // Without a bias LiteRT does not refuse the op but ends the process.
    if (said.includes('depthwise_conv_2d has no bias')) {
      tally.unasked++;
      return null;
    }
    const answer = await oracle.evaluate('targets.litert(model)', { model: writeTflite(graph) });
    tally[answer === null ? 'taken' : 'refused']++;
    return (said.length === 0) === (answer === null)
      ? null
      : `${name}: ${JSON.stringify(answer)}, and we say: ${said.join('; ')}`;
  }

  it.each(fileOps)('%s alone', async (op) => {
    const failures: (string | null)[] = [];
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'litert target'), variations)) {
      failures.push(await compare(graph, name));
    }
    expect(failures.filter((failure) => failure !== null)).toEqual([]);
  });

  const forms = Object.keys(quantizationForms) as readonly QuantizationFormName[];

  it.each(forms)('presets and random networks, %s', async (form) => {
    const random = Array.from({ length: 20 * variations }, (_, index) =>
      [randomNetwork, randomSeriesNetwork].map((draw) => draw(createRandom(seed, 'litert target', form, `${index}`))),
    );
    const failures: (string | null)[] = [];
    for (const [index, spec] of [...namedNetworks, ...random.flat()].entries()) {
      for (const edge of [quantizationForms[form].scheme, 'float32'] as const) {
        failures.push(await compare(loweredNetwork(spec, form, edge), `${spec.name} ${index} ${edge}`));
      }
    }
    expect(failures.filter((failure) => failure !== null)).toEqual([]);
  });
});
