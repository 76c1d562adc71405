import type { QuantParams } from '../core/affine.ts';
import type { DataOf, DType, FloatTensor, Shape, Tensor, TensorType } from '../core/tensor.ts';
import type { FieldSpec, OptionValues } from '../formats/flatbuffer/options.ts';
import type { AttributeValue } from '../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../formats/protobuf/graph-def.ts';

/**
 * One op = one record of meaning: signature, shapes, float loops, gradient, quantization rule, integer loops and the
 * two file bindings. Fast kernels are not here: their only specification is to equal `float`.
 */
export interface OpDef<Name extends string, Attrs> {
  /** BuiltinOperator in lower case where TensorFlow Lite has the op. */
  readonly name: Name;
  /** Optional operands come last and may be missing. `variadic` means that the last operand repeats. */
  readonly operands: readonly Operand[];
  readonly variadic?: true;
  readonly quant: QuantRule;
  /**
   * Types of the outputs.
   *
   * @throws ShapeError when the operands do not fit, with both sides in the message
   */
  readonly infer: (inputs: readonly TensorType[], attrs: Attrs) => readonly TensorType[];
  /** Plain float32 loops: the oracle of every engine. `null` for ops that exist on integers only. */
  readonly float: FloatKernel<Attrs> | null;
  /** The vector-Jacobian product as graph nodes; `null` where no gradient is defined. */
  readonly vjp: Vjp<Attrs> | null;
  /** Plain integer loops: the oracle of every integer runtime. `null` for training-only ops. */
  readonly int8: IntegerKernelFactory<Attrs> | null;
  readonly tflite: TfliteBinding<Attrs> | null;
  readonly graphdef: GraphDefBinding<Attrs> | null;
}

export interface Operand {
  readonly name: string;
  /** `range` operands are fake-quant bounds; `statistic` ones are batch-norm parameters, folded before conversion. */
  readonly role: 'activation' | 'weight' | 'bias' | 'range' | 'statistic';
  readonly optional?: true;
}

/** How an op takes part in int8 quantization; the rules are data that one pass reads (from tfl_ops.td's interfaces). */
export type QuantRule =
  /** Weights per output channel on `channelAxis` of the filter; int32 bias with scale input * filter. */
  | { readonly kind: 'affine'; readonly weight: number; readonly bias: number; readonly channelAxis: number }
  /** Every tensor has a scale of its own. `unscaled`: TensorFlow Lite also runs the op on values without one. */
  | { readonly kind: 'independent'; readonly unscaled?: true }
  /**
   * The output has the scale of the input. `exact` ops only move values, so no rounding happens. `bytesOnly`: they move
   * codes of 8 bits and no int32.
   */
  | { readonly kind: 'same_scale'; readonly exact: boolean; readonly bytesOnly?: true }
  /** The output's parameters are fixed by the int8 specification (given for int8). */
  | { readonly kind: 'fixed_output'; readonly scale: number; readonly zeroPoint: number }
  /** max(min(x, limit), 0): fused into the producer where it can be, `independent` where it stands alone. */
  | { readonly kind: 'activation'; readonly fused: FusedActivation }
  /** Reads codes without their scale and makes numbers that have none: indices and shapes. */
  | { readonly kind: 'codes' }
  /** The quantizer itself: fake_quant, quantize, dequantize. */
  | { readonly kind: 'quantizer' }
  /** Folded into the affine op before it: batch_norm. */
  | { readonly kind: 'folded' }
  /** Losses, gradients, observers, optimizers. */
  | { readonly kind: 'float_only' };

/** ActivationFunctionType of the .tflite schema, as far as int8 kernels clamp by it. */
export type FusedActivation = 'none' | 'relu' | 'relu_n1_to_1' | 'relu6';

/** Writes the outputs, whose buffers it is given; allocates nothing that outlives the call. */
export type FloatKernel<Attrs> = (
  inputs: readonly FloatTensor[],
  attrs: Attrs,
  outputs: readonly FloatTensor[],
) => void;

/** A value while gradients are being built. */
export interface ValueRef {
  readonly name: string;
  readonly type: TensorType;
}

