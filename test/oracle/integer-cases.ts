/** One-op integer models for every op that has a .tflite form: random parameters, shapes and inputs. */
import { clamp, integerRanges } from '../../src/core/affine.ts';
import type { QuantParams } from '../../src/core/affine.ts';
import { internal, present } from '../../src/core/assert.ts';
import type { Random } from '../../src/core/random.ts';
import type { DataOf, DType, Shape, Tensor } from '../../src/core/tensor.ts';
import { numElements, tensor, zeros } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { FusedActivation } from '../../src/ops/define.ts';
import { ShapeError, runsWithoutScale } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import { runFloat, wideTensor } from '../contract/evaluate.ts';
import type { Sample } from '../contract/samples.ts';
import { samples } from '../contract/samples.ts';

type StoredType = 'int8' | 'uint8';
type PerTensor = Extract<QuantParams, { kind: 'per_tensor' }>;

export interface IntegerCase {
  /** What to draw it from again. */
  readonly name: string;
  readonly op: OpName;
  readonly dtype: StoredType;
  readonly graph: Graph;
  /** Inputs of several runs. */
  readonly runs: readonly (readonly Tensor[])[];
}

/** A model of one op whose values have no scale. */
export type UnscaledCase = Pick<IntegerCase, 'name' | 'graph' | 'runs'>;

const activations: readonly FusedActivation[] = ['none', 'relu', 'relu_n1_to_1', 'relu6'];

/** Ops that have both an integer kernel and a file form. */
export const integerOps: readonly OpName[] = opNames.filter((op) => ops[op].int8 !== null && ops[op].tflite !== null);

/** Every sample of the op, and `variations` of each in shape and attributes, with random parameters. */
export function integerCases(op: OpName, random: Random, variations: number): readonly IntegerCase[] {
  if (ops[op].quant.kind === 'quantizer') return quantizerCases(op, random);
  return casesOf(op, random, variations);
}

function casesOf<K extends OpName>(op: K, random: Random, variations: number): readonly IntegerCase[] {
  return samples[op].flatMap((sample) => {
    const drawn = Array.from({ length: variations }, (_, index) => vary(sample, random.split(sample.name, `${index}`)));
    const shaped: readonly Shaped<K>[] = [
      ...(sample.refusedBy?.tflite === undefined ? [shapedOf(sample)] : []),
      ...drawn.filter((variation) => isLegal(op, variation)),
    ];
    return shaped.flatMap((one) =>
      (['int8', 'uint8'] as const).flatMap((dtype) => {
        return isLegal(op, one, dtype) ? [integerCase(op, one, dtype, random, sample.name)] : [];
      }),
    );
  });
}

/** The op at these shapes, with random parameters, codes and inputs. */
export function integerCase<K extends OpName>(
  op: K,
  shaped: Shaped<K>,
  dtype: StoredType,
  random: Random,
  label: string,
  scales: Decades = usualScales,
): IntegerCase {
  const name = `${label} ${JSON.stringify(shaped)} ${dtype}`;
  const graph = oneOpGraph(op, shaped, dtype, random.split(name), scales);
  return { name, op, dtype, graph, runs: randomRuns(graph, random.split(name, 'inputs')) };
}

/** The powers of ten between which a scale is drawn. */
export type Decades = readonly [least: number, most: number];

const usualScales: Decades = [-3, 0];

export interface Shaped<K extends OpName> {
  readonly shapes: readonly Shape[];
  readonly attrs: Attrs[K];
}

const shapedOf = <K extends OpName>({ inputs, attrs }: Sample<K>): Shaped<K> => ({
  shapes: inputs.map(({ shape }) => shape),
  attrs,
});

/** Ops whose values may come without a scale. */
export const unscaledOps: readonly OpName[] = integerOps.filter((op) => runsWithoutScale(ops[op].quant, 'int8'));

