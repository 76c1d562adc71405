/** What the test stage records of each layer. Ranges and values are real numbers, shares are in 0..1. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { object } from '../core/schema.ts';
import { nullable } from './nullable.ts';

const share = Type.Number({ minimum: 0, maximum: 1 });
const count = Type.Integer({ minimum: 0 });
const shape = Type.Array(count);

export const histogramBins = 64;
/** Channels whose weights are shown one by one. */
export const shownChannels = 64;

const Histogram = object(
  {
    low: Type.Number({ description: 'left edge of the first bin; a multiple of the width' }),
    width: Type.Number({ description: 'of a bin: a power of two times the scale' }),
    counts: Type.Array(count, {
      maxItems: histogramBins,
      description: 'values in [low + i width, low + (i + 1) width)',
    }),
  },
  { description: 'of all values; the finest with at most 64 bins, but no finer than an eighth of the scale' },
);
export type Histogram = Static<typeof Histogram>;

const Weights = object({
  values: Histogram,
  channels: Type.Array(object({ channel: count, min: Type.Number(), max: Type.Number() }), {
    maxItems: shownChannels,
    description:
      'extremes by output channel, from the one that reaches least to the one that reaches furthest; of more than 64 channels 64, evenly spread over that order',
  }),
});

const Activations = object(
  {
    min: Type.Number({ description: 'real value of the lowest code' }),
    max: Type.Number({ description: 'real value of the highest code' }),
    values: Histogram,
  },
  { description: 'values of the layer in the float graph on the compared examples, beside its range' },
);

const span = (description: string) => object({ min: Type.Number(), max: Type.Number() }, { description });

const Filter = object({
  channels: Type.Integer({ minimum: 1, description: 'output channels' }),
  deadChannels: Type.Integer({ minimum: 0, description: 'whose weights are all zero' }),
  constantChannels: Type.Integer({ minimum: 0, description: 'with one and the same code on all compared examples' }),
  ranges: nullable(span('largest magnitude of the weights of a channel that is not dead')),
  // Left out by records of before there were histograms, as are the activations below.
  weights: Type.Optional(Weights),
  multipliers: nullable(span('input scale * filter scale / output scale of a channel that is not dead')),
});

export const Layer = object({
  name: Type.String(),
  op: Type.String(),
  shape,
  range: Type.Union([Type.Literal('own'), Type.Literal('shared'), Type.Literal('fixed')], {
    description: "of the output: trained for it, its input's, or given by the int8 specification",
  }),
  sharedRange: nullable(
    object(
      {
        by: Type.String({ description: 'the concatenation' }),
        neededBy: Type.String({ description: 'the layer whose values reach furthest in it' }),
      },
      { description: 'whose range it is, where layers that are joined have one together' },
    ),
  ),
  narrowed: nullable(
    object(
      {
        by: Type.String({ description: 'the layer that reads it beside wider values' }),
        codes: Type.Integer({ minimum: 0, maximum: 65536, description: "different codes left at that layer's scale" }),
        widest: Type.String({ description: 'the layer whose values are the widest there' }),
        times: Type.Number({ description: 'how many times wider those are' }),
      },
      { description: 'where the fewest codes are left of its values' },
    ),
  ),
  scale: Type.Number(),
  zeroPoint: Type.Integer(),
  weightScales: nullable(object({ min: Type.Number(), max: Type.Number(), count })),
  filter: nullable(Filter),
  fakeQuantSqnrDb: nullable(Type.Number({ description: 'fake-quant against float; null when not measured or exact' })),
  sqnrDb: nullable(Type.Number({ description: 'int8 against fake-quant; null when not measured or exact' })),
  floatSqnrDb: nullable(Type.Number({ description: 'int8 against float; null when not measured or exact' })),
  withinOneStep: nullable(share),
  largestDifference: nullable(Type.Number({ description: 'int8 against fake-quant, in steps; 0 says exact' })),
  kernel: nullable(
    object(
      {
        ...{ sqnrDb: nullable(Type.Number()), withinOneStep: share },
        offset: Type.Optional(
          object(
            {
              channel: count,
              steps: Type.Number({ description: 'mean difference of its values, in steps' }),
              share: Type.Number({
                minimum: 0,
                maximum: 1,
                description: 'of the noise, what such means of all channels explain',
              }),
            },
            { description: 'the channel that is off by most on average: what a wrong bias does' },
          ),
        ),
      },
      { description: "the integer kernel alone, on the codes of the fake-quant graph's inputs, against its output" },
    ),
  ),
  outputNoise: nullable(
    Type.Number({
      minimum: 0,
      description: "noise power at the model's output, over the signal's, when only this layer is fake-quantized",
    }),
  ),
  clipped: nullable(
    object(
      { below: share, above: share, noiseShare: share },
      {
        description:
          'float values more than half a step outside the range, and the fraction of the fake-quant noise that they cause',
      },
    ),
  ),
  activations: Type.Optional(Activations),
  usedCodes: nullable(Type.Integer({ minimum: 0, maximum: 256 })),
  headroom: nullable(
    Type.Number({ minimum: 0, description: 'largest magnitude of the range over that of 99.9 % of the values' }),
  ),
});
/** The input of the model on the compared examples, beside its range. */
export const ModelInput = object({
  ...Activations.properties,
  clipped: object({ below: share, above: share }, { description: 'values more than half a step outside the range' }),
  headroom: nullable(
    Type.Number({ minimum: 0, description: 'largest magnitude of the range over that of 99.9 % of the values' }),
  ),
});
export type ModelInput = Static<typeof ModelInput>;

export type Layer = Static<typeof Layer>;
