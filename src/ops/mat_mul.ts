import { ShapeError, defineOp, float32 } from './define.ts';
import { expectRank } from './geometry.ts';

export interface MatMulAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** op(a) * op(b) of two matrices; only gradients of fully_connected use it. */
export const matMul = defineOp({
  name: 'mat_mul',
  operands: [
    { name: 'a', role: 'activation' },
    { name: 'b', role: 'activation' },
  ],
  quant: { kind: 'float_only' },
  infer([a, b], attrs: MatMulAttrs) {
    expectRank(a!.shape, 2, 'a');
    expectRank(b!.shape, 2, 'b');
    const [rows, innerA] = attrs.transposeA ? [a!.shape[1]!, a!.shape[0]!] : [a!.shape[0]!, a!.shape[1]!];
    const [innerB, columns] = attrs.transposeB ? [b!.shape[1]!, b!.shape[0]!] : [b!.shape[0]!, b!.shape[1]!];
    if (innerA !== innerB) {
      throw new ShapeError(`a is [${a!.shape.join(',')}] and b is [${b!.shape.join(',')}]; inner sizes differ`);
    }
    return [float32([rows, columns])];
  },
  float([a, b], attrs, [output]) {
    const [rows, columns] = output!.shape as [number, number];
    const inner = attrs.transposeA ? a!.shape[0]! : a!.shape[1]!;
    const [aRow, aInner] = attrs.transposeA ? [1, rows] : [inner, 1];
    const [bInner, bColumn] = attrs.transposeB ? [1, inner] : [columns, 1];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let accumulator = 0;
        for (let index = 0; index < inner; index++) {
          accumulator += a!.data[row * aRow + index * aInner]! * b!.data[index * bInner + column * bColumn]!;
        }
        output!.data[row * columns + column] = accumulator;
      }
    }
  },
  vjp: null,
  int8: null,
  tflite: null,
  graphdef: null,
});
