/** Every integer kernel gives the bytes of TensorFlow Lite's reference kernels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { OpName } from '../../src/ops/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases, integerOps } from './integer-cases.ts';
import { compareRuns, judgeOf } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed, variations } from './seed.ts';

describe.skipIf(!hasOracle)(`integer kernels, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = new Map<OpName, number>();
  const total = { runs: 0, values: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    const counts = [...tally].map(([op, count]) => `${op} ${count}`).join(', ');
    const models = [...tally.values()].reduce((sum, count) => sum + count, 0);
    console.info(
      `${models} models of one op by TensorFlow Lite, ${total.runs} runs, ${total.values} outputs compared: ${counts}`,
    );
  });

  it.each(integerOps)("%s gives TensorFlow Lite's bytes", async (op) => {
    const failures: string[] = [];
    for (const one of integerCases(op, createRandom(seed, op), variations)) {
      const judge = judgeOf(one.graph);
      if (judge === null) continue;
      const model = writeTflite(one.graph);
      const { failures: found, values } = await compareRuns(oracle, model, one.runs, judge);
      failures.push(...found.map((text) => `${one.name} ${text}`));
      total.runs += one.runs.length;
      total.values += values;
      tally.set(op, (tally.get(op) ?? 0) + 1);
    }
    expect(failures).toEqual([]);
    expect(tally.get(op)).toBeGreaterThan(0);
  });
});
