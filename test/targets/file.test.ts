/** A finished model against targets: what convert refuses, and what it only mentions. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { checkFile } from '../../src/targets/file.ts';
import type { TargetName } from '../../src/targets/index.ts';
import { namedNetworks } from '../oracle/random-networks.ts';
import { loweredNetwork } from '../oracle/target-graphs.ts';

const [quickstart] = namedNetworks;
const choice = (name: TargetName, ram: number | null = null) => ({ name, ram, flash: null });

function refused(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics.map(({ code, message }) => `${code}: ${message}`);
    throw error;
  }
  return [];
}

describe('a finished model', () => {
  it('is refused with every op that nothing runs on the target', () => {
    const graph = loweredNetwork(quickstart!, 'uint8', 'uint8');
    const found = refused(() => checkFile(graph, 1000, [choice('tflm')], 'model.tflite'));
    // All but the reshape, which moves bytes of any kind: two convolutions, two pools, two dense layers.
    expect(found).toHaveLength(6);
    expect(found[0]).toBe('target-refuses: "conv_2d_1/conv_2d" computes with uint8; TensorFlow Lite Micro takes int8');
  });

  it('is refused where it is larger than the budget', () => {
    const graph = loweredNetwork(quickstart!, 'int8', 'int8');
    const found = refused(() => checkFile(graph, 1000, [choice('tflm', 2048)], 'model.tflite'));
    expect(found).toEqual([
      'over-budget: the tensor arena takes 2.5 KiB on TensorFlow Lite Micro; `target.tflm.ram` is 2.0 KiB',
    ]);
  });

  it('says what an accelerator leaves to the processor', () => {
    const graph = loweredNetwork(quickstart!, 'int8', 'float32');
    const [checked] = checkFile(graph, 1000, [choice('ethos_u55')], 'model.tflite');
    expect(checked).toMatchObject({ name: 'ethos_u55', title: 'the Ethos-U55' });
    expect(checked?.leaves).toHaveLength(2);
    expect(checked?.leaves[1]).toMatch(/DEQUANTIZE; the Ethos-U55 takes no such op, so TensorFlow Lite Micro runs it/);
  });
});
