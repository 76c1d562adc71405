/** Random networks in every format of Keras, imported, against Keras. */
import { describe, expect, it } from 'vitest';
import { layerRows } from '../../src/importers/keras/rows.ts';
import { floatOf } from './closeness.ts';
import { expectEqual, importFiles, outputsOf } from './imports.ts';
import { expectBytes, expectList, expectRecord, hasOracle, hasRuntimes, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const networks = Number(process.env['ORACLE_NETWORKS'] ?? 8);

/** Names of one class in different versions. */
const aliases = /^(Convolution|SeparableConvolution|BatchNormalizationV)/;

const kinds = [
  { first: 0, oracle: 'tensorflow', kind: 'h5' },
  { first: 1, oracle: 'tensorflow', kind: 'keras' },
  { first: 2, oracle: 'tensorflow', kind: 'tfjs' },
  { first: 3, oracle: 'runtimes', kind: 'keras' },
  { first: 4, oracle: 'runtimes', kind: 'h5' },
] as const;

describe.skipIf(!hasOracle || !hasRuntimes)(`imports from Keras, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  const seen = new Set<string>();

  it.each(kinds)('of $kind files, made in the environment $oracle', async ({ oracle: name, kind, first }) => {
    const oracle = openOracle(name);
    try {
      for (let index = 0; index < networks; index++) {
        const of = seed * 10_000 + first * networks + index;
        const made = expectRecord(await oracle.evaluate('keras_models.random_keras(seed, kind)', { seed: of, kind }));
        const files = Object.entries(expectRecord(made['files'])).map(
          ([file, bytes]) => [file, expectBytes(bytes)] as const,
        );
        const graph = await importFiles(new Map(files));
        const found = await outputsOf(graph, [floatOf(made['input'])]);
        expectEqual(found, expectList(made['outputs']).map(floatOf), 1e-4, `${kind} network ${of}`);
        for (const each of expectList(made['classes'])) if (typeof each === 'string') seen.add(each);
      }
    } finally {
      oracle.close();
    }
  });

  it('covers every class of layers', () => {
    const wanted = Object.keys(layerRows).filter((each) => !aliases.test(each));
    console.info(`networks imported from Keras: ${kinds.length * networks}`);
    expect(wanted.filter((each) => !seen.has(each))).toEqual([]);
  });
});
