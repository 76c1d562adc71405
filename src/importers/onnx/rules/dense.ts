/** Gemm and MatMul: products with weights are fully connected layers. */
import type { Shape } from '../../../core/tensor.ts';
import { numElements, sameShape } from '../../../core/tensor.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { refuse } from '../../refusal.ts';
import type { Affine, Call, Rule, Value } from '../context.ts';
import { optionalStatic, required, valueShape, viewIn } from '../context.ts';
import type { Static } from '../static.ts';
import { inShape, permutedStatic } from '../static.ts';
import type { Atom, View } from '../view.ts';
import { atomsOf, innerOrder, permutedView, rankOf, shapeOf, sizeOf, viewOf } from '../view.ts';
import { addViews } from './arithmetic.ts';

const exchanged = (rank: number): readonly number[] => {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return [...axes.slice(0, -2), rank - 1, rank - 2];
};

/** What the rows and the inputs of a layer are in memory: all of the rows first. */
interface Rows {
  readonly rows: readonly Atom[];
  readonly inputs: readonly Atom[];
}

/** Null where rows and inputs lie among each other. */
function rowsOf(view: View): Rows | null {
  const inputs = view.axes.at(-1) ?? [];
  const cut = view.memory.length - inputs.length;
  const tail = view.memory.slice(cut);
  return tail.every((atom) => inputs.includes(atom)) ? { rows: view.memory.slice(0, cut), inputs: tail } : null;
}

/**
 * input [..., inputs] times weights [inputs, outputs].
 *
 * Of several rows it becomes a convolution of one pixel: the files of training hold matrices of one row for each example.
 * What a layer reads may be flattened in our order of axes: its weights are permuted, and the values stay.
 */
function dense(call: Call, input: View, weights: Static): Affine {
  const { graph, name } = call;
  const [inputs = 1, outputs = 1] = weights.shape;
  const shape = shapeOf(input);
  if (weights.shape.length !== 2 || shape.at(-1) !== inputs) {
    refuse(`its input is [${shape.join(',')}] and its weights "${weights.name}" are [${weights.shape.join(',')}]`);
  }
  const outputShape = [...shape.slice(0, -1), outputs];
  const finish = (bias: Float32Array | null): View => {
    const last = shape.length - 1;
    const all = Array.from({ length: last }, (_, axis) => axis);
    const found = rowsOf(input);
    const { rows, inputs: lying } = found ?? { rows: atomsOf(input, all), inputs: atomsOf(input, [last]) };
    const count = sizeOf(rows);
    const filter = permutedRows(permutedStatic(weights, [1, 0]), innerOrder(atomsOf(input, [last]), lying));
    const output =
      count === 1
        ? addLayer(call, graph.placed(name, input, [lying]), [outputs, inputs], filter, bias)
        : addRows(call, graph.placed(name, input, [[], rows, lying]), [outputs, 1, 1, inputs], filter, bias);
    const result = viewOf(output, outputShape);
    const own = atomsOf(result, [last]);
    return { ...result, axes: [...input.axes.slice(0, -1), own], memory: [...rows, ...own] };
  };
  return { kind: 'affine', shape: outputShape, channelAxis: outputShape.length - 1, finish };
}

/** Filter and bias as variables. */
function parameters({ graph, name }: Call, shape: Shape, filter: Float32Array, bias: Float32Array | null): ValueRef[] {
  const weights = graph.variable(`${name}/filter`, shape, filter, 'weight');
  return bias === null ? [weights] : [weights, graph.variable(`${name}/bias`, [bias.length], bias, 'bias')];
}

function addLayer(
  call: Call,
  input: ValueRef,
  shape: Shape,
  filter: Float32Array,
  bias: Float32Array | null,
): ValueRef {
  const operands = [input, ...parameters(call, shape, filter, bias)];
  const attrs = { activation: 'none', keepNumDims: false } as const;
  return call.graph.add('fully_connected', `${call.name}/fully_connected`, operands, attrs);
}

