// Goldens of quantization.md section 9 (G1b, G3, G17), tflite-micro's convolution test, and numbers worked out by hand.
import { describe, expect, it } from 'vitest';
import { nudgeRange } from '../../src/core/affine.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import type { Padding } from '../../src/ops/geometry.ts';
import { ops } from '../../src/ops/index.ts';
import { runFloat } from './run.ts';

const vector = (...values: readonly number[]): FloatTensor => floatTensor([values.length], values);
const scalar = (value: number): FloatTensor => floatTensor([], [value]);

function expectClose(found: readonly number[], expected: readonly number[], digits = 5): void {
  expect(found).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(found[index]).toBeCloseTo(value, digits);
}

describe('conv_2d', () => {
  it('gives the numbers of tflite-micro kernels/conv_test.cc, SimpleTestFloat', () => {
    const input = floatTensor([2, 2, 4, 1], [1, 1, 1, 1, 2, 2, 2, 2, 1, 2, 3, 4, 1, 2, 3, 4]);
    const filter = floatTensor([3, 2, 2, 1], [1, 2, 3, 4, -1, 1, -1, 1, -1, -1, 1, 1]);
    const attrs = { strides: [2, 2], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
    const [output] = runFloat(ops.conv_2d, [input, filter, vector(1, 2, 3)], attrs);
    expect(output).toEqual([18, 2, 5, 18, 2, 5, 17, 4, 3, 37, 4, 3]);
  });
});

describe('padding, on the row 1, 2, 3, 4 with the filter 1, 10, 100', () => {
  const row = (padding: Padding, stride: number): readonly number[] | undefined =>
    runFloat(ops.conv_2d, [floatTensor([1, 1, 4, 1], [1, 2, 3, 4]), floatTensor([1, 1, 3, 1], [1, 10, 100])], {
      strides: [1, stride],
      dilations: [1, 1],
      padding,
      activation: 'none',
    })[0];

  it('SAME puts one pixel on each side at stride 1', () => {
    expect(row({ kind: 'same' }, 1)).toEqual([210, 321, 432, 43]);
  });

  it('SAME puts its single pixel after the last one at stride 2', () => {
    expect(row({ kind: 'same' }, 2)).toEqual([321, 43]);
  });

  it('VALID keeps whole windows only', () => {
    expect(row({ kind: 'valid' }, 1)).toEqual([321, 432]);
    expect(row({ kind: 'valid' }, 2)).toEqual([321]);
  });

  it('explicit padding goes where it says', () => {
    expect(row({ kind: 'explicit', top: 0, bottom: 0, left: 2, right: 0 }, 1)).toEqual([100, 210, 321, 432]);
    expect(row({ kind: 'explicit', top: 0, bottom: 0, left: 0, right: 1 }, 2)).toEqual([321, 43]);
  });
});

describe('pools on the row -1, -2, -3, -6, -5 with a window of 3, stride 2 and SAME', () => {
  const input = floatTensor([1, 1, 5, 1], [-1, -2, -3, -6, -5]);
  const attrs = { window: [1, 3], strides: [1, 2], padding: { kind: 'same' }, activation: 'none' } as const;

  it('take no padding for the largest value', () => {
    expect(runFloat(ops.max_pool_2d, [input], attrs)).toEqual([[-1, -2, -5]]);
  });

  it('take no padding for the mean', () => {
    // (-1 - 2) / 2, (-2 - 3 - 6) / 3, (-6 - 5) / 2
    expectClose(runFloat(ops.average_pool_2d, [input], attrs)[0]!, [-1.5, -3.666667, -5.5], 6);
  });
});

describe('fake_quant (G1b)', () => {
  it.each([
    [
      '0 .. 6',
      0,
      6,
      8,
      false,
      [-0.5, 0.0117647, 0.012, 3, 5.99, 6, 7],
      [0, 0, 0.0235294122248888, 3.0117647647857666, 6, 6, 6],
    ],
    [
      '-0.1 .. 6.2',
      -0.1,
      6.2,
      8,
      false,
      [-0.2, -0.1, -0.05, 0.0123, 1, 7],
      [-0.09882352501153946, -0.09882352501153946, -0.04941176250576973, 0, 0.9882352352142334, 6.201176166534424],
    ],
    [
      '-0.7 .. 0.35, narrow',
      -0.7,
      0.35,
      8,
      true,
      [-0.35, 0.1, 0.2, 0.35],
      [-0.3513779640197754, 0.09921260178089142, 0.19842520356178284, 0.3513779640197754],
    ],
    [
      '-1 .. 1, narrow, 4 bits',
      -1,
      1,
      4,
      true,
      [-0.9, 0.08, 0.5],
      [-0.8571429252624512, 0.1428571492433548, 0.5714285969734192],
    ],
  ])('in the range %s', (_name, min, max, bits, narrowRange, values, expected) => {
    const attrs = { bits, narrowRange, axis: null };
    const [output] = runFloat(ops.fake_quant, [vector(...values), scalar(min), scalar(max)], attrs);
    expect(output).toEqual(expected);
  });

  it('passes everything unchanged while it is not active', () => {
    const inputs = [vector(-0.5, 0.012, 7), scalar(0), scalar(6), scalar(0)];
    const [output] = runFloat(ops.fake_quant, inputs, { bits: 8, narrowRange: false, axis: null });
    expect(output).toEqual([-0.5, Math.fround(0.012), 7]);
  });
});

describe('fake_quant_grad (G1b)', () => {
  it.each([
    ['0 .. 6', 0, 6, false, [-0.5, 0, 0.012, 6, 7], [0, 1, 1, 1, 0]],
    ['-0.1 .. 6.2, whose nudged minimum lies above -0.1', -0.1, 6.2, false, [-0.2, -0.1, -0.05, 1, 7], [0, 0, 1, 1, 0]],
    ['-0.7 .. 0.35, narrow', -0.7, 0.35, true, [-0.7, -0.35, 0.35, 0.352], [0, 1, 1, 0]],
    ['0 .. 0, which passes all', 0, 0, false, [-1, 0, 1], [1, 1, 1]],
  ])('passes the gradient inside the nudged range %s', (_name, min, max, narrowRange, values, mask) => {
    const gradient = vector(...values.map((_, index) => index + 2));
    const inputs = [gradient, vector(...values), scalar(min), scalar(max)];
    const [output] = runFloat(ops.fake_quant_grad, inputs, { bits: 8, narrowRange, axis: null });
    expect(output).toEqual(mask.map((inside, index) => inside * (index + 2)));
  });

  it('passes everything while fake_quant is not active', () => {
    const inputs = [vector(2, 3), vector(-9, 9), scalar(0), scalar(6), scalar(0)];
    const [output] = runFloat(ops.fake_quant_grad, inputs, { bits: 8, narrowRange: false, axis: null });
    expect(output).toEqual([2, 3]);
  });
});

describe('observe_range and fake_quant on weights (G17)', () => {
  const weights = floatTensor([2, 4], [-0.7, 0.35, 0.1, 0, 0.02, -0.01, 0.005, -0.02]);
  const [min, max] = runFloat(ops.observe_range, [weights], { axis: 0, symmetric: true });

  it('give the scale of each output channel', () => {
    expect([min, max]).toEqual([[-0.7, -0.02].map(Math.fround), [0.7, 0.02].map(Math.fround)]);
    const scales = [0, 1].map((channel) => nudgeRange(min![channel]!, max![channel]!, 8, true).scale);
    expect(scales).toEqual([0.005511811003088951, 0.00015748031728435308]);
  });

  it('give the codes, but for ties: FakeQuant rounds 63.5 up and so -63.5 to -63', () => {
    const ranges = [vector(...min!), vector(...max!)];
    const [output] = runFloat(ops.fake_quant, [weights, ...ranges], { bits: 8, narrowRange: true, axis: 0 });
    const scales = [0.005511811003088951, 0.00015748031728435308];
    expect(output!.map((value, index) => Math.round(value / scales[Math.floor(index / 4)]!))).toEqual([
      -127, 64, 18, 0, 127, -63, 32, -127,
    ]);
  });

  it('keep an all-zero channel away from scale 0', () => {
    const [low, high] = runFloat(ops.observe_range, [floatTensor([1, 2], [0, 0])], { axis: 0, symmetric: true });
    expect([low, high]).toEqual([[Math.fround(-5e-7)], [Math.fround(5e-7)]]);
  });

  it('include zero in a range that lies on one side of it', () => {
    const attrs = { axis: null, symmetric: false };
    expect(runFloat(ops.observe_range, [vector(2, 5, 3)], attrs)).toEqual([[0], [5]]);
    expect(runFloat(ops.observe_range, [vector(-2, -5)], attrs)).toEqual([[-5], [0]]);
  });
});

describe('moving_average and zero_debias (G3: decay 0.999, observations -1, -2, -1.5, -3)', () => {
  const observations = [-1, -2, -1.5, -3];
  const update = (average: number, value: number): number =>
    runFloat(ops.moving_average, [scalar(average), scalar(value)], { decay: 0.999 })[0]![0]!;

  it('without debias, from -6', () => {
    let average = -6;
    const averages = observations.map((value) => (average = update(average, value)));
    expect(averages).toEqual([-5.994999885559082, -5.991004943847656, -5.986514091491699, -5.983527660369873]);
  });

  it('with debias, from 0', () => {
    let biased = 0;
    const averages = observations.map((value, index) => {
      biased = update(biased, value);
      return runFloat(ops.zero_debias, [scalar(biased), scalar(index + 1)], { decay: 0.999 })[0]![0];
    });
    expect(averages).toEqual([-1.0000128746032715, -1.5002795457839966, -1.5001767873764038, -1.8757236003875732]);
  });
});

describe('batch_norm_train', () => {
  // 1, 2, 3, 4 has mean 2.5 and variance 1.25, so (x - mean) / sigma is -1.341641, -0.447214, 0.447214, 1.341641.
  const input = floatTensor([4, 1], [1, 2, 3, 4]);

  it('normalises by the biased variance of the batch', () => {
    const [output, mean, variance] = runFloat(ops.batch_norm_train, [input, vector(2), vector(1)], { epsilon: 0 });
    expectClose(output!, [-1.683282, 0.105573, 1.894427, 3.683282]);
    expect([mean, variance]).toEqual([[2.5], [1.25]]);
  });

  it('adds epsilon to the variance', () => {
    // sigma = sqrt(1.25 + 1) = 1.5
    const [output] = runFloat(ops.batch_norm_train, [input, vector(3), vector(0)], { epsilon: 1 });
    expectClose(output!, [-3, -1, 1, 3]);
  });

  it('has the gradient worked out by hand', () => {
    // dy = 1, 0, 0, 0: mean(dy) = 0.25, mean(dy * n) = -0.335410; dx = 2 / 1.118034 * (dy - 0.25 + 0.335410 n).
    const gradient = floatTensor([4, 1], [1, 0, 0, 0]);
    const inputs = [gradient, input, vector(2), vector(2.5), vector(1.25)];
    const [dx, dGamma, dBeta] = runFloat(ops.batch_norm_train_grad, inputs, { epsilon: 0 });
    expectClose(dx!, [0.536656, -0.715542, -0.178885, 0.357771]);
    expectClose(dGamma!, [-1.341641]);
    expect(dBeta).toEqual([1]);
  });
});

describe('batch_norm', () => {
  it('of G15: a weight of 0.4 becomes 0.95808..., an input of 0 the folded bias', () => {
    const inputs = [floatTensor([2, 1], [0, 0.4]), vector(1.2), vector(0.3), vector(0.5), vector(0.25)];
    const [output] = runFloat(ops.batch_norm, inputs, { epsilon: 0.001 });
    expectClose(output!, [-0.8976071760836988, 0.9580857408669591 - 0.8976071760836988], 6);
  });
});

describe('softmax_cross_entropy', () => {
  it('is ln 10 for ten equal logits', () => {
    const logits = floatTensor([2, 10], new Array<number>(20).fill(3));
    const [loss] = runFloat(ops.softmax_cross_entropy, [logits, vector(0, 7)], {});
    expectClose(loss!, [2.302585], 6);
  });

  it('is the mean over the batch', () => {
    // softmax(ln 1, ln 3) = 1/4, 3/4: losses ln 4 = 1.386294 and ln 4/3 = 0.287682.
    const logits = floatTensor([2, 2], [0, Math.log(3), 0, Math.log(3)]);
    const [loss] = runFloat(ops.softmax_cross_entropy, [logits, vector(0, 1)], {});
    expectClose(loss!, [0.836988], 6);
  });

  it('stays finite for a hopeless example', () => {
    const [loss] = runFloat(ops.softmax_cross_entropy, [floatTensor([1, 2], [0, 1000]), vector(0)], {});
    // -ln of the smallest normal float32
    expectClose(loss!, [87.336545], 4);
  });

  it('has the gradient (softmax - one_hot) / batch, times the gradient of the loss', () => {
    const logits = floatTensor([2, 2], [0, Math.log(3), 0, Math.log(3)]);
    const [gradient] = runFloat(ops.softmax_cross_entropy_grad, [scalar(4), logits, vector(0, 1)], {});
    expectClose(gradient!, [-1.5, 1.5, 0.5, -0.5]);
  });
});

describe('softmax_cross_entropy with targets', () => {
  // softmax(ln 1, ln 3) = 1/4, 3/4. Class 0 weighs 2, class 1 weighs 1; smoothing 0.5 leaves 3/4 at the label.
  const logits = floatTensor([2, 2], [0, Math.log(3), 0, Math.log(3)]);
  const targets = floatTensor([2, 2], [1.5, 0.5, 0.25, 0.75]);

  it('is the sum over classes, then the mean over rows, whatever their weights', () => {
    // ln 4 = 1.386294, ln 4/3 = 0.287682: (1.5 * 1.386294 + 0.5 * 0.287682 + 0.25 * 1.386294 + 0.75 * 0.287682) / 2
    const [loss] = runFloat(ops.softmax_cross_entropy, [logits, vector(0, 1), targets], {});
    expectClose(loss!, [1.392809], 6);
  });

  it('has the gradient (softmax * weight - target) / rows, times the gradient of the loss', () => {
    const [gradient] = runFloat(ops.softmax_cross_entropy_grad, [scalar(2), logits, vector(0, 1), targets], {});
    expectClose(gradient!, [-1, 1, 0, 0]);
  });

  it('is exact where a probability is below every float32, and 0 where all targets are', () => {
    const far = floatTensor([1, 2], [0, 1000]);
    const half = floatTensor([2, 2], [0.5, 0.5, 0, 0]);
    expectClose(runFloat(ops.softmax_cross_entropy, [far, vector(0), half], {})[0]!, [500]);
    expect(runFloat(ops.softmax_cross_entropy, [far, vector(1), half], {})).toEqual([[0]]);
  });
});

describe('sigmoid_cross_entropy', () => {
  // The logistic of ln 3 is 3/4, of 0 is 1/2: -ln 3/4 = 0.287682, -ln 1/4 = 1.386294, -ln 1/2 = 0.693147.
  const logits = floatTensor([2, 2], [Math.log(3), Math.log(3), 0, 0]);
  const labels = floatTensor([2, 2], [1, 0, 1, 0]);

  it('is the mean over all answers', () => {
    const [loss] = runFloat(ops.sigmoid_cross_entropy, [logits, labels], { smoothing: 0 });
    expectClose(loss!, [(0.287682 + 1.386294 + 2 * 0.693147) / 4], 6);
  });

  it('weighs by the label, and smooths toward one half', () => {
    const weights = floatTensor([2, 2], [1, 2, 3, 4]);
    // Answer 0 is yes in both rows, weight 3; answer 1 no, weight 2. Labels are 3/4 and 1/4.
    const yes = 0.75 * 0.287682 + 0.25 * 1.386294;
    const no = 0.25 * 0.287682 + 0.75 * 1.386294;
    const [loss] = runFloat(ops.sigmoid_cross_entropy, [logits, labels, weights], { smoothing: 0.5 });
    expectClose(loss!, [(3 * (yes + 0.693147) + 2 * (no + 0.693147)) / 4], 5);
    const operands = [scalar(4), logits, labels, weights];
    expectClose(runFloat(ops.sigmoid_cross_entropy_grad, operands, { smoothing: 0.5 })[0]!, [0, 1, -0.75, 0.5]);
  });

  it('stays finite for hopeless answers', () => {
    const far = floatTensor([1, 2], [-1000, 1000]);
    const inputs = [far, floatTensor([1, 2], [1, 0])];
    expect(runFloat(ops.sigmoid_cross_entropy, inputs, { smoothing: 0 })).toEqual([[1000]]);
    expect(runFloat(ops.sigmoid_cross_entropy_grad, [scalar(2), ...inputs], { smoothing: 0 })).toEqual([[-1, 1]]);
  });
});

describe('top_1_count', () => {
  it('counts rows whose largest logit is at the label; the first of equals is the largest', () => {
    const logits = floatTensor([4, 3], [1, 5, 2, 7, 0, 0, 4, 4, 1, 4, 4, 1]);
    expect(runFloat(ops.top_1_count, [logits, vector(1, 2, 0, 1)], {})).toEqual([[2]]);
  });
});

describe('mean_squared_error', () => {
  const [prediction, target] = [floatTensor([2, 2], [1, -2, 0.5, 3]), floatTensor([2, 2], [0, -2, 1, 5])];

  it('is the mean over batch and values', () => {
    // (1 + 0 + 0.25 + 4) / 4
    expect(runFloat(ops.mean_squared_error, [prediction, target], {})).toEqual([[1.3125]]);
  });

  it('has the gradient 2 (prediction - target) / count, times the gradient of the loss', () => {
    expect(runFloat(ops.mean_squared_error_grad, [scalar(4), prediction, target], {})).toEqual([[2, 0, -1, -4]]);
  });
});

describe('mean_absolute_error and mean_huber_error', () => {
  const [prediction, target] = [floatTensor([2, 2], [1, -2, 0.5, 3]), floatTensor([2, 2], [0, -2, 1, 5])];

  it('are the means over batch and values', () => {
    // (1 + 0 + 0.5 + 2) / 4; with delta 1 (0.5 + 0 + 0.125 + 1.5) / 4
    expect(runFloat(ops.mean_absolute_error, [prediction, target], {})).toEqual([[0.875]]);
    expect(runFloat(ops.mean_huber_error, [prediction, target], { delta: 1 })).toEqual([[0.53125]]);
  });

  it('have gradients of the sign, 0 where both are equal, and of the limited difference', () => {
    const inputs = [scalar(4), prediction, target];
    expect(runFloat(ops.mean_absolute_error_grad, inputs, {})).toEqual([[1, 0, -1, -1]]);
    expect(runFloat(ops.mean_huber_error_grad, inputs, { delta: 1 })).toEqual([[1, 0, -0.5, -1]]);
  });
});

describe('counters', () => {
  it('reach a threshold in the step that equals it', () => {
    expect(runFloat(ops.increment, [scalar(9)], {})).toEqual([[10]]);
    expect(runFloat(ops.reached, [scalar(9)], { threshold: 10 })).toEqual([[0]]);
    expect(runFloat(ops.reached, [scalar(10)], { threshold: 10 })).toEqual([[1]]);
  });
});

describe('momentum_update: parameter 1, gradient 0.5, velocity 0.2, rate 0.1, momentum 0.9', () => {
  const inputs = [vector(1), vector(0.5), vector(0.2), scalar(0.1)];

  it.each([
    ['plain: 1 - 0.1 * (0.9 * 0.2 + 0.5)', false, 0, 0.932, 0.68],
    ['Nesterov: 1 - 0.1 * (0.5 + 0.9 * 0.68)', true, 0, 0.8888, 0.68],
    ['weight decay 0.1: the gradient is 0.5 + 0.1 * 1', false, 0.1, 0.922, 0.78],
  ])('%s', (_name, nesterov, weightDecay, parameter, velocity) => {
    const outputs = runFloat(ops.momentum_update, inputs, { momentum: 0.9, nesterov, weightDecay });
    expectClose(outputs[0]!, [parameter], 6);
    expectClose(outputs[1]!, [velocity], 6);
  });
});

describe('adam_update: parameter 1, gradients 0.5 and -1, rate 0.1', () => {
  const attrs = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

  it('takes a first step of the rate, and a second by both moments', () => {
    const [p1, m1, v1] = runFloat(
      ops.adam_update,
      [vector(1), vector(0.5), vector(0), vector(0), scalar(0.1), scalar(1)],
      attrs,
    );
    expectClose([...p1!, ...m1!, ...v1!], [0.9, 0.05, 0.00025], 6);
    // m = 0.9 * 0.05 - 0.1, v = 0.999 * 0.00025 + 0.001, rate = 0.1 * sqrt(1 - 0.999^2) / (1 - 0.9^2) = 0.02353167
    const [p2, m2, v2] = runFloat(
      ops.adam_update,
      [vector(...p1!), vector(-1), vector(...m1!), vector(...v1!), scalar(0.1), scalar(2)],
      attrs,
    );
    expectClose([...p2!, ...m2!, ...v2!], [0.93661, -0.055, 0.00124975], 5);
  });

  it('adds weight decay to the gradient', () => {
    const inputs = [vector(1), vector(0.5), vector(0), vector(0), scalar(0.1), scalar(1)];
    const [, first] = runFloat(ops.adam_update, inputs, { ...attrs, weightDecay: 0.1 });
    expectClose(first!, [0.06], 6);
  });
});
