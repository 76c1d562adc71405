/**
 * Ops that appear in no public integer model which runs: nobody else has tried them, so they get cases of every rank,
 * scales of nine decades, zero points at the ends of the range, and both types.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import type { OpName } from '../../src/ops/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import type { IntegerCase, Shaped } from './integer-cases.ts';
import { integerCase } from './integer-cases.ts';
import { compareRuns, judgeOf } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed, variations } from './seed.ts';

const scales = [-7, 2] as const;

/** 0 to 4 dimensions of 1 to 9. */
function shapeOf(random: Random, least: number): readonly number[] {
  return Array.from({ length: least + random.below(5 - least) }, () => 1 + random.below(9));
}

const drawn = {
  hard_swish: (random: Random): Shaped<'hard_swish'> => ({ shapes: [shapeOf(random, 0)], attrs: {} }),
  relu6: (random: Random): Shaped<'relu6'> => ({ shapes: [shapeOf(random, 0)], attrs: {} }),
  l2_normalization: (random: Random): Shaped<'l2_normalization'> => ({
    // One row in three is long: sums of squares beyond 2^16.
    shapes: [random.below(3) === 0 ? [1 + random.below(3), 1 + random.below(400)] : shapeOf(random, 1)],
    attrs: {},
  }),
  squeeze: (random: Random): Shaped<'squeeze'> => {
    const shape = shapeOf(random, 1).map((size) => (random.below(2) === 0 ? 1 : size));
    const ones = shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
    const some = ones.filter(() => random.below(3) > 0);
    // An empty list in a file stands for all of them.
    return { shapes: [shape], attrs: { axes: some.length > 0 ? some : ones } };
  },
  sum: (random: Random): Shaped<'sum'> => {
    const shape = shapeOf(random, 1);
    const axes = shape.map((_, axis) => axis).filter(() => random.below(2) === 0);
    return {
      shapes: [shape],
      attrs: { axes: axes.length > 0 ? axes : [shape.length - 1], keepDims: random.below(2) > 0 },
    };
  },
} satisfies { readonly [K in OpName]?: (random: Random) => Shaped<K> };

type Unseen = keyof typeof drawn;

function caseOf(op: Unseen, index: number, random: Random): IntegerCase {
  const dtype = index % 2 === 0 ? 'int8' : 'uint8';
  // Each op with its own drawing, which a union of ops cannot say.
  const shaped = drawn[op](random) as Shaped<typeof op>;
  return integerCase(op, shaped, dtype, random, `case ${index}`, scales);
}

describe.skipIf(!hasOracle)(`ops of no public model, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const total = { models: 0, refused: 0, values: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${total.models} models of ops that no public model has, ${total.values} outputs compared; ` +
        `${total.refused} refused by both`,
    );
  });

  it.each(Object.keys(drawn) as Unseen[])("%s gives TensorFlow Lite's bytes", async (op) => {
    const failures: string[] = [];
    for (let index = 0; index < 50 * variations; index++) {
      const { name, graph, runs } = caseOf(op, index, createRandom(seed, op, 'unseen', `${index}`));
      const judge = judgeOf(graph);
      if (judge === null) continue;
      const { failures: found, values } = await compareRuns(oracle, writeTflite(graph), runs, judge);
      failures.push(...found.map((text) => `${name} ${text}`));
      total.models++;
      total.values += values;
      total.refused += values === 0 ? 1 : 0;
    }
    expect(failures).toEqual([]);
  });
});
