// Goldens: quantization.md section 9 (G6 to G10, G12), computed there by a script that was checked against LiteRT's
// quantization_util_test.cc; not by this code.
import { describe, expect, it } from 'vitest';
import type { QuantParams } from '../../src/core/affine.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { activationRange } from '../../src/ops/bindings.ts';
import type { FusedActivation } from '../../src/ops/define.ts';
import { ShapeError } from '../../src/ops/define.ts';
import { ops } from '../../src/ops/index.ts';
import { perTensor, runInteger, stored } from './run.ts';
import type { StoredTensor } from './run.ts';

describe('the range of a fused activation (G6)', () => {
  it.each<[FusedActivation, number, number, number, number]>([
    ['relu6', 0.0235294122, -128, -128, 127],
    ['relu6', 0.05, -100, -100, 20],
    ['relu', 0.05, -100, -100, 127],
    ['none', 0.05, -100, -128, 127],
    ['relu_n1_to_1', 0.02, 3, -47, 53],
    ['relu6', 0.02, -128, -128, 127],
  ])('%s with scale %d and zero point %d', (activation, scale, zeroPoint, min, max) => {
    const operand = { type: { dtype: 'int8', shape: [1] }, quant: perTensor(scale, zeroPoint) } as const;
    expect(activationRange(activation, operand)).toEqual({ min, max });
  });
});