/** The op on int8, uint8 and int32 values that have no scale and zero point, as far as it takes them. */
export function unscaledCases<K extends OpName>(op: K, random: Random, variations: number): readonly UnscaledCase[] {
  return samples[op].flatMap((sample) => {
    const drawn = Array.from({ length: variations }, (_, index) => vary(sample, random.split(sample.name, `${index}`)));
    const sampled = sample.refusedBy?.tflite === undefined ? [shapedOf(sample)] : [];
    return [...sampled, ...drawn].flatMap((one) =>
      (['int8', 'uint8', 'int32'] as const).flatMap((dtype) => {
        // What a fused activation clamps to without a scale is memory that nobody wrote.
        const clamps = 'activation' in one.attrs && one.attrs.activation !== 'none';
        if (clamps || !runsWithoutScale(ops[op].quant, dtype) || !isLegal(op, one, dtype)) return [];
        const builder = buildGraph(op, 'int8');
        const refs = one.shapes.map((shape, index) => builder.input(`operand_${index}`, { dtype, shape }));
        const graph = verify(builder.finish(builder.node(op, 'result', refs, one.attrs)));
        const name = `${sample.name} ${JSON.stringify(one)} ${dtype}`;
        return [{ name, graph, runs: randomRuns(graph, random.split(name, 'inputs')) }];
      }),
    );
  });
}

/** Sizes that are equal stay equal, so most ops still fit; 1 stays 1, so broadcasting does too. */
function vary<K extends OpName>(sample: Sample<K>, random: Random): Shaped<K> {
  const { shapes, attrs } = shapedOf(sample);
  const sizes = new Map<number, number>();
  const resized = (size: number): number => {
    if (size === 1) return 1;
    const known = sizes.get(size) ?? 1 + random.below(9);
    sizes.set(size, known);
    return known;
  };
  const pair = (from: number, count: number) => [from + random.below(count), from + random.below(count)];
  const sized = shapes.map((shape) => shape.map(resized));
  const strides = pair(1, 3);
  const padding = random.below(2) === 0 ? 'same' : 'valid';
  // The size that a transposed convolution enlarges its input to.
  const outputSize = strides.map((stride, axis) => {
    const size = sized[0]?.[axis + 1] ?? 1;
    return padding === 'same'
      ? size * stride - random.below(stride)
      : (size - 1) * stride + (sized[1]?.[axis + 1] ?? 1);
  });
  const drawn: Record<string, unknown> = {
    strides,
    dilations: random.below(2) === 0 ? [1, 1] : pair(1, 3),
    window: pair(1, 4),
    padding: { kind: padding },
    outputSize,
    activation: activations[random.below(4)],
    beta: 0.25 + random.float() * 2,
    alpha: random.float() * 2 - 0.5,
    halfPixelCenters: random.below(2) === 0,
  };
  // Only keys that the op has are replaced, by values of their own type.
  const replaced = Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, drawn[key] ?? value]));
  return { shapes: sized, attrs: replaced as Attrs[K] };
}

function isLegal<K extends OpName>(op: K, { shapes, attrs }: Shaped<K>, dtype: DType = 'float32'): boolean {
  try {
    const types = ops[op].infer(
      shapes.map((shape) => ({ dtype, shape })),
      attrs,
    );
    return types.every(({ shape }) => shape.every((size) => size > 0) && numElements(shape) < 20_000);
  } catch (error) {
    if (error instanceof ShapeError) return false;
    throw error;
  }
}

