/** What the rules of ONNX's ops read and write. */
import { internal } from '../../core/assert.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import { sameShape, tensor } from '../../core/tensor.ts';
import type { OnnxNode } from '../../formats/protobuf/onnx.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { VariableRole } from '../../graph/roles.ts';
import type { ValueRef } from '../../ops/define.ts';
import { axisOf } from '../elements.ts';
import { GraphWriter } from '../graph-writer.ts';
import { refuse } from '../refusal.ts';
import type { Attributes } from './attributes.ts';
import type { Static } from './static.ts';
import type { Atom, View } from './view.ts';
import { atomsOf, movementTo, sizeOf } from './view.ts';

/** The result of a layer with weights whose bias may be in the next node. */
export interface Affine {
  readonly kind: 'affine';
  /** Of ONNX's value. */
  readonly shape: Shape;
  /** ONNX's axis of the output channels. */
  readonly channelAxis: number;
  /** Adds the layer; called once. */
  readonly finish: (bias: Float32Array | null) => View;
}

export type Value = Static | View | Affine;

/** One node while it is imported. */
export interface Call {
  readonly graph: Target;
  readonly node: OnnxNode;
  /** Of the layer: what is added is named after it. */
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  /** Whether anything reads output `index`. */
  readonly isRead: (index: number) => boolean;
  /** Whether output `index` is one of the graph's. */
  readonly isOutput: (index: number) => boolean;
}

/** The values of a node's outputs; trailing ones that nothing reads may be missing. */
export type Rule = (call: Call) => readonly Value[];

/** Elements that constants may have beyond one for each byte of the file. */
const extraElements = 2 ** 23;

/** Ops of TensorFlow at the end of names that tf2onnx hands on. */
const endings: ReadonlySet<string> = new Set([
  'BiasAdd',
  'Conv2D',
  'Conv1D',
  'MatMul',
  'depthwise',
  'FusedBatchNormV3',
]);

/** The graph that is being built. */
export class Target extends GraphWriter {
  /** What reshapes read, so that one reshape after another is one. */
  private readonly reshaped = new Map<string, ValueRef>();
  private readonly layers = new Set<string>();

  constructor(builder: GraphBuilder, fileBytes: number) {
    super(builder, extraElements + fileBytes);
  }

  note(text: string): void {
    this.notes.add(text);
  }

  /**
   * A name for a layer: what graphs may hold of the wanted one, without the op that exporters write at its end
   * (`conv1/Conv`, `dense/BiasAdd`), numbered where that is taken.
   */
  layerName(wanted: string, opType = ''): string {
    const clean = wanted.replaceAll(/[^A-Za-z0-9_.\-/]/g, '_').replace(/^[^A-Za-z0-9.]+/, '');
    const full = clean === '' ? 'layer' : clean.slice(0, 200);
    const cut = full.lastIndexOf('/');
    const names =
      cut > 0 && (endings.has(full.slice(cut + 1)) || full.slice(cut + 1) === opType) ? [full.slice(0, cut)] : [];
    let name = [...names, full].find((one) => !this.layers.has(one)) ?? full;
    for (let count = 1; this.layers.has(name); count++) name = `${full}_${count}`;
    this.layers.add(name);
    return name;
  }

  /** @param shape without the batch */
  reshape(layer: string, value: ValueRef, shape: Shape): ValueRef {
    const source = this.reshaped.get(value.name) ?? value;
    const wanted = [source.type.shape[0] ?? 1, ...shape];
    if (sameShape(value.type.shape, wanted)) return value;
    if (sameShape(source.type.shape, wanted)) return source;
    const output = this.add('reshape', `${layer}/reshape`, [source], { shape: [-1, ...shape] });
    this.reshaped.set(output.name, source);
    return output;
  }

  /**
   * The value with the given dimensions behind the batch, each of whole axes of ONNX's value.
   *
   * @param axes for each dimension; none for one of size 1
   */
  arranged(layer: string, view: View, axes: readonly (readonly number[])[]): ValueRef {
    return this.placed(
      layer,
      view,
      axes.map((dimension) => atomsOf(view, dimension)),
    );
  }

  /** The same, of atoms. */
  placed(layer: string, view: View, dimensions: readonly (readonly Atom[])[]): ValueRef {
    const shape = dimensions.map(sizeOf);
    const movement = movementTo(view, dimensions.flat());
    if (movement === null) return this.reshape(layer, view.ref, shape);
    const { from, permutation } = movement;
    const direct = wholeMovement(view.ref.type.shape.slice(1), from, shape, permutation);
    const cut = direct === null ? this.reshape(layer, view.ref, from) : view.ref;
    const moved = this.add('transpose', `${layer}/transpose`, [cut], {
      permutation: [0, ...(direct ?? permutation).map((axis) => axis + 1)],
    });
    return this.reshape(layer, moved, shape);
  }

  variable(name: string, shape: Shape, values: Float32Array, role: VariableRole): ValueRef {
    this.take(values.length);
    const initial: Tensor<'float32'> = tensor('float32', shape, values);
    return this.builder.variable(this.free(name), initial, role);
  }
}

/** The permutation of all dimensions of `shape`, those of size 1 too, where that alone gives `wanted`; else null. */
function wholeMovement(
  shape: Shape,
  runs: Shape,
  wanted: Shape,
  permutation: readonly number[],
): readonly number[] | null {
  const large = shape.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  const ones = shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  const fits =
    shape.length === wanted.length &&
    sameShape(
      large.map((axis) => shape[axis] ?? 1),
      runs,
    );
  if (!fits) return null;
  let [nextLarge, nextOne] = [0, 0];
  const whole = wanted.map((size) => (size === 1 ? ones[nextOne++] : large[permutation[nextLarge++] ?? -1]) ?? -1);
  const isPermutation = new Set(whole).size === shape.length && !whole.includes(-1);
  return isPermutation && whole.every((axis, index) => shape[axis] === wanted[index]) ? whole : null;
}

export function valueShape(value: Value): Shape {
  return value.kind === 'view' ? value.axes.map(sizeOf) : value.shape;
}

/** Input `index`, which must be there. */
export function required({ inputs }: Call, index: number): Value {
  return inputs[index] ?? refuse(`its input ${index} is left out`);
}

/** Input `index` as a value that depends on the network's inputs. */
export function viewIn(call: Call, index: number): View {
  const value = required(call, index);
  if (value.kind === 'static')
    return refuse(`its input ${index} "${value.name}" is a constant; expected a computed value`);
  return value.kind === 'affine' ? internal('the bias of a layer was decided before') : value;
}

/** Input `index` as a constant; null where it is left out. */
export function optionalStatic(call: Call, index: number): Static | null {
  const value = call.inputs[index] ?? null;
  if (value === null || value.kind === 'static') return value;
  return refuse(
    `its input ${index} "${call.node.inputs[index] ?? ''}" is computed by the network; expected a constant`,
  );
}

export function staticIn(call: Call, index: number): Static {
  return optionalStatic(call, index) ?? refuse(`its input ${index} is left out`);
}

/** A constant input of whole numbers; null where it is left out or empty. */
export function optionalIntegers(call: Call, index: number): readonly number[] | null {
  const value = optionalStatic(call, index);
  return value === null || value.data.length === 0 ? null : Array.from(value.data);
}

export function axesOf(axes: readonly number[], rank: number): readonly number[] {
  return axes.map((axis) => axisOf(axis, rank));
}
