/** Random Keras networks as .tflite files of floats give the numbers of TensorFlow Lite after their import. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importTflite } from '../../src/importers/tflite.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { examplesOf, failuresOf, fieldsOf } from './tensorflow-imports.ts';

const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 16) / 2;

describe.skipIf(!hasOracle)(`float .tflite files, ORACLE_SEED=${seed}`, { timeout: 900_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  it.each([
    ['float32', false, 0],
    ['float16', true, 5000],
  ] as const)(`${NETWORKS} networks with weights of %s`, async (_type, half, first) => {
    const found: string[] = [];
    for (let index = first; index < first + NETWORKS; index++) {
      const answer = await oracle.evaluate('tf_networks.random_tflite(seed, index, half)', { seed, index, half });
      try {
        const { graph } = importTflite(expectBytes(fieldsOf(answer)['model']), 'net.tflite');
        found.push(...(await failuresOf(graph, examplesOf(answer), `network ${index}`)));
      } catch (error) {
        found.push(`network ${index}: ${error instanceof Error ? (error.stack ?? error.message).slice(0, 600) : ''}`);
      }
    }
    expect(found).toEqual([]);
  });
});
