import { roundHalfAway } from '../core/affine.ts';
import { int8Version } from './bindings.ts';
import type { OpDef } from './define.ts';
import { defineOp } from './define.ts';
import type { ResizeAttrs, Tap } from './resize.ts';
import {
  forEachPixel,
  inferResize,
  resizeFloat,
  resizeGradient,
  resizeGraphDef,
  resizeScale,
  resizeTflite,
} from './resize.ts';

const f32 = Math.fround;

/** @see LiteRT tflite/kernels/internal/reference/resize_nearest_neighbor.h, GetNearestNeighbor */
export function nearestTaps(input: number, output: number, attrs: ResizeAttrs): readonly Tap[] {
  const scale = resizeScale(input, output, attrs);
  return Array.from({ length: output }, (_, index) => {
    const place = f32((index + (attrs.halfPixelCenters ? 0.5 : 0)) * scale);
    const nearest = Math.max(0, Math.min(attrs.alignCorners ? roundHalfAway(place) : Math.floor(place), input - 1));
    return { low: nearest, high: nearest, fraction: 0 };
  });
}

/** The nearest input pixel. */
export const resizeNearestNeighbor: OpDef<'resize_nearest_neighbor', ResizeAttrs> = defineOp({
  name: 'resize_nearest_neighbor',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true, bytesOnly: true },
  infer: inferResize,
  float: resizeFloat(nearestTaps),
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(resizeNearestNeighborGrad, [gradient], { ...attrs, inputShape: input!.type.shape }),
  ],
  int8({ inputs: [input], attrs }) {
    return ([x], [y]) =>
      forEachPixel(input!.type.shape, attrs, nearestTaps, (at, [nearest]) => {
        y![at] = x![nearest]!;
      });
  },
  tflite: resizeTflite({
    builtinCode: 97,
    optionsType: 74,
    ids: [0, 1],
    version: (node) =>
      node.attrs.alignCorners || node.attrs.halfPixelCenters
        ? { version: 3, minimumRuntime: '2.3.0' }
        : int8Version(2, '1.14.0', '1.13.1')(node),
  }),
  graphdef: resizeGraphDef('ResizeNearestNeighbor'),
});

export const resizeNearestNeighborGrad = resizeGradient('resize_nearest_neighbor_grad', nearestTaps);
