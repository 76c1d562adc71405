import { sameShape } from '../core/tensor.ts';
import type { AddAttrs } from './add.ts';
import { commonScale, elementwiseGraphDef, sumTflite } from './add.ts';
import { int8Version } from './bindings.ts';
import { broadcastShapes, forEachBroadcast, reduceToShape } from './broadcast.ts';
import { defineOp } from './define.ts';
import { broadcastGrad } from './mean.ts';

/** Elementwise a - b with numpy broadcasting. */
export const sub = defineOp<'sub', AddAttrs>({
  name: 'sub',
  operands: [
    { name: 'a', role: 'activation' },
    { name: 'b', role: 'activation' },
  ],
  quant: { kind: 'independent' },
  infer: ([a, b], _attrs: AddAttrs) => [{ dtype: a!.dtype, shape: broadcastShapes(a!.shape, b!.shape) }],
  float([a, b], _attrs, [output]) {
    forEachBroadcast(a!.shape, b!.shape, (aAt, bAt, at) => {
      output!.data[at] = a!.data[aAt]! - b!.data[bAt]!;
    });
  },
  vjp(emitter, { inputs: [a, b] }, gradient) {
    const { shape } = gradient.type;
    const negative = emitter.emit(broadcastGrad, [gradient], { axes: [], inputShape: shape, factor: -1 });
    return [reduceToShape(emitter, gradient, a!.type.shape), reduceToShape(emitter, negative, b!.type.shape)];
  },
  int8: commonScale((a, b) => a - b),
  tflite: sumTflite(41, 28, (node) => {
    const [a, b] = node.inputs.map(({ type }) => type.shape);
    const broadcasts = !sameShape(a!, b!) && Math.max(a!.length, b!.length) > 4;
    return broadcasts ? { version: 3, minimumRuntime: '2.3.0' } : int8Version(2, '1.14.0', '1.6.0')(node);
  }),
  graphdef: elementwiseGraphDef('Sub'),
});
