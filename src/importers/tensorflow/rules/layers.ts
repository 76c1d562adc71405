/** Layers with weights: their biases, and dilated convolutions that are written in blocks. */
import { numElements } from '../../../core/tensor.ts';
import type { Conv2dAttrs } from '../../../ops/conv_2d.ts';
import type { Padding } from '../../../ops/geometry.ts';
import { refuse } from '../../refusal.ts';
import type { Affine, Call, Rule, Value } from '../context.ts';
import { computed, input, operand, shapeOf, staticInput, wholeNumbersIn } from '../context.ts';
import type { Static } from '../static.ts';
import type { RowNode } from './rows.ts';
import { affine, byRow, readRow } from './rows.ts';

export type Pairs = readonly (readonly [number, number])[];

/** The bias of the layer before it, or else a sum. */
export const biasAdd: Rule = (call) => {
  const value = input(call, 0);
  const bias = staticInput(call, 1, 'the bias');
  if (value.kind === 'affine') return [computed(value.finish(call.node.name, bias))];
  return [
    computed(call.target.add('add', call.node.name, [operand(call, 0), operand(call, 1)], { activation: 'none' })),
  ];
};

/** Whether a constant is added as a bias is: one number for each channel. */
export function isBiasOf(value: Affine, constant: Static): boolean {
  const channels = value.shape.at(-1);
  return constant.type === 'float' && constant.shape.at(-1) === channels && numElements(constant.shape) === channels;
}

/** A layer that is only looked at in another shape still takes its bias. */
export function reshapedAffine(call: Call, value: Affine, shape: readonly number[]): Affine | null {
  if (shape.at(-1) !== value.shape.at(-1)) return null;
  return {
    kind: 'affine',
    shape,
    finish: (name, bias) => call.target.reshape(name, value.finish(`${call.node.name}/layer`, bias), shape),
  };
}

const pairsOf = (values: readonly number[]): Pairs =>
  Array.from({ length: values.length / 2 }, (_, at) => [values[2 * at] ?? 0, values[2 * at + 1] ?? 0] as const);

function blockOf(call: Call): readonly [number, number] {
  const block = wholeNumbersIn(call, 1, 'the size of blocks');
  const [height = 1, width] = block;
  if (block.length > 2 || block.some((size) => size < 1))
    refuse(`its blocks are [${block.join(',')}]; expected one or two sizes`);
  return width === undefined ? [1, height] : [height, width];
}

/** Of series, whose one axis is the width of an image that is 1 high. */
const bothAxes = (pairs: Pairs): Pairs => (pairs.length === 1 ? [[0, 0], ...pairs] : pairs);

export const spaceToBatch: Rule = (call) => {
  const block = blockOf(call);
  const paddings = bothAxes(pairsOf(wholeNumbersIn(call, 2, 'the paddings')));
  const ref = operand(call, 0);
  const isSeries = ref.type.shape.length === 3;
  const axes = isSeries ? [1, 0] : [1, 2];
  const shape = ref.type.shape.map((size, axis) => {
    const at = isSeries ? (axis === 1 ? 1 : -1) : axes.indexOf(axis);
    const [before, after] = paddings[at] ?? [0, 0];
    return axis === 0 ? size * block[0] * block[1] : at < 0 ? size : (size + before + after) / (block[at] ?? 1);
  });
  return [{ kind: 'blocks', ref, block, paddings, shape }];
};

export const batchToSpace: Rule = (call) => {
  const value = input(call, 0);
  if (value.kind !== 'block_layer') return refuse('it does not follow a convolution of blocks (SpaceToBatchND)');
  return [value.join(bothAxes(pairsOf(wholeNumbersIn(call, 2, 'the crops'))))];
};

