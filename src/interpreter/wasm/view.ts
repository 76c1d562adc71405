import { internal, unreachable } from '../../core/assert.ts';
import type { DType } from '../../core/tensor.ts';
import { elementBytes } from '../../core/tensor.ts';
import type { IntegerData } from '../../ops/define.ts';
import type { View } from './plan.ts';

/** The values at a place of the shared memory, without a copy. */
export function viewOf({ buffer }: WebAssembly.Memory, view: View): IntegerData {
  return arrayOver(buffer, view);
}

/** Zeros in memory of their own. */
export function newData(dtype: DType, length: number): IntegerData {
  return arrayOver(new ArrayBuffer(length * elementBytes[dtype]), { dtype, address: 0, length });
}

function arrayOver(buffer: ArrayBufferLike, { dtype, address, length }: View): IntegerData {
  switch (dtype) {
    case 'int8':
      return new Int8Array(buffer, address, length);
    case 'uint8':
      return new Uint8Array(buffer, address, length);
    case 'int32':
      return new Int32Array(buffer, address, length);
    case 'float32':
      return new Float32Array(buffer, address, length);
    case 'int64':
      return internal('int64 tensors have no kernels');
    default:
      return unreachable(dtype);
  }
}
