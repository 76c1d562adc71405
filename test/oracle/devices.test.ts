/**
 * The integers of devices, layer by layer: our interpreter has those of TensorFlow Lite Micro, and with the other
 * arithmetic those of LiteRT's reference kernels; `@litertjs/core` has those of native XNNPACK.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { verify } from '../../src/graph/verify.ts';
import { litertReference, microcontroller } from '../../src/interpreter/arithmetic.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import type { OpName } from '../../src/ops/index.ts';
import { freezePasses, lowerToIntegers, runPasses } from '../../src/passes/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { evalGraph } from '../models/forms.ts';
import { Tally, compareLayers, pairs, reportTally, runOurs, unlikeTflm } from './devices.ts';
import { integerCases, integerOps, randomRuns } from './integer-cases.ts';
import { withLegalAxes } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { hasRuntimes, openOracle } from './oracle.ts';
import type { QuantizationFormName } from './random-networks.ts';
import {
  namedNetworks,
  quantizationForms,
  randomNetwork,
  randomSeriesNetwork,
  trainedTensors,
} from './random-networks.ts';
import { seed } from './seed.ts';

const sharedModels = join(import.meta.dirname, '..', '..', '..', 'shared', 'models');

/** 100 in the soak tests. */
const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 30);
const SERIES = Math.ceil(NETWORKS / 4);

const forms = Object.keys(quantizationForms) as readonly QuantizationFormName[]; // of a literal

describe.skipIf(!hasRuntimes).each(pairs)(`$title, ORACLE_SEED=${seed}`, { timeout: 300_000 }, (pair) => {
  let oracle: Oracle;
  const left = new Set<string>();
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('np.__version__');
  });
  afterAll(() => oracle.close());

  function lowered(spec: ModelSpec, index: number, form: QuantizationFormName): Uint8Array {
    const quantization = quantizationForms[form];
    const graph = evalGraph(spec, 1, trainedTensors(seed * 1000 + index), quantization);
    return writeTflite(verify(lowerToIntegers(runPasses(graph, freezePasses), quantization.scheme, spec.name).graph));
  }

  it.each(forms)('presets and random networks, %s', async (form) => {
    const random = (kind: string, count: number, draw: typeof randomNetwork): readonly ModelSpec[] =>
      Array.from({ length: count }, (_, index) => ({
        ...draw(createRandom(seed, `device ${kind}`, `${index}`)),
        name: `${kind} ${index}`,
      }));
    const specs = [
      ...namedNetworks,
      ...random('network', NETWORKS, randomNetwork),
      ...random('series', SERIES, randomSeriesNetwork),
    ];
    const tally = new Tally();
    const failures: string[] = [];
    for (const [index, spec] of specs.entries()) {
      failures.push(...(await compareLayers(pair, oracle, tally, left, lowered(spec, index, form), spec.name, 6)));
    }
    reportTally(pair, form, tally, left);
    expect(failures).toEqual([]);
    if (pair.unlike !== unlikeTflm || form !== 'uint8') expect(tally.models).toBeGreaterThan(0.6 * specs.length);
  });

  it('models made by others', async () => {
    const isInteger = (file: string): boolean => file.endsWith('.tflite') && file !== 'pretrainedResnet.tflite';
    const files = existsSync(sharedModels) ? readdirSync(sharedModels).filter(isInteger) : [];
    const tally = new Tally();
    const failures: string[] = [];
    for (const file of files) {
      failures.push(
        ...(await compareLayers(
          pair,
          oracle,
          tally,
          left,
          withLegalAxes(readFileSync(join(sharedModels, file)), file),
          file,
          6,
        )),
      );
    }
    reportTally(pair, files.join(', '), tally, left);
    expect(failures).toEqual([]);
  });

  it.each(integerOps)('%s alone', async (op: OpName) => {
    const tally = new Tally();
    const failures: string[] = [];
    for (const { name, graph, runs } of integerCases(op, createRandom(seed, op, 'devices'), 2)) {
      const reason = graph.nodes.map((node) => pair.unlike(graph, node)).find((text) => text !== null);
      if (reason !== undefined) continue;
      const [mine, theirs] = await pair.run(oracle, writeTflite(graph), runs);
      failures.push(...tally.add(graph, mine, theirs).map((text) => `${name}: ${text}`));
    }
    expect(failures).toEqual([]);
    expect(tally.refusals.length).toBeLessThanOrEqual(tally.models / 4);
  });

  it('what is left out is refused, or differs', async () => {
    const seen = new Map<string, boolean>();
    for (const op of integerOps) {
      for (const { graph, runs } of integerCases(op, createRandom(seed, op, 'devices'), 2)) {
        const reason = graph.nodes.map((node) => pair.unlike(graph, node)).find((text) => text !== null);
        if (reason === undefined || reason.includes('ends')) continue;
        const key = `${op} ${reason}`;
        const [mine, theirs] = await pair.run(oracle, writeTflite(graph), runs);
        seen.set(key, (seen.get(key) ?? false) || new Tally().add(graph, mine, theirs).length > 0);
      }
    }
    expect([...seen].filter(([, isUnlike]) => !isUnlike)).toEqual([]);
  });
});

it.skipIf(!hasRuntimes)('to round once is to compute otherwise', () => {
  let differing = 0;
  for (let index = 0; index < 20; index++) {
    const graph = evalGraph(
      randomNetwork(createRandom(seed, 'device network', `${index}`)),
      1,
      trainedTensors(index),
      quantizationForms.int8,
    );
    const model = writeTflite(verify(lowerToIntegers(runPasses(graph, freezePasses), 'int8', 'model').graph));
    const runs = randomRuns(readTflite(model, 'model'), createRandom(seed, 'codes', `${index}`));
    const [twice, once] = [runOurs(model, runs, microcontroller), runOurs(model, runs, litertReference)];
    const tally = new Tally();
    tally.add(readTflite(model, 'model'), twice, once);
    differing += tally.differing;
  }
  expect(differing).toBeGreaterThan(0);
});