/** A layer of weights, on an image or on one in blocks. */
export const layer: Rule = (call) => {
  const value = input(call, 0);
  if (value.kind !== 'blocks') return byRow(call);
  const image =
    value.ref.type.shape.length === 4 ? value.ref : refuse('it reads a series in blocks; expected an image');
  const inner: Value = computed(image);
  const row = readRow({ ...call, inputs: [inner, ...call.inputs.slice(1)] });
  if (row === null || (row.op !== 'conv_2d' && row.op !== 'depthwise_conv_2d'))
    return refuse('it reads an image in blocks');
  const attrs = row.attrs as Conv2dAttrs; // of a convolution
  if (attrs.padding.kind !== 'valid' || attrs.strides.some((stride) => stride !== 1)) {
    return refuse('it reads an image in blocks with strides or padding of its own; expected neither');
  }
  const window = shapeOf(row.operands[1] ?? inner);
  const join = (crops: Pairs): Affine => {
    const padding = paddingOf(value.paddings, crops, [window[0] ?? 1, window[1] ?? 1], value.block);
    const whole: RowNode = {
      ...row,
      operands: [inner, ...row.operands.slice(1)],
      attrs: { ...attrs, padding, dilations: value.block },
    };
    return affine(call, whole);
  };
  return [{ kind: 'block_layer', shape: value.shape, join }];
};

/** The padding of the convolution that blocks stand for: what is added and not cut off again. */
export function paddingOf(
  paddings: Pairs,
  crops: Pairs,
  window: readonly [number, number],
  block: readonly [number, number],
): Padding {
  const rest = [0, 1].map((axis) => {
    const [before, after] = paddings[axis] ?? [0, 0];
    const [cutBefore, cutAfter] = crops[axis] ?? [0, 0];
    if (cutBefore !== 0 || cutAfter > after) refuse('the blocks are cut at their beginning');
    return [before, after - cutAfter] as const;
  });
  const [[top, bottom] = [0, 0], [left, right] = [0, 0]] = rest;
  if (top + bottom + left + right === 0) return { kind: 'valid' };
  const same = [0, 1].map((axis) => (window[axis as 0 | 1] - 1) * block[axis as 0 | 1]);
  const isSame = rest.every(([before, after], axis) => {
    const total = same[axis] ?? 0;
    return before === Math.floor(total / 2) && after === total - before;
  });
  return isSame ? { kind: 'same' } : { kind: 'explicit', top, bottom, left, right };
}

/** Transposed weights are turned while they are read. */
export const matMul: Rule = (call) => {
  const isTurned = (attribute: string): boolean => {
    const value = call.node.attributes.get(attribute);
    return value?.kind === 'bool' && value.value;
  };
  if (isTurned('transpose_a') || isTurned('adj_x')) return refuse('it turns its input; expected rows as they are');
  const weights = input(call, 1);
  if (weights.kind !== 'static') {
    return refuse('it multiplies two computed values; expected constant weights', 'train without attention layers');
  }
  const turned = isTurned('transpose_b') || isTurned('adj_y') ? transposed(weights) : weights;
  const value = operand(call, 0);
  const { shape } = value.type;
  const channels = shape.at(-1) ?? 1;
  const rows =
    shape.length === 2
      ? value
      : call.target.reshape(`${call.node.name}/rows`, value, [numElements(shape) / channels, channels]);
  const attrs = { activation: 'none', keepNumDims: false } as const;
  const dense = affine(call, { op: 'fully_connected', attrs, operands: [computed(rows), turned] });
  if (shape.length === 2) return [dense];
  return [
    reshapedAffine(call, dense, [...shape.slice(0, -1), turned.shape[1] ?? 1]) ?? refuse('its weights do not fit'),
  ];
};

function transposed(value: Static): Static {
  const [rows = 1, columns = 1] = value.shape;
  if (value.shape.length !== 2) return refuse(`its weights are [${value.shape.join(',')}]; expected two dimensions`);
  const data = value.data.map((_, at) => value.data[(at % rows) * columns + Math.floor(at / rows)] ?? 0);
  return { ...value, shape: [columns, rows], data };
}
