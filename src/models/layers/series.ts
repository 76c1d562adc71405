/**
 * Layers along the steps of a series. They become the two-dimensional ops on one row or one column of pixels, as in
 * TensorFlow Lite, which has no others.
 */
import type { SchemaOptions } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, key } from '../../core/schema.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import { ShapeError } from '../../ops/define.ts';
import { affineFields } from './affine.ts';
import type { NamedLayer } from './define.ts';
import { addNode, misfit } from './define.ts';

export const steps = (description: string, options: SchemaOptions = {}) =>
  Type.Integer({ ...key(`${description}, in steps of the series`), minimum: 1, ...options });

/** The fields of a convolution over the steps. */
export const seriesWindowFields = {
  kernel: steps('Filter size'),
  stride: steps('Stride', { default: 1 }),
  dilation: steps('Dilation: distance between filter taps', { default: 1 }),
  padding: choice(['same', 'valid', 'causal'], {
    ...key(
      '`same`: pad with zeros so that the output size is ceil(input size / stride); `valid`: no padding; `causal`: pad the beginning only, so that no output depends on later steps',
    ),
    default: 'same',
  }),
  ...affineFields,
};

/** A series as an image of one row or one column. */
interface Series {
  readonly image: ValueRef;
  /** Along which the steps lie: 1 for a column, 2 for a row. */
  readonly axis: 1 | 2;
  readonly length: number;
  readonly channels: number;
}

/**
 * The input of a layer as a series: a row [1, steps, channels] or a column [steps, 1, channels] as it is; [steps,
 * channels] and an image of one channel, such as a spectrogram [steps, bins, 1], as the row [1, steps, channels].
 *
 * @throws ShapeError for anything else
 */
function seriesOf(builder: GraphBuilder, layer: NamedLayer, input: ValueRef): Series {
  const [, height = 0, width = 0, channels = 0] = input.type.shape;
  const rank = input.type.shape.length;
  if (rank === 4 && height === 1) return { image: input, axis: 2, length: width, channels };
  if (rank === 4 && width === 1) return { image: input, axis: 1, length: height, channels };
  if (rank !== 3 && !(rank === 4 && channels === 1)) {
    throw misfit(
      layer,
      'the input is',
      input,
      'a series: [1,steps,channels], [steps,1,channels], [steps,channels] or [steps,channels,1]',
    );
  }
  const row = addNode(builder, 'reshape', `${layer.name}/series`, [input], { shape: [-1, 1, height, width] });
  return { image: row, axis: 2, length: height, channels: width };
}

/** Two numbers for height and width: `value` along the steps, 1 across them. */
export const along = ({ axis }: Series, value: number): readonly [number, number] =>
  axis === 1 ? [value, 1] : [1, value];

/** Where a window slides, before anything is built that would speak of pixels. */
interface SlidingLayer extends NamedLayer {
  readonly padding: 'same' | 'valid' | 'causal';
}

interface PaddedSeries extends Series {
  /** What is left to the op. */
  readonly padding: { readonly kind: 'same' | 'valid' };
}

/**
 * The input as a series, with what a window of `reach` steps needs at its beginning.
 *
 * @throws ShapeError for an input that is no series, and for a window that does not fit without padding
 */
export function paddedSeries(builder: GraphBuilder, layer: SlidingLayer, input: ValueRef, reach: number): PaddedSeries {
  const series = seriesOf(builder, layer, input);
  const { image, axis, length } = series;
  if (layer.padding === 'valid' && reach > length) {
    const place = `${layer.kind} "${layer.name}/${layer.kind}"`;
    throw new ShapeError(`${place}: a window of ${reach} steps does not fit into ${length}`);
  }
  if (layer.padding !== 'causal') return { ...series, padding: { kind: layer.padding } };
  const before: readonly [number, number] = [reach - 1, 0];
  const none: readonly [number, number] = [0, 0];
  const paddings = [none, axis === 1 ? before : none, axis === 2 ? before : none, none];
  const padded = reach === 1 ? image : addNode(builder, 'pad', `${layer.name}/pad`, [image], { paddings });
  return { ...series, image: padded, padding: { kind: 'valid' } };
}
