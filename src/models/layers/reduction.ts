import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';

const reductionOf = <const K extends 'mean' | 'sum'>(kind: K, description: string) =>
  defineLayer(kind, {
    fields: {
      keep_dims: Type.Optional(
        Type.Boolean(key('Whether to keep height and width as dimensions of size 1; default: false')),
      ),
    },
    description,
    build: ({ builder }, { name, keep_dims: keepDims = false }, input) =>
      addNode(builder, kind, `${name}/${kind}`, [input], { axes: [1, 2], keepDims }),
  });

export const mean = reductionOf('mean', 'Average over height and width');
export const sum = reductionOf('sum', 'Sum over height and width');
