/** Values without a scale and zero point are moved as TensorFlow Lite moves them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { tensor } from '../../src/core/tensor.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { unscaledCases, unscaledOps } from './integer-cases.ts';
import { openWasmInterpreter } from '../../src/interpreter/wasm/index.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { IntegerData } from '../../src/ops/define.ts';
import { compareRuns, differences, judgeOf, runOurs } from './integer-runs.ts';
import type { Runs } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed, variations } from './seed.ts';

describe.skipIf(!hasOracle)(`values without a scale, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const total = { models: 0, runs: 0, values: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(`${total.models} models without scales, ${total.runs} runs, ${total.values} outputs compared`);
  });

  it.each(unscaledOps)("%s gives TensorFlow Lite's bytes", async (op) => {
    const failures: string[] = [];
    let compared = 0;
    for (const [index, { name, graph, runs }] of unscaledCases(
      op,
      createRandom(seed, op, 'unscaled'),
      variations,
    ).entries()) {
      const judge = judgeOf(graph);
      if (judge === null) continue;
      try {
        const { failures: found, values } = await compareRuns(oracle, writeTflite(graph), runs, judge);
        failures.push(...found.map((text) => `${name} ${text}`));
        if (index % 5 === 0)
          failures.push(...(await wasmDifferences(graph, runs)).map((text) => `${name} wasm ${text}`));
        total.models++;
        total.runs += runs.length;
        total.values += values;
        compared += values;
      } catch (error) {
        failures.push(`${name}: ${String(error)}`);
      }
    }
    expect(failures).toEqual([]);
    expect(compared).toBeGreaterThan(0);
  });
});

/** The fast runtime against the plain loops. */
async function wasmDifferences(graph: Graph, runs: Runs): Promise<readonly string[]> {
  const expected = runOurs(writeTflite(graph), runs);
  const wasm = await openWasmInterpreter(graph, 'model.tflite', { threads: 1 });
  try {
    const ours: Tensor[][] = [];
    for (const inputs of runs) {
      const outputs = await wasm.run(inputs.map(({ data }) => data as IntegerData)); // no input here is int64
      ours.push(outputs.map((data, index) => tensorLike(expected[0]?.[index], data)));
    }
    return differences(ours, expected, 0);
  } finally {
    await wasm.close();
  }
}

function tensorLike(model: Tensor | undefined, data: IntegerData): Tensor {
  const { dtype, shape } = model ?? internal('as many outputs as the reference has');
  return tensor(dtype, shape, data);
}
