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
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    const counts = [...tally].map(([op, count]) => `${op} ${count}`).join(', ');
    console.info(`models compared with TensorFlow Lite: ${counts}`);
  });

  it.each(integerOps)("%s gives TensorFlow Lite's bytes", async (op) => {
    const failures: string[] = [];
    for (const one of integerCases(op, createRandom(seed, op), variations)) {
      const judge = judgeOf(one.graph);
      if (judge === null) continue;
      const model = writeTflite(one.graph);
      const found = await compareRuns(oracle, model, one.runs, judge);
      failures.push(...found.map((text) => `${one.name} ${text}`));
      tally.set(op, (tally.get(op) ?? 0) + 1);
    }
    expect(failures).toEqual([]);
    expect(tally.get(op)).toBeGreaterThan(0);
  });
});
