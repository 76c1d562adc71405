/** What resize_bilinear and resize_nearest_neighbor share: attributes, loops, gradient and file bindings. */
import type { FloatTensor, Shape, TensorType } from '../core/tensor.ts';
import { T_FLOAT, booleanOption, int32Vector, readBool, wholeNumbers } from './bindings.ts';
import type { GraphDefBinding, OpDef, TfliteBinding } from './define.ts';
import { ShapeError, defineOp, float32 } from './define.ts';
import { expectRank, expectSameShape } from './geometry.ts';

export interface ResizeAttrs {
  /** [height, width] of the output */
  readonly size: readonly [number, number];
  /** The corner pixels of both images lie on each other. */
  readonly alignCorners: boolean;
  /** Pixels are squares around half numbers, rather than points on whole ones. */
  readonly halfPixelCenters: boolean;
}

/** One output row or column is made of two of the input: low * (1 - fraction) + high * fraction. */
export interface Tap {
  readonly low: number;
  readonly high: number;
  readonly fraction: number;
}

export type Taps = (input: number, output: number, attrs: ResizeAttrs) => readonly Tap[];

/** Input pixels from one output pixel to the next, in float32 as TensorFlow computes it. */
export function resizeScale(input: number, output: number, { alignCorners }: ResizeAttrs): number {
  return Math.fround(alignCorners && output > 1 ? (input - 1) / (output - 1) : input / output);
}

export function inferResize([input]: readonly TensorType[], { size, ...attrs }: ResizeAttrs): readonly TensorType[] {
  expectRank(input!.shape, 4, 'the input');
  if (size.some((pixels) => pixels < 1)) throw new ShapeError(`cannot resize to [${size.join(',')}]; expected pixels`);
  if (attrs.alignCorners && attrs.halfPixelCenters) {
    throw new ShapeError('aligned corners and half pixel centers exclude each other');
  }
  return [{ dtype: input!.dtype, shape: [input!.shape[0]!, ...size, input!.shape[3]!] }];
}

type Shape4 = readonly [number, number, number, number];

/** Visits every output element with its four input elements and its place between them. */
export function forEachPixel(
  shape: Shape,
  attrs: ResizeAttrs,
  taps: Taps,
  visit: (at: number, corners: readonly [number, number, number, number], y: Tap, x: Tap) => void,
): void {
  const [batches, height, width, channels] = shape as Shape4;
  const rows = taps(height, attrs.size[0], attrs);
  const columns = taps(width, attrs.size[1], attrs);
  let at = 0;
  for (let batch = 0; batch < batches; batch++) {
    const pixel = (y: number, x: number): number => ((batch * height + y) * width + x) * channels;
    for (const y of rows) {
      for (const x of columns) {
        for (let channel = 0; channel < channels; channel++) {
          const corners = [
            pixel(y.low, x.low) + channel,
            pixel(y.low, x.high) + channel,
            pixel(y.high, x.low) + channel,
            pixel(y.high, x.high) + channel,
          ] as const;
          visit(at++, corners, y, x);
        }
      }
    }
  }
}

export function resizeFloat(taps: Taps) {
  return ([input]: readonly FloatTensor[], attrs: ResizeAttrs, [output]: readonly FloatTensor[]): void =>
    forEachPixel(input!.shape, attrs, taps, (at, corners, y, x) => {
      const [a, b, c, d] = corners.map((corner) => input!.data[corner]!) as [number, number, number, number];
      const top = a * (1 - x.fraction) + b * x.fraction;
      const bottom = c * (1 - x.fraction) + d * x.fraction;
      output!.data[at] = top * (1 - y.fraction) + bottom * y.fraction;
    });
}

/** Input: output gradient. Every output element hands its gradient to the four that made it. */
export function resizeGradient<const Name extends string>(
  name: Name,
  taps: Taps,
): OpDef<Name, ResizeAttrs & { readonly inputShape: Shape }> {
  return defineOp({
    name,
    operands: [{ name: 'gradient', role: 'activation' }],
    quant: { kind: 'float_only' },
    infer([gradient], attrs) {
      expectSameShape(gradient!.shape, inferResize([float32(attrs.inputShape)], attrs)[0]!.shape, 'the gradient');
      return [float32(attrs.inputShape)];
    },
    float([gradient], attrs, [result]) {
      result!.data.fill(0);
      forEachPixel(attrs.inputShape, attrs, taps, (at, [a, b, c, d], y, x) => {
        const value = gradient!.data[at]!;
        result!.data[a]! += value * (1 - y.fraction) * (1 - x.fraction);
        result!.data[b]! += value * (1 - y.fraction) * x.fraction;
        result!.data[c]! += value * y.fraction * (1 - x.fraction);
        result!.data[d]! += value * y.fraction * x.fraction;
      });
    },
    vjp: null,
    int8: null,
    tflite: null,
    graphdef: null,
  });
}

export function resizeTflite(
  file: Pick<TfliteBinding<ResizeAttrs>, 'builtinCode' | 'optionsType' | 'version'> & {
    /** Field ids of align_corners and half_pixel_centers. */
    readonly ids: readonly [number, number];
  },
): TfliteBinding<ResizeAttrs> {
  const { ids, ...rest } = file;
  return {
    ...rest,
    fields: [
      { id: ids[0], name: 'align_corners', type: 'bool', default: false },
      { id: ids[1], name: 'half_pixel_centers', type: 'bool', default: false },
    ],
    parameterPositions: [1],
    encode: ({ attrs }) => ({
      options: { align_corners: attrs.alignCorners, half_pixel_centers: attrs.halfPixelCenters },
      parameters: [{ position: 1, name: 'size', tensor: int32Vector(attrs.size) }],
    }),
    decode: ({ options, parameters: [size] }) => ({
      size: sizeOf(wholeNumbers(size, 'the size')),
      alignCorners: booleanOption(options, 'align_corners'),
      halfPixelCenters: booleanOption(options, 'half_pixel_centers'),
    }),
  };
}

export function resizeGraphDef(tensorflowOp: string): GraphDefBinding<ResizeAttrs> {
  return {
    write: (writer, { name, inputs, attrs }) => [
      writer.node(tensorflowOp, name, [inputs[0]!, writer.constant(`${name}/size`, int32Vector(attrs.size))], {
        ...T_FLOAT,
        align_corners: { kind: 'bool', value: attrs.alignCorners },
        half_pixel_centers: { kind: 'bool', value: attrs.halfPixelCenters },
      }),
    ],
    reads: {
      [tensorflowOp]: (node, { inputs, constant }) => ({
        inputs: [inputs[0]!],
        attrs: {
          size: sizeOf(wholeNumbers(constant(inputs[1]!), 'the size')),
          alignCorners: readBool(node, 'align_corners', false),
          halfPixelCenters: readBool(node, 'half_pixel_centers', false),
        },
      }),
    },
  };
}

function sizeOf(values: readonly number[]): readonly [number, number] {
  const [height, width, ...others] = values;
  if (height === undefined || width === undefined || others.length > 0) {
    throw new ShapeError(`the size is [${values.join(',')}]; expected [height, width]`);
  }
  return [height, width];
}