export interface Emitter {
  /** Adds a node with one output. Takes the definition, not the name, so op files never import the table. */
  readonly emit: <Name extends string, Attrs>(
    definition: OpDef<Name, Attrs>,
    inputs: readonly ValueRef[],
    attrs: NoInfer<Attrs>,
  ) => ValueRef;
  /** Adds a node with any number of outputs. */
  readonly emitAll: <Name extends string, Attrs>(
    definition: OpDef<Name, Attrs>,
    inputs: readonly ValueRef[],
    attrs: NoInfer<Attrs>,
  ) => readonly ValueRef[];
}

/**
 * @param gradient of the loss with respect to output 0; other outputs carry no gradient
 * @returns one gradient per input, null where there is none (ranges, labels)
 */
export type Vjp<Attrs> = (
  emitter: Emitter,
  node: { readonly inputs: readonly ValueRef[]; readonly outputs: readonly ValueRef[]; readonly attrs: Attrs },
  gradient: ValueRef,
) => readonly (ValueRef | null)[];

/** The stored values of one tensor at run time; float32 only next to quantize and dequantize. */
export type IntegerData = DataOf['int8'] | DataOf['uint8'] | DataOf['int32'] | DataOf['float32'];

export interface IntegerOperand {
  readonly type: TensorType;
  readonly quant: QuantParams | null;
}

/** Fixed while the model is prepared: types, parameters and attributes. The data comes with each call. */
export interface IntegerNode<Attrs> {
  readonly inputs: readonly IntegerOperand[];
  readonly outputs: readonly IntegerOperand[];
  readonly attrs: Attrs;
  /** How an accumulator is scaled to the output, where kernels differ; twice if not said. */
  readonly rounding?: Rounding;
}

/**
 * `twice`: in fixed point, first the product and then its shift (`multiplyByQuantizedMultiplier`). `once`: the exact
 * product with a float64 factor, half away from zero.
 */
export type Rounding = 'twice' | 'once';

export type IntegerKernel = (inputs: readonly IntegerData[], outputs: readonly IntegerData[]) => void;

/** Computes multipliers once, then returns the loops. Throws ShapeError for parameters that the format forbids. */
export type IntegerKernelFactory<Attrs> = (node: IntegerNode<Attrs>) => IntegerKernel;

/** An operand that only the file has: shapes, axes and paddings are attributes in our graph. */
export interface FileParameter {
  readonly position: number;
  readonly name: string;
  readonly tensor: Tensor<'int32'>;
}

export interface OpVersion {
  readonly version: number;
  /** TensorFlow Lite's release, such as 1.14.0, from which on every later one runs the node rightly. */
  readonly minimumRuntime: string;
}

export interface TfliteBinding<Attrs> {
  readonly builtinCode: number;
  /** Tag of the BuiltinOptions union; 0 for none. */
  readonly optionsType: number;
  readonly fields: readonly FieldSpec[];
  /** The smallest operator version that the node needs, and the runtime that it takes. */
  readonly version: (node: IntegerNode<Attrs>) => OpVersion;
  /**
   * Set where only a late version of the op, which many runtimes lack, takes an activation in: conversion writes none.
   */
  readonly avoidsActivation?: true;
  /** Positions among the file's inputs that hold parameters rather than operands. */
  readonly parameterPositions: readonly number[];
  /** Where the file orders its operands otherwise: operand i of the file is ours at `operandOrder[i]`. Its own inverse. */
  readonly operandOrder?: readonly number[];
  encode(node: IntegerNode<Attrs>): { readonly options: OptionValues; readonly parameters: readonly FileParameter[] };
  /** @param parameters the constants at `parameterPositions`; null where the file leaves one out */
  decode(file: {
    readonly options: OptionValues;
    readonly inputs: readonly TensorType[];
    readonly outputs: readonly TensorType[];
    readonly parameters: readonly (Tensor | null)[];
  }): Attrs;
}

/** Collects TensorFlow nodes. Names are unique by construction: the node's own name, or a child of it. */
export interface GraphDefWriter {
  node(op: string, name: string, inputs: readonly string[], attributes: Record<string, AttributeValue>): string;
  constant(name: string, value: Tensor): string;
}

