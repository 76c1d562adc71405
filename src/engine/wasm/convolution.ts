/** Lowers convolutions and matrix products to panels of a filter times rows of an image; see assembly/gemm.ts. */
import { internal } from '../../core/assert.ts';
import type { Shape } from '../../core/tensor.ts';
import { slidingWindow } from '../../ops/geometry.ts';
import type { Conv2dAttrs } from '../../ops/conv_2d.ts';
import { COMBINE_FILTER_GRADIENT, CONVOLVE, FILTER_GRADIENT, PACK_PANELS, SLICES } from './opcodes.ts';
import type { KernelNode, Operand, Phase, Region } from './program.ts';
import { at } from './program.ts';

type Tables = Pick<KernelNode<'conv_2d'>, 'table' | 'temporary'>;

const FLOAT_BYTES = 4;

/** A matrix product y = a * b, y [rows, columns]; all strides in elements. */
export interface Product {
  readonly a: Region;
  readonly aRowStride: number;
  readonly aInnerStride: number;
  readonly b: Region;
  readonly bInnerStride: number;
  readonly bColumnStride: number;
  readonly bias: Region | null;
  readonly y: Region;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export function lowerProduct(tables: Tables, product: Product): readonly Phase[] {
  const { a, b, bias, y, rows, inner, columns } = product;
  const packed = tables.temporary(packedBytes(inner, columns));
  const rowTable = Array.from({ length: rows }, (_, row) => [row * product.aRowStride, row * columns]);
  const oneSegment = tables.table([0]);
  return [
    [
      {
        code: PACK_PANELS,
        args: [
          ...[b, packed, bias ?? 0, columns, oneSegment, 1, inner],
          ...[product.bInnerStride * FLOAT_BYTES, product.bColumnStride * FLOAT_BYTES],
        ],
      },
    ],
    [
      {
        code: CONVOLVE,
        args: [
          ...[a, packed, y, 1, 0, 0, tables.table(bytes(rowTable.flat())), rows, oneSegment, 1, inner],
          ...[product.aInnerStride * FLOAT_BYTES, columns, ...noFrame],
        ],
      },
    ],
  ];
}

/** The image that windows are read from: the source itself, or a copy in a frame of zeros. */
interface Frame {
  readonly geometry: readonly number[];
  /** Elements from one row to the next. */
  readonly pitch: number;
  readonly bytes: number;
}

const noFrame = [0, 0, 0, 0, 0, 0, 0] as const;

/** A frame of `height` x `width` pixels in which the image starts at (top, left), both of which may be negative. */
function frameOf(image: Shape, height: number, width: number, top: number, left: number): Frame {
  const [, imageHeight, imageWidth, channels] = image as [number, number, number, number];
  if (top === 0 && left === 0 && height <= imageHeight && width <= imageWidth) {
    return { geometry: noFrame, pitch: imageWidth * channels, bytes: 0 };
  }
  return {
    geometry: [imageHeight, imageWidth, channels, height, width, top, left],
    pitch: width * channels,
    bytes: height * width * channels * FLOAT_BYTES,
  };
}

/** What the three kernels of one convolution share. */
function describe(input: Shape, filter: Shape, attrs: Conv2dAttrs) {
  const [batch, height, width, channels] = input as [number, number, number, number];
  const [outputs, filterHeight, filterWidth, filterChannels] = filter as [number, number, number, number];
  if (filterChannels !== channels) internal('grouped convolutions have no float kernel');
  const window = slidingWindow(input, [filterHeight, filterWidth], attrs, attrs.dilations);
  const [strideY, strideX] = attrs.strides;
  const [dilationY, dilationX] = attrs.dilations;
  const frame = frameOf(
    input,
    (window.outputHeight - 1) * strideY + (filterHeight - 1) * dilationY + 1,
    (window.outputWidth - 1) * strideX + (filterWidth - 1) * dilationX + 1,
    window.padTop,
    window.padLeft,
  );
  return {
    ...{ batch, height, width, channels, outputs, filterHeight, filterWidth, frame, strideY, strideX },
    ...{ dilationY, dilationX, ...window, taps: filterHeight * filterWidth },
  };
}

export function lowerConvolution(node: KernelNode<'conv_2d'>): readonly Phase[] {
  const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
  const shape = describe(input.shape, filter.shape, node.attrs);
  const { frame, channels, outputs, outputHeight, outputWidth } = shape;
  const k = shape.taps * channels;
  // Without horizontal dilation the pixels of a window's row are neighbours: one segment for each row.
  const tapsInRun = shape.dilationX === 1 ? shape.filterWidth : 1;
  const runs = grid(shape.filterHeight, shape.filterWidth / tapsInRun);
  const segmentLength = tapsInRun * channels;
  const packed = node.temporary(packedBytes(k, outputs));
  return [
    [
      {
        code: PACK_PANELS,
        args: [
          ...[filter.region, packed, bias?.region ?? 0, outputs],
          ...[node.table(bytes(runs.map((_, run) => run * segmentLength))), runs.length, segmentLength],
          ...[FLOAT_BYTES, k * FLOAT_BYTES],
        ],
      },
    ],
    [
      {
        code: CONVOLVE,
        args: [
          ...[input.region, packed, node.outputs[0]!.region, shape.batch],
          ...bytes([shape.height * shape.width * channels, outputHeight * outputWidth * outputs]),
          node.table(
            bytes(
              grid(outputHeight, outputWidth).flatMap(([y, x]) => [
                y * shape.strideY * frame.pitch + x * shape.strideX * channels,
                (y * outputWidth + x) * outputs,
              ]),
            ),
          ),
          outputHeight * outputWidth,
          node.table(bytes(runs.map(([y, x]) => y * shape.dilationY * frame.pitch + x * shape.dilationX * channels))),
          ...[runs.length, segmentLength, FLOAT_BYTES, outputs, ...frame.geometry],
        ],
        scratchBytes: frame.bytes,
      },
    ],
  ];
}

/**
 * The input gradient is a convolution of the output gradient with the flipped filter. With stride s, pixel y takes
 * part in the windows that start at (y + padding - tap * dilation) / s where that is whole: one convolution for each
 * remainder of y and x, with the taps that fit.
 */
export function lowerInputGradient(node: KernelNode<'conv_2d_grad_input'>): readonly Phase[] {
  const [gradient, filter] = node.inputs as readonly [Operand, Operand];
  const shape = describe(node.attrs.inputShape, filter.shape, node.attrs);
  const { channels, outputs } = shape;
  const phases = grid(Math.min(shape.strideY, shape.height), Math.min(shape.strideX, shape.width)).map(([py, px]) => {
    const tapsY = fittingTaps(py + shape.padTop, shape.filterHeight, shape.dilationY, shape.strideY);
    const tapsX = fittingTaps(px + shape.padLeft, shape.filterWidth, shape.dilationX, shape.strideX);
    const rows = Math.ceil((shape.height - py) / shape.strideY);
    const columns = Math.ceil((shape.width - px) / shape.strideX);
    const firstY = tapsY[0]?.start ?? 0;
    const firstX = tapsX[0]?.start ?? 0;
    const frame = frameOf(
      gradient.shape,
      rows + (tapsY.at(-1)?.start ?? 0) - firstY,
      columns + (tapsX.at(-1)?.start ?? 0) - firstX,
      firstY === 0 ? 0 : -firstY,
      firstX === 0 ? 0 : -firstX,
    );
    const inRow = tapsX.every(({ start }, index) => start === firstX + index);
    const runs = tapsY.flatMap(({ start }) =>
      (inRow ? tapsX.slice(0, 1) : tapsX).map(
        (tapX) => (start - firstY) * frame.pitch + (tapX.start - firstX) * outputs,
      ),
    );
    const taps = tapsY.flatMap((tapY) => tapsX.map((tapX) => tapY.tap * shape.filterWidth + tapX.tap));
    const packed = node.temporary(packedBytes(taps.length * outputs, channels));
    const pack = {
      code: PACK_PANELS,
      args: [
        ...[filter.region, packed, 0, channels],
        ...[node.table(bytes(taps.map((tap) => tap * channels))), taps.length, outputs],
        ...bytes([shape.taps * channels, 1]),
      ],
    };
    const convolve = {
      code: CONVOLVE,
      args: [
        ...[gradient.region, packed, at(node.outputs[0]!.region, (py * shape.width + px) * channels * FLOAT_BYTES)],
        ...[shape.batch, ...bytes([shape.outputHeight * shape.outputWidth * outputs])],
        ...bytes([shape.height * shape.width * channels]),
        node.table(
          bytes(
            grid(rows, columns).flatMap(([y, x]) => [
              y * frame.pitch + x * outputs,
              (y * shape.strideY * shape.width + x * shape.strideX) * channels,
            ]),
          ),
        ),
        ...[rows * columns, node.table(bytes(runs)), runs.length, (inRow ? tapsX.length : 1) * outputs],
        ...[FLOAT_BYTES, channels, ...frame.geometry],
      ],
      scratchBytes: frame.bytes,
    };
    return { pack, convolve };
  });
  return [phases.map(({ pack }) => pack), phases.map(({ convolve }) => convolve)];
}

/** Taps by the output position at which their window starts, in ascending order of it. */
function fittingTaps(position: number, taps: number, dilation: number, stride: number) {
  return Array.from({ length: taps }, (_, tap) => ({ tap, start: (position - tap * dilation) / stride }))
    .filter(({ start }) => Number.isInteger(start))
    .reverse();
}

export function lowerFilterGradient(node: KernelNode<'conv_2d_grad_filter'>): readonly Phase[] {
  const [input, gradient] = node.inputs as readonly [Operand, Operand];
  const shape = describe(input.shape, node.attrs.filterShape, node.attrs);
  const { frame, channels, outputs, outputHeight, outputWidth } = shape;
  const k = shape.taps * channels;
  const padded = paddedColumns(outputs);
  const slices = Math.min(SLICES, shape.batch);
  const partial = node.temporary(slices * k * padded * FLOAT_BYTES);
  const rows = grid(shape.filterHeight, shape.filterWidth).flatMap(([y, x]) =>
    Array.from(
      { length: channels },
      (_, channel) => y * shape.dilationY * frame.pitch + x * shape.dilationX * channels + channel,
    ),
  );
  return [
    [
      {
        code: FILTER_GRADIENT,
        args: [
          ...[input.region, gradient.region, partial, shape.batch],
          ...[...bytes([shape.height * shape.width * channels]), slices],
          ...[node.table(bytes(rows.flatMap((offset, row) => [offset, row * padded]))), k],
          node.table(bytes(Array.from({ length: outputHeight }, (_, y) => y * shape.strideY * frame.pitch))),
          ...[outputHeight, outputWidth, ...bytes([shape.strideX * channels]), outputs, ...frame.geometry, frame.bytes],
        ],
        scratchBytes: frame.bytes + (padded === outputs ? 0 : outputHeight * outputWidth * padded * FLOAT_BYTES),
      },
    ],
    [{ code: COMBINE_FILTER_GRADIENT, args: [partial, node.outputs[0]!.region, slices, k, outputs] }],
  ];
}

/** All (y, x) with y < height and x < width, in reading order. */
function grid(height: number, width: number): readonly (readonly [number, number])[] {
  return Array.from({ length: height * width }, (_, index) => [Math.floor(index / width), index % width] as const);
}

function bytes(elements: readonly number[]): number[] {
  return elements.map((count) => count * FLOAT_BYTES);
}

function paddedColumns(columns: number): number {
  return Math.ceil(columns / 4) * 4;
}

/** The start vector and all panels. */
function packedBytes(inner: number, columns: number): number {
  return (inner + 1) * paddedColumns(columns) * FLOAT_BYTES;
}
