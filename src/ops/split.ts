import type { Shape } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { T_FLOAT, numberOption, readNumber, wholeAxis, wholeNumbers } from './bindings.ts';
import { ShapeError, defineOp } from './define.ts';
import type { StridedCopy } from './strided.ts';
import { axisWalk, copyStrided, wholeWalk } from './strided.ts';

export interface SplitAttrs {
  readonly axis: number;
  /** Number of equal pieces; each is an output. */
  readonly count: number;
}

export const split = defineOp<'split', SplitAttrs>({
  name: 'split',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'same_scale', exact: true },
  infer([input], attrs) {
    const { dtype, shape } = input!;
    return Array.from({ length: attrs.count }, () => ({ dtype, shape: pieceShape(shape, attrs) }));
  },
  float([input], attrs, outputs) {
    for (const [index, copy] of splitCopies(input!.shape, attrs).entries()) {
      copyStrided(copy, input!.data, outputs[index]!.data);
    }
  },
  // A gradient flows through output 0 only; a network that is trained takes its pieces with strided_slice.
  vjp: null,
  int8({ inputs: [input], attrs }) {
    const copies = splitCopies(input!.type.shape, attrs);
    return ([x], outputs) => {
      for (const [index, copy] of copies.entries()) copyStrided(copy, x!, outputs[index]!);
    };
  },
  tflite: {
    builtinCode: 49,
    optionsType: 35,
    fields: [{ id: 0, name: 'num_splits', type: 'int32', default: 0 }],
    version: ({ inputs: [input] }) =>
      input!.type.dtype === 'int8' ? { version: 2, minimumRuntime: '1.14.0' } : { version: 1, minimumRuntime: '1.5.0' },
    parameterPositions: [0],
    encode: ({ attrs }) => ({
      options: { num_splits: attrs.count },
      parameters: [{ position: 0, name: 'axis', tensor: tensor('int32', [], Int32Array.of(attrs.axis)) }],
    }),
    decode: ({ options, inputs, parameters: [axis] }) => ({
      axis: wholeAxis(wholeNumbers(axis, 'the axis')[0] ?? 0, inputs[0]!.shape.length),
      count: numberOption(options, 'num_splits'),
    }),
  },
  graphdef: {
    write(writer, { name, inputs, attrs }) {
      const axis = writer.constant(`${name}/axis`, tensor('int32', [], Int32Array.of(attrs.axis)));
      writer.node('Split', name, [axis, inputs[0]!], { ...T_FLOAT, num_split: { kind: 'int', value: attrs.count } });
      return Array.from({ length: attrs.count }, (_, index) => (index === 0 ? name : `${name}:${index}`));
    },
    reads: {
      Split: (node, { inputs, constant, shapeOf }) => ({
        inputs: [inputs[1]!],
        attrs: {
          axis: wholeAxis(wholeNumbers(constant(inputs[0]!), 'the axis')[0] ?? 0, shapeOf(inputs[1]!).length),
          count: readNumber(node, 'num_split', 1),
        },
      }),
    },
  },
});

/** Where each output comes from. */
export function splitCopies(input: Shape, attrs: SplitAttrs): readonly StridedCopy[] {
  const sizes = pieceShape(input, attrs);
  return Array.from({ length: attrs.count }, (_, index) => ({
    sizes,
    from: axisWalk(input, attrs.axis, index * sizes[attrs.axis]!),
    to: wholeWalk(sizes),
  }));
}

function pieceShape(input: Shape, { axis, count }: SplitAttrs): Shape {
  const size = (input[axis] ?? NaN) / count;
  if (!Number.isInteger(size)) {
    throw new ShapeError(`axis ${axis} of [${input.join(',')}] does not split into ${count} equal pieces`);
  }
  return input.with(axis, size);
}
