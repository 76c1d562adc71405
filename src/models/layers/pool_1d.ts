import { derived } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';
import { padding } from './fields.ts';
import { along, paddedSeries, steps } from './series.ts';

const poolOf = <const K extends 'max_pool_1d' | 'average_pool_1d'>(
  kind: K,
  op: 'max_pool_2d' | 'average_pool_2d',
  description: string,
) =>
  defineLayer(kind, {
    fields: {
      window: steps('Window size'),
      stride: derived(steps('Stride'), 'same as `window`'),
      padding: padding('valid'),
    },
    description,
    filledIn: ({ window }) => ({ stride: window }),
    build({ builder }, { name, window, stride, padding: chosen }, input) {
      const layer = { kind, name, padding: chosen };
      const series = paddedSeries(builder, layer, input, window);
      return addNode(builder, op, `${name}/${op}`, [series.image], {
        window: along(series, window),
        strides: along(series, stride),
        padding: series.padding,
        activation: 'none',
      });
    },
  });

export const maxPool1d = poolOf('max_pool_1d', 'max_pool_2d', 'Maximum over windows of a series (see conv_1d)');
export const averagePool1d = poolOf(
  'average_pool_1d',
  'average_pool_2d',
  'Average over windows of a series (see conv_1d)',
);
