import { clamp, perTensor, roundHalfAway } from '../core/affine.ts';
import { sameShape } from '../core/tensor.ts';
import type { Shape, TensorType } from '../core/tensor.ts';
import {
  T_FLOAT,
  activationField,
  decodeActivation,
  int8Version,
  numberOption,
  storedRange,
  wholeAxis,
  wholeNumbers,
} from './bindings.ts';
import type { IntegerData, IntegerOperand } from './define.ts';
import { ShapeError, UnsupportedError, defineOp } from './define.ts';
import { tensor } from '../core/tensor.ts';
import type { StridedCopy } from './strided.ts';
import { axisWalk, copyStrided, wholeWalk } from './strided.ts';
import { stridedSlice, wholeAxes } from './strided_slice.ts';

export interface ConcatenationAttrs {
  readonly axis: number;
}

const f32 = Math.fround;

/** Joins the inputs along one axis. */
export const concatenation = defineOp<'concatenation', ConcatenationAttrs>({
  name: 'concatenation',
  operands: [{ name: 'inputs', role: 'activation' }],
  variadic: true,
  quant: { kind: 'same_scale', exact: true },
  infer: (inputs, attrs) => [{ dtype: inputs[0]!.dtype, shape: joinedShape(inputs, attrs) }],
  float(inputs, attrs, [output]) {
    for (const [index, copy] of concatenationCopies(inputs, attrs).entries()) {
      copyStrided(copy, inputs[index]!.data, output!.data);
    }
  },
  vjp({ emit }, { inputs, attrs: { axis } }, gradient) {
    let start = 0;
    return inputs.map(({ type: { shape } }) => {
      const whole = wholeAxes(shape.length);
      const begin = whole.begin.with(axis, start);
      start += shape[axis]!;
      return emit(stridedSlice, [gradient], { ...whole, begin, end: shape.with(axis, start) });
    });
  },
  // LiteRT tflite/kernels/internal/reference/concatenation.h: int8 codes only move, uint8 codes may be rescaled.
  int8({ inputs, outputs: [output], attrs }) {
    const copies = concatenationCopies(
      inputs.map(({ type }) => type),
      attrs,
    );
    const rescaled = inputs.map((input) => rescaler(input, output!));
    return (operands, [y]) => {
      for (const [index, copy] of copies.entries()) copyStrided(copy, rescaled[index]!(operands[index]!), y!);
    };
  },
  tflite: {
    builtinCode: 2,
    optionsType: 10,
    fields: [{ id: 0, name: 'axis', type: 'int32', default: 0 }, activationField(1)],
    version: int8Version(2, '1.14.0'),
    parameterPositions: [],
    encode: ({ attrs }) => ({ options: { axis: attrs.axis, fused_activation_function: 0 }, parameters: [] }),
    decode({ options, inputs }) {
      const activation = decodeActivation(options);
      if (activation !== 'none') throw new UnsupportedError(`fused activation is ${activation}; integers expect none`);
      return { axis: wholeAxis(numberOption(options, 'axis'), inputs[0]!.shape.length) };
    },
  },
  graphdef: {
    write(writer, { name, inputs, attrs: { axis } }) {
      const position = writer.constant(`${name}/axis`, tensor('int32', [], Int32Array.of(axis)));
      return [
        writer.node('ConcatV2', name, [...inputs, position], {
          ...T_FLOAT,
          Tidx: { kind: 'type', value: 'int32' },
          N: { kind: 'int', value: inputs.length },
        }),
      ];
    },
    reads: {
      ConcatV2: (_node, { inputs, constant, shapeOf }) => ({
        inputs: inputs.slice(0, -1),
        attrs: { axis: wholeAxis(wholeNumbers(constant(inputs.at(-1)!), 'the axis')[0]!, shapeOf(inputs[0]!).length) },
      }),
    },
  },
});

/** Where each input goes in the output. */
export function concatenationCopies(
  inputs: readonly { readonly shape: Shape }[],
  attrs: ConcatenationAttrs,
): readonly StridedCopy[] {
  const output = joinedShape(inputs, attrs);
  let start = 0;
  return inputs.map(({ shape }) => {
    const to = axisWalk(output, attrs.axis, start);
    start += shape[attrs.axis]!;
    return { sizes: shape, from: wholeWalk(shape), to };
  });
}

function joinedShape(inputs: readonly { readonly shape: Shape }[], { axis }: ConcatenationAttrs): Shape {
  const first = inputs[0]!.shape;
  wholeAxis(axis, first.length);
  const misfit = inputs.find(({ shape }) => axis >= shape.length || !sameShape(shape.with(axis, first[axis]!), first));
  if (misfit !== undefined) {
    throw new ShapeError(`[${misfit.shape.join(',')}] does not continue [${first.join(',')}] along axis ${axis}`);
  }
  return first.with(
    axis,
    inputs.reduce((total, { shape }) => total + shape[axis]!, 0),
  );
}

function rescaler(input: IntegerOperand, output: IntegerOperand): (codes: IntegerData) => IntegerData {
  if (input.quant === null && output.quant === null) return (codes) => codes;
  if (input.quant === null || output.quant === null) {
    throw new ShapeError('some of its values have a scale and some have none; expected one for all');
  }
  const from = perTensor(input.quant, 'an input');
  const to = perTensor(output.quant, 'the output');
  if (from.scale === to.scale && from.zeroPoint === to.zeroPoint) return (codes) => codes;
  const { dtype }: TensorType = input.type;
  if (dtype !== 'uint8') {
    throw new ShapeError(
      `an input has scale ${from.scale} and zero point ${from.zeroPoint}; ` +
        `expected those of the output, ${to.scale} and ${to.zeroPoint}`,
    );
  }
  const range = storedRange(output.type);
  const factor = f32(from.scale * f32(1 / to.scale));
  const bias = f32(-from.zeroPoint * factor);
  // One table for all 256 codes.
  const table = Uint8Array.from({ length: 256 }, (_, code) =>
    clamp(roundHalfAway(f32(f32(code * factor) + bias)) + to.zeroPoint, range.min, range.max),
  );
  return (codes) => Uint8Array.from(codes as Uint8Array, (code) => table[code]!);
}
