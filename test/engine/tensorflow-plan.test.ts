/** Which of TensorFlow's ops a step runs: looked up in the graph, without the addon. */
import { describe, expect, it } from 'vitest';
import type { Device } from '../../src/engine/engine.ts';
import type { KernelChoice } from '../../src/engine/tensorflow/plan.ts';
import { makePlan, signatures } from '../../src/engine/tensorflow/plan.ts';
import { parseInput } from '../../src/formats/protobuf/graph-def.ts';
import { presetGraph, quantized, sgd } from './presets.ts';

/** How often each op is in what a step of ResNet-8 asks for. TensorFlow runs nothing else. */
function opsOfStep(kernels: KernelChoice, devices: readonly Device[] | null): ReadonlyMap<string, number> {
  const graph = presetGraph({ preset: 'resnet8', filters: 4 }, 12, 4, sgd, quantized(3));
  const { model } = makePlan(graph, { split: new Set(), replicas: 1, devices, kernels });
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  const visit = (input: string): void => {
    const { node: name } = parseInput(input);
    if (seen.has(name)) return;
    seen.add(name);
    const { op, inputs } = nodes.get(name)!;
    counts.set(op, (counts.get(op) ?? 0) + 1);
    inputs.forEach(visit);
  };
  for (const { name } of model.signatures.get(signatures.step)!.outputs.values()) visit(name);
  return counts;
}

const BATCH_NORMS = 7;
/** Sums of two branches, each followed by a rectifier. */
const ADDITIONS = 3;

describe('a quantized step of ResNet-8 on the tensorflow engine', () => {
  it('has one kernel of ours each way for batch norm, rectifier and quantizer, and none of the parts', () => {
    const ops = opsOfStep('own', null);
    for (const op of ['QpipeBatchMoments', 'QpipeNormalizedRange', 'QpipeNormalize', 'QpipeNormalizeGrad']) {
      expect(ops.get(op), op).toBe(BATCH_NORMS);
    }
    // No batch norm is before these.
    expect(ops.get('Relu')).toBe(ADDITIONS);
    const parts = [...ops.keys()].filter((op) =>
      /ReluGrad|FakeQuantWith|FusedBatchNorm|Switch|Merge|^Max$|^Min$/.test(op),
    );
    expect(parts).toEqual([]);
  });

  it.each([
    ['where they are not built', 'library', null],
    ['on a GPU', 'own', [{ kind: 'gpu', index: 0 }]],
  ] as const)("has TensorFlow's own ops %s", (_where, kernels, devices) => {
    const ops = opsOfStep(kernels, devices);
    expect([...ops.keys()].filter((op) => op.startsWith('Qpipe'))).toEqual([]);
    expect(ops.get('FusedBatchNormV3')).toBe(BATCH_NORMS);
    expect(ops.get('FusedBatchNormGradV3')).toBe(BATCH_NORMS);
    expect(ops.get('FakeQuantWithMinMaxVarsGradient')).toBeGreaterThan(BATCH_NORMS + ADDITIONS);
  });
});
