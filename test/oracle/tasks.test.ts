/** The .tflite file of each task, trained by all six stages, in TensorFlow and here. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { runLine } from '../stages/pipeline-line.ts';
import { taskLines } from '../stages/task-lines.ts';
import { compareOnRandomCodes } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const RUNS = 24;

describe.skipIf(!hasOracle)(`models of all tasks, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  }, 300_000);
  afterAll(() => oracle.close());

  it.each(taskLines)('%s: TensorFlow Lite gives the bytes that we give', async (_, config) => {
    const line = await runLine(config);
    try {
      const model = readFileSync(line.file('convert', 'model.tflite'));
      const graph = readTflite(model, 'model.tflite');
      const { failures, values } = await compareOnRandomCodes(oracle, model, RUNS, createRandom(seed, 'codes'));
      expect(failures).toEqual([]);
      expect(values).toBe(RUNS * numElements(valueOf(graph, graph.outputs[0] ?? '').type.shape));
    } finally {
      line.remove();
    }
  });
});
