/**
 * TensorFlow Lite Micro gives the outputs of exported test vectors, and every layer of them, from the exported file and
 * within the exported arena; the schema of tflite-support reads its metadata.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { tensor } from '../../src/core/tensor.ts';
import type { Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { arenaOf } from '../../src/export/arena.ts';
import { fnv1a } from '../../src/export/vectors.ts';
import { contractOf } from '../../src/graph/contract.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import type { EdgeType } from '../../src/passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses, setEdgeTypes } from '../../src/passes/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { exportModel } from '../export/bundles.ts';
import { evalGraph } from '../models/forms.ts';
import { unlikeTflm } from './devices.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectList, expectTensor, hasOracle, hasRuntimes, openOracle } from './oracle.ts';
import {
  namedNetworks,
  quantizationForms,
  randomNetwork,
  randomSeriesNetwork,
  trainedTensors,
} from './random-networks.ts';
import { seed, variations } from './seed.ts';

/** Pixels drawn for any network; labels are of no use. */
function pixels({ image }: ModelSpec, count: number): Split {
  const random = createRandom(seed, 'pixels');
  const size = image.reduce((product, length) => product * length, 1);
  const inputs = inputsOf(
    Uint8Array.from({ length: count * size }, () => random.below(256)),
    size,
  );
  return { count, inputs, labels: null, targets: null };
}

function lowered(spec: ModelSpec, edge: EdgeType): Graph {
  const graph = evalGraph(spec, 1, trainedTensors(seed), quantizationForms.int8);
  const { graph: integer } = lowerToIntegers(runPasses(graph, freezePasses), 'int8', spec.name);
  return setEdgeTypes(verify(integer), { input: edge, output: edge });
}

const isUnlike = (graph: Graph): boolean => graph.nodes.some((node) => unlikeTflm(graph, node) !== null);

async function exported(spec: ModelSpec, edge: EdgeType, count: number) {
  const graph = lowered(spec, edge);
  const { task, classes } = spec;
  const contract = contractOf(graph, [{ normalize: { scale: 1 / 255, mean: 0 } }], [{ task, classes }]);
  return exportModel(writeTflite(graph), contract, pixels(spec, count), { count });
}

describe.skipIf(!hasRuntimes)(`exported models, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let micro: Oracle;
  const tally = { models: 0, vectors: 0, values: 0, layers: 0, skipped: 0 };
  beforeAll(async () => {
    micro = openOracle('runtimes');
    await micro.evaluate('np.__version__');
  });
  afterAll(() => {
    micro.close();
    const { models, vectors, values, layers, skipped } = tally;
    console.info(
      `${models} exported models: TensorFlow Lite Micro gives ${values} values and ${layers} layers of ${vectors} vectors; ${skipped} networks have ops that it computes otherwise`,
    );
  });

  async function expectSame(spec: ModelSpec, edge: EdgeType, count: number): Promise<void> {
    const { path, remove, exported: model } = await exported(spec, edge, count);
    const { layers, vectors } = model.vectors;
    const { total, totalKeepingTensors } = arenaOf(model.graph);
    const given = {
      model: readFileSync(join(path, 'model.tflite')),
      // The arrays of an edge are of these types.
      inputs: vectors.map(({ input }) => tensor(model.input.dtype, model.input.shape, input as Int8Array)),
      tensors: layers.map((layer) => layer.tensor),
    };
    remove();
    const run = (arena: number, tensors: string) =>
      micro.evaluate(`bundles.run_micro(model, inputs, ${arena}, ${tensors})`, given);
    const lean = expectList(await run(total, '[]'));
    const whole = expectList(await run(totalKeepingTensors, 'tensors'));
    for (const [at, { output, digests }] of vectors.entries()) {
      const [found] = expectList(lean[at]);
      expect(Array.from(expectTensor(found).data as Int8Array), `${spec.name} ${edge}`).toEqual(Array.from(output));
      const [, kept] = expectList(whole[at]);
      const bytes = expectList(kept).map((each) => expectTensor(each).data);
      const found8 = bytes.map(({ buffer, byteOffset, byteLength }) =>
        fnv1a(new Uint8Array(buffer, byteOffset, byteLength)),
      );
      expect(found8, `${spec.name} ${edge}`).toEqual(digests);
      tally.values += output.length;
      tally.layers += digests.length;
    }
    tally.models++;
    tally.vectors += vectors.length;
  }

  it.each(namedNetworks)('$name', async (spec) => {
    for (const edge of ['int8', 'uint8'] as const) await expectSame(spec, edge, 2);
  });

  it.each([
    ['random networks', randomNetwork],
    ['random networks over series', randomSeriesNetwork],
  ] as const)('%s', async (name, draw) => {
    for (let index = 0; index < 20 * variations; index++) {
      const spec = draw(createRandom(seed, 'export', name, `${index}`));
      if (isUnlike(lowered(spec, 'int8'))) tally.skipped++;
      else await expectSame(spec, 'int8', 2);
    }
  });

  it('have metadata that the schema of tflite-support reads, and a label file', async () => {
    const spec = { ...namedNetworks[0]!, classes: ['a "b"', 'é', '猫', ...Array.from('defghij')] };
    const { path, remove } = await exported(spec, 'uint8', 1);
    const model = readFileSync(join(path, 'model.tflite'));
    remove();
    const input = {
      name: 'input',
      description: 'normalized = (pixel - mean) / std',
      content: { contentPropertiesType: 2, contentProperties: { colorSpace: 2 } },
      processUnits: [{ optionsType: 1, options: { mean: [0], std: [255] } }],
      stats: { max: [1], min: [0] },
    };
    const [found, files] = await Promise.all([
      micro.evaluate('bundles.support_metadata(model)', { model }),
      micro.evaluate('bundles.files_behind(model)', { model }),
    ]);
    expect(found).toMatchObject({ name: 'small', minParserVersion: '1.0.0' });
    expect((found as { subgraphMetadata: OracleValue[] }).subgraphMetadata).toEqual([
      {
        inputTensorMetadata: [input],
        outputTensorMetadata: [
          expect.objectContaining({ associatedFiles: [{ name: 'labels.txt', type: 2 }] }) as OracleValue,
        ],
      },
    ]);
    expect(files).toEqual({ 'labels.txt': 'a "b"\né\n猫\nd\ne\nf\ng\nh\ni\nj\n' });
  });

  it.skipIf(!hasOracle)('run in TensorFlow as they run without metadata', async () => {
    const spec = namedNetworks[0]!;
    const oracle = openOracle();
    try {
      const { path, remove, exported: model } = await exported(spec, 'int8', 3);
      const withMetadata = readFileSync(join(path, 'model.tflite'));
      remove();
      const runs = model.vectors.vectors.map(({ input }) => [tensor('int8', model.input.shape, input as Int8Array)]);
      const [a, b] = await Promise.all(
        [model.bytes, withMetadata].map((file) => oracle.evaluate('run_tflite(model, runs)', { model: file, runs })),
      );
      expect(withMetadata.length).toBeGreaterThan(model.bytes.length);
      expect(a).not.toBeNull();
      expect(b).toEqual(a);
    } finally {
      oracle.close();
    }
  });
});