function oneOpGraph<K extends OpName>(
  op: K,
  { shapes, attrs }: Shaped<K>,
  dtype: StoredType,
  random: Random,
  decades: Decades,
): Graph {
  const { operands, quant: rule, float } = ops[op];
  const builder = buildGraph(op, 'int8');
  const shared = randomParams(dtype, random, decades);
  const reals: ReturnType<typeof wideTensor>[] = [];
  const scales: Float32Array[] = [];
  const refs = shapes.map((shape, index) => {
    const operand = operands[Math.min(index, operands.length - 1)] ?? internal(`${op} has no operands`);
    const name = `operand_${index}`;
    switch (operand.role) {
      case 'activation': {
        const quant = rule.kind === 'same_scale' ? shared : randomParams(dtype, random, decades);
        scales[index] = Float32Array.of(quant.scale);
        reals.push(realOf(randomCodes(dtype, shape, random), quant));
        return builder.input(name, { dtype, shape }, quant);
      }
      case 'weight': {
        if (rule.kind !== 'affine') return internal(`${op} has weights but is not affine`);
        const channels = shape[rule.channelAxis] ?? internal(`${op} has no axis ${rule.channelAxis}`);
        const quant = randomFilterParams(dtype, channels, rule.channelAxis, random);
        const codes = randomCodes(dtype, shape, random);
        if (dtype === 'int8') codes.data.forEach((code, at) => (codes.data[at] = Math.max(code, -127)));
        scales[index] =
          quant.kind === 'per_tensor' ? new Float32Array(channels).fill(quant.scale) : Float32Array.from(quant.scales);
        reals.push(realOf(codes, quant));
        return builder.constant(name, codes, quant);
      }
      case 'bias': {
        const input = present(scales[0], 'the input scale')[0]!;
        const products = Float32Array.from(present(scales[index - 1], 'the filter scales'), (scale) => input * scale);
        const quant: QuantParams =
          dtype === 'uint8' || products.length === 1
            ? { kind: 'per_tensor', scale: products[0]!, zeroPoint: 0 }
            : { kind: 'per_channel', scales: products, axis: 0 };
        const codes = Int32Array.from({ length: products.length }, () => random.below(2 ** 16) - 2 ** 15);
        const bias = tensor('int32', shape, codes);
        reals.push(realOf(bias, quant));
        return builder.constant(name, bias, quant);
      }
      case 'range':
      case 'statistic':
        return internal(`${op} takes a ${operand.role}, which no integer kernel does`);
    }
  });
  const results = ops[op]
    .infer(
      refs.map(({ type }) => type),
      attrs,
    )
    .map(({ shape }) => wideTensor(shape));
  if (float !== null) runFloat(op, reals, attrs, results);
  // An inference-only op has no float form: its output takes a range like that of its operands.
  const range = float === null ? reals : results;
  const drawn = outputParams(
    op,
    dtype,
    shared,
    range.flatMap(({ data }) => [...data]),
    random,
  );
  // The format forbids less than 1/128 of the input's scale; ours refuses it too (test/golden).
  const least = op === 'hard_swish' ? Math.fround((scales[0]?.[0] ?? 0) / 100) : 0;
  const quant = rule.kind === 'codes' ? null : { ...drawn, scale: Math.max(drawn.scale, least) };
  return verify(builder.finish(builder.node(op, 'result', refs, attrs, quant)));
}

function outputParams(
  op: OpName,
  dtype: StoredType,
  shared: PerTensor,
  reals: readonly number[],
  random: Random,
): PerTensor {
  const { quant: rule } = ops[op];
  if (rule.kind === 'same_scale') return shared;
  if (rule.kind === 'fixed_output') {
    return { kind: 'per_tensor', scale: rule.scale, zeroPoint: rule.zeroPoint + (dtype === 'uint8' ? 128 : 0) };
  }
  const { min, max } = integerRanges[dtype];
  const least = reals.reduce((a, b) => Math.min(a, b), 0);
  const most = reals.reduce((a, b) => Math.max(a, b), 1e-3);
  // From ranges that cut most values off to ranges that use a third of the codes.
  const scale = Math.fround(((most - least) / 255) * 3 ** (2 * random.float() - 1));
  const zeroPoint = clamp(Math.round(min - least / scale) + random.below(41) - 20, min, max);
  return { kind: 'per_tensor', scale, zeroPoint };
}

/** One zero point in eight lies at an end of the range. */
function randomParams(dtype: StoredType, random: Random, [least, most]: Decades = usualScales): PerTensor {
  const { min, max } = integerRanges[dtype];
  const place = random.below(16);
  const zeroPoint = place === 0 ? min : place === 1 ? max : min + random.below(256);
  return { kind: 'per_tensor', scale: Math.fround(10 ** (most - (most - least) * random.float())), zeroPoint };
}

function randomFilterParams(dtype: StoredType, channels: number, axis: number, random: Random): QuantParams {
  if (dtype === 'uint8') return randomParams(dtype, random);
  const scale = (): number => Math.fround(10 ** (-1 - 3 * random.float()));
  if (channels === 1 || random.below(3) === 0) return { kind: 'per_tensor', scale: scale(), zeroPoint: 0 };
  return { kind: 'per_channel', scales: Float32Array.from({ length: channels }, scale), axis };
}

