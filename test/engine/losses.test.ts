/** Losses over as many rows as maps have pixels: bits against the plain loops, and against other numbers of threads. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements, zeros } from '../../src/core/tensor.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { runFloat } from '../contract/evaluate.ts';

const random = createRandom(1, 'losses');

function drawn(shape: Shape, draw: () => number): FloatTensor {
  return floatTensor(
    shape,
    Array.from({ length: numElements(shape) }, () => draw()),
  );
}

const between = (low: number, high: number) => (): number => low + (high - low) * random.float();

async function runOn(
  threads: number,
  operands: readonly FloatTensor[],
  add: (builder: GraphBuilder, values: readonly ValueRef[]) => readonly ValueRef[],
): Promise<Float32Array> {
  const builder = buildGraph('losses', 'qat');
  const values = operands.map(({ shape }, index) => builder.input(`${index}`, { dtype: 'float32', shape }));
  const [result] = add(builder, values);
  const session = await wasmEngine.open(builder.finish([result!]), { replicas: 1, threads });
  try {
    const outputs = await session.run(new Map(operands.map(({ data }, index) => [`${index}`, data])));
    return outputs.get(result!.name)!;
  } finally {
    await session.close();
  }
}

/** The first place where two arrays differ by a bit; any NaN is like any other. */
function firstDifference(actual: Float32Array, expected: Float32Array): string | null {
  if (actual.length !== expected.length) return `${actual.length} values of ${expected.length}`;
  const at = actual.findIndex((value, index) => !Object.is(value, expected[index]));
  return at < 0 ? null : `${actual[at]!} instead of ${expected[at]!} at ${at}`;
}

describe('softmax, whose exponentials are computed four at a time', () => {
  it.each([1, 2, 3, 4, 5, 7, 8, 11, 21])('has the bits of the plain loops on %i classes', async (classes) => {
    const rows = 600;
    // From nearly equal to so far apart that exp is subnormal or 0.
    const size = (): number => 10 ** between(-9, 3.3)();
    const logits = zeros('float32', [rows, classes]);
    for (let row = 0; row < rows; row++) {
      const reach = size();
      for (let index = 0; index < classes; index++) logits.data[row * classes + index] = between(-reach, reach)();
    }
    // Distances at which exp is the least subnormal, and 0.
    [0, -745.1, -745.13, -745.2, -745.3, -708.4, -36].forEach((value, at) => (logits.data[at] = value));
    [NaN, Infinity, -Infinity].forEach((value, at) => (logits.data[(rows - 1 - at) * classes] = value));
    for (const beta of [1, -1, 0.3]) {
      const expected = zeros('float32', logits.shape);
      runFloat('softmax', [logits], { beta: Math.fround(beta) }, [expected]);
      const actual = await runOn(2, [logits], (builder, values) =>
        builder.node('softmax', 'softmax', values, { beta: Math.fround(beta) }),
      );
      expect(firstDifference(actual, expected.data), `beta ${beta}`).toBeNull();
    }
  });
});

interface Case<K extends OpName> {
  readonly op: K;
  readonly attrs: Attrs[K];
  readonly operands: readonly FloatTensor[];
}

const one = <K extends OpName>(op: K, attrs: Attrs[K], ...operands: readonly FloatTensor[]): Case<K> => ({
  ...{ op, attrs, operands },
});

describe('a loss of 4 maps of 45 x 37 pixels', () => {
  const [rows, classes] = [4 * 45 * 37, 5];
  const logits = drawn([rows, classes], between(-9, 9));
  const labels = drawn([rows], () => random.below(classes));
  const targets = drawn([classes, classes], between(0, 2));
  const answers = drawn([rows, classes], () => random.below(2));
  const weights = drawn([2, classes], between(0, 2));
  const gradient = floatTensor([], [0.7]);
  const smoothing = 0.1;
  const cases = [
    one('softmax_cross_entropy', {}, logits, labels),
    one('softmax_cross_entropy', {}, logits, labels, targets),
    one('softmax_cross_entropy_grad', {}, gradient, logits, labels),
    one('softmax_cross_entropy_grad', {}, gradient, logits, labels, targets),
    one('top_1_count', {}, logits, labels),
    one('sigmoid_cross_entropy', { smoothing }, logits, answers, weights),
    one('sigmoid_cross_entropy_grad', { smoothing }, gradient, logits, answers, weights),
    one('mean_squared_error', {}, logits, answers),
    one('mean_absolute_error', {}, logits, answers),
    one('mean_absolute_error_grad', {}, gradient, logits, answers),
    one('mean_huber_error', { delta: 0.3 }, logits, answers),
    one('mean_huber_error_grad', { delta: 0.3 }, gradient, logits, answers),
  ] as const;

  it.each(cases.map((item) => [item.op, item.operands.length, item] as const))(
    'has the same bits on 1, 2 and 3 threads, and in the plain loops: %s of %i operands',
    async (op, _count, { attrs, operands }) => {
      const run = (threads: number) =>
        runOn(threads, operands, (builder, values) => builder.node<OpName>(op, 'loss', values, attrs));
      const single = await run(1);
      for (const threads of [2, 3]) expect(firstDifference(await run(threads), single)).toBeNull();
      const plain = zeros('float32', op.endsWith('_grad') ? [rows, classes] : []);
      runFloat<OpName>(op, operands, attrs, [plain]);
      // Errors are added in slices, in float64; that the rounded mean is the same here is no promise.
      if (/^mean_[a-z]+_error$/.test(op)) expect(single[0]! / plain.data[0]!).toBeCloseTo(1, 6);
      else expect(firstDifference(single, plain.data)).toBeNull();
    },
  );
});
