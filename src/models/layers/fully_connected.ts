import { Type } from '@sinclair/typebox';
import { key } from '../../core/schema.ts';
import { affineFields, affineOperands, finishAffine } from './affine.ts';
import { addNode, defineLayer } from './define.ts';
import { addRows } from './flatten.ts';

export const fullyConnected = defineLayer('fully_connected', {
  fields: { units: Type.Integer({ ...key('Number of output units'), minimum: 1 }), ...affineFields },
  build(context, layer, input) {
    const flat = addRows(context, layer.name, input);
    const operands = affineOperands(context, layer, [layer.units, flat.type.shape[1]!], 0, flat);
    const output = addNode(context.builder, 'fully_connected', `${layer.name}/fully_connected`, operands, {
      activation: 'none',
      keepNumDims: false,
    });
    return finishAffine(context, layer, output);
  },
});
