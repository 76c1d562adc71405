/** The numbers of a model's page are those that LiteRT's interpreter and NumPy find in the same file. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectedModel } from '../../src/cli/inspect-page.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { everyLayer, lowered } from '../tflite/lowered.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));
const own = join(folder, 'own.tflite');
writeFileSync(own, writeTflite(lowered(everyLayer).graph));

const models = join(process.env['QPIPE_DATA'] ?? join(import.meta.dirname, '../../../shared/data'), '../models');
// LiteRT refuses person_detect.tflite, whose biases name an axis that they have not.
const foreign = ['pretrainedResnet.tflite', 'micro_speech_quantized.tflite'].map((name) => join(models, name));
const files = [own, ...foreign.filter((file) => existsSync(file))];

interface Tensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly scales: readonly number[];
  readonly zero_points: readonly number[];
  readonly counts?: readonly number[];
  readonly min?: number;
  readonly max?: number;
  readonly size?: number;
}

describe.skipIf(!hasRuntimes)('the page of a model', { timeout: 120_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => oracle.close());

  it.each(files)('of %s', async (file) => {
    const answer = await oracle.evaluate('file_tensors.file_tensors(model)', { model: readFileSync(file) });
    const theirs = answer as unknown as Readonly<Record<string, Tensor>>; // as file_tensors.py says
    const [{ tensors } = { tensors: [] }] = inspectedModel(file).subgraphs;
    let constants = 0;
    for (const [index, ours] of tensors.entries()) {
      const found = theirs[String(index)];
      if (found === undefined) continue;
      expect({ ...ours, scales: [...ours.scales], shape: [...ours.shape] }).toMatchObject({
        ...{ name: found.name, dtype: found.type, shape: found.shape, scales: found.scales },
        ...(found.scales.length === 0 ? {} : { zeroPoints: found.zero_points }),
      });
      if (ours.bytes === 0 || found.counts === undefined) continue;
      constants += 1;
      expect(ours.bytes).toBe(found.size);
      expect(ours.histogram).toMatchObject({ counts: found.counts, min: found.min, max: found.max });
    }
    expect(Object.keys(theirs).length).toBeGreaterThanOrEqual(tensors.length);
    expect(constants).toBeGreaterThan(3);
  });
});
