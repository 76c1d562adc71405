/** What the rules of TensorFlow's ops read and write. */
import { internal } from '../../core/assert.ts';
import type { FloatTensor, Shape, Tensor } from '../../core/tensor.ts';
import { transposeTensor } from '../../core/tensor.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { VariableRole } from '../../graph/roles.ts';
import { invertPermutation } from '../../graphdef/layout.ts';
import type { Layout, ValueRef } from '../../ops/define.ts';
import { GraphWriter } from '../graph-writer.ts';
import { refuse } from '../refusal.ts';
import type { Static } from './static.ts';
import { asFloats } from './static.ts';

export interface Computed {
  readonly kind: 'computed';
  readonly ref: ValueRef;
}

/** A layer with weights whose bias may still come. */
export interface Affine {
  readonly kind: 'affine';
  readonly shape: Shape;
  readonly finish: (name: string, bias: Static | null) => ValueRef;
}

/** The product of a batch norm that is spelled out; the sum may still come. */
export interface Scaled {
  readonly kind: 'scaled';
  readonly input: ValueRef;
  readonly scale: Static;
  readonly finish: () => ValueRef;
}

/** An image in blocks, as TensorFlow writes dilated convolutions. */
export interface Blocks {
  readonly kind: 'blocks';
  readonly ref: ValueRef;
  readonly block: readonly [number, number];
  readonly paddings: readonly (readonly [number, number])[];
  readonly shape: Shape;
}

/** A convolution of blocks; it is complete when they are one image again. */
export interface BlockLayer {
  readonly kind: 'block_layer';
  readonly shape: Shape;
  readonly join: (crops: readonly (readonly [number, number])[]) => Affine;
}

export type Value =
  | Static
  | Computed
  | Affine
  | Scaled
  | Blocks
  | BlockLayer
  | { readonly kind: 'handle'; readonly name: string }
  /** An output of a branch that is not taken. */
  | { readonly kind: 'dead' };

export interface Call {
  readonly target: Target;
  readonly node: NodeDef;
  readonly inputs: readonly Value[];
}

/** The values of a node's outputs; trailing ones that nothing may read are missing. */
export type Rule = (call: Call) => readonly Value[];

/** Elements that constants may have beyond those in the file. */
const extraElements = 2 ** 24;

/** The graph that is being built. */
export class Target extends GraphWriter {
  private readonly parameters = new Map<Static, Map<string, ValueRef>>();

  constructor(builder: GraphBuilder) {
    super(builder, extraElements);
  }

  /** The first size stays open: it is the batch, or goes with it. */
  reshape(name: string, value: ValueRef, shape: Shape): ValueRef {
    return this.add('reshape', name, [value], { shape: shape.map((size, axis) => (axis === 0 ? -1 : size)) });
  }

  /** A constant as an operand, in our layout; the same one is the same value again. */
  constant(value: Static, layout: Layout | null = null): ValueRef {
    return this.once(value, `constant ${String(layout)}`, () =>
      this.builder.constant(this.free(value.name), inOurs(floatsOf(value), layout)),
    );
  }

  /** A weight, which may be trained. */
  variable(value: Static, role: VariableRole, layout: Layout | null = null): ValueRef {
    return this.once(value, `${role} ${String(layout)}`, () =>
      this.builder.variable(this.free(value.name), inOurs(floatsOf(value), layout), role),
    );
  }

  private once(value: Static, key: string, make: () => ValueRef): ValueRef {
    const known = this.parameters.get(value) ?? new Map<string, ValueRef>();
    this.parameters.set(value, known);
    const ref = known.get(key) ?? make();
    known.set(key, ref);
    return ref;
  }
}

function floatsOf(value: Static): FloatTensor {
  return value.type === 'float'
    ? asFloats(value)
    : refuse(`constant "${value.name}" holds whole numbers; expected floats`);
}

function inOurs(value: FloatTensor, layout: Layout | null): Tensor {
  if (layout === null) return value;
  const rank = layout === 'merged' ? 4 : layout.length;
  if (value.shape.length !== rank) {
    refuse(`its weights are [${value.shape.join(',')}]; expected ${rank} dimensions`);
  }
  if (layout !== 'merged') return transposeTensor(value, invertPermutation(layout));
  const [height = 1, width = 1, channels = 1, multiplier = 1] = value.shape;
  return { ...value, shape: [1, height, width, channels * multiplier] };
}

/** The shape of TensorFlow's value. */
export function shapeOf(value: Value): Shape {
  switch (value.kind) {
    case 'static':
    case 'affine':
    case 'blocks':
    case 'block_layer':
      return value.shape;
    case 'computed':
      return value.ref.type.shape;
    case 'scaled':
      return value.input.type.shape;
    case 'handle':
      return refuse(`it reads the variable "${value.name}" itself; expected its value`);
    case 'dead':
      return internal('what no branch makes has no shape');
  }
}

export function input({ inputs }: Call, index: number): Value {
  return inputs[index] ?? refuse(`it has no input ${index}`);
}

/** Input `index` as a value of the graph. */
export function operand(call: Call, index: number): ValueRef {
  return operandOf(call.target, input(call, index));
}

export function operandOf(target: Target, value: Value): ValueRef {
  switch (value.kind) {
    case 'static':
      return target.constant(value);
    case 'computed':
      return value.ref;
    case 'scaled':
    case 'affine':
      return internal('who reads it is asked first');
    case 'blocks':
    case 'block_layer':
      return refuse(
        'it reads an image in blocks (SpaceToBatchND); expected a convolution and BatchToSpaceND behind it',
        'use a dilated convolution',
      );
    case 'handle':
      return refuse(`it reads the variable "${value.name}" itself; expected its value`);
    case 'dead':
      return internal('a branch that is not taken has no readers');
  }
}

export function staticInput(call: Call, index: number, what: string): Static {
  const value = input(call, index);
  return value.kind === 'static' ? value : refuse(`${what} must be constant`);
}

export function wholeNumbersIn(call: Call, index: number, what: string): readonly number[] {
  return Array.from(staticInput(call, index, what).data);
}

export const computed = (ref: ValueRef): Computed => ({ kind: 'computed', ref });
