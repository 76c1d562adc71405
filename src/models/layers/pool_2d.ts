import { derived } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';
import { padding, pair } from './fields.ts';

const poolOf = <const K extends 'max_pool_2d' | 'average_pool_2d'>(kind: K) =>
  defineLayer(kind, {
    fields: {
      window: pair('Window size'),
      stride: derived(pair('Stride'), 'same as `window`'),
      padding: padding('valid'),
    },
    filledIn: ({ window }) => ({ stride: window }),
    build: ({ builder }, layer, input) =>
      addNode(builder, kind, `${layer.name}/${kind}`, [input], {
        window: layer.window,
        strides: layer.stride,
        padding: { kind: layer.padding },
        activation: 'none',
      }),
  });

export const maxPool2d = poolOf('max_pool_2d');
export const averagePool2d = poolOf('average_pool_2d');