describe('conv_2d (G7)', () => {
  const input = stored('int8', [1, 3, 3, 1], [-128, -100, -50, 0, 25, 50, 75, 100, 127], perTensor(0.02, -5));
  const filter = stored('int8', [2, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9, -127, 64, 0, 32, -16, 8, -4, 2, 127], {
    kind: 'per_channel',
    scales: Float32Array.of(0.01, 0.005),
    axis: 0,
  });
  const bias = stored('int32', [2], [100, -250], null);
  const output = perTensor(0.05, -10);
  const same = { dilations: [1, 1], padding: { kind: 'same' } } as const;

  it('with stride 1, SAME and a scale per channel', () => {
    const attrs = { ...same, strides: [1, 1], activation: 'none' } as const;
    expect(runInteger(ops.conv_2d, [input, filter, bias], attrs, output)).toEqual([
      -13, 0, -11, -2, -9, -15, -5, 1, 1, 42, -2, 8, -5, -11, -2, -4, -5, -9,
    ]);
  });

  it('with stride 2, SAME and a fused relu6', () => {
    const attrs = { ...same, strides: [2, 2], activation: 'relu6' } as const;
    expect(runInteger(ops.conv_2d, [input, filter, bias], attrs, output)).toEqual([-10, 0, -9, -10, -5, -10, -5, -9]);
  });

  it('with as many groups as channels is the depthwise convolution', () => {
    // The golden's depthwise filter is [1, height, width, channels]; one filter a group is [channels, h, w, 1].
    const image = [-128, 10, -100, 20, -50, 30, 0, 40, 25, 50, 50, 60, 75, 70, 100, 80, 127, 90];
    const taps = [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9];
    const codes = runInteger(
      ops.conv_2d,
      [
        stored('int8', [1, 3, 3, 2], image, perTensor(0.02, -5)),
        stored('int8', [2, 3, 3, 1], taps, filter.quant),
        stored('int32', [2], [0, 10], null),
      ],
      { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' },
      output,
    );
    expect(codes).toEqual([1, -16]);
  });
});

describe('fully_connected (G7, multiplier styles)', () => {
  const input = stored('int8', [1, 1], [1], perTensor(0.02, 0));
  const attrs = { activation: 'none', keepNumDims: false } as const;

  it.each([
    [-33788, -126],
    [-33250, -124],
  ])('rounds the accumulator %d twice, to %d', (accumulator, code) => {
    const filter = stored('int8', [1, 1], [1], perTensor(0.013, 0));
    const bias = stored('int32', [1], [accumulator - 1], null);
    expect(runInteger(ops.fully_connected, [input, filter, bias], attrs, perTensor(0.07, 0))).toEqual([code]);
  });
});

/**
 * (1 - 2^-24) * (0.5 + 2^-24) = 0.5 + 2^-25 - 2^-48, which float32 rounds to 0.5. Then an accumulator of -1 lies on a
 * tie and rounds up to 0; with the double product it lies below and becomes -1.
 */
describe('the product of the scales, at output zero point 10', () => {
  const [inputScale, filterScale] = [1 - 2 ** -24, 0.5 + 2 ** -24];
  const perChannel = (channels: number): QuantParams => ({
    kind: 'per_channel',
    scales: new Float32Array(channels).fill(filterScale),
    axis: 0,
  });
  const accumulators = (count: number): StoredTensor =>
    stored('int32', [count], new Array<number>(count).fill(-1), null);
  const ones = (dtype: 'int8' | 'uint8', shape: Shape, quant: QuantParams): StoredTensor =>
    stored(dtype, shape, new Array<number>(numElements(shape)).fill(1), quant);

  const conv = (dtype: 'int8' | 'uint8', filterQuant: QuantParams): readonly number[] =>
    runInteger(
      ops.conv_2d,
      [ones(dtype, [1, 1, 1, 1], perTensor(inputScale, 1)), ones(dtype, [2, 1, 1, 1], filterQuant), accumulators(2)],
      { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' },
      perTensor(1, 10),
    );

  it('is double in conv_2d of int8, float32 in conv_2d of uint8', () => {
    expect(conv('int8', perChannel(2))).toEqual([9, 9]);
    expect(conv('int8', perTensor(filterScale, 0))).toEqual([9, 9]);
    expect(conv('uint8', perTensor(filterScale, 1))).toEqual([10, 10]);
  });

  const fullyConnected = (dtype: 'int8' | 'uint8', outputs: number, filterQuant: QuantParams): readonly number[] =>
    runInteger(
      ops.fully_connected,
      [ones(dtype, [1, 1], perTensor(inputScale, 1)), ones(dtype, [outputs, 1], filterQuant), accumulators(outputs)],
      { activation: 'none', keepNumDims: false },
      perTensor(1, 10),
    );

  it('is double in fully_connected with several scales, float32 with one', () => {
    expect(fullyConnected('int8', 2, perChannel(2))).toEqual([9, 9]);
    expect(fullyConnected('int8', 2, perTensor(filterScale, 0))).toEqual([10, 10]);
    expect(fullyConnected('int8', 1, perChannel(1))).toEqual([10]);
    expect(fullyConnected('uint8', 2, perTensor(filterScale, 1))).toEqual([10, 10]);
  });
});

describe('add (G8)', () => {
  it('gives the codes of the table', () => {
    const a = stored('int8', [5], [10, -128, 127, 0, -37], perTensor(0.02, -5));
    const b = stored('int8', [5], [20, 127, 127, 0, 55], perTensor(0.05, 3));
    expect(runInteger(ops.add, [a, b], { activation: 'none' }, perTensor(0.06, 7))).toEqual([26, 69, 127, 6, 40]);
  });

  it('refuses an output scale that its headroom cannot express', () => {
    const a = stored('int8', [1], [1], perTensor(1, 0));
    const attempt = (): unknown => runInteger(ops.add, [a, a], { activation: 'none' }, perTensor(2 ** -20, 0));
    expect(attempt).toThrow(ShapeError);
  });
});

describe('sub and mul (G8)', () => {
  const a = stored('int8', [5], [10, -128, 127, 0, -37], perTensor(0.02, -5));
  const b = stored('int8', [5], [20, 127, 127, 0, 55], perTensor(0.05, 3));

  it('give the codes of the table', () => {
    const output = perTensor(0.06, 7);
    expect(runInteger(ops.sub, [a, b], { activation: 'none' }, output)).toEqual([-2, -128, -52, 11, -47]);
    expect(runInteger(ops.mul, [a, b], { activation: 'none' }, output)).toEqual([11, -128, 127, 7, -21]);
  });
});

describe('depthwise_conv_2d (G7)', () => {
  it('gives the codes of the grouped convolution', () => {
    const image = [-128, 10, -100, 20, -50, 30, 0, 40, 25, 50, 50, 60, 75, 70, 100, 80, 127, 90];
    const taps = [1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8, 9, -9];
    const codes = runInteger(
      ops.depthwise_conv_2d,
      [
        stored('int8', [1, 3, 3, 2], image, perTensor(0.02, -5)),
        stored('int8', [1, 3, 3, 2], taps, { kind: 'per_channel', scales: Float32Array.of(0.01, 0.005), axis: 3 }),
        stored('int32', [2], [0, 10], null),
      ],
      { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' },
      perTensor(0.05, -10),
    );
    expect(codes).toEqual([1, -16]);
  });
});

describe('logistic and tanh (G11)', () => {
  const x = [-128, -100, -64, -20, 0, 3, 4, 10, 50, 100, 127];
  const moved = x.map((code) => code + 128);

  it('give the codes of the table', () => {
    const logistic = [-128, -127, -119, -66, -10, 0, 3, 22, 106, 126, 127];
    const tanh = [-128, -127, -120, -48, 26, 37, 41, 60, 120, 127, 127];
    const int8 = (scale: number, zeroPoint: number) => stored('int8', [11], x, perTensor(scale, zeroPoint));
    expect(runInteger(ops.logistic, [int8(0.05, 3)], {}, perTensor(1 / 256, -128))).toEqual(logistic);
    expect(runInteger(ops.tanh, [int8(0.03, -7)], {}, perTensor(1 / 128, 0))).toEqual(tanh);
    const uint8 = (scale: number, zeroPoint: number) => stored('uint8', [11], moved, perTensor(scale, zeroPoint));
    const up = (codes: readonly number[]) => codes.map((code) => code + 128);
    expect(runInteger(ops.logistic, [uint8(0.05, 131)], {}, perTensor(1 / 256, 0))).toEqual(up(logistic));
    expect(runInteger(ops.tanh, [uint8(0.03, 121)], {}, perTensor(1 / 128, 128))).toEqual(up(tanh));
  });

  it('refuse parameters that the format does not fix', () => {
    const input = stored('int8', [11], x, perTensor(0.05, 3));
    expect(() => runInteger(ops.logistic, [input], {}, perTensor(1 / 255, -128))).toThrow(ShapeError);
    expect(() => runInteger(ops.tanh, [input], {}, perTensor(1 / 128, 1))).toThrow(ShapeError);
  });
});

describe('hard_swish and leaky_relu (G12)', () => {
  it('give the codes of the table', () => {
    const x = stored('int8', [10], [-128, -80, -60, -30, -10, 0, 3, 20, 60, 127], perTensor(0.05, 0));
    const swish = [-20, -20, -20, -29, -25, -20, -18, -3, 55, 127];
    expect(runInteger(ops.hard_swish, [x], {}, perTensor(0.04, -20))).toEqual(swish);
    const y = stored('int8', [7], [-128, -10, -1, 0, 1, 10, 127], perTensor(0.05, 0));
    const leaky = [-6, 4, 5, 5, 6, 13, 111];
    expect(runInteger(ops.leaky_relu, [y], { alpha: 0.1 }, perTensor(0.06, 5))).toEqual(leaky);
  });

  it('hard_swish refuses an output scale below 1/128 of its input', () => {
    const x = stored('int8', [1], [1], perTensor(1, 0));
    expect(() => runInteger(ops.hard_swish, [x], {}, perTensor(0.005, 0))).toThrow(ShapeError);
  });
});

describe('resize_bilinear (G13)', () => {
  const quant = perTensor(0.1, 0);
  const resize = (codes: readonly number[], size: number, alignCorners: boolean, halfPixelCenters: boolean) =>
    runInteger(
      ops.resize_bilinear,
      [stored('int8', [1, 2, 2, 1], codes, quant)],
      { size: [size, size], alignCorners, halfPixelCenters },
      quant,
    );

  it('gives the codes of the table', () => {
    expect(resize([1, 2, 3, 4], 3, false, false)).toEqual([1, 2, 2, 2, 3, 3, 3, 4, 4]);
    const image = [-100, 50, 7, 127];
    expect(resize(image, 4, false, true)).toEqual([
      -100, -63, 13, 50, -73, -38, 34, 69, -20, 12, 76, 108, 7, 37, 97, 127,
    ]);
    expect(resize(image, 3, true, false)).toEqual([-100, -25, 50, -47, 21, 89, 7, 67, 127]);
  });
});

describe('l2_normalization (G14)', () => {
  it('gives the codes of the table', () => {
    const row = stored('int8', [1, 4], [-10, 4, 25, 0], perTensor(0.1, -5));
    expect(runInteger(ops.l2_normalization, [row], {}, perTensor(1 / 128, 0))).toEqual([-20, 36, 120, 20]);
  });
});

describe('concatenation', () => {
  it('rescales uint8 to the output, and refuses to in int8', () => {
    // 0.5 * (10 - 4) = 3 = 0.25 * (22 - 10); 0.5 * (0 - 4) = -2 = 0.25 * (2 - 10); 255 leaves the range.
    const a = stored('uint8', [3], [10, 0, 255], perTensor(0.5, 4));
    const b = stored('uint8', [2], [7, 200], perTensor(0.25, 10));
    expect(runInteger(ops.concatenation, [a, b], { axis: 0 }, perTensor(0.25, 10))).toEqual([22, 2, 255, 7, 200]);
    const c = stored('int8', [1], [7], perTensor(0.5, 4));
    expect(() => runInteger(ops.concatenation, [c], { axis: 0 }, perTensor(0.25, 4))).toThrow(ShapeError);
  });
});

describe('pad', () => {
  it('writes the zero point', () => {
    const quant = perTensor(0.1, -7);
    const row = stored('int8', [2], [1, 2], quant);
    expect(runInteger(ops.pad, [row], { paddings: [[1, 2]] }, quant)).toEqual([-7, 1, 2, -7, -7]);
  });
});

describe('average_pool_2d (G9)', () => {
  it.each([
    [[1, 2, 4], 2],
    [[1, 2], 2],
    [[-1, -2], -2],
    [[-1, -2, -4, -4], -3],
    [[127, 127, 126, 125], 126],
    [[-128, -127], -128],
    [[-1, 0], -1],
    [[1, 0], 1],
  ])('of %j is %d', (row, code) => {
    const quant = perTensor(0.02, -5);
    const input = stored('int8', [1, 1, row.length, 1], row, quant);
    const attrs = { window: [1, row.length], strides: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
    expect(runInteger(ops.average_pool_2d, [input], attrs, quant)).toEqual([code]);
  });

  it('of uint8 126 and 127 is 127: 128 less than that is not the int8 mean of -2 and -1', () => {
    const quant = perTensor(0.02, 123);
    const attrs = { window: [1, 2], strides: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
    const input = stored('uint8', [1, 1, 2, 1], [126, 127], quant);
    expect(runInteger(ops.average_pool_2d, [input], attrs, quant)).toEqual([127]);
  });
});

describe('mean (G9)', () => {
  it.each([
    ['4 values, equal scales', [10, 20, 30, 41], 0.02, -5, 0.02, -5, 26],
    ['7 values, another output scale', [10, 20, 30, 41, -7, 99, 100], 0.02, -5, 0.013, 11, 83],
    ['49 values', Array.from({ length: 49 }, (_, index) => ((index * 37) % 256) - 128), 0.0235, -128, 0.0235, -128, -8],
  ])('of %s', (_name, row, inputScale, inputZero, outputScale, outputZero, code) => {
    const input = stored('int8', [1, row.length], row, perTensor(inputScale, inputZero));
    const attrs = { axes: [1], keepDims: false };
    expect(runInteger(ops.mean, [input], attrs, perTensor(outputScale, outputZero))).toEqual([code]);
  });
});

describe('softmax (G10)', () => {
  it.each([
    [[10, 20, 30, 40, 50], 0.1, [-125, -120, -106, -68, 35]],
    [[-128, -64, 0, 64, 127], 0.05, [-128, -128, -128, -117, 117]],
    [[0, 0, 0], 0.1, [-43, -43, -43]],
    [[127, 126, 125, -128], 1, [42, -65, -105, -128]],
    [[5, -3, 90, 17, 88, -120, 33, 2, 60, 90], 0.0729, [-128, -128, -43, -128, -54, -128, -127, -128, -118, -43]],
  ])('of %j with scale %d', (row, scale, codes) => {
    const logits = stored('int8', [1, row.length], row, perTensor(scale, 0));
    expect(runInteger(ops.softmax, [logits], { beta: 1 }, perTensor(1 / 256, -128))).toEqual(codes);
  });

  it('of uint8', () => {
    const logits = stored('uint8', [1, 5], [138, 148, 158, 168, 178], perTensor(0.1, 128));
    expect(runInteger(ops.softmax, [logits], { beta: 1 }, perTensor(1 / 256, 0))).toEqual([3, 8, 22, 60, 163]);
  });

  // 1 / depth in steps of 1 / 256, rounded: from 513 values on it is below half a step. TensorFlow's build for x86 gives
  // 127 where its shift passes 31, which C++ leaves undefined; LiteRT gives -128, as we do.
  it.each([
    [100, -125],
    [400, -127],
    [1000, -128],
  ])('of %d equal logits', (depth, code) => {
    const logits = stored('int8', [1, depth], new Array<number>(depth).fill(17), perTensor(0.1, 0));
    expect(new Set(runInteger(ops.softmax, [logits], { beta: 1 }, perTensor(1 / 256, -128)))).toEqual(new Set([code]));
  });

  it('treats each row alone', () => {
    const shape: Shape = [2, 1, 3];
    const logits = stored('int8', shape, [0, 0, 0, 5, 5, 5], perTensor(0.1, 0));
    const codes = runInteger(ops.softmax, [logits], { beta: 1 }, perTensor(1 / 256, -128));
    expect(codes).toEqual([-43, -43, -43, -43, -43, -43]);
  });
});

describe('quantize', () => {
  it('rescales integers to other parameters (G12)', () => {
    const input = stored('int8', [7], [-128, -50, -3, 0, 1, 50, 127], perTensor(0.05, -3));
    expect(runInteger(ops.quantize, [input], { dtype: 'int8' }, perTensor(0.03, 10))).toEqual([
      -128, -68, 10, 15, 17, 98, 127,
    ]);
  });

  it('moves int8 codes up by 128 where only the type differs', () => {
    const input = stored('int8', [4], [-128, -1, 0, 127], perTensor(0.05, -3));
    expect(runInteger(ops.quantize, [input], { dtype: 'uint8' }, perTensor(0.05, 125))).toEqual([0, 127, 128, 255]);
  });

  it('rounds real numbers half away from zero and saturates', () => {
    const type = { dtype: 'float32', shape: [6] } as const;
    const codes = new Int8Array(6);
    ops.quantize.int8?.({
      inputs: [{ type, quant: null }],
      outputs: [{ type: { dtype: 'int8', shape: [6] }, quant: perTensor(0.5, 10) }],
      attrs: { dtype: 'int8' },
    })([Float32Array.of(0.25, -0.25, 0.24, -1, 1000, -1000)], [codes]);
    // 0.25 / 0.5 = 0.5 rounds to 1, -0.5 to -1.
    expect([...codes]).toEqual([11, 9, 10, 8, 127, -128]);
  });
});

describe('dequantize', () => {
  it('is scale * (code - zero point)', () => {
    const reals = new Float32Array(3);
    ops.dequantize.int8?.({
      inputs: [{ type: { dtype: 'int8', shape: [3] }, quant: perTensor(0.25, -2) }],
      outputs: [{ type: { dtype: 'float32', shape: [3] }, quant: null }],
      attrs: {},
    })([Int8Array.of(-128, -2, 127)], [reals]);
    expect([...reals]).toEqual([-31.5, 0, 32.25]);
  });
});

describe('a rectifier on its own', () => {
  it('rescales, then clamps at the codes of its limits', () => {
    // Scale 0.05 to 0.025 doubles the distance from the zero point; 6 is code 6 / 0.025 - 128 = 112.
    const input = stored('int8', [6], [-20, -1, 0, 3, 60, 127], perTensor(0.05, 0));
    expect(runInteger(ops.relu6, [input], {}, perTensor(0.025, -128))).toEqual([-128, -128, -128, -122, -8, 112]);
    expect(runInteger(ops.relu, [input], {}, perTensor(0.025, -128))).toEqual([-128, -128, -128, -122, -8, 126]);
  });
});
