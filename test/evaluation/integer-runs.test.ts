import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import type { Split } from '../../src/data/dataset.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { openWasmInterpreter } from '../../src/interpreter/wasm/index.ts';
import { checkReference, runInteger } from '../../src/evaluation/integer-runs.ts';
import { inputsOf } from '../../src/data/inputs.ts';

const unit = { kind: 'per_tensor', scale: 1, zeroPoint: 0 } as const;

/** Two classes, of which the larger pixel wins; then the same values again. */
function classifier(weights: readonly number[]): Graph {
  const builder = buildGraph('classifier', 'int8');
  const input = builder.input('input', { dtype: 'int8', shape: [1, 2] }, { ...unit, zeroPoint: -128 });
  const filter = builder.constant('filter', tensor('int8', [2, 2], Int8Array.from(weights)), unit);
  const attrs = { activation: 'none', keepNumDims: false } as const;
  const [logits] = builder.node('fully_connected', 'logits', [input, filter], attrs, unit);
  return builder.finish(builder.node('reshape', 'again', [logits!], { shape: [1, 2] }, unit));
}

// Pixels are their own values.
const context = (split: Split) => ({
  split,
  normalize: { scale: 1, mean: 0 },
  signal: new AbortController().signal,
  progress: () => Promise.resolve(),
});

const split: Split = {
  targets: null,
  inputs: inputsOf(Uint8Array.of(5, 7, 9, 2, 0, 1, 200, 100), 2),
  labels: Uint8Array.of(1, 0, 0, 0),
  count: 4,
};

describe('the integer run of a split', () => {
  it('gives the codes of every image', async () => {
    const fast = await openWasmInterpreter(classifier([1, 0, 0, 1]), 'model', { threads: 2 });
    const run = await runInteger(fast, context(split));
    await fast.close();
    expect(run.codes.map((codes) => [...codes])).toEqual([[5, 7, 9, 2, 0, 1, 127, 100]]);
  });
});

describe('the check against the reference loops', () => {
  it('passes where all codes are equal', async () => {
    const graph = classifier([1, 2, 3, -1]);
    const fast = await openWasmInterpreter(graph, 'model', { threads: 1 });
    const run = await runInteger(fast, context(split));
    await checkReference(prepareInterpreter(graph, 'model'), fast, run, context(split));
    await fast.close();
  });

  it('names the first image and the first layer that differ', async () => {
    // A kernel with a wrong weight: the first pixel of image 1 is the first that shows it.
    const fast = await openWasmInterpreter(classifier([2, 0, 0, 1]), 'model', { threads: 1 });
    const dark = { ...split, targets: null, inputs: inputsOf(Uint8Array.of(0, 7, 9, 2, 0, 1, 200, 100), 2) };
    const run = await runInteger(fast, context(dark));
    const check = checkReference(prepareInterpreter(classifier([1, 0, 0, 1]), 'model'), fast, run, context(dark));
    await expect(check).rejects.toThrow(
      'internal: the SIMD kernels differ from the reference loops on test image 1, first in fully_connected "logits"',
    );
    await fast.close();
  });
});