function realOf(codes: Tensor, quant: QuantParams) {
  const inner = quant.kind === 'per_tensor' ? 1 : numElements(codes.shape.slice(quant.axis + 1));
  return wideTensor(
    codes.shape,
    Array.from(codes.data as DataOf[StoredType], (code, at) =>
      quant.kind === 'per_tensor'
        ? quant.scale * (code - quant.zeroPoint)
        : quant.scales[Math.floor(at / inner) % quant.scales.length]! * code,
    ),
  );
}

function randomCodes(dtype: StoredType, shape: Shape, random: Random): Tensor<StoredType> {
  const { min } = integerRanges[dtype];
  const codes = zeros(dtype, shape);
  for (let at = 0; at < codes.data.length; at++) codes.data[at] = min + random.below(256);
  return codes;
}

/**
 * Uniform codes; only the two ends of the range; all at one end; all near the zero point. A float32 input takes reals
 * around 0 .. 1, the pixels of the networks here, and those at the edges between their codes.
 */
export function randomRuns(graph: Graph, random: Random): readonly (readonly Tensor[])[] {
  const fill = (draw: (min: number, max: number, zeroPoint: number) => number): readonly Tensor[] =>
    graph.inputs.map((name) => {
      const { type, quant } = valueOf(graph, name);
      const { dtype, shape } = type;
      if (dtype === 'float32') {
        const reals = zeros(dtype, shape);
        for (let at = 0; at < reals.data.length; at++) reals.data[at] = (draw(-8, 247, 0) + random.below(2) / 2) / 255;
        return reals;
      }
      if (dtype === 'int64') return internal(`input "${name}" is int64`);
      const { min, max } = integerRanges[dtype];
      const codes = zeros(dtype, shape);
      const zeroPoint = quant?.kind === 'per_tensor' ? quant.zeroPoint : 0;
      for (let at = 0; at < codes.data.length; at++) codes.data[at] = draw(min, max, zeroPoint);
      return codes;
    });
  return [
    fill((min) => min + random.below(256)),
    fill((min) => min + random.below(256)),
    fill((min, max) => (random.below(2) === 0 ? min : max)),
    fill((min) => min),
    fill((_min, max) => max),
    fill((min, max, zeroPoint) => clamp(zeroPoint + random.below(5) - 2, min, max)),
  ];
}

/** The edges: from float32, to float32, and between integer types and parameters. */
function quantizerCases(op: OpName, random: Random): readonly IntegerCase[] {
  const shape = [3, 41];
  const stored = ['int8', 'uint8'] as const;
  if (op === 'dequantize') {
    return stored.flatMap((dtype) =>
      Array.from({ length: 10 }, (_, index) => {
        const drawn = random.split(dtype, `${index}`);
        const builder = buildGraph(op, 'int8');
        const input = builder.input('operand_0', { dtype, shape }, randomParams(dtype, drawn));
        const graph = verify(builder.finish(builder.node(op, 'result', [input], {})));
        return { name: `${dtype} ${index}`, op, dtype, graph, runs: randomRuns(graph, drawn.split('inputs')) };
      }),
    );
  }
  if (op !== 'quantize') return internal(`${op} is a quantizer without cases`);
  return stored.flatMap((dtype) =>
    (['float32', ...stored] as const).flatMap((from) =>
      Array.from({ length: 10 }, (_, index) => {
        const drawn = random.split(from, dtype, `${index}`);
        const quant = randomParams(dtype, drawn);
        const builder = buildGraph(op, 'int8');
        const input = builder.input(
          'operand_0',
          { dtype: from, shape },
          from === 'float32' ? null : randomParams(from, drawn),
        );
        const graph = verify(builder.finish(builder.node(op, 'result', [input], { dtype }, quant)));
        const runs = from === 'float32' ? [realsAround(quant, shape, drawn)] : randomRuns(graph, drawn.split('inputs'));
        return { name: `${from} to ${dtype} ${index}`, op, dtype, graph, runs };
      }),
    ),
  );
}

/** Every half step of the codes and beyond: where rounding is decided. */
function realsAround({ scale, zeroPoint }: PerTensor, shape: Shape, random: Random): readonly Tensor[] {
  const reals = Float32Array.from({ length: numElements(shape) }, (_, at) =>
    at % 2 === 0 ? scale * (random.below(600) / 2 - zeroPoint - 20) : (random.float() - 0.5) * 400 * scale,
  );
  return [tensor('float32', shape, reals)];
}
