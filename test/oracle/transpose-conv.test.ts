/** Transposed convolutions of any output size: what TensorFlow Lite cuts off and what it leaves to the bias. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import type { FusedActivation } from '../../src/ops/define.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import type { Shaped } from './integer-cases.ts';
import { integerCase } from './integer-cases.ts';
import { compareRuns, referenceKernels } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed, variations } from './seed.ts';

const op = 'transpose_conv';

describe.skipIf(!hasOracle)(`transposed convolutions, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const total = { models: 0, smallerThanFilter: 0, values: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${total.models} transposed convolutions, ${total.smallerThanFilter} with an output smaller than the filter, ` +
        `${total.values} outputs compared`,
    );
  });

  it.each(['same', 'valid'] as const)("%s gives TensorFlow Lite's bytes at every output size", async (padding) => {
    const failures: string[] = [];
    const random = createRandom(seed, op, padding);
    for (let index = 0; index < 40 * variations; index++) {
      const shaped = drawn(padding, random.split(`${index}`));
      const dtype = index % 2 === 0 ? 'int8' : 'uint8';
      const { name, graph, runs } = integerCase(op, shaped, dtype, random, `case ${index}`);
      const { failures: found, values } = await compareRuns(oracle, writeTflite(graph), runs, referenceKernels);
      failures.push(...found.map((text) => `${name} ${text}`));
      const [, filter] = shaped.shapes;
      const isSmall = shaped.attrs.outputSize.some((size, axis) => size < (filter?.[axis + 1] ?? 0));
      total.models++;
      total.smallerThanFilter += isSmall ? 1 : 0;
      total.values += values;
    }
    expect(failures).toEqual([]);
  });
});

const activations: readonly FusedActivation[] = ['none', 'none', 'relu', 'relu6'];

/** Output sizes from 1 to some pixels beyond the last that an input pixel reaches. */
function drawn(padding: 'same' | 'valid', random: Random): Shaped<typeof op> {
  const pair = (most: number): readonly [number, number] => [1 + random.below(most), 1 + random.below(most)];
  const [input, filter, strides] = [pair(4), pair(9), pair(4)];
  const size = (axis: 0 | 1): number => 1 + random.below((input[axis] - 1) * strides[axis] + filter[axis] + 3);
  const [batch, inputs, outputs] = [1 + random.below(2), 1 + random.below(3), 1 + random.below(4)];
  const filterShape = [outputs, ...filter, inputs];
  return {
    shapes: [[batch, ...input, inputs], filterShape, ...(random.below(3) === 0 ? [] : [[outputs]])],
    attrs: {
      padding: { kind: padding },
      strides,
      outputSize: [size(0), size(1)],
      activation: activations[random.below(activations.length)]!,
    },
  };
}
