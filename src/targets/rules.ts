/** Rules that several targets have. */
import type { DType, Shape } from '../core/tensor.ts';
import type { Attrs } from '../ops/index.ts';
import type { FileOp, Refusal, Rule } from './define.ts';

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

/** The shape of the first input; of every op it is what the op computes with. */
export const inputShape = ({ inputs: [input] }: Parameters<Rule>[0]): Shape => input?.type.shape ?? [];

export const outputShape = ({ outputs: [output] }: Parameters<Rule>[0]): Shape => output?.type.shape ?? [];

/** The last four axes, with ones in front of fewer: batch, height, width, channels. */
export function asImage(shape: Shape): readonly [number, number, number, number] {
  const [channels = 1, width = 1, height = 1, ...batch] = shape.toReversed();
  return [batch.reduce((product, size) => product * size, 1), height, width, channels];
}

/** Ops whose attributes have these fields. */
export type OpWith<Field extends string> = {
  [K in FileOp]: Attrs[K] extends { readonly [F in Field]: unknown } ? K : never;
}[FileOp];

export const sizes = (shape: Shape): string => `[${shape.join(', ')}]`;

/** A refusal of shapes or attributes, with what the layer should be like. */
export const refusal = (found: string, expected: string, remedy: string): Refusal => ({ found, expected, remedy });
