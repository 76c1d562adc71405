/** Lowers convolutions and matrix products to panels of a filter times rows of an image; see assembly/gemm.ts. */
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
          ...[product.aInnerStride * FLOAT_BYTES, columns, ...noFrame, tables.table([rows, 0, 1]), 1],
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

/** What the three kernels of one convolution share. A filter of fewer channels than the input is cut into groups. */
function describe(input: Shape, filter: Shape, attrs: Conv2dAttrs) {
  const [batch, height, width, channels] = input as [number, number, number, number];
  const [outputs, filterHeight, filterWidth, filterChannels] = filter as [number, number, number, number];
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
  const groups = channels / filterChannels;
  return {
    ...{ batch, height, width, channels, outputs, filterHeight, filterWidth, frame, strideY, strideX },
    ...{ dilationY, dilationX, ...window, taps: filterHeight * filterWidth, filterChannels, groups },
    ...{ groupOutputs: outputs / groups, groupIndices: Array.from({ length: groups }, (_, group) => group) },
  };
}

export function lowerConvolution(node: KernelNode<'conv_2d'>): readonly Phase[] {
  const [input, filter, bias] = node.inputs as readonly [Operand, Operand, Operand?];
  const shape = describe(input.shape, filter.shape, node.attrs);
  const { frame, channels, filterChannels, outputs, groupOutputs, outputHeight, outputWidth } = shape;
  const k = shape.taps * filterChannels;
  // Where the pixels of a window's row are neighbours with all their channels, the row is one segment.
  const tapsInRun = shape.dilationX === 1 && shape.groups === 1 ? shape.filterWidth : 1;
  const runs = grid(shape.filterHeight, shape.filterWidth / tapsInRun);
  const segmentLength = tapsInRun * filterChannels;
  const filterSegments = node.table(bytes(runs.map((_, run) => run * segmentLength)));
  const pixels = grid(outputHeight, outputWidth).flatMap(([y, x]) => [
    y * shape.strideY * frame.pitch + x * shape.strideX * channels,
    (y * outputWidth + x) * outputs,
  ]);
  const rows = node.table(bytes(pixels));
  const bands = bandsOf(outputHeight, shape.filterHeight, (y, tap) => {
    const inputY = y * shape.strideY - shape.padTop + tap * shape.dilationY;
    return inputY >= 0 && inputY < shape.height;
  });
  const bandTable = node.table(bandWords(bands, outputWidth, shape.filterWidth / tapsInRun));
  const instructions = shape.groupIndices.map((group) => {
    const packed = node.temporary(packedBytes(k, groupOutputs));
    const first = group * groupOutputs;
    const pack = {
      code: PACK_PANELS,
      args: [
        ...[element(filter.region, first * k), packed, bias === undefined ? 0 : element(bias.region, first)],
        ...[groupOutputs, filterSegments, runs.length, segmentLength, FLOAT_BYTES, k * FLOAT_BYTES],
      ],
    };
    const segments = runs.map(
      ([y, x]) => y * shape.dilationY * frame.pitch + x * shape.dilationX * channels + group * filterChannels,
    );
    const convolve = {
      code: CONVOLVE,
      args: [
        ...[input.region, packed, element(node.outputs[0]!.region, first), shape.batch],
        ...bytes([shape.height * shape.width * channels, outputHeight * outputWidth * outputs]),
        ...[rows, outputHeight * outputWidth, node.table(bytes(segments)), runs.length, segmentLength],
        ...[FLOAT_BYTES, groupOutputs, ...frame.geometry, bandTable, bands.length],
      ],
      scratchBytes: frame.bytes,
    };
    return { pack, convolve };
  });
  return [instructions.map(({ pack }) => pack), instructions.map(({ convolve }) => convolve)];
}

/**
 * The input gradient is a convolution of the output gradient with the flipped filter. With stride s, pixel y takes
 * part in the windows that start at (y + padding - tap * dilation) / s where that is whole: one convolution for each
 * remainder of y and x, with the taps that fit.
 */
export function lowerInputGradient(node: KernelNode<'conv_2d_grad_input'>): readonly Phase[] {
  const [gradient, filter] = node.inputs as readonly [Operand, Operand];
  const shape = describe(node.attrs.inputShape, filter.shape, node.attrs);
  const { channels, filterChannels, outputs, groupOutputs } = shape;
  const remainders = grid(Math.min(shape.strideY, shape.height), Math.min(shape.strideX, shape.width));
  const instructions = remainders.flatMap(([py, px]) => {
    const { tapsY, tapsX, numRows, numColumns, frame, inRow, runs } = remainderWindows(shape, gradient.shape, py, px);
    const taps = tapsY.flatMap((tapY) => tapsX.map((tapX) => tapY.tap * shape.filterWidth + tapX.tap));
    const filterSegments = node.table(bytes(taps.map((tap) => tap * filterChannels)));
    const pixels = grid(numRows, numColumns).flatMap(([y, x]) => [
      y * frame.pitch + x * outputs,
      (y * shape.strideY * shape.width + x * shape.strideX) * channels,
    ]);
    const rows = node.table(bytes(pixels));
    const bands = bandsOf(numRows, tapsY.length, (y, tap) => {
      const outputY = y + tapsY[tap]!.start;
      return outputY >= 0 && outputY < shape.outputHeight;
    });
    const bandTable = node.table(bandWords(bands, numColumns, inRow ? 1 : tapsX.length));
    return shape.groupIndices.map((group) => {
      const packed = node.temporary(packedBytes(taps.length * groupOutputs, filterChannels));
      const pack = {
        code: PACK_PANELS,
        args: [
          ...[element(filter.region, group * groupOutputs * shape.taps * filterChannels), packed, 0, filterChannels],
          ...[filterSegments, taps.length, groupOutputs, ...bytes([shape.taps * filterChannels, 1])],
        ],
      };
      const first = (py * shape.width + px) * channels + group * filterChannels;
      const segments = node.table(bytes(runs.map((offset) => offset + group * groupOutputs)));
      const convolve = {
        code: CONVOLVE,
        args: [
          ...[gradient.region, packed, element(node.outputs[0]!.region, first), shape.batch],
          ...bytes([shape.outputHeight * shape.outputWidth * outputs, shape.height * shape.width * channels]),
          ...[rows, numRows * numColumns, segments, runs.length, (inRow ? tapsX.length : 1) * groupOutputs],
          ...[FLOAT_BYTES, filterChannels, ...frame.geometry, bandTable, bands.length],
        ],
        scratchBytes: frame.bytes,
      };
      return { pack, convolve };
    });
  });
  return [instructions.map(({ pack }) => pack), instructions.map(({ convolve }) => convolve)];
}

