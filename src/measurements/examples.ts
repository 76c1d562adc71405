/** Test examples that a report shows: the same of every task, so that a report need not know which it is. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { object } from '../core/schema.ts';
import { nullable } from './nullable.ts';

const count = Type.Integer({ minimum: 0 });
const side = Type.Integer({ minimum: 1 });
const number = Type.Number();
const bytes = (description: string) => Type.String({ description: `base64 of ${description}` });

const size = { width: side, height: side };

/** An image; larger ones than a page shows are averaged over squares. */
const Picture = object({
  kind: Type.Literal('picture'),
  ...size,
  channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
  pixels: bytes('height x width x channels bytes, 0..255'),
});

/** A class for each pixel. */
const Mask = object({
  kind: Type.Literal('mask'),
  ...size,
  labels: bytes('height x width bytes, indices into the classes'),
});

/** Values over two axes, such as the features of a sound: time to the right, the first bin at the bottom. */
const Heat = object({
  kind: Type.Literal('heat'),
  ...size,
  values: bytes('height x width bytes, rows of the figure from top to bottom: 0 is the minimum, 255 the maximum'),
  min: number,
  max: number,
  across: Type.String({ description: 'name of the axis to the right' }),
  up: Type.String({ description: 'name of the axis upwards' }),
  seconds: nullable(Type.Number({ description: 'from left to right' })),
  wave: nullable(bytes('pairs of int8, the lowest and the highest sample of each stretch; 127 is full scale')),
});

const Series = object({
  kind: Type.Literal('series'),
  steps: Type.Integer({ minimum: 1, description: 'of the example' }),
  averaged: Type.Integer({ minimum: 1, description: 'steps of which each value is the mean' }),
  channels: Type.Array(
    object({ name: Type.String(), values: Type.Array(number, { description: 'as they were measured' }) }),
  ),
  hidden: Type.Integer({ minimum: 0, description: 'channels that are left out' }),
});

const Features = object({
  kind: Type.Literal('features'),
  features: Type.Array(
    object({
      name: Type.String(),
      value: Type.Number({ description: 'as it was measured' }),
      standard: Type.Number({ description: 'as the network takes it: deviations from the mean of training' }),
    }),
  ),
  hidden: Type.Integer({ minimum: 0, description: 'features that are left out' }),
});

export const View = Type.Union([Picture, Mask, Heat, Series, Features]);

const Answer = object({
  model: Type.Union(
    [Type.Literal('float'), Type.Literal('qat_float'), Type.Literal('fake_quant'), Type.Literal('int8')],
    { description: 'the first is float, or where there is none the QAT weights without quantizers' },
  ),
  text: nullable(Type.String({ description: 'a class, labels or a count; null where values and figures say it' })),
  right: nullable(Type.Boolean()),
  margin: nullable(
    Type.Number({
      minimum: 0,
      description:
        'of the output, as a real value: the largest minus the second, or the distance from the threshold; of several ' +
        'labels the smallest distance',
    }),
  ),
  error: nullable(Type.Number({ description: 'of this example, as the metrics measure it' })),
});

const Value = object({
  name: Type.String(),
  truth: nullable(number),
  first: Type.Number({ description: 'of the first of the answers' }),
  fakeQuant: number,
  int8: Type.Number({ description: 'scale * (code - zeroPoint), in the unit of a target where there is one' }),
  code: Type.Integer({ description: 'of the output of the integer model' }),
});

const Example = object({
  index: count,
  name: nullable(Type.String({ description: 'file or row that it came from, where the source knows it' })),
  group: Type.Integer({ minimum: 0, description: 'index into the groups' }),
  truth: nullable(Type.String()),
  answers: Type.Array(Answer),
  values: Type.Array(Value, { description: 'elements of the output' }),
  hidden: Type.Integer({ minimum: 0, description: 'elements of the output that are left out' }),
  views: Type.Array(object({ title: Type.String(), view: View }), { description: 'the input, then answers' }),
});

export const Examples = object({
  unit: Type.String({ description: 'what margins and values are, or errors' }),
  scale: number,
  zeroPoint: Type.Integer(),
  threshold: nullable(
    Type.Number({ description: 'of the output of the integer model, from which on a label applies, as a real value' }),
  ),
  classes: Type.Array(Type.String(), { description: 'of masks' }),
  groups: Type.Array(
    object({
      title: Type.String(),
      lead: Type.String({ description: 'which examples these are, and which come first' }),
      found: Type.Integer({ minimum: 0, description: 'of all test examples' }),
    }),
  ),
  shown: Type.Array(Example, { description: 'by group; within a group those first of which the reader sees most' }),
});

export type View = Static<typeof View>;
export type Examples = Static<typeof Examples>;
export type ShownExample = Static<typeof Example>;
export type ExampleAnswer = Static<typeof Answer>;
export type ExampleValue = Static<typeof Value>;
export type PictureView = Static<typeof Picture>;
export type MaskView = Static<typeof Mask>;
export type HeatView = Static<typeof Heat>;
export type SeriesView = Static<typeof Series>;
export type FeaturesView = Static<typeof Features>;
