import { describe, expect, it } from 'vitest';
import type { Split } from '../../src/data/dataset.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { crossEntropy, predict } from '../../src/tasks/classify.ts';
import { chunks, evaluate } from '../../src/evaluation/evaluate.ts';
import { summarize } from '../../src/tasks/errors.ts';
import { imageErrors } from '../../src/tasks/reconstruct.ts';
import { dense, network } from '../models/networks.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { buildModel } from '../models/forms.ts';

const normalize = { scale: 0.5, mean: 2 };
const open = (graph: Graph) => referenceEngine.open(graph, { replicas: 1, threads: 1 });

/** Images of 1x1x2: pixel pairs (index, 7), label index mod 3. */
function numbered(count: number): Split {
  return {
    count,
    targets: null,
    inputs: inputsOf(
      Uint8Array.from({ length: 2 * count }, (_, at) => (at % 2 === 0 ? (at / 2) % 256 : 7)),
      2,
    ),
    labels: Uint8Array.from({ length: count }, (_, index) => index % 3),
  };
}

/** Logits a + b, a, -b of the two real values. */
function linear(): Graph {
  const filter = floatTensor([3, 2], [1, 1, 1, 0, 0, -1]);
  const tensor = (name: string, shape: readonly number[]) =>
    name.endsWith('/filter') ? filter : floatTensor(shape, [0, 0, 0]);
  return buildModel(network([dense('logits', 3)], [1, 1, 2]), 1, 'inference', { kind: 'given', tensor });
}

describe('chunks', () => {
  it('cover a split in order; the last is filled up with its own first images', () => {
    const split = numbered(253);
    const found = [...chunks(split, normalize, 250)].map(({ start, count, inputs: images }) => ({
      start,
      count,
      first: [...images.slice(0, 10)],
    }));
    expect(found.map(({ start, count }) => [start, count])).toEqual([
      [0, 250],
      [250, 3],
    ]);
    // real = 0.5 * (pixel - 2); images 250, 251, 252, 250, 251.
    expect(found[1]!.first).toEqual([124, 2.5, 124.5, 2.5, 125, 2.5, 124, 2.5, 124.5, 2.5]);
  });

  it('of an exact multiple have no partial end', () => {
    expect([...chunks(numbered(500), normalize, 250)].map(({ count }) => count)).toEqual([250, 250]);
  });
});

describe('evaluate', () => {
  it('gives the outputs of every image, the last partial chunk included', async () => {
    const split = numbered(253);
    const result = await evaluate(linear(), split, normalize, open, new AbortController().signal);
    // b is positive, so a + b always wins over a; a third of the labels, the first, is 0.
    expect(result.outputs).toHaveLength(3 * 253);
    expect(predict(result.outputs, split)).toEqual({ classes: new Uint16Array(253), correct: 85 });
  });

  it('gives what the mean cross entropy is made of', async () => {
    const split: Split = {
      count: 2,
      targets: null,
      inputs: inputsOf(Uint8Array.of(2, 2, 4, 2), 2),
      labels: Uint8Array.of(0, 2),
    };
    const result = await evaluate(linear(), split, normalize, open, new AbortController().signal);
    // Logits 0, 0, 0 and 1, 1, 0.
    expect(crossEntropy(result.logits, split)).toBeCloseTo((Math.log(3) + Math.log(2 * Math.E + 1)) / 2, 6);
  });

  it('reads the logits for the loss where the network ends in a softmax', async () => {
    const split: Split = {
      count: 1,
      targets: null,
      inputs: inputsOf(Uint8Array.of(4, 2), 2),
      labels: Uint8Array.of(2),
    };
    const logits = linear();
    const builder = buildGraph('with softmax', 'float', logits);
    const probabilities = builder.node('softmax', 'softmax', [builder.ref(logits.outputs[0]!)], { beta: 1 });
    const graph = builder.finish(probabilities);
    const result = await evaluate(graph, split, normalize, open, new AbortController().signal);
    // Logits 1, 1, 0: the probability of class 2 is 1 / (2e + 1).
    expect(crossEntropy(result.logits, split)).toBeCloseTo(Math.log(2 * Math.E + 1), 6);
  });

  it('stops where it is told to', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(evaluate(linear(), numbered(3), normalize, open, stop.signal)).rejects.toThrow('enough');
  });
});

describe('a prediction', () => {
  it('is the first of the largest outputs', () => {
    const split: Split = {
      count: 2,
      targets: null,
      inputs: inputsOf(new Uint8Array(2), 1),
      labels: Uint8Array.of(1, 0),
    };
    expect(predict(Int32Array.of(1, 3, 3, 2, 5, 5, -5, 0), split)).toEqual({
      classes: Uint16Array.of(1, 0),
      correct: 2,
    });
  });
});

describe('the error of a reconstruction', () => {
  const split: Split = {
    count: 2,
    targets: null,
    inputs: inputsOf(Uint8Array.of(2, 4, 6, 2), 2),
    labels: new Uint8Array(2),
  };

  it('is the mean square of what each image is off, in real units', () => {
    // Real pixels 0, 1 and 2, 0.
    const outputs = Float32Array.of(0.5, 1, 0, 3);
    expect([...imageErrors(outputs, split, normalize)]).toEqual([0.125, 6.5]);
  });

  it('is summed up as mean and standard deviation over the images', () => {
    expect(summarize(Float64Array.of(1, 2, 6))).toEqual({ mean: 3, deviation: Math.sqrt(7) });
    expect(summarize(Float64Array.of(4))).toEqual({ mean: 4, deviation: 0 });
  });
});
