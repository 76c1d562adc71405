/** Every op has the version that TensorFlow's converter gives it, and a runtime no older than it names. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases, integerOps } from './integer-cases.ts';
import type { Oracle } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import { seed, variations } from './seed.ts';

/** What the random cases do not reach: five dimensions, and a product of scales above 1. */
const rare: readonly Graph[] = (['int8', 'uint8'] as const).flatMap((dtype) => {
  const one = <K extends OpName>(op: K, attrs: Attrs[K], ...shapes: readonly (readonly number[])[]): Graph => {
    const quant = { kind: 'per_tensor', scale: 2, zeroPoint: 3 } as const;
    const builder = buildGraph(op, 'int8');
    const inputs = shapes.map((shape, index) => builder.input(`input_${index}`, { dtype, shape }, quant));
    return verify(builder.finish(builder.node(op, 'result', inputs, attrs, quant)));
  };
  const whole = { begin: [0, 0, 0, 0, 1], end: [1, 2, 3, 2, 2], strides: [1, 1, 1, 1, 1] };
  return [
    one('transpose', { permutation: [4, 3, 2, 1, 0] }, [1, 2, 3, 2, 2]),
    one('strided_slice', { ...whole, beginMask: 0, endMask: 0, shrinkAxisMask: 0 }, [1, 2, 3, 2, 2]),
    one('pad', { paddings: Array.from({ length: 5 }, () => [0, 1] as const) }, [1, 2, 3, 2, 2]),
    one('sub', { activation: 'none' }, [1, 2, 3, 2, 2], [1, 2, 3, 2, 1]),
    one('mul', { activation: 'none' }, [1, 4], [1, 4]),
  ];
});

/**
 * Where we name a later runtime than TensorFlow's record does (runtime_version.cc): the runtimes before it were run, and
 * refuse these nodes or compute other codes. See decision 14.
 */
const later: readonly string[] = [
  ...['conv_2d int8 2.2.0', 'depthwise_conv_2d int8 2.3.0', 'fully_connected int8 2.10.0'],
  ...['relu6 int8 2.1.0', 'relu6 uint8 2.1.0', 'leaky_relu int8 2.3.0', 'leaky_relu uint8 2.3.0'],
  ...['prelu int8 2.3.0', 'prelu uint8 2.3.0'],
  ...['mean int8 2.2.0', 'mean uint8 2.6.0', 'sum int8 2.13.0', 'sum uint8 2.13.0'],
  ...['resize_bilinear int8 2.5.0'],
  ...['mul int8 2.1.0', 'mul uint8 2.1.0'],
];

describe.skipIf(!hasOracle)(`versions of ops, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { models: 0, later: new Set<string>() };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${tally.models} models of one op; a later runtime than TensorFlow's for ${[...tally.later].join(', ')}`,
    );
  });

  async function compare(graph: Graph, op: OpName): Promise<void> {
    const model = writeTflite(graph);
    const ours = promisesOf(model);
    const theirs = await oracle.evaluate('versions_by_converter(model)', { model });
    const { versions, runtime } = theirs as { versions: readonly (readonly number[])[]; runtime: string };
    expect(ours.versions, op).toEqual(versions);
    tally.models++;
    if (ours.runtime === runtime) return;
    const named = `${op} ${graph.values.get(graph.inputs[0] ?? '')?.type.dtype ?? ''} ${ours.runtime}`;
    expect(later, `TensorFlow names ${runtime}`).toContain(named);
    expect(numbersOf(ours.runtime) > numbersOf(runtime), `${named}, TensorFlow ${runtime}`).toBe(true);
    tally.later.add(named);
  }

  it.each(integerOps)('%s', async (op) => {
    for (const { graph } of integerCases(op, createRandom(seed, op, 'versions'), variations)) {
      // The converter leaves the place of a bias empty, where we end the list: version 6.
      const withoutBias = op === 'fully_connected' && graph.nodes[0]!.inputs.length < 3;
      // The converter's dialect wants slopes of one rank less than the input; its runtime does not.
      const [input, alpha] = graph.inputs.map((name) => graph.values.get(name)?.type.shape.length ?? 0);
      const oddSlopes = op === 'prelu' && alpha !== (input ?? 0) - 1;
      if (!withoutBias && !oddSlopes) await compare(graph, op);
    }
  });

  it('of five dimensions, and of a product of scales above 1', async () => {
    for (const graph of rare) await compare(graph, graph.nodes[0]!.op);
  });
});

function promisesOf(model: Uint8Array): { versions: readonly (readonly number[])[]; runtime: string } {
  const { operatorCodes, metadata, buffers } = readTfliteContents(model, 'model.tflite');
  const entry = metadata.find(({ name }) => name === 'min_runtime_version');
  return {
    versions: operatorCodes.map(({ builtinCode, version }) => [builtinCode, version]),
    runtime: new TextDecoder().decode(buffers[entry?.buffer ?? 0]).replace(/\0+$/, ''),
  };
}

/** Each part in as many digits, so that the texts are in the order of the versions. */
const numbersOf = (version: string): string =>
  version
    .split('.')
    .map((part) => part.padStart(4, '0'))
    .join('.');
