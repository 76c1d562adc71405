/** Random networks in every format of Keras, imported, against Keras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activationNames } from '../../src/importers/keras/activations.ts';
import { lambdaFunctions, operations } from '../../src/importers/keras/functions.ts';
import { layerRows } from '../../src/importers/keras/rows.ts';
import { floatOf } from './closeness.ts';
import { expectEqual, importFiles, outputsOf } from './imports.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, expectRecord, hasOracle, hasRuntimes, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

/** Of each format. As few as these are dealt every layer, function and activation. */
const networks = Number(process.env['ORACLE_NETWORKS'] ?? 4);

/** Names of one class or function in other versions. */
const aliases = new RegExp(
  '^(Convolution|SeparableConvolution|BatchNormalizationV)|^activations/hard_swish$|' +
    '^functions/(nn\\.swish|math\\.divide|keras\\.activations\\.relu)$',
);

/** Of an activation with two names, each version writes its own; some are new. */
const only2 = ['swish'];
const only3 = ['leaky_relu', 'silu', 'hard_silu'];

const environments = [
  {
    name: 'Keras 2',
    oracle: 'tensorflow',
    kinds: ['h5', 'keras', 'tfjs'],
    functions: Object.keys(lambdaFunctions),
    activations: activationNames.filter((name) => !only3.includes(name)),
  },
  {
    name: 'Keras 3',
    oracle: 'runtimes',
    kinds: ['keras', 'h5'],
    functions: Object.keys(operations),
    activations: activationNames.filter((name) => !only2.includes(name)),
  },
] as const;

describe.skipIf(!hasOracle || !hasRuntimes).each(environments)(
  `imports from $name, ORACLE_SEED=${seed}`,
  { timeout: 600_000 },
  (environment) => {
    const seen = new Set<string>();
    let oracle: Oracle;
    beforeAll(async () => {
      oracle = openOracle(environment.oracle);
      await oracle.evaluate('keras_models.__name__');
    });
    afterAll(() => oracle.close());

    const failureOf = async (number: number, kind: string): Promise<readonly string[]> => {
      const expression = 'keras_models.random_keras(seed, number, kind)';
      const made = expectRecord(await oracle.evaluate(expression, { seed, number, kind }));
      for (const each of expectList(made['used']).map(String)) seen.add(each);
      const files = Object.entries(expectRecord(made['files'])).map(
        ([file, bytes]) => [file, expectBytes(bytes)] as const,
      );
      try {
        const found = await outputsOf(await importFiles(new Map(files)), [floatOf(made['input'])]);
        expectEqual(found, expectList(made['outputs']).map(floatOf), 1e-4, kind);
        return [];
      } catch (error) {
        return [`${kind} network ${number}: ${String(error)}`];
      }
    };

    it.each(environment.kinds)(`${networks} networks in files of %s`, async (kind) => {
      const { kinds } = environment;
      const first = kinds.findIndex((each) => each === kind);
      const failures: string[] = [];
      for (let index = 0; index < networks; index++)
        failures.push(...(await failureOf(index * kinds.length + first, kind)));
      expect(failures).toEqual([]);
    });

    it('have every layer, function and activation that is imported', () => {
      const wanted = [
        ...Object.keys(layerRows),
        ...environment.functions.map((name) => `functions/${name}`),
        ...environment.activations.map((name) => `activations/${name}`),
      ];
      expect(wanted.filter((each) => !aliases.test(each) && !seen.has(each))).toEqual([]);
    });
  },
);
