/** Every output of a network that has several, in TensorFlow and here: float, fake-quant, and the bytes of the file. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { readGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { runSteps } from '../models/networks.ts';
import { outputsLine } from '../stages/output-lines.ts';
import type { LineResult } from '../stages/pipeline-line.ts';
import { runLine } from '../stages/pipeline-line.ts';
import { compareOnRandomCodes } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { expectList, expectTensor, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const RUNS = 48;

describe.skipIf(!hasOracle)(`a network of three outputs, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  let line: LineResult;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
    line = await runLine(outputsLine);
  }, 300_000);
  afterAll(() => {
    line.remove();
    oracle.close();
  });

  it('gives the bytes of TensorFlow Lite for every output', async () => {
    const model = readFileSync(line.file('convert', 'model.tflite'));
    const { failures, values } = await compareOnRandomCodes(oracle, model, RUNS, createRandom(seed, 'codes'));
    expect(failures).toEqual([]);
    expect(values).toBe(RUNS * (1 + 3 + 1));
  });

  it('has the names and the order of the signature in TensorFlow', async () => {
    const model = readFileSync(line.file('convert', 'model.tflite'));
    const names = expectList(await oracle.evaluate('outputs.signature(model)', { model: new Uint8Array(model) }));
    expect(names).toEqual(['spread', 'largest', 'mean']);
  });

  it('gives the values of the eval graph in TensorFlow', async () => {
    const [graphFile, checkpointFile] = ['eval_graph.pb', 'checkpoint.safetensors'].map((file) =>
      readFileSync(line.file('eval', file)),
    );
    const variables = readSafetensors(checkpointFile!, 'checkpoint.safetensors').tensors;
    const graph = importGraphDef(readGraphDef(graphFile!, 'eval_graph.pb'), variables, 'eval_graph.pb');
    const random = createRandom(seed, 'values');
    for (let run = 0; run < RUNS; run++) {
      const input = floatTensor(
        [1, 1, 1, 3],
        Float32Array.from({ length: 3 }, () => 2 * random.float() - 1),
      );
      const theirs = expectList(
        await oracle.evaluate('run_graph(graph, variables, feeds, ["output", "output_1", "output_2"])', {
          graph: new Uint8Array(graphFile!),
          variables: Object.fromEntries(variables),
          feeds: { [graph.inputs[0]!]: input },
        }),
      ).map(expectTensor);
      const [step] = await runSteps(graph, [new Map([[graph.inputs[0]!, input.data]])]);
      expect(theirs.length).toBe(3);
      for (const [index, { data }] of theirs.entries()) {
        const ours = step!.outputs.get(graph.outputs[index]!)!;
        expect(ours.length).toBe(data.length);
        // What lies between codes is equal to float accuracy; another code would be a step apart.
        for (const [at, value] of Array.from(data, Number).entries()) expect(ours[at]).toBeCloseTo(value, 4);
      }
    }
  });
});
