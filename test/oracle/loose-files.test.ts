/** Files that say odd things which TensorFlow Lite does not look at: they run here too, with its bytes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { TfliteFile, TfliteTensor } from '../../src/tflite/file.ts';
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { randomRuns } from './integer-cases.ts';
import { compareRuns, referenceKernels } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const quant = { kind: 'per_tensor', scale: 0.5, zeroPoint: -3 } as const;

/** An image that is transposed and then reshaped. */
function moved() {
  const builder = buildGraph('main', 'int8');
  const input = builder.input('input', { dtype: 'int8', shape: [2, 3, 4] }, quant);
  const turned = builder.node('transpose', 'turned', [input], { permutation: [2, 0, 1] }, quant);
  return builder.finish(builder.node('reshape', 'flat', turned, { shape: [24] }, quant));
}

/** The file with one tensor said otherwise. */
function changed(file: TfliteFile, name: string, change: Partial<TfliteTensor>): TfliteFile {
  const subgraphs = file.subgraphs.map((subgraph) => ({
    ...subgraph,
    tensors: subgraph.tensors.map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor)),
  }));
  return { ...file, subgraphs };
}

/** The file with a second output that no operator makes. */
function withConstantOutput(file: TfliteFile): TfliteFile {
  const extra: TfliteTensor = {
    ...{ name: 'known', shape: [3], shapeSignature: null, type: 'INT8', buffer: file.buffers.length },
    ...{ isVariable: false, quantization: null },
  };
  const subgraphs = file.subgraphs.map((subgraph) => ({
    ...subgraph,
    tensors: [...subgraph.tensors, extra],
    outputs: [...subgraph.outputs, subgraph.tensors.length],
  }));
  return { ...file, subgraphs, buffers: [...file.buffers, Uint8Array.of(1, 2, 253)], signatures: [] };
}

const nothing = new Float32Array(0);
const zeroScale = {
  ...{ scale: Float32Array.of(0), zeroPoint: [0], quantizedDimension: 0, min: nothing, max: nothing },
};

describe.skipIf(!hasOracle)(`files that say odd things, ORACLE_SEED=${seed}`, { timeout: 60_000 }, () => {
  let oracle: Oracle;
  beforeAll(() => {
    oracle = openOracle();
  });
  afterAll(() => {
    oracle.close();
  });

  it.each<[string, (file: TfliteFile) => TfliteFile]>([
    ['a stale shape inside', (file) => changed(file, 'turned', { shape: [1, 5] })],
    ['no shape inside', (file) => changed(file, 'turned', { shape: [] })],
    ['a scale of 0', (file) => changed(file, 'input', { quantization: zeroScale })],
    ['scales that differ where values are moved', (file) => changed(file, 'turned', { quantization: zeroScale })],
    ['an output that is known', withConstantOutput],
  ])('%s', async (_title, change) => {
    const graph = moved();
    const model = writeTfliteFile(change(readTfliteContents(writeTflite(graph), 'm.tflite')), optionFields);
    const runs = randomRuns(graph, createRandom(seed, 'loose'));
    const { failures, values } = await compareRuns(oracle, model, runs, referenceKernels);
    expect(failures).toEqual([]);
    expect(values).toBeGreaterThan(0);
  });
});
