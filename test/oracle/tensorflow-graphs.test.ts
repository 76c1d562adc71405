/** Random Keras networks as frozen graphs and SavedModels give the numbers of TensorFlow after their import. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { readFrozenGraph } from '../../src/importers/tensorflow/frozen-graph.ts';
import { readSavedModelFiles } from '../../src/importers/tensorflow/saved-model.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { examplesOf, failuresOf, fieldsOf } from './tensorflow-imports.ts';

const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 12);
const savers = ['keras', 'module', 'v1'] as const;

describe.skipIf(!hasOracle)(`frozen graphs and SavedModels, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  const failures = async (count: number, one: (index: number) => Promise<readonly string[]>) => {
    const found: string[] = [];
    for (let index = 0; index < count; index++) {
      try {
        found.push(...(await one(index)));
      } catch (error) {
        found.push(
          `network ${index}: ${error instanceof UserError ? error.message : String(error instanceof Error ? error.stack : error)}`,
        );
      }
    }
    return found;
  };

  it(`${NETWORKS} frozen graphs`, async () => {
    const found = await failures(NETWORKS, async (index) => {
      const answer = await oracle.evaluate('tf_networks.random_frozen(seed, index)', { seed, index });
      const { model } = fieldsOf(answer);
      return failuresOf(readFrozenGraph(expectBytes(model), 'net.pb').graph, examplesOf(answer), `network ${index}`);
    });
    expect(found).toEqual([]);
  });

  it.each(savers)(`${NETWORKS / 3} SavedModels by %s`, async (kind) => {
    const found = await failures(NETWORKS / 3, async (index) => {
      const answer = await oracle.evaluate('tf_networks.random_saved(seed, index, kind)', {
        seed,
        index: index + 1000,
        kind,
      });
      const files = fieldsOf(fieldsOf(answer)['files'] ?? null);
      const imported = readSavedModelFiles({
        path: 'net',
        graph: expectBytes(files['saved_model.pb']),
        index: bytesOrNull(files['variables/variables.index']),
        shard: (name) => expectBytes(files[`variables/${name}`]),
      });
      return failuresOf(imported.graph, examplesOf(answer), `network ${index}`);
    });
    expect(found).toEqual([]);
  });
});

const bytesOrNull = (value: OracleValue | undefined): Uint8Array | null => (value instanceof Uint8Array ? value : null);
