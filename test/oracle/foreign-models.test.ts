/** Models made by others run here with the bytes that TensorFlow Lite's reference kernels give. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { OpName } from '../../src/ops/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { inferenceModel } from '../fault/inference-model.ts';
import { integerOps, randomRuns } from './integer-cases.ts';
import { compareRuns, judgeOf, referenceKernels, withLegalAxes } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const sharedModels = join(import.meta.dirname, '..', '..', '..', 'shared', 'models');

const caseModels = join(import.meta.dirname, '..', '..', '..', 'shared', 'cases', 'predict-models');

/** Models that once were refused, and a requantization far above and far below 1. */
const cases = [
  ...['keras_flatten', 'keras_transpose_conv', 'mean_over_batch', 'gather_axis_2', 'mirror_pad_symmetric'],
  ...['requant_300', 'requant_2e-10'],
];

describe.skipIf(!hasOracle)(`models made by others, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const total = { models: 0, runs: 0, values: 0 };
  const seen = new Set<OpName>();
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${total.models} models made by others by TensorFlow Lite, ${total.runs} runs, ${total.values} outputs compared; ` +
        `their ops: ${[...seen].sort().join(', ')}`,
    );
  });

  async function compare(model: Uint8Array, name: string): Promise<readonly string[]> {
    const graph = readTflite(model, name);
    for (const { op } of graph.nodes) seen.add(op);
    const runs = randomRuns(graph, createRandom(seed, 'inputs', name));
    const judge = judgeOf(graph) ?? referenceKernels;
    const { failures, values } = await compareRuns(oracle, withLegalAxes(model, name), runs, judge);
    total.models++;
    total.runs += runs.length;
    total.values += values;
    return failures;
  }

  // The float model is for imports; the interpreter runs integers.
  const isInteger = (file: string): boolean => file.endsWith('.tflite') && file !== 'pretrainedResnet.tflite';
  const shared = existsSync(sharedModels) ? readdirSync(sharedModels).filter(isInteger) : [];
  it.skipIf(shared.length === 0).each(shared)('%s', async (file) => {
    expect(await compare(readFileSync(join(sharedModels, file)), file)).toEqual([]);
  });

  it.skipIf(!existsSync(caseModels)).each(cases)('the case %s', async (name) => {
    expect(await compare(readFileSync(join(caseModels, `${name}.tflite`)), name)).toEqual([]);
  });

  it('every op that only models made by others have, and values without a scale', async () => {
    expect(await compare(inferenceModel(), 'others.tflite')).toEqual([]);
  });

  it.each([
    ['int8', 0],
    ['uint8', 1],
  ] as const)("TensorFlow's own conversions with %s edges", async (edges, first) => {
    const failures: string[] = [];
    const names = expectList(await oracle.evaluate('models.names'));
    const isWhole = process.env['ORACLE_MODELS'] === 'all';
    // The converter takes a second for each: every other one has these edges, in the soak tests all have, in two draws.
    const drawnNames = names.filter((_, index) => isWhole || index % 2 === (first + seed) % 2);
    for (const name of drawnNames.filter((one) => typeof one === 'string')) {
      for (const drawn of isWhole ? [seed, seed + 1] : [seed]) {
        try {
          const converted = await oracle.evaluate('models.convert(name, seed, edges)', { name, seed: drawn, edges });
          failures.push(...(await compare(expectBytes(converted), name)).map((text) => `${name} ${text}`));
        } catch (error) {
          failures.push(`${name}: ${String(error)}`);
        }
      }
    }
    expect(failures).toEqual([]);
  });

  it('cover every op that the format has', () => {
    // The converter writes RESHAPE for a squeeze; and models with float outputs are not asked for.
    // It folds SHAPE and BROADCAST_TO or replaces them, and gives these two versions that its runtime lacks.
    const elsewhere: readonly OpName[] = ['squeeze', 'dequantize', 'shape', 'broadcast_to', 'depth_to_space', 'tile'];
    expect(integerOps.filter((op) => !seen.has(op) && !elsewhere.includes(op))).toEqual([]);
  });
});
