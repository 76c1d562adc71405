/** One sample through an op's integer kernel, beside the real numbers that its stored inputs stand for. */
import { clamp, integerRanges, quantizeValue } from '../../src/core/affine.ts';
import type { QuantParams } from '../../src/core/affine.ts';
import { internal } from '../../src/core/assert.ts';
import type { FloatTensor, TensorType } from '../../src/core/tensor.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { FusedActivation, IntegerData, IntegerOperand, QuantRule } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { ops } from '../../src/ops/index.ts';
import { wideTensor } from './evaluate.ts';

export interface QuantizedVariant {
  readonly dtype: 'int8' | 'uint8';
  readonly filterScales: 'per_tensor' | 'per_channel';
  readonly activation: FusedActivation;
}

export interface QuantizedRun {
  /** Of all outputs, one after the other. */
  readonly codes: readonly number[];
  /** Where the exact result lies among the codes: not rounded, but clamped to what can be stored. */
  readonly exact: Float64Array;
}

interface StoredOperand {
  readonly operand: IntegerOperand;
  readonly data: IntegerData;
  readonly real: FloatTensor;
}

/** All outputs have one scale. */
export function runQuantized<K extends OpName>(
  op: K,
  reals: readonly FloatTensor[],
  attrs: Attrs[K],
  variant: QuantizedVariant,
): QuantizedRun {
  const definition = ops[op];
  const { operands, quant: rule, float, int8 } = definition;
  if (float === null || int8 === null) return internal(`${op} has no pair of kernels to compare`);
  const stored: StoredOperand[] = [];
  // Ops that only move values want one scale for all.
  const shared = rule.kind === 'same_scale' ? reals.flatMap(({ data }) => [...data]) : null;
  for (const [index, real] of reals.entries()) {
    // The last operand of a variadic op repeats.
    const role = operands[Math.min(index, operands.length - 1)]?.role ?? internal(`${op} has no operand ${index}`);
    if (role === 'bias') stored.push(storeBias(real, stored));
    else if (role === 'weight') stored.push(storeFilter(real, rule, variant));
    else stored.push(store(real, variant.dtype, rangeParams(shared ?? real.data, variant.dtype)));
  }

  const types = definition.infer(
    stored.map(({ operand }) => operand.type),
    attrs,
  );
  const results = types.map(({ shape }) => wideTensor(shape));
  float(
    stored.map(({ real }) => real),
    attrs,
    results,
  );
  const real = results.flatMap(({ data }) => [...data]).map((value) => activate(value, variant.activation));

  const quant = outputParams(rule, stored, real, variant.dtype);
  const codes = types.map(allocate);
  int8({
    inputs: stored.map(({ operand }) => operand),
    outputs: types.map((type) => ({ type, quant: { kind: 'per_tensor', ...quant } })),
    attrs,
  })(
    stored.map(({ data }) => data),
    codes,
  );
  const { min, max } = integerRanges[variant.dtype];
  return {
    codes: codes.flatMap((output) => [...output]),
    exact: Float64Array.from(real, (value) => clamp(value / quant.scale + quant.zeroPoint, min, max)),
  };
}

