import { perTensor } from '../core/affine.ts';
import type { Shape } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { T_FLOAT, wholeNumbers } from './bindings.ts';
import { ShapeError, defineOp } from './define.ts';
import type { StridedCopy } from './strided.ts';
import { copyStrided, partWalk, wholeWalk } from './strided.ts';
import { stridedSlice, wholeAxes } from './strided_slice.ts';

export interface PadAttrs {
  /** Zeros before and after, for each axis. */
  readonly paddings: readonly (readonly [before: number, after: number])[];
}

/** The input in a frame of zeros. */
export const pad = defineOp<'pad', PadAttrs>({
  name: 'pad',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer: ([input], attrs) => [{ dtype: input!.dtype, shape: paddedShape(input!.shape, attrs) }],
  float([input], attrs, [output]) {
    output!.data.fill(0);
    copyStrided(paddingCopy(input!.shape, attrs), input!.data, output!.data);
  },
  vjp: ({ emit }, { inputs: [input], attrs: { paddings } }, gradient) => [
    emit(stridedSlice, [gradient], {
      ...wholeAxes(paddings.length),
      begin: paddings.map(([before]) => before),
      end: paddings.map(([before], axis) => before + input!.type.shape[axis]!),
    }),
  ],
  int8({ inputs: [input], outputs: [output], attrs }) {
    const zeroPoint = output!.quant === null ? 0 : perTensor(output!.quant, 'the output').zeroPoint;
    const copy = paddingCopy(input!.type.shape, attrs);
    return ([x], [y]) => {
      y!.fill(zeroPoint);
      copyStrided(copy, x!, y!);
    };
  },
  tflite: {
    builtinCode: 34,
    optionsType: 22,
    fields: [],
    version: ({ inputs: [input] }) => {
      if (input!.type.shape.length > 4) return { version: 4, minimumRuntime: '2.6.0' };
      return input!.type.dtype === 'int8'
        ? { version: 2, minimumRuntime: '1.14.0' }
        : { version: 1, minimumRuntime: '1.5.0' };
    },
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: {},
      parameters: [{ position: 1, name: 'paddings', tensor: paddingsTensor(attrs) }],
    }),
    decode: ({ parameters: [paddings] }) => ({ paddings: pairs(wholeNumbers(paddings, 'the paddings')) }),
  },
  graphdef: {
    write: (writer, { name, inputs, attrs }) => [
      writer.node('Pad', name, [inputs[0]!, writer.constant(`${name}/paddings`, paddingsTensor(attrs))], {
        ...T_FLOAT,
        Tpaddings: { kind: 'type', value: 'int32' },
      }),
    ],
    reads: {
      Pad: (_node, { inputs, constant }) => ({
        inputs: [inputs[0]!],
        attrs: { paddings: pairs(wholeNumbers(constant(inputs[1]!), 'the paddings')) },
      }),
    },
  },
});

/** Where the input goes in the output. */
export function paddingCopy(input: Shape, attrs: PadAttrs): StridedCopy {
  const starts = attrs.paddings.map(([before]) => before);
  return {
    sizes: input,
    from: wholeWalk(input),
    to: partWalk(
      paddedShape(input, attrs),
      starts,
      starts.map(() => 1),
    ),
  };
}

/** @throws ShapeError for paddings that do not fit the input */
export function paddedShape(input: Shape, { paddings }: PadAttrs): Shape {
  if (paddings.length !== input.length || paddings.flat().some((amount) => amount < 0)) {
    throw new ShapeError(
      `paddings are [${paddings.join('],[')}] for the input [${input.join(',')}]; expected two each`,
    );
  }
  return input.map((size, axis) => paddings[axis]![0] + size + paddings[axis]![1]);
}

export function paddingsTensor({ paddings }: PadAttrs) {
  return tensor('int32', [paddings.length, 2], Int32Array.from(paddings.flat()));
}

export function pairs(values: readonly number[]): PadAttrs['paddings'] {
  return Array.from({ length: values.length / 2 }, (_, axis) => [values[2 * axis]!, values[2 * axis + 1]!] as const);
}
