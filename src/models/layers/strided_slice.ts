import { Type } from '@sinclair/typebox';
import { derived, key } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';
import { list } from './fields.ts';

const indices = (description: string) => list(Type.Integer(), { ...key(description), minItems: 1 });

export const stridedSlice = defineLayer('strided_slice', {
  fields: {
    begin: indices(
      'First index in each axis after the batch. Axes that are not listed stay whole; negative indices count from the end',
    ),
    end: indices('End index in each axis, exclusive; larger values mean the end of the axis'),
    strides: derived(indices('Step in each axis'), '1 in each axis'),
  },
  filledIn: ({ begin }) => ({ strides: begin.map(() => 1) }),
  build: ({ builder }, layer, input) =>
    addNode(builder, 'strided_slice', `${layer.name}/strided_slice`, [input], {
      begin: [0, ...layer.begin],
      end: [0, ...layer.end],
      strides: [1, ...layer.strides],
      beginMask: 1,
      endMask: 1,
      shrinkAxisMask: 0,
    }),
});
