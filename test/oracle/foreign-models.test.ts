/** Models made by others run here with the bytes that TensorFlow Lite's reference kernels give. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { OpName } from '../../src/ops/index.ts';
import type { TfliteTensor } from '../../src/tflite/file.ts';
import { writeTfliteFile } from '../../src/tflite/file.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTflite, readTfliteContents } from '../../src/tflite/read.ts';
import { integerOps, randomRuns } from './integer-cases.ts';
import { differences, judgeOf, referenceKernels, runOurs, runTflite } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const sharedModels = join(import.meta.dirname, '..', '..', '..', 'shared', 'models');

describe.skipIf(!hasOracle)(`models made by others, ORACLE_SEED=${seed}`, () => {
  let oracle: Oracle;
  let models = 0;
  const seen = new Set<OpName>();
  beforeAll(() => void (oracle = openOracle()));
  afterAll(() => {
    oracle.close();
    console.info(`models made by others: ${models}, of the ops ${[...seen].sort().join(', ')}`);
  });

  async function compare(model: Uint8Array, name: string): Promise<readonly string[]> {
    const graph = readTflite(model, name);
    for (const { op } of graph.nodes) seen.add(op);
    const runs = randomRuns(graph, createRandom(seed, 'inputs', name));
    const judge = judgeOf(graph) ?? referenceKernels;
    const expected = await runTflite(oracle, withLegalAxes(model, name), runs, judge, name);
    models++;
    return differences(runOurs(model, runs), expected, judge.steps);
  }

  const shared = existsSync(sharedModels) ? readdirSync(sharedModels).filter((file) => file.endsWith('.tflite')) : [];
  it.skipIf(shared.length === 0).each(shared)('%s', async (file) => {
    expect(await compare(readFileSync(join(sharedModels, file)), file)).toEqual([]);
  });

  it.each(['int8', 'uint8'])("TensorFlow's own conversions with %s edges", async (edges) => {
    const failures: string[] = [];
    for (const name of expectList(await oracle.evaluate('models.names'))) {
      for (const drawn of [seed, seed + 1]) {
        try {
          const converted = await oracle.evaluate('models.convert(name, seed, edges)', { name, seed: drawn, edges });
          failures.push(...(await compare(expectBytes(converted), String(name))).map((text) => `${String(name)} ${text}`));
        } catch (error) {
          failures.push(`${String(name)}: ${String(error)}`);
        }
      }
    }
    expect(failures).toEqual([]);
  });

  it('cover every op that the format has', () => {
    expect(integerOps.filter((op) => !seen.has(op) && op !== 'dequantize')).toEqual([]);
  });
});

/** Old converters gave a bias the axis of its filter, which newer runtimes refuse. */
function withLegalAxes(model: Uint8Array, name: string): Uint8Array {
  const file = readTfliteContents(model, name);
  const isLegal = ({ shape, quantization }: TfliteTensor): boolean =>
    quantization === null || quantization.quantizedDimension < Math.max(shape.length, 1);
  if (file.subgraphs.every(({ tensors }) => tensors.every(isLegal))) return model;
  const mended = (tensor: TfliteTensor): TfliteTensor =>
    tensor.quantization === null || isLegal(tensor)
      ? tensor
      : { ...tensor, quantization: { ...tensor.quantization, quantizedDimension: 0 } };
  const subgraphs = file.subgraphs.map((subgraph) => ({ ...subgraph, tensors: subgraph.tensors.map(mended) }));
  return writeTfliteFile({ ...file, subgraphs }, optionFields);
}
