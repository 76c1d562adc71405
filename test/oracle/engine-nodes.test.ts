/** The nodes that the tensorflow engine makes of each op, run by TensorFlow itself: no addon is needed for them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal, present } from '../../src/core/assert.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import type { FloatOp } from '../../src/engine/engine.ts';
import { makePlan, outputKey, signatures } from '../../src/engine/tensorflow/plan.ts';
import { writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { disagreements, exactOps, floatOps, sampleRun } from '../engine/op-samples.ts';
import { floatOf } from './closeness.ts';
import type { Oracle } from './oracle.ts';
import { expectList, hasOracle, openOracle } from './oracle.ts';

const withoutIndex = (tensor: string): string => tensor.replace(/:0$/, '');

async function runNodes(oracle: Oracle, op: FloatOp) {
  const { graph, feeds, expected } = sampleRun(op);
  const plan = makePlan(graph, { split: new Set(), replicas: 1, devices: null, kernels: 'library' });
  const step = present(plan.model.signatures.get(signatures.step), 'the signature of a step');
  const given = plan.inputs.map(({ name, key, shape }, index) => {
    const input = present(graph.inputs[index], name);
    const node = withoutIndex(present(step.inputs.get(key), name).name);
    return [node, floatTensor(shape, present(feeds.get(input), input))] as const;
  });
  const output = withoutIndex(present(step.outputs.get(outputKey), 'the output').name);
  const values = { graph: writeGraphDef(plan.model.graph), feeds: Object.fromEntries(given), outputs: [output] };
  const { data } = floatOf(expectList(await oracle.evaluate('run_graph(graph, {}, feeds, outputs)', values))[0]);
  let start = 0;
  const actual = new Map(
    plan.outputs.map(({ name, length }) => [name, data.subarray(start, (start += length))] as const),
  );
  if (start !== data.length) internal(`${start} of ${data.length} values have a name`);
  return { actual, expected };
}

describe.skipIf(!hasOracle)('the nodes of the tensorflow engine', { timeout: 300_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  it.each(floatOps)('compute what the reference loops compute: %s', async (op) => {
    const { actual, expected } = await runNodes(oracle, op);
    expect(disagreements(actual, expected, exactOps.has(op))).toEqual([]);
  });
});
