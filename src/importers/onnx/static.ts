/** Values that are known while a file is read: weights, shapes, and what is computed of them. */
import type { Shape } from '../../core/tensor.ts';
import { numElements, strides } from '../../core/tensor.ts';
import { fromFloat16 } from '../../formats/float16.ts';
import type { OnnxContent, OnnxTensor } from '../../formats/protobuf/onnx.ts';
import type { ElementKind, Elements } from '../elements.ts';
import { walk } from '../elements.ts';
import { refuse } from '../refusal.ts';

export interface Static extends Elements {
  readonly kind: 'static';
  /** Of the initializer or node that it comes from. */
  readonly name: string;
}

/** What an element of a file's tensor is and how it is stored. Numbers are those of TensorProto.DataType. */
interface ElementType {
  readonly name: string;
  readonly kind: ElementKind;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  /** Of a single value in its own field, where that is not the number itself. */
  readonly fromBits?: (bits: number) => number;
}

const elementTypes: { readonly [dataType: number]: ElementType } = {
  1: { name: 'float32', kind: 'float', bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  2: { name: 'uint8', kind: 'integer', bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { name: 'int8', kind: 'integer', bytes: 1, read: (view, at) => view.getInt8(at) },
  4: { name: 'uint16', kind: 'integer', bytes: 2, read: (view, at) => view.getUint16(at, true) },
  5: { name: 'int16', kind: 'integer', bytes: 2, read: (view, at) => view.getInt16(at, true) },
  6: { name: 'int32', kind: 'integer', bytes: 4, read: (view, at) => view.getInt32(at, true) },
  7: { name: 'int64', kind: 'integer', bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  9: { name: 'bool', kind: 'boolean', bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  10: {
    ...{ name: 'float16', kind: 'float', bytes: 2 },
    read: (view, at) => fromFloat16(view.getUint16(at, true)),
    fromBits: fromFloat16,
  },
  11: { name: 'float64', kind: 'float', bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  12: { name: 'uint32', kind: 'integer', bytes: 4, read: (view, at) => view.getUint32(at, true) },
  13: { name: 'uint64', kind: 'integer', bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
  16: {
    ...{ name: 'bfloat16', kind: 'float', bytes: 2 },
    read: (view, at) => bfloat16(view.getUint16(at, true)),
    fromBits: bfloat16,
  },
};

/** The name of a type for messages, and what its elements are; null for types that no op of ours has. */
export function elementType(dataType: number): Pick<ElementType, 'name' | 'kind'> | null {
  return elementTypes[dataType] ?? null;
}

/**
 * @param external reads bytes of another file
 * @throws Refusal for a type that we do not compute with, and for contents that do not fit the shape
 */
export function readStatic(
  tensor: OnnxTensor,
  external: (content: Extract<OnnxContent, { kind: 'external' }>) => Uint8Array,
): Static {
  const { name, shape, dataType, content } = tensor;
  const type = elementTypes[dataType];
  if (type === undefined) return refuse(`the tensor "${name}" is of data type ${dataType}; expected numbers`);
  const count = numElements(shape);
  const bytes = content.kind === 'values' ? null : content.kind === 'raw' ? content.bytes : external(content);
  const found = bytes === null ? valuesIn(content).length : bytes.length / type.bytes;
  if (found !== count) {
    return refuse(`the tensor "${name}" is [${shape.join(',')}] and has ${found} values; expected ${count}`);
  }
  const data = type.kind === 'float' ? new Float32Array(count) : new Float64Array(count);
  if (bytes === null) {
    const values = valuesIn(content);
    const convert = type.fromBits ?? ((value: number) => value);
    for (let index = 0; index < count; index++) data[index] = convert(values[index] ?? 0);
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < count; index++) data[index] = type.read(view, index * type.bytes);
  }
  return { kind: 'static', type: type.kind, shape, data, name };
}

const valuesIn = (content: OnnxContent): ArrayLike<number> => (content.kind === 'values' ? content.values : []);

const words = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function bfloat16(bits: number): number {
  words.setUint32(0, bits << 16);
  return words.getFloat32(0);
}

export function integers(shape: Shape, values: ArrayLike<number>, name: string): Static {
  return { kind: 'static', type: 'integer', shape, data: Float64Array.from(values), name };
}

export function floats(shape: Shape, values: ArrayLike<number>, name: string): Static {
  return { kind: 'static', type: 'float', shape, data: Float32Array.from(values), name };
}

/** The same values in another shape. */
export function inShape(value: Static, shape: Shape): Static {
  return { ...value, shape };
}

/** An array of the same kind of element. */
export function emptyLike({ data }: Static, length: number): Float32Array | Float64Array {
  return data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
}

/** Element i of the result is the element at `at(i)`. */
export function picked(value: Static, shape: Shape, at: (index: number) => number): Static {
  const data = emptyLike(value, numElements(shape));
  for (let index = 0; index < data.length; index++) data[index] = value.data[at(index)] ?? 0;
  return { ...value, shape, data };
}

/** Axis i of the result is axis `permutation[i]` of the value. */
export function permutedStatic(value: Static, permutation: readonly number[]): Static {
  const own = strides(value.shape);
  const shape = permutation.map((axis) => value.shape[axis] ?? 1);
  return picked(
    value,
    shape,
    walk(
      shape,
      permutation.map((axis) => own[axis] ?? 0),
    ),
  );
}

/** The value stretched along axes of size 1; the caller checked that it fits. */
export function broadcastStatic(value: Static, shape: Shape): Static {
  const own = strides(value.shape);
  const offset = shape.length - value.shape.length;
  const steps = shape.map((_, axis) => ((value.shape[axis - offset] ?? 1) === 1 ? 0 : (own[axis - offset] ?? 0)));
  return picked(value, shape, walk(shape, steps));
}
