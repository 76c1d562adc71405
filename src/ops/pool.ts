/** What max_pool_2d and average_pool_2d share: attributes, shapes and file bindings. */
import type { Shape, TensorType } from '../core/tensor.ts';
import {
  T_FLOAT,
  activationCode,
  activationField,
  decodeActivation,
  decodePadding,
  encodePadding,
  intList,
  numberOption,
  readPadding,
  readSpatialPair,
  writePadding,
} from './bindings.ts';
import type { FusedActivation, GraphDefBinding, TfliteBinding } from './define.ts';
import { ShapeError } from './define.ts';
import type { Window, WindowAttrs } from './geometry.ts';
import { expectRank, slidingWindow } from './geometry.ts';

export interface PoolAttrs extends WindowAttrs {
  /** [vertical, horizontal] */
  readonly window: readonly [number, number];
  readonly activation: FusedActivation;
}

export function inferPool([input]: readonly TensorType[], attrs: PoolAttrs): readonly TensorType[] {
  expectRank(input!.shape, 4, 'the input');
  const { outputHeight, outputWidth } = slidingWindow(input!.shape, attrs.window, attrs);
  return [{ dtype: input!.dtype, shape: [input!.shape[0]!, outputHeight, outputWidth, input!.shape[3]!] }];
}

/** Visits every output element with the rows and columns of its window that lie inside the image (end excluded). */
export function forEachWindow(
  shape: Shape,
  attrs: PoolAttrs,
  visit: (at: number, inputBase: number, rows: readonly [number, number], columns: readonly [number, number]) => void,
): void {
  const [batches, height, width, channels] = shape as [number, number, number, number];
  const window: Window = slidingWindow(shape, attrs.window, attrs);
  let at = 0;
  for (let batch = 0; batch < batches; batch++) {
    for (let outY = 0; outY < window.outputHeight; outY++) {
      const top = outY * attrs.strides[0] - window.padTop;
      const rows = [Math.max(0, top), Math.min(height, top + attrs.window[0])] as const;
      for (let outX = 0; outX < window.outputWidth; outX++) {
        const left = outX * attrs.strides[1] - window.padLeft;
        const columns = [Math.max(0, left), Math.min(width, left + attrs.window[1])] as const;
        for (let channel = 0; channel < channels; channel++) {
          visit(at++, batch * height * width * channels + channel, rows, columns);
        }
      }
    }
  }
}

export function poolTflite(builtinCode: number): TfliteBinding<PoolAttrs> {
  return {
    builtinCode,
    optionsType: 5,
    fields: [
      { id: 0, name: 'padding', type: 'byte', default: 0 },
      { id: 1, name: 'stride_w', type: 'int32', default: 0 },
      { id: 2, name: 'stride_h', type: 'int32', default: 0 },
      { id: 3, name: 'filter_width', type: 'int32', default: 0 },
      { id: 4, name: 'filter_height', type: 'int32', default: 0 },
      activationField(5),
    ],
    version: ({ inputs: [input] }) =>
      input!.type.dtype === 'int8' ? { version: 2, minimumRuntime: '1.14.0' } : { version: 1, minimumRuntime: '1.5.0' },
    parameterPositions: [],
    encode: ({ attrs }) => ({
      options: {
        padding: encodePadding(attrs.padding),
        stride_w: attrs.strides[1],
        stride_h: attrs.strides[0],
        filter_width: attrs.window[1],
        filter_height: attrs.window[0],
        fused_activation_function: activationCode(attrs.activation),
      },
      parameters: [],
    }),
    decode: ({ options }) => ({
      padding: decodePadding(options),
      strides: [numberOption(options, 'stride_h'), numberOption(options, 'stride_w')],
      window: [numberOption(options, 'filter_height'), numberOption(options, 'filter_width')],
      activation: decodeActivation(options),
    }),
  };
}

export function poolGraphDef(tensorflowOp: 'MaxPool' | 'AvgPool'): GraphDefBinding<PoolAttrs> {
  return {
    write(writer, { name, inputs, attrs }) {
      if (tensorflowOp === 'AvgPool' && attrs.padding.kind === 'explicit') {
        throw new ShapeError('padding is explicit; AvgPool expects SAME or VALID');
      }
      return [
        writer.node(tensorflowOp, name, inputs, {
          ...T_FLOAT,
          ...writePadding(attrs.padding),
          ksize: intList([1, ...attrs.window, 1]),
          strides: intList([1, ...attrs.strides, 1]),
        }),
      ];
    },
    reads: {
      [tensorflowOp]: (node, { inputs }) => ({
        inputs,
        attrs: {
          padding: readPadding(node),
          strides: readSpatialPair(node, 'strides'),
          window: readSpatialPair(node, 'ksize'),
          activation: 'none',
        },
      }),
    },
  };
}
