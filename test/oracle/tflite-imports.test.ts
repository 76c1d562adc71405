/** .tflite files of floats give the numbers of TensorFlow Lite after their import: random networks, and one of each op. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importTflite } from '../../src/importers/tflite.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import { opOfBuiltinCode } from '../../src/tflite/option-fields.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { examplesOf, failuresOf, fieldsOf } from './tensorflow-imports.ts';

const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 12) / 2;

/** The converter of TensorFlow 2.15 writes none into a file of floats. */
const unmet = ['broadcast_to', 'quantize'];

function opsIn(file: Uint8Array): readonly string[] {
  const { operatorCodes } = readTfliteContents(file, 'net.tflite');
  return operatorCodes.map(({ builtinCode }) => opOfBuiltinCode(builtinCode) ?? `builtin ${builtinCode}`);
}

describe.skipIf(!hasOracle)(`float .tflite files, ORACLE_SEED=${seed}`, { timeout: 1_800_000 }, () => {
  const seen = new Set<string>();
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  const failuresIn = async (name: string, expression: string, values: Parameters<Oracle['evaluate']>[1]) => {
    const answer = await oracle.evaluate(expression, values);
    const file = expectBytes(fieldsOf(answer)['model']);
    try {
      const found = await failuresOf(importTflite(file, 'net.tflite').graph, examplesOf(answer), name);
      if (found.length === 0) for (const op of opsIn(file)) seen.add(op);
      return found;
    } catch (error) {
      return [`${name}: ${error instanceof Error ? (error.stack ?? error.message).slice(0, 600) : ''}`];
    }
  };

  it.each([
    ['float32', false, 0],
    ['float16', true, 5000],
  ] as const)(`${NETWORKS} networks with weights of %s`, async (_type, half, first) => {
    const found: string[] = [];
    for (let index = first; index < first + NETWORKS; index++) {
      const expression = 'tf_networks.random_tflite(seed, index, half)';
      found.push(...(await failuresIn(`network ${index}`, expression, { seed, index, half })));
    }
    expect(found).toEqual([]);
  });

  it('every op of the table is imported, or refused by its name where float graphs have none', async () => {
    const found: string[] = [];
    for (const name of expectList(await oracle.evaluate('list(import_cases.lite_cases)')).map(String))
      found.push(...(await failuresIn(name, 'import_cases.lite_case(seed, name)', { seed, name })));
    expect(found).toEqual([]);
    const refused = expectList(await oracle.evaluate('list(import_cases.refused_cases)')).map(String);
    for (const name of refused) {
      const answer = await oracle.evaluate('import_cases.lite_case(seed, name)', { seed, name });
      const file = expectBytes(fieldsOf(answer)['model']);
      const [op = '', ...others] = opsIn(file);
      expect(others, name).toEqual([]);
      const message = new RegExp(`${op} ".*": it has no float form`);
      expect(() => importTflite(file, 'net.tflite'), name).toThrow(message);
      seen.add(op);
    }
    const table = opNames.filter((op) => ops[op].tflite !== null);
    expect(table.filter((op) => !seen.has(op))).toEqual(unmet);
  });
});
