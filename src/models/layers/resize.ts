import { Type } from '@sinclair/typebox';
import { addNode, defineLayer, spatialSize } from './define.ts';
import { pair } from './fields.ts';

const resizeOf = <const K extends 'resize_bilinear' | 'resize_nearest_neighbor'>(kind: K) =>
  defineLayer(kind, {
    // Exactly one of them is there.
    fields: {
      size: Type.Optional(pair('Output size (alternative to `factor`)')),
      factor: Type.Optional(pair('Enlargement factor (alternative to `size`)')),
    },
    build({ builder }, layer, input) {
      const [height, width] = spatialSize(layer, input);
      const { size, factor = [1, 1] } = layer;
      return addNode(builder, kind, `${layer.name}/${kind}`, [input], {
        size: size ?? [height * factor[0], width * factor[1]],
        alignCorners: false,
        halfPixelCenters: true,
      });
    },
  });

export const resizeBilinear = resizeOf('resize_bilinear');
export const resizeNearestNeighbor = resizeOf('resize_nearest_neighbor');
