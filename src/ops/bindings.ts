/** Attribute values and option fields that many rows share. */
import { internal, unreachable } from '../core/assert.ts';
import { perTensor, roundHalfAway } from '../core/affine.ts';
import type { IntegerRange } from '../core/affine.ts';
import { integerRanges } from '../core/affine.ts';
import type { Tensor, TensorType } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { FieldSpec, OptionValues } from '../formats/flatbuffer/options.ts';
import { textAttribute } from '../formats/protobuf/attribute-value.ts';
import type { AttributeValue } from '../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../formats/protobuf/graph-def.ts';
import type { FusedActivation, GraphDefBinding, IntegerOperand, NoAttrs, TfliteBinding } from './define.ts';
import { ShapeError, UnsupportedError } from './define.ts';
import type { Padding } from './geometry.ts';

export const T_FLOAT: Record<string, AttributeValue> = { T: { kind: 'type', value: 'float32' } };

export const intList = (values: readonly number[]): AttributeValue => ({
  kind: 'list',
  values: { of: 'int', values },
});

/** The list of integers of an attribute, or a default when the attribute is left out. */
export function readIntList(node: NodeDef, attribute: string, fallback: readonly number[]): readonly number[] {
  const value = node.attributes.get(attribute);
  if (value === undefined) return fallback;
  if (value.kind === 'list') {
    if (value.values.of === 'int') return value.values.values;
    if (value.values.of === 'nothing') return [];
  }
  throw new ShapeError(`attribute ${attribute} is a ${value.kind}; expected a list of integers`);
}

function readText(node: NodeDef, attribute: string, fallback: string): string {
  const value = node.attributes.get(attribute);
  if (value === undefined) return fallback;
  if (value.kind === 'bytes') return new TextDecoder().decode(value.value);
  throw new ShapeError(`attribute ${attribute} is a ${value.kind}; expected a string`);
}

export function readNumber(node: NodeDef, attribute: string, fallback: number): number {
  const value = node.attributes.get(attribute);
  if (value === undefined) return fallback;
  if (value.kind === 'int' || value.kind === 'float') return value.value;
  throw new ShapeError(`attribute ${attribute} is a ${value.kind}; expected a number`);
}

export function readBool(node: NodeDef, attribute: string, fallback: boolean): boolean {
  const value = node.attributes.get(attribute);
  if (value === undefined) return fallback;
  if (value.kind === 'bool') return value.value;
  throw new ShapeError(`attribute ${attribute} is a ${value.kind}; expected true or false`);
}

/** strides, dilations and ksize are [1, vertical, horizontal, 1] in NHWC. */
export function readSpatialPair(
  node: NodeDef,
  attribute: string,
  fallback: readonly number[] = [1, 1, 1, 1],
): readonly [number, number] {
  if (readText(node, 'data_format', 'NHWC') !== 'NHWC') throw new ShapeError('data_format must be NHWC');
  const values = readIntList(node, attribute, fallback);
  if (values.length !== 4 || values[0] !== 1 || values[3] !== 1) {
    throw new ShapeError(`${attribute} is [${values.join(',')}]; expected [1, vertical, horizontal, 1]`);
  }
  return [values[1]!, values[2]!];
}

export function readPadding(node: NodeDef): Padding {
  const padding = readText(node, 'padding', 'VALID');
  switch (padding) {
    case 'SAME':
      return { kind: 'same' };
    case 'VALID':
      return { kind: 'valid' };
    case 'EXPLICIT': {
      const [, , top = 0, bottom = 0, left = 0, right = 0] = readIntList(node, 'explicit_paddings', []);
      return { kind: 'explicit', top, bottom, left, right };
    }
    default:
      throw new ShapeError(`padding is ${padding}; expected SAME, VALID or EXPLICIT`);
  }
}

export function writePadding(padding: Padding): Record<string, AttributeValue> {
  switch (padding.kind) {
    case 'same':
      return { padding: textAttribute('SAME') };
    case 'valid':
      return { padding: textAttribute('VALID') };
    case 'explicit':
      return {
        padding: textAttribute('EXPLICIT'),
        explicit_paddings: intList([0, 0, padding.top, padding.bottom, padding.left, padding.right, 0, 0]),
      };
    default:
      return unreachable(padding);
  }
}

const ACTIVATIONS: readonly FusedActivation[] = ['none', 'relu', 'relu_n1_to_1', 'relu6'];

/** Those of the schema that no integer kernel has. */
const otherActivations: { readonly [code: number]: readonly [name: string, typeof ShapeError] } = {
  4: ['tanh', UnsupportedError],
  5: ['sign_bit', UnsupportedError],
};

export const activationField = (id: number): FieldSpec => ({
  id,
  name: 'fused_activation_function',
  type: 'byte',
  default: 0,
});

export const activationCode = (activation: FusedActivation): number => ACTIVATIONS.indexOf(activation);