interface ScaleAndZeroPoint {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Parameters whose codes cover the values and zero. */
function rangeParams(data: Iterable<number>, dtype: 'int8' | 'uint8'): ScaleAndZeroPoint {
  const range = integerRanges[dtype];
  const least = Math.min(0, ...data);
  const most = Math.max(least + 0.001, 0, ...data);
  const scale = Math.fround((most - least) / 255);
  return { scale, zeroPoint: clamp(Math.round(range.min - least / scale), range.min, range.max) };
}

function outputParams(
  rule: QuantRule,
  [input]: readonly StoredOperand[],
  real: Iterable<number>,
  dtype: 'int8' | 'uint8',
): ScaleAndZeroPoint {
  if (rule.kind === 'same_scale' && input?.operand.quant?.kind === 'per_tensor') return input.operand.quant;
  // The rule is given for int8; uint8 codes lie 128 higher.
  if (rule.kind === 'fixed_output') {
    return { scale: rule.scale, zeroPoint: rule.zeroPoint + (dtype === 'uint8' ? 128 : 0) };
  }
  return rangeParams(real, dtype);
}

function store(real: FloatTensor, dtype: 'int8' | 'uint8', params: ScaleAndZeroPoint): StoredOperand {
  const type = { dtype, shape: real.shape };
  const data = allocate(type);
  for (const [index, value] of real.data.entries()) {
    data[index] = quantizeValue(value, params.scale, params.zeroPoint, integerRanges[dtype]);
  }
  return {
    operand: { type, quant: { kind: 'per_tensor', ...params } },
    data,
    real: wideTensor(
      real.shape,
      Array.from(data, (code) => params.scale * (code - params.zeroPoint)),
    ),
  };
}

/** int8 filters are symmetric; uint8 ones have one scale and a zero point, as that older format wants. */
function storeFilter(real: FloatTensor, rule: QuantRule, variant: QuantizedVariant): StoredOperand {
  if (variant.dtype === 'uint8') return store(real, 'uint8', rangeParams(real.data, 'uint8'));
  if (rule.kind !== 'affine') return internal('only affine ops have filters');
  const axis = rule.channelAxis;
  const channels = real.shape[axis]!;
  const inner = numElements(real.shape.slice(axis + 1));
  const largest = new Float64Array(channels);
  for (const [index, value] of real.data.entries()) {
    // With one scale for all, every channel takes part in every maximum.
    const own = Math.floor(index / inner) % channels;
    for (let channel = 0; channel < channels; channel++) {
      if (variant.filterScales === 'per_channel' && channel !== own) continue;
      largest[channel] = Math.max(largest[channel]!, Math.abs(value));
    }
  }
  const scales = Float32Array.from(largest, (value) => value / 127);
  const scaleAt = (index: number): number => scales[Math.floor(index / inner) % channels]!;
  const data = Int8Array.from(real.data, (value, index) => Math.round(value / scaleAt(index)));
  const quant: QuantParams =
    variant.filterScales === 'per_tensor'
      ? { kind: 'per_tensor', scale: scales[0]!, zeroPoint: 0 }
      : { kind: 'per_channel', scales, axis };
  return {
    operand: { type: { dtype: 'int8', shape: real.shape }, quant },
    data,
    real: wideTensor(
      real.shape,
      Array.from(data, (code, index) => code * scaleAt(index)),
    ),
  };
}

/** int32 with the product of the input's and the filter's scale. */
function storeBias(real: FloatTensor, [input, filter]: readonly StoredOperand[]): StoredOperand {
  const inputQuant = input?.operand.quant;
  const filterQuant = filter?.operand.quant;
  if (inputQuant?.kind !== 'per_tensor') return internal('a bias comes after its input');
  if (filterQuant === undefined || filterQuant === null) return internal('a bias comes after its filter');
  const scaleAt = (channel: number): number =>
    inputQuant.scale * (filterQuant.kind === 'per_tensor' ? filterQuant.scale : filterQuant.scales[channel]!);
  const data = Int32Array.from(real.data, (value, channel) => Math.round(value / scaleAt(channel)));
  const scales = Float32Array.from(data, (_, channel) => scaleAt(channel));
  return {
    operand: { type: { dtype: 'int32', shape: real.shape }, quant: { kind: 'per_channel', scales, axis: 0 } },
    data,
    real: wideTensor(
      real.shape,
      Array.from(data, (code, channel) => code * scaleAt(channel)),
    ),
  };
}

function activate(value: number, activation: FusedActivation): number {
  switch (activation) {
    case 'none':
      return value;
    case 'relu':
      return Math.max(value, 0);
    case 'relu6':
      return clamp(value, 0, 6);
    case 'relu_n1_to_1':
      return clamp(value, -1, 1);
  }
}

function allocate({ dtype, shape }: TensorType): Int8Array | Uint8Array {
  return dtype === 'uint8' ? new Uint8Array(numElements(shape)) : new Int8Array(numElements(shape));
}
