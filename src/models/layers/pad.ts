import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { addNode, defineLayer } from './define.ts';

const paddedSide = (side: string) =>
  Type.Integer({ ...key(`Rows or columns of zeros to add ${side}`), minimum: 0, default: 0 });

export const pad = defineLayer('pad', {
  fields: {
    top: paddedSide('at the top'),
    bottom: paddedSide('at the bottom'),
    left: paddedSide('on the left'),
    right: paddedSide('on the right'),
  },
  build: ({ builder }, layer, input) =>
    addNode(builder, 'pad', `${layer.name}/pad`, [input], {
      paddings: [
        [0, 0],
        [layer.top, layer.bottom],
        [layer.left, layer.right],
        [0, 0],
      ],
    }),
});
