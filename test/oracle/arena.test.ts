/** The planned arena is the head that TensorFlow Lite Micro's allocator reports. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { EdgeType } from '../../src/passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses, setEdgeTypes } from '../../src/passes/index.ts';
import { planArena } from '../../src/targets/arena.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { evalGraph } from '../models/forms.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import { integerCases, integerOps } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import {
  namedNetworks,
  quantizationForms,
  randomNetwork,
  randomSeriesNetwork,
  trainedTensors,
} from './random-networks.ts';
import { seed, variations } from './seed.ts';

/**
 * The wheel's assertions end the process where 512 classes or more are equal: gemmlowp's RoundingDivideByPOT shifts by at
 * most 31 bits. Its inputs are zeros here.
 */
const aborts = ({ nodes, values }: Graph): boolean =>
  nodes.some(({ op, name }) => op === 'softmax' && (values.get(name)?.type.shape.at(-1) ?? 0) >= 512);

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

  function lowered(spec: ModelSpec, edge: EdgeType): Graph {
    const graph = evalGraph(spec, 1, trainedTensors(seed), quantizationForms.int8);
    const { graph: integer } = lowerToIntegers(runPasses(graph, freezePasses), 'int8', spec.name);
    return setEdgeTypes(verify(integer), { input: edge, output: edge });
  }

  it.each(namedNetworks)('$name', async (spec) => {
    for (const edge of ['int8', 'uint8', 'float32'] as const) {
      const graph = lowered(spec, edge);
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
      const graph = lowered(spec, 'int8');
      const head = await headOf(graph);
      expect(planArena(graph).head, `${name} ${index}`).toBe(head);
    }
  });

  it.each(integerOps)('%s alone', async (op) => {
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'arena'), variations)) {
      if (aborts(graph)) continue;
      const head = await headOf(graph);
      if (head !== null) expect(planArena(graph).head, name).toBe(head);
    }
  });
});
