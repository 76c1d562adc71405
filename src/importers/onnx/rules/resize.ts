/** Resize, in those of ONNX's many ways that ours are equal to, pixel by pixel. */
import type { ResizeAttrs, Tap } from '../../../ops/resize.ts';
import { bilinearTaps } from '../../../ops/resize_bilinear.ts';
import { nearestTaps } from '../../../ops/resize_nearest_neighbor.ts';
import { refuse } from '../../refusal.ts';
import type { Call, Rule } from '../context.ts';
import { axesOf, optionalStatic, viewIn } from '../context.ts';
import { rankOf, shapeOf, viewOf } from '../view.ts';

/** Along one axis: far above what an image has. */
const mostPixels = 2 ** 16;

/** Weights are the same up to float32's accuracy. */
const tolerance = 1e-4;

interface Axis {
  readonly input: number;
  readonly output: number;
  /** Output pixels for each input pixel. */
  readonly scale: number;
}

function axesIn(call: Call): readonly Axis[] {
  const { attributes } = call;
  const shape = shapeOf(viewIn(call, 0));
  const named = attributes.ints('axes');
  const axes = named === null ? shape.map((_, axis) => axis) : axesOf(named, shape.length);
  const scales = optionalStatic(call, 2);
  const sizes = optionalStatic(call, 3);
  const given = sizes !== null && sizes.data.length > 0 ? sizes : scales;
  if (given === null || given.data.length !== axes.length) {
    return refuse(`it has ${given?.data.length ?? 0} sizes or scales; expected ${axes.length}`);
  }
  attributes.oneOf('keep_aspect_ratio_policy', attributes.string('keep_aspect_ratio_policy', 'stretch'), ['stretch']);
  return shape.map((input, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return { input, output: input, scale: 1 };
    const value = given.data[at] ?? 1;
    const output = given === sizes ? value : Math.floor(input * value);
    if (!(Number.isInteger(output) && output >= 1 && output <= mostPixels)) refuse(`it resizes ${input} to ${output}`);
    return { input, output, scale: given === sizes ? output / input : value };
  });
}

/** Where ONNX reads an output pixel in the input, by coordinate_transformation_mode. */
const coordinates: { readonly [mode: string]: (index: number, axis: Axis) => number } = {
  half_pixel: (index, { scale }) => (index + 0.5) / scale - 0.5,
  pytorch_half_pixel: (index, { scale, output }) => (output > 1 ? (index + 0.5) / scale - 0.5 : 0),
  asymmetric: (index, { scale }) => index / scale,
  align_corners: (index, { input, output }) => (output === 1 ? 0 : (index * (input - 1)) / (output - 1)),
  half_pixel_symmetric: (index, { scale, input, output }) =>
    (input / 2) * (1 - output / (scale * input)) + (index + 0.5) / scale - 0.5,
};

const nearest: { readonly [mode: string]: (place: number) => number } = {
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const clamp = (index: number, { input }: Axis): number => Math.min(Math.max(index, 0), input - 1);

/** What each output pixel is made of, by ONNX. */
function wantedTaps(
  axis: Axis,
  place: (index: number, axis: Axis) => number,
  round: ((place: number) => number) | null,
): readonly Tap[] {
  return Array.from({ length: axis.output }, (_, index) => {
    const at = place(index, axis);
    if (round !== null) {
      const only = clamp(round(at), axis);
      return { low: only, high: only, fraction: 0 };
    }
    const low = Math.floor(at);
    return { low: clamp(low, axis), high: clamp(low + 1, axis), fraction: at - low };
  });
}

/** The weight of input pixel `at` in a tap. */
const weightOf = ({ low, high, fraction }: Tap, at: number): number =>
  (at === low ? 1 - fraction : 0) + (at === high ? fraction : 0);

const sameTaps = (a: readonly Tap[], b: readonly Tap[]): boolean =>
  a.every((tap, index) => {
    const other = b[index] ?? tap;
    const places = [tap.low, tap.high, other.low, other.high];
    return places.every((at) => Math.abs(weightOf(tap, at) - weightOf(other, at)) < tolerance);
  });

const ways: readonly Omit<ResizeAttrs, 'size'>[] = [
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
  { alignCorners: true, halfPixelCenters: false },
];

export const resize: Rule = (call) => {
  const { graph, name, attributes } = call;
  const view = viewIn(call, 0);
  const rank = rankOf(view);
  const axes = axesIn(call);
  if ((rank !== 3 && rank !== 4) || axes.slice(0, 2).some(({ input, output }) => input !== output)) {
    refuse(
      `it resizes [${shapeOf(view).join(',')}] to [${axes.map(({ output }) => output).join(',')}]; expected another height and width`,
    );
  }
  const mode = attributes.oneOf('mode', attributes.string('mode', 'nearest'), ['nearest', 'linear']);
  attributes.oneOf('antialias', attributes.int('antialias', 0), [0]);
  const transformation = attributes.string('coordinate_transformation_mode', 'half_pixel');
  const place =
    coordinates[attributes.oneOf('coordinate_transformation_mode', transformation, Object.keys(coordinates))];
  const rounding = attributes.string('nearest_mode', 'round_prefer_floor');
  const round =
    mode === 'nearest' ? (nearest[attributes.oneOf('nearest_mode', rounding, Object.keys(nearest))] ?? null) : null;
  const spatial = rank === 4 ? axes.slice(2) : [{ input: 1, output: 1, scale: 1 }, ...axes.slice(2)];
  const [height, width] = spatial;
  if (place === undefined || height === undefined || width === undefined) return refuse('it has no height and width');
  const size = [height.output, width.output] as const;
  const wanted = spatial.map((axis) => wantedTaps(axis, place, round));
  const taps = round === null ? bilinearTaps : nearestTaps;
  const way = ways.find((one) =>
    spatial.every((axis, index) => sameTaps(wanted[index] ?? [], taps(axis.input, axis.output, { ...one, size }))),
  );
  if (way === undefined) {
    return refuse(
      `it resizes by ${mode}, ${transformation}${round === null ? '' : `, ${rounding}`} from ${height.input}x${width.input} ` +
        `to ${size.join('x')}, which no resize of TensorFlow Lite does`,
      'use half_pixel or align_corners for linear, and asymmetric with floor for nearest',
    );
  }
  const op = round === null ? 'resize_bilinear' : 'resize_nearest_neighbor';
  const ref = graph.arranged(name, view, rank === 4 ? [[2], [3], [1]] : [[], [2], [1]]);
  const output = graph.add(op, `${name}/${op}`, [ref], { ...way, size });
  const shape = axes.map((axis) => axis.output);
  return [viewOf(output, shape, rank === 4 ? [2, 3, 1] : [2, 1])];
};
