/** Frozen graphs and SavedModels give the numbers of TensorFlow after their import: random networks, and each op. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { readGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { recognizeComposites } from '../../src/graphdef/composites.ts';
import { foldedOps } from '../../src/importers/tensorflow/fold.ts';
import { readFrozenGraph } from '../../src/importers/tensorflow/frozen-graph.ts';
import { readSavedModelFiles } from '../../src/importers/tensorflow/saved-model.ts';
import { rows } from '../../src/importers/tensorflow/rules/rows.ts';
import { rules } from '../../src/importers/tensorflow/table.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { examplesOf, failuresOf, fieldsOf } from './tensorflow-imports.ts';

/** Frozen graphs; of SavedModels, which take longer, half as many. */
const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 12);
const savers = ['keras', 'module', 'v1'] as const;

describe.skipIf(!hasOracle)(`frozen graphs and SavedModels, ORACLE_SEED=${seed}`, { timeout: 1_800_000 }, () => {
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

  const seen = new Set<string>();
  /** Composites are single nodes to the rules. */
  const failuresInFrozen = async (answer: OracleValue, name: string) => {
    const model = expectBytes(fieldsOf(answer)['model']);
    const found = await failuresOf(readFrozenGraph(model, 'net.pb').graph, examplesOf(answer), name);
    const composites = recognizeComposites(readGraphDef(model, 'net.pb').nodes).map(({ op }) => op);
    for (const op of [...composites, ...expectList(fieldsOf(answer)['ops']).map(String)])
      if (found.length === 0) seen.add(op);
    return found;
  };

  it(`${NETWORKS} frozen graphs`, async () => {
    const found = await failures(NETWORKS, async (index) => {
      const answer = await oracle.evaluate('tf_networks.random_frozen(seed, index)', { seed, index });
      return failuresInFrozen(answer, `network ${index}`);
    });
    expect(found).toEqual([]);
  });

  it('every op that is imported', async () => {
    const names = expectList(await oracle.evaluate('list(import_cases.node_cases)')).map(String);
    const found = await failures(names.length, async (index) => {
      const name = names[index] ?? '';
      const answer = await oracle.evaluate('import_cases.node_case(seed, name)', { seed, name });
      return failuresInFrozen(answer, name);
    });
    expect(found).toEqual([]);
    expect([...Object.keys(rules), ...rows.keys()].filter((op) => !seen.has(op))).toEqual([]);
  });

  it('what is computed of constants and shapes', async () => {
    const names = expectList(await oracle.evaluate('list(import_cases.foldings())')).map(String);
    const found: string[] = [];
    for (const name of names) {
      const cases = expectList(await oracle.evaluate('import_cases.folding(name)', { name }));
      const failed = await failures(cases.length, (index) => failuresInFrozen(cases[index] ?? null, name));
      found.push(...failed.map((message) => `${name}: ${message}`));
    }
    expect(found).toEqual([]);
    expect(foldedOps.filter((op) => !names.includes(op))).toEqual([]);
  });

  it.each(savers)(`${Math.ceil(NETWORKS / 6)} SavedModels by %s`, async (kind) => {
    const found = await failures(Math.ceil(NETWORKS / 6), async (index) => {
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