/** The windows of the pixels (py + i * strideY, px + j * strideX), and the frame in which the gradient is read. */
function remainderWindows(shape: ReturnType<typeof describe>, gradient: Shape, py: number, px: number) {
  const tapsY = fittingTaps(py + shape.padTop, shape.filterHeight, shape.dilationY, shape.strideY);
  const tapsX = fittingTaps(px + shape.padLeft, shape.filterWidth, shape.dilationX, shape.strideX);
  const numRows = Math.ceil((shape.height - py) / shape.strideY);
  const numColumns = Math.ceil((shape.width - px) / shape.strideX);
  const firstY = tapsY[0]?.start ?? 0;
  const firstX = tapsX[0]?.start ?? 0;
  const frame = frameOf(
    gradient,
    numRows + (tapsY.at(-1)?.start ?? 0) - firstY,
    numColumns + (tapsX.at(-1)?.start ?? 0) - firstX,
    0 - firstY,
    0 - firstX,
  );
  const inRow = shape.groups === 1 && tapsX.every(({ start }, index) => start === firstX + index);
  const runs = tapsY.flatMap(({ start }) =>
    (inRow ? tapsX.slice(0, 1) : tapsX).map(
      (tapX) => (start - firstY) * frame.pitch + (tapX.start - firstX) * shape.outputs,
    ),
  );
  return { tapsY, tapsX, numRows, numColumns, frame, inRow, runs };
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
  const { frame, channels, filterChannels, outputs, groupOutputs, outputHeight, outputWidth } = shape;
  const k = shape.taps * filterChannels;
  const padded = paddedColumns(groupOutputs);
  const slices = Math.min(SLICES, shape.batch);
  const segments = node.table(bytes(Array.from({ length: outputHeight }, (_, y) => y * shape.strideY * frame.pitch)));
  const instructions = shape.groupIndices.map((group) => {
    const partial = node.temporary(slices * k * padded * FLOAT_BYTES);
    const rows = grid(shape.taps, filterChannels).flatMap(([tap, channel], row) => {
      const [y, x] = [Math.floor(tap / shape.filterWidth), tap % shape.filterWidth];
      const pixel = y * shape.dilationY * frame.pitch + x * shape.dilationX * channels;
      return [pixel + group * filterChannels + channel, row * padded];
    });
    const sum = {
      code: FILTER_GRADIENT,
      args: [
        ...[input.region, element(gradient.region, group * groupOutputs), partial, shape.batch],
        ...[...bytes([shape.height * shape.width * channels]), slices, node.table(bytes(rows)), k, segments],
        ...[outputHeight, outputWidth, ...bytes([shape.strideX * channels]), groupOutputs, ...frame.geometry],
        ...[frame.bytes, outputs],
      ],
      scratchBytes: frame.bytes + (padded === groupOutputs ? 0 : outputHeight * outputWidth * padded * FLOAT_BYTES),
    };
    const result = element(node.outputs[0]!.region, group * groupOutputs * k);
    return { sum, combine: { code: COMBINE_FILTER_GRADIENT, args: [partial, result, slices, k, groupOutputs] } };
  });
  return [instructions.map(({ sum }) => sum), instructions.map(({ combine }) => combine)];
}

/** Neighbouring output rows whose windows reach the image with the same rows of taps. */
interface Band {
  readonly end: number;
  readonly firstTap: number;
  readonly numTaps: number;
}

function bandsOf(numRows: number, numTaps: number, touches: (row: number, tap: number) => boolean): readonly Band[] {
  const bands: Band[] = [];
  for (let row = 0; row < numRows; row++) {
    const taps = Array.from({ length: numTaps }, (_, tap) => tap).filter((tap) => touches(row, tap));
    const band = { end: row + 1, firstTap: taps[0] ?? 0, numTaps: taps.length };
    const previous = bands.at(-1);
    if (previous?.firstTap === band.firstTap && previous.numTaps === band.numTaps) bands.pop();
    bands.push(band);
  }
  return bands;
}

/** In pixels and segments, of which there are `segmentsInRow` for each row of taps. */
function bandWords(bands: readonly Band[], width: number, segmentsInRow: number): number[] {
  return bands.flatMap(({ end, firstTap, numTaps }) => [
    end * width,
    firstTap * segmentsInRow,
    numTaps * segmentsInRow,
  ]);
}

/** All (y, x) with y < height and x < width, in reading order. */
function grid(height: number, width: number): readonly (readonly [number, number])[] {
  return Array.from({ length: height * width }, (_, index) => [Math.floor(index / width), index % width] as const);
}

/** The place of an element of a value. */
function element(region: Region, index: number): Region {
  return at(region, index * FLOAT_BYTES);
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