/**
 * TensorFlow's layout of an operand: a permutation of our axes (OHWI to HWIO is [1, 2, 3, 0]), or `merged`: its
 * [height, width, channels, multiplier] is our [1, height, width, channels * multiplier], the same values in the same
 * order.
 */
export type Layout = readonly number[] | 'merged';

export interface GraphDefBinding<Attrs> {
  /** How TensorFlow lays out an operand, where it differs. */
  readonly layouts?: { readonly [operand: number]: Layout };
  /**
   * How we write an operand whose output channel is not the last axis in TensorFlow's layout: fake quant per channel
   * works on the last axis only. The op's own `write` brings it to TensorFlow's layout afterwards.
   */
  readonly storedLayouts?: { readonly [operand: number]: readonly number[] };
  /** Emits TensorFlow nodes; the last one is named `name`. Returns the names of the outputs. */
  write(
    writer: GraphDefWriter,
    node: {
      readonly name: string;
      readonly inputs: readonly string[];
      readonly inputTypes: readonly TensorType[];
      readonly outputTypes: readonly TensorType[];
      readonly attrs: Attrs;
    },
  ): readonly string[];
  /** TensorFlow ops that mean this op, and how each is read. */
  readonly reads: { readonly [tensorflowOp: string]: GraphDefRead<Attrs> };
}

export type GraphDefRead<Attrs> = (
  node: NodeDef,
  context: {
    /** The data inputs, without control inputs. */
    readonly inputs: readonly string[];
    readonly shapeOf: (input: string) => Shape;
    /** The value of a constant input such as a shape or the axes. */
    readonly constant: (input: string) => Tensor;
  },
) => { readonly inputs: readonly string[]; readonly attrs: Attrs };

/** Operands that do not fit together. The graph builder adds the node's name. */
export class ShapeError extends Error {
  override readonly name: string = 'ShapeError';

  /** The same error with the place in front of its message. */
  at(place: string): ShapeError {
    return new ShapeError(`${place}: ${this.message}`);
  }
}

/** What a sound file may ask of an op, and the op's loops do not do. */
export class UnsupportedError extends ShapeError {
  override readonly name = 'UnsupportedError';

  override at(place: string): UnsupportedError {
    return new UnsupportedError(`${place}: ${this.message}`);
  }
}

/** Gives a literal object its type without widening the op's name. */
export function defineOp<const Name extends string, Attrs>(definition: OpDef<Name, Attrs>): OpDef<Name, Attrs> {
  return definition;
}

/** The parts that ops of training graphs alone do not have; a loss has a gradient all the same. */
export const trainingOnly = {
  quant: { kind: 'float_only' },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
} as const;

/**
 * An op that our own graphs never hold: it is in files made by others, and the integer runtimes run its loops. It has no
 * float form, no gradient and no TensorFlow node.
 */
export interface InferenceOpDef<Name extends string, Attrs> extends OpDef<Name, Attrs> {
  readonly float: null;
  readonly vjp: null;
  readonly int8: IntegerKernelFactory<Attrs>;
  readonly tflite: TfliteBinding<Attrs>;
  readonly graphdef: null;
}

export function defineInferenceOp<const Name extends string, Attrs>(
  definition: Omit<InferenceOpDef<Name, Attrs>, 'float' | 'vjp' | 'graphdef'>,
): InferenceOpDef<Name, Attrs> {
  return { ...definition, float: null, vjp: null, graphdef: null };
}

/** Whether values of this type may come without a scale: the op only moves or compares them, or does without. */
export function runsWithoutScale(rule: QuantRule, dtype: DType): boolean {
  switch (rule.kind) {
    case 'codes':
      return true;
    case 'same_scale':
      return rule.exact && (dtype !== 'int32' || rule.bytesOnly !== true);
    case 'independent':
      return rule.unscaled === true;
    case 'affine':
    case 'fixed_output':
    case 'activation':
    case 'quantizer':
    case 'folded':
    case 'float_only':
      return false;
  }
}

export type AttrsOf<Definition> = Definition extends OpDef<string, infer Attrs> ? Attrs : never;

/** Attributes of an op that has none. */
export type NoAttrs = Record<never, never>;

export const float32 = (shape: Shape): TensorType => ({ dtype: 'float32', shape });
