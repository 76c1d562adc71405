import type { OpDef } from './define.ts';
import { defineOp } from './define.ts';
import { int8Version } from './bindings.ts';
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

/** @see LiteRT tflite/kernels/internal/reference/resize_bilinear.h, ComputeInterpolationValues */
export function bilinearTaps(input: number, output: number, attrs: ResizeAttrs): readonly Tap[] {
  const scale = resizeScale(input, output, attrs);
  return Array.from({ length: output }, (_, index) => {
    const place = attrs.halfPixelCenters ? f32(f32((index + 0.5) * scale) - 0.5) : f32(index * scale);
    const low = Math.max(Math.floor(place), 0);
    return { low, high: Math.min(Math.ceil(place), input - 1), fraction: f32(place - low) };
  });
}

/** The same in 1/1024 pixels: `fraction` is 0 .. 1024. */
function integerTaps(input: number, output: number, attrs: ResizeAttrs): readonly Tap[] {
  const aligned = attrs.alignCorners && output > 1 ? 1 : 0;
  const scale = Math.trunc((1024 * (input - aligned) + Math.trunc((output - aligned) / 2)) / (output - aligned));
  return Array.from({ length: output }, (_, index) => {
    const place = index * scale + (attrs.halfPixelCenters ? Math.trunc(scale / 2) - 512 : 0);
    const low = Math.max(Math.trunc(place / 1024), 0);
    return { low, high: Math.min(Math.trunc((place + 1023) / 1024), input - 1), fraction: place - 1024 * low };
  });
}

/** The four nearest input pixels, weighted by how near they are. */
export const resizeBilinear: OpDef<'resize_bilinear', ResizeAttrs> = defineOp({
  name: 'resize_bilinear',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: false },
  infer: inferResize,
  float: resizeFloat(bilinearTaps),
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(resizeBilinearGrad, [gradient], { ...attrs, inputShape: input!.type.shape }),
  ],
  // LiteRT tflite/kernels/internal/reference/resize_bilinear.h: int8 in integers, uint8 in float32.
  int8({ inputs: [input], attrs }) {
    const { dtype, shape } = input!.type;
    if (dtype === 'uint8') {
      return ([x], [y]) =>
        forEachPixel(shape, attrs, bilinearTaps, (at, [a, b, c, d], { fraction: fy }, { fraction: fx }) => {
          const [restY, restX] = [f32(1 - fy), f32(1 - fx)];
          let total = f32(f32(x![a]! * restY) * restX);
          total = f32(total + f32(f32(x![c]! * fy) * restX));
          total = f32(total + f32(f32(x![b]! * restY) * fx));
          total = f32(total + f32(f32(x![d]! * fy) * fx));
          y![at] = Math.trunc(f32(total + 0.5));
        });
    }
    return ([x], [y]) =>
      forEachPixel(shape, attrs, integerTaps, (at, [a, b, c, d], { fraction: fy }, { fraction: fx }) => {
        const top = x![a]! * (1024 - fx) + x![b]! * fx;
        const bottom = x![c]! * (1024 - fx) + x![d]! * fx;
        const total = top * (1024 - fy) + bottom * fy;
        y![at] = Math.trunc((total + (total > 0 ? 524288 : -524288)) / 1048576);
      });
  },
  tflite: resizeTflite({
    builtinCode: 23,
    optionsType: 15,
    ids: [2, 3],
    version(node) {
      if (!node.attrs.halfPixelCenters) return int8Version(2, '1.14.0', '1.7.0')(node);
      // The int8 kernels of 2.3 and 2.4 take the centers for corners.
      return { version: 3, minimumRuntime: node.inputs[0]!.type.dtype === 'int8' ? '2.5.0' : '2.2.0' };
    },
  }),
  graphdef: resizeGraphDef('ResizeBilinear'),
});

export const resizeBilinearGrad = resizeGradient('resize_bilinear_grad', bilinearTaps);