export function decodeActivation(options: OptionValues): FusedActivation {
  const code = numberOption(options, 'fused_activation_function');
  const activation = ACTIVATIONS[code];
  if (activation === undefined) {
    const [name, problem] = otherActivations[code] ?? [String(code), ShapeError];
    throw new problem(`the fused activation is ${name}; integer kernels have ${ACTIVATIONS.join(', ')}`);
  }
  return activation;
}

export function encodePadding(padding: Padding): number {
  switch (padding.kind) {
    case 'same':
      return 0;
    case 'valid':
      return 1;
    case 'explicit':
      return internal('explicit padding must be lowered to a pad before it is written to a .tflite file');
    default:
      return unreachable(padding);
  }
}

export function decodePadding(options: OptionValues): Padding {
  const code = numberOption(options, 'padding');
  if (code === 0) return { kind: 'same' };
  if (code === 1) return { kind: 'valid' };
  throw new ShapeError(`padding ${code} is neither SAME (0) nor VALID (1)`);
}

export function numberOption(options: OptionValues, name: string): number {
  const value = options[name];
  return typeof value === 'number' ? value : internal(`option ${name} is not a number`);
}

export function booleanOption(options: OptionValues, name: string): boolean {
  const value = options[name];
  return typeof value === 'boolean' ? value : internal(`option ${name} is not a boolean`);
}

/**
 * The version of an op whose int8 form has its own version; other types use version 1.
 *
 * @param firstRuntime the runtime that brought version 1
 */
export const int8Version =
  (version: number, minimumRuntime: string, firstRuntime = '1.5.0'): TfliteBinding<unknown>['version'] =>
  ({ inputs: [input] }) =>
    input?.type.dtype === 'int8' ? { version, minimumRuntime } : { version: 1, minimumRuntime: firstRuntime };

/** An int32 vector, as files hold shapes, sizes and axes. */
export const int32Vector = (values: readonly number[]): Tensor<'int32'> =>
  tensor('int32', [values.length], Int32Array.from(values));

/** The values of a constant operand that holds whole numbers. */
export function wholeNumbers(value: Tensor | null | undefined, what: string): readonly number[] {
  if (value === null || value === undefined) throw new UnsupportedError(`${what} must be constant`);
  return Array.from(value.data, Number);
}

/** Counts a negative axis from the end. */
export function wholeAxis(axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  if (!(counted >= 0 && counted < rank)) throw new ShapeError(`axis ${axis} reaches beyond ${rank} dimensions`);
  return counted;
}

/** The file form of an op without attributes. */
export function plainTflite(
  builtinCode: number,
  optionsType: number,
  version: TfliteBinding<NoAttrs>['version'],
): TfliteBinding<NoAttrs> {
  return {
    builtinCode,
    optionsType,
    fields: [],
    version,
    parameterPositions: [],
    encode: () => ({ options: {}, parameters: [] }),
    decode: () => ({}),
  };
}

/** One TensorFlow node of the same operands, without attributes except its type. */
export function plainGraphDef(tensorflowOp: string): GraphDefBinding<NoAttrs> {
  return {
    write: (writer, { name, inputs }) => [writer.node(tensorflowOp, name, inputs, T_FLOAT)],
    reads: { [tensorflowOp]: (_node, { inputs }) => ({ inputs, attrs: {} }) },
  };
}

/** The range that a type stores. */
export function storedRange(type: TensorType): IntegerRange {
  switch (type.dtype) {
    case 'int8':
    case 'uint8':
    case 'int32':
      return integerRanges[type.dtype];
    case 'float32':
    case 'int64':
      throw new UnsupportedError(`${type.dtype} is not a type of the integer kernels`);
    default:
      return unreachable(type.dtype);
  }
}

/** Whether an activation clamps at all: it does not if the codes of the output already end at its limits. */
export function cutsCodes(activation: FusedActivation, output: IntegerOperand): boolean {
  const [kept, stored] = [activationRange(activation, output), storedRange(output.type)];
  return kept.min !== stored.min || kept.max !== stored.max;
}

/**
 * The clamp that a fused activation means on the output's codes.
 *
 * @see LiteRT tflite/kernels/kernel_util.cc, CalculateActivationRangeQuantized
 */
export function activationRange(activation: FusedActivation, output: IntegerOperand): IntegerRange {
  const range = storedRange(output.type);
  if (activation === 'none') return range;
  if (output.quant === null) throw new UnsupportedError(`the output has no scale, which the fused ${activation} needs`);
  const { scale, zeroPoint } = perTensor(output.quant, 'the output');
  const code = (real: number): number => zeroPoint + roundHalfAway(Math.fround(real / scale));
  switch (activation) {
    case 'relu':
      return { min: Math.max(range.min, code(0)), max: range.max };
    case 'relu6':
      return { min: Math.max(range.min, code(0)), max: Math.min(range.max, code(6)) };
    case 'relu_n1_to_1':
      return { min: Math.max(range.min, code(-1)), max: Math.min(range.max, code(1)) };
    default:
      return unreachable(activation);
  }
}