/** Several rows are the pixels of an image, and the layer is a convolution of one pixel. */
function addRows(call: Call, input: ValueRef, shape: Shape, filter: Float32Array, bias: Float32Array | null): ValueRef {
  const operands = [input, ...parameters(call, shape, filter, bias)];
  const attrs = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'valid' }, activation: 'none' } as const;
  return call.graph.add('conv_2d', `${call.name}/conv_2d`, operands, attrs);
}

/** Each row with its elements in another order. */
function permutedRows({ data, shape }: Static, order: readonly number[] | null): Float32Array {
  if (order === null) return Float32Array.from(data);
  const width = shape[1] ?? 1;
  return Float32Array.from(data, (_, at) => data[at - (at % width) + (order[at % width] ?? 0)] ?? 0);
}

/** Two computed values, or two constants, have no layer. */
function productOf(call: Call, a: Value, b: Value): { readonly affine: Affine; readonly turned: boolean } {
  if (a.kind === 'view' && b.kind === 'static') return { affine: dense(call, a, matrixOf(b)), turned: false };
  if (a.kind === 'static' && b.kind === 'view' && rankOf(b) === 2) {
    const rows = permutedView(b, [1, 0]);
    return { affine: dense(call, rows, permutedStatic(matrixOf(a), [1, 0])), turned: true };
  }
  const shapes = `[${valueShape(a).join(',')}] and [${valueShape(b).join(',')}]`;
  return refuse(
    `it multiplies ${shapes}; expected one computed value and one constant matrix: ` +
      'there is no layer for a product of two computed values',
  );
}

function matrixOf(weights: Static): Static {
  const { shape } = weights;
  const matrix = shape.slice(-2);
  return shape.length > 2 && numElements(matrix) === numElements(shape) ? inShape(weights, matrix) : weights;
}

export const matMul: Rule = (call) => {
  const [a, b] = [required(call, 0), required(call, 1)];
  const { affine, turned } = productOf(call, a, b);
  return [turned ? permutedView(affine.finish(null), [1, 0]) : affine];
};

export const gemm: Rule = (call) => {
  const { attributes } = call;
  const alpha = attributes.float('alpha', 1);
  const operands = [0, 1].map((index): Value => {
    const value = required(call, index);
    if (valueShape(value).length !== 2)
      refuse(`its input ${index} is [${valueShape(value).join(',')}]; expected a matrix`);
    if (attributes.int(index === 0 ? 'transA' : 'transB', 0) === 0) return value;
    return value.kind === 'static'
      ? permutedStatic(value, exchanged(2))
      : permutedView(viewIn(call, index), exchanged(2));
  });
  const [a, b] = operands.map((value) => (value.kind === 'static' ? scaled(value, alpha) : value));
  const { affine, turned } = productOf(call, a!, b!);
  const added = optionalStaticOrView(call, 2);
  if (added === null) return [turned ? permutedView(affine.finish(null), [1, 0]) : affine];
  const bias = added.kind === 'static' ? scaled(added, attributes.float('beta', 1)) : null;
  const perOutput = bias === null || turned ? null : perChannel(bias, affine);
  if (perOutput !== null) return [affine.finish(perOutput)];
  if (bias === null) refuse('its C is computed by the network; expected a constant');
  const product = affine.finish(null);
  return [addViews(call, turned ? permutedView(product, [1, 0]) : product, bias)];
};

function optionalStaticOrView(call: Call, index: number): Value | null {
  return call.inputs[index]?.kind === 'view' ? viewIn(call, index) : optionalStatic(call, index);
}

function scaled(value: Static, factor: number): Static {
  return factor === 1 ? value : { ...value, data: Float32Array.from(value.data, (element) => element * factor) };
}

/** One value for each output channel of a layer, of a constant that is added to its result; null where it is more. */
export function perChannel(value: Static, { shape, channelAxis }: Affine): Float32Array | null {
  const rank = shape.length;
  if (value.type !== 'float' || value.shape.length > rank) return null;
  const wide = [...new Array<number>(rank - value.shape.length).fill(1), ...value.shape];
  const channels = shape[channelAxis] ?? 1;
  if (value.data.length === 1) return new Float32Array(channels).fill(value.data[0] ?? 0);
  const wanted = wide.map((_, axis) => (axis === channelAxis ? channels : 1));
  return sameShape(wide, wanted) ? Float32Array.from(value.data) : null;
}
