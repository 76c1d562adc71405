import type { Shape } from '../core/tensor.ts';
import { activationRange } from './bindings.ts';
import { defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';
import type { PoolAttrs } from './pool.ts';
import { forEachWindow, inferPool, poolGraphDef, poolTflite } from './pool.ts';

/** The mean of each window over the pixels that lie inside the image. */
export const averagePool2d = defineOp({
  name: 'average_pool_2d',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: false },
  infer: inferPool,
  float([input], attrs: PoolAttrs, [output]) {
    const [, , width, channels] = input!.shape as [number, number, number, number];
    forEachWindow(input!.shape, attrs, (at, base, rows, columns) => {
      let total = 0;
      for (let y = rows[0]; y < rows[1]; y++) {
        for (let x = columns[0]; x < columns[1]; x++) total += input!.data[base + (y * width + x) * channels]!;
      }
      output!.data[at] = total / ((rows[1] - rows[0]) * (columns[1] - columns[0]));
    });
  },
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [
    emit(averagePool2dGrad, [gradient], { ...attrs, inputShape: input!.type.shape }),
  ],
  int8({ inputs: [input], outputs: [output], attrs }) {
    const [, , width, channels] = input!.type.shape as [number, number, number, number];
    const { min, max } = activationRange(attrs.activation, output!);
    return ([x], [y]) => {
      forEachWindow(input!.type.shape, attrs, (at, base, rows, columns) => {
        let total = 0;
        for (let row = rows[0]; row < rows[1]; row++) {
          for (let column = columns[0]; column < columns[1]; column++) {
            total += x![base + (row * width + column) * channels]!;
          }
        }
        const count = (rows[1] - rows[0]) * (columns[1] - columns[0]);
        const half = Math.floor(count / 2);
        // Half away from zero on the stored integers; the zero point plays no part. For uint8 the sum is never
        // negative, so this is its formula too.
        const mean = Math.trunc((total > 0 ? total + half : total - half) / count);
        y![at] = mean < min ? min : mean > max ? max : mean;
      });
    };
  },
  tflite: poolTflite(1),
  graphdef: poolGraphDef('AvgPool'),
});

/** Input: output gradient. Every pixel of a window receives an equal part. */
export const averagePool2dGrad = defineOp({
  name: 'average_pool_2d_grad',
  operands: [{ name: 'gradient', role: 'activation' }],
  quant: { kind: 'float_only' },
  infer([gradient], attrs: PoolAttrs & { readonly inputShape: Shape }) {
    expectSameShape(gradient!.shape, inferPool([float32(attrs.inputShape)], attrs)[0]!.shape, 'the gradient');
    return [float32(attrs.inputShape)];
  },
  float([gradient], attrs, [result]) {
    const [, , width, channels] = attrs.inputShape as [number, number, number, number];
    result!.data.fill(0);
    forEachWindow(attrs.inputShape, attrs, (at, base, rows, columns) => {
      const share = gradient!.data[at]! / ((rows[1] - rows[0]) * (columns[1] - columns[0]));
      for (let y = rows[0]; y < rows[1]; y++) {
        for (let x = columns[0]; x < columns[1]; x++) result!.data[base + (y * width + x) * channels]! += share;
      }
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
