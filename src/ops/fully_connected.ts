import { channelScales, perTensor, roundHalfAway } from '../core/affine.ts';
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from '../core/fixedpoint.ts';
import { numElements, sameShape } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import {
  T_FLOAT,
  activationCode,
  activationField,
  activationRange,
  booleanOption,
  decodeActivation,
  int8Version,
  numberOption,
  readBool,
} from './bindings.ts';
import { dotProduct, expectBias } from './conv_2d.ts';
import type { FusedActivation, IntegerNode, OpVersion, ValueRef } from './define.ts';
import { ShapeError, UnsupportedError, defineOp } from './define.ts';
import { expectRank } from './geometry.ts';
import { matMul } from './mat_mul.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

export interface FullyConnectedAttrs {
  readonly activation: FusedActivation;
  /** Keep all but the last dimension of the input; otherwise the output is [rows, outputs]. */
  readonly keepNumDims: boolean;
}

/** What the node needs by TensorFlow Lite's own record, which knows nothing of scales. */
function registeredVersion({ inputs, attrs }: IntegerNode<FullyConnectedAttrs>): OpVersion {
  if (inputs.length < 3) return { version: 6, minimumRuntime: '2.1.0' };
  if (attrs.keepNumDims) return { version: 5, minimumRuntime: '2.0.0' };
  return int8Version(4, '1.14.0')({ inputs, outputs: [], attrs });
}

/**
 * An accumulator in units of the output's scale.
 *
 * @see LiteRT tflite/kernels/internal/reference/integer_ops/fully_connected.h, whose two forms are the two roundings
 */
function scaling({
  inputs: [input, filter],
  outputs: [output],
  rounding,
}: IntegerNode<FullyConnectedAttrs>): (accumulator: number, channel: number) => number {
  const { scale: inputScale } = perTensor(input!.quant, 'the input');
  const { scale: outputScale } = perTensor(output!.quant, 'the output');
  const scales = channelScales(filter!.quant, filter!.type.shape[0]!, 'the filter');
  if (rounding === 'once') {
    const factors = Array.from(scales, (scale) => (inputScale * scale) / outputScale);
    return (accumulator, channel) => roundHalfAway(accumulator * factors[channel]!);
  }
  // One scale takes the float32 product, several take the double one: the two kernels differ in C++ types.
  const oneScale = filter!.quant?.kind === 'per_tensor' || scales.length === 1;
  const multipliers = Array.from(scales, (scale) => {
    const product = oneScale ? Math.fround(inputScale * scale) : inputScale * scale;
    return quantizeMultiplier(product / outputScale);
  });
  return (accumulator, channel) => {
    const { multiplier, shift } = multipliers[channel]!;
    return multiplyByQuantizedMultiplier(accumulator, multiplier, shift);
  };
}

