import { activationRange } from './bindings.ts';
import { defineOp, float32 } from './define.ts';
import { expectSameShape } from './geometry.ts';
import type { PoolAttrs } from './pool.ts';
import { forEachWindow, inferPool, poolGraphDef, poolTflite } from './pool.ts';

/** The largest value of each window; padding never counts. */
export const maxPool2d = defineOp({
  name: 'max_pool_2d',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true, bytesOnly: true },
  infer: inferPool,
  float([input], attrs: PoolAttrs, [output]) {
    const [, , width, channels] = input!.shape as [number, number, number, number];
    forEachWindow(input!.shape, attrs, (at, base, rows, columns) => {
      let largest = -Infinity;
      for (let y = rows[0]; y < rows[1]; y++) {
        for (let x = columns[0]; x < columns[1]; x++) {
          largest = Math.max(largest, input!.data[base + (y * width + x) * channels]!);
        }
      }
      output!.data[at] = largest;
    });
  },
  vjp: ({ emit }, { inputs: [input], attrs }, gradient) => [emit(maxPool2dGrad, [input!, gradient], attrs)],
  int8({ inputs: [input], outputs: [output], attrs }) {
    const [, , width, channels] = input!.type.shape as [number, number, number, number];
    const { min, max } = activationRange(attrs.activation, output!);
    return ([x], [y]) => {
      forEachWindow(input!.type.shape, attrs, (at, base, rows, columns) => {
        let largest = min;
        for (let row = rows[0]; row < rows[1]; row++) {
          for (let column = columns[0]; column < columns[1]; column++) {
            largest = Math.max(largest, x![base + (row * width + column) * channels]!);
          }
        }
        y![at] = Math.min(largest, max);
      });
    };
  },
  tflite: poolTflite(17),
  graphdef: poolGraphDef('MaxPool'),
});

/** Inputs: pool input, output gradient. The first largest value of a window, in reading order, takes the gradient. */
export const maxPool2dGrad = defineOp({
  name: 'max_pool_2d_grad',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'gradient', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([input, gradient], attrs: PoolAttrs) {
    expectSameShape(gradient!.shape, inferPool([input!], attrs)[0]!.shape, 'the gradient');
    return [float32(input!.shape)];
  },
  float([input, gradient], attrs, [result]) {
    const [, , width, channels] = input!.shape as [number, number, number, number];
    result!.data.fill(0);
    forEachWindow(input!.shape, attrs, (at, base, rows, columns) => {
      let winner = -1;
      for (let y = rows[0]; y < rows[1]; y++) {
        for (let x = columns[0]; x < columns[1]; x++) {
          const candidate = base + (y * width + x) * channels;
          if (winner < 0 || input!.data[candidate]! > input!.data[winner]!) winner = candidate;
        }
      }
      result!.data[winner]! += gradient!.data[at]!;
    });
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
