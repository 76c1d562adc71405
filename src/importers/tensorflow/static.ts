/** Values that are known while a graph is read: weights, shapes, and what is computed of them. */
import type { Tensor } from '../../core/tensor.ts';
import { floatTensor, tensor } from '../../core/tensor.ts';
import type { AttributeValue } from '../../formats/protobuf/attribute-value.ts';
import type { Elements } from '../elements.ts';
import { refuse } from '../refusal.ts';

export interface Static extends Elements {
  readonly kind: 'static';
  /** Of the constant or variable; of others, the node's. */
  readonly name: string;
  /** What it is to a batch norm that is spelled out. */
  readonly part: NormPart | null;
}

/**
 * y = x * scale + (beta - mean * scale), scale = rsqrt(variance + epsilon) * gamma.
 *
 * @see tensorflow/python/ops/nn_impl.py, batch_normalization
 */
export type NormPart =
  | { readonly kind: 'biased_variance'; readonly variance: Static; readonly epsilon: number }
  | { readonly kind: 'root'; readonly variance: Static; readonly epsilon: number }
  /** gamma or the mean, times the root or the scale. */
  | { readonly kind: 'product'; readonly scale: Static; readonly other: Static }
  | { readonly kind: 'negated'; readonly of: Static }
  | { readonly kind: 'offset'; readonly beta: Static; readonly mean: Static; readonly scale: Static };

export function staticOf(value: Tensor, name: string, type?: Static['type']): Static {
  const { shape, data, dtype } = value;
  if (data instanceof Float32Array) return { kind: 'static', type: 'float', shape, data, name, part: null };
  const isBoolean = type === 'boolean' && dtype === 'uint8';
  const numbers = Float64Array.from(data as ArrayLike<number | bigint>, Number); // a union of arrays
  return { kind: 'static', type: isBoolean ? 'boolean' : 'integer', shape, data: numbers, name, part: null };
}

/** The value of a Const node. */
export function constantOf(attribute: AttributeValue | undefined, name: string): Static {
  if (attribute?.kind !== 'tensor') return refuse('it has no value');
  const { value } = attribute;
  if (value.kind !== 'numeric') return refuse(`its value is ${value.type}; expected float32 or whole numbers`);
  return staticOf(value.tensor, name, value.type === 'bool' ? 'boolean' : undefined);
}

export function integers(values: readonly number[], name: string): Static {
  return { ...scalar(0, name), shape: [values.length], data: Float64Array.from(values) };
}

export function scalar(value: number, name: string, type: Static['type'] = 'integer'): Static {
  const data = type === 'float' ? Float32Array.of(value) : Float64Array.of(value);
  return { kind: 'static', type, shape: [], data, name, part: null };
}

/** Whole numbers as the readers of the op table expect them. */
export const asIntegers = ({ shape, data }: Static): Tensor<'int32'> => tensor('int32', shape, Int32Array.from(data));

export const asFloats = ({ shape, data }: Static): Tensor<'float32'> => floatTensor(shape, data);
