import { internal } from './assert.ts';

/** Element types that our graphs and files hold. */
export type DType = 'float32' | 'int32' | 'int64' | 'int8' | 'uint8';

export interface DataOf {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
  int8: Int8Array;
  uint8: Uint8Array;
}

export type Shape = readonly number[];

/** A row-major array with its shape. Only its creator writes to the data. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: DataOf[D];
}

export type FloatTensor = Tensor<'float32'>;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export const elementBytes: { readonly [D in DType]: number } = { float32: 4, int32: 4, int64: 8, int8: 1, uint8: 1 };

/** Product of the dimensions; 1 for a scalar. */
export function numElements(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

const allocators: { readonly [D in DType]: (length: number) => DataOf[D] } = {
  float32: (length) => new Float32Array(length),
  int32: (length) => new Int32Array(length),
  int64: (length) => new BigInt64Array(length),
  int8: (length) => new Int8Array(length),
  uint8: (length) => new Uint8Array(length),
};

/** A tensor of zeros. */
export function zeros<D extends DType>(dtype: D, shape: Shape): Tensor<D> {
  return { dtype, shape, data: allocators[dtype](numElements(shape)) };
}

/** A tensor around existing data; the element count must match the shape. */
export function tensor<D extends DType>(dtype: D, shape: Shape, data: DataOf[D]): Tensor<D> {
  if (data.length !== numElements(shape)) {
    internal(`tensor of shape [${shape.join(',')}] needs ${numElements(shape)} elements, got ${data.length}`);
  }
  return { dtype, shape, data };
}

export function floatTensor(shape: Shape, values: ArrayLike<number>): FloatTensor {
  return tensor('float32', shape, Float32Array.from(values));
}

/** Narrows a tensor to a dtype; any other dtype is a bug of ours. */
export function expectDType<D extends DType>(value: Tensor, dtype: D): Tensor<D> {
  if (!hasDType(value, dtype)) return internal(`expected a ${dtype} tensor, got ${value.dtype}`);
  return value;
}

export function hasDType<D extends DType>(value: Tensor, dtype: D): value is Tensor<D> {
  return value.dtype === dtype;
}

/** Reinterprets little-endian bytes as a typed array, copying so that alignment never matters. */
export function dataFromBytes<D extends DType>(dtype: D, bytes: Uint8Array): DataOf[D] {
  const width = elementBytes[dtype];
  if (bytes.length % width !== 0) internal(`${bytes.length} bytes are not whole ${dtype} elements`);
  const data = allocators[dtype](bytes.length / width);
  new Uint8Array(data.buffer).set(bytes);
  return data;
}

/** The little-endian bytes of a typed array, without a copy. */
export function bytesOf(data: DataOf[DType]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, index) => dimension === b[index]);
}

/** Permutes the axes: `result[i0, i1, …]` is `source` at the axes given by `permutation`, as in TRANSPOSE. */
export function transposeTensor<D extends DType>(source: Tensor<D>, permutation: readonly number[]): Tensor<D> {
  const shape = permutation.map((axis) => source.shape[axis]!);
  const sourceStrides = strides(source.shape);
  const steps = permutation.map((axis) => sourceStrides[axis]!);
  const result = zeros(source.dtype, shape);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.data.length; to++) {
    result.data[to] = source.data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      from += steps[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** Row-major strides in elements. */
export function strides(shape: Shape): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) result[axis] = result[axis + 1]! * shape[axis + 1]!;
  return result;
}