/** Input [..., inputs] read as rows of `inputs`, filter [outputs, inputs]: y = x * filter^T + bias. */
export const fullyConnected = defineOp<'fully_connected', FullyConnectedAttrs>({
  name: 'fully_connected',
  operands: [
    { name: 'input', role: 'activation' },
    { name: 'filter', role: 'weight' },
    { name: 'bias', role: 'bias', optional: true },
  ],
  quant: { kind: 'affine', weight: 1, bias: 2, channelAxis: 0 },

  infer([input, filter, bias], attrs: FullyConnectedAttrs) {
    expectRank(filter!.shape, 2, 'the filter');
    const [outputs, inputs] = filter!.shape as [number, number];
    const elements = numElements(input!.shape);
    if (elements % inputs !== 0 || (attrs.keepNumDims && input!.shape.at(-1) !== inputs)) {
      throw new ShapeError(
        `filter is [${outputs},${inputs}] but input is [${input!.shape.join(',')}]; expected rows of ${inputs}`,
      );
    }
    expectBias(bias, outputs);
    const leading = attrs.keepNumDims ? input!.shape.slice(0, -1) : [elements / inputs];
    return [{ dtype: input!.dtype, shape: [...leading, outputs] }];
  },

  float([input, filter, bias], _attrs, [output]) {
    const [outputs, inputs] = filter!.shape as [number, number];
    const rows = input!.data.length / inputs;
    for (let row = 0; row < rows; row++) {
      for (let out = 0; out < outputs; out++) {
        let accumulator = bias === undefined ? 0 : bias.data[out]!;
        for (let index = 0; index < inputs; index++) {
          accumulator += input!.data[row * inputs + index]! * filter!.data[out * inputs + index]!;
        }
        output!.data[row * outputs + out] = accumulator;
      }
    }
  },

  vjp({ emit }, { inputs: [input, filter, bias] }, gradient) {
    // dx = dy * w and dw = dy^T * x, with x of shape [rows, inputs] and dy of shape [rows, outputs].
    const [outputs, inputs] = filter!.type.shape as [number, number];
    const inShape = (value: ValueRef, shape: Shape): ValueRef =>
      sameShape(value.type.shape, shape) ? value : emit(reshape, [value], { shape });
    const rows = numElements(input!.type.shape) / inputs;
    const dy = inShape(gradient, [rows, outputs]);
    return [
      inShape(emit(matMul, [dy, filter!], { transposeA: false, transposeB: false }), input!.type.shape),
      emit(matMul, [dy, inShape(input!, [rows, inputs])], { transposeA: true, transposeB: false }),
      ...(bias === undefined ? [] : [emit(sum, [dy], { axes: [0], keepDims: false })]),
    ];
  },

  int8(node) {
    const [input, filter, bias] = node.inputs;
    const [output] = node.outputs;
    const { attrs } = node;
    const [outputs, inputs] = filter!.type.shape as [number, number];
    const rows = numElements(input!.type.shape) / inputs;
    const inputQuant = perTensor(input!.quant, 'the input');
    const outputQuant = perTensor(output!.quant, 'the output');
    const filterZeroPoint = filter!.quant?.kind === 'per_tensor' ? filter!.quant.zeroPoint : 0;
    const scale = scaling(node);
    const { min, max } = activationRange(attrs.activation, output!);

    return ([x, w, b], [y]) => {
      for (let row = 0; row < rows; row++) {
        for (let out = 0; out < outputs; out++) {
          const products = dotProduct(
            w!,
            out * inputs,
            filterZeroPoint,
            x!,
            row * inputs,
            inputQuant.zeroPoint,
            inputs,
          );
          const accumulator = bias === undefined ? products : (products + b![out]!) | 0;
          const scaled = scale(accumulator, out) + outputQuant.zeroPoint;
          y![row * outputs + out] = scaled < min ? min : scaled > max ? max : scaled;
        }
      }
    };
  },

  tflite: {
    builtinCode: 9,
    optionsType: 8,
    fields: [
      activationField(0),
      { id: 1, name: 'weights_format', type: 'byte', default: 0 },
      { id: 2, name: 'keep_num_dims', type: 'bool', default: false },
      { id: 3, name: 'asymmetric_quantize_inputs', type: 'bool', default: false },
    ],
    version(node) {
      const { version, minimumRuntime } = registeredVersion(node);
      // TensorFlow Lite 1.14 to 2.9 silently use only the first scale of a filter that has several.
      const quant = node.inputs[1]!.quant;
      const several = quant?.kind === 'per_channel' && quant.scales.length > 1;
      return { version, minimumRuntime: several ? '2.10.0' : minimumRuntime };
    },
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: {
        fused_activation_function: activationCode(attrs.activation),
        weights_format: 0,
        keep_num_dims: attrs.keepNumDims,
        asymmetric_quantize_inputs: false,
      },
      parameters: [],
    }),
    decode: ({ options }) => {
      if (numberOption(options, 'weights_format') !== 0)
        throw new UnsupportedError('shuffled weights are not supported');
      return { activation: decodeActivation(options), keepNumDims: booleanOption(options, 'keep_num_dims') };
    },
  },

  graphdef: {
    layouts: { 1: [1, 0] },
    write(writer, { name, inputs: [input, filter, bias], inputTypes }) {
      expectRank(inputTypes[0]!.shape, 2, 'the input of a MatMul');
      const product = writer.node('MatMul', bias === undefined ? name : `${name}/MatMul`, [input!, filter!], {
        ...T_FLOAT,
        transpose_a: { kind: 'bool', value: false },
        transpose_b: { kind: 'bool', value: false },
      });
      return [bias === undefined ? product : writer.node('BiasAdd', name, [product, bias], T_FLOAT)];
    },
    reads: {
      MatMul: (node, { inputs }) => {
        if (readBool(node, 'transpose_a', false) || readBool(node, 'transpose_b', false)) {
          throw new ShapeError('transposed MatMul operands are not supported; transpose the weights instead');
        }
        return { inputs, attrs: { activation: 'none', keepNumDims: false } };
      },
    },
  },
});
