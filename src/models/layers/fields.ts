/** Fields that several kinds of layer share. */
import type { ArrayOptions, SchemaOptions, Static, TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, key, pair as pairOf } from '../../core/schema.ts';

export const padding = (initial: 'same' | 'valid') =>
  choice(['same', 'valid'], {
    ...key('`same`: pad with zeros so that the output size is ceil(input size / stride); `valid`: no padding'),
    default: initial,
  });

/** A whole number for both directions, or [vertical, horizontal]. */
export const pair = (description: string, options: SchemaOptions = {}) =>
  pairOf([3, [3, 5]], { ...key(`${description}: one whole number, or [vertical, horizontal]`), ...options });

/** A read-only list. */
export const list = <S extends TSchema>(items: S, options: SchemaOptions & ArrayOptions) =>
  Type.Unsafe<readonly Static<S>[]>(Type.Array(items, options));

/** Axes of a layer's input; axis 0 is the batch, which no layer touches, as TensorFlow counts. */
export const axes = (description: string, options: ArrayOptions = {}) =>
  list(Type.Integer({ minimum: 1 }), {
    ...key(`${description}. Axis 0 is the batch, so the first axis of an image is 1`),
    ...options,
  });

export const filters = Type.Integer({ ...key('Number of output channels'), minimum: 1 });
