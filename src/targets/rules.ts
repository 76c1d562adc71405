/** Rules that several targets have. */
import type { DType } from '../core/tensor.ts';
import type { Rule } from './define.ts';

/** Activations and weights are of these types; biases and indices have 32 bits or more and are not looked at. */
export function types(...allowed: readonly DType[]): Rule {
  return ({ inputs, outputs }) => {
    const dtypes = [...inputs, ...outputs].map(({ type }) => type.dtype);
    const found = dtypes.find((dtype) => dtype !== 'int32' && dtype !== 'int64' && !allowed.includes(dtype));
    if (found === undefined) return null;
    return {
      found: `computes with ${found}`,
      expected: allowed.join(' or '),
      ...(found === 'float32'
        ? { remedy: 'let the model take and return int8', setting: 'edges' }
        : { remedy: 'use `scheme: int8`', setting: 'scheme' }),
    };
  };
}

export const int8 = [types('int8')];
