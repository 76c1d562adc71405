/** The pipelines of this repository, in their size, have the integers of devices in every layer. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { loadPipeline } from '../../src/config/load.ts';
import { pipelineNetwork } from '../../src/config/plan.ts';
import { evalGraph } from '../../src/evaluation/graphs.ts';
import { verify } from '../../src/graph/verify.ts';
import { freezePasses, lowerToIntegers, runPasses, trainedRanges } from '../../src/passes/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { Tally, compareLayers, pairs, reportTally } from './devices.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import { quantizationForms, trainedTensors } from './random-networks.ts';
import { seed } from './seed.ts';

const root = join(import.meta.dirname, '..', '..');
const data = join(root, '..', 'shared', 'data');
const files = readdirSync(join(root, 'pipelines')).filter((name) => name.endsWith('.yaml'));

describe.skipIf(!hasRuntimes)(`networks of pipelines, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const left = new Set<string>();
  const tallies = pairs.map((pair) => ({ pair, tally: new Tally() }));
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => {
    oracle.close();
    for (const { pair, tally } of tallies) reportTally(pair, 'pipelines', tally, left);
  });

  it.each(files)('%s', async (file) => {
    const model = await pipelineFile(join(root, 'pipelines', file));
    if (model === null) return;
    for (const { pair, tally } of tallies) {
      expect(await compareLayers(pair, oracle, tally, left, model, file, 1), pair.title).toEqual([]);
    }
  });
});

/** A pipeline's network with its first weights and drawn ranges; null without its data. */
async function pipelineFile(path: string): Promise<Uint8Array | null> {
  try {
    const model = await pipelineNetwork(await loadPipeline(path, [], existsSync(data) ? data : undefined));
    const graph = evalGraph(model, trainedRanges(trainedTensors(seed)), quantizationForms.int8);
    return writeTflite(verify(lowerToIntegers(runPasses(graph, freezePasses), 'int8', path).graph));
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
