import { Type } from '@sinclair/typebox';
import { choice, key, object } from '../core/schema.ts';
import { defineStage } from './define.ts';

const share = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0, maximum: 1 }));

export const test = defineStage({
  kind: 'test',
  revision: 1,
  description: 'Runs the .tflite file on the test images beside the float and fake-quant models',
  from: { accepts: ['Tflite/1'], optional: false },
  produces: 'TestReport/1',
  uses: ['data', 'engine'],
  fields: {
    examples: Type.Integer({ ...key('Test images whose raw outputs are shown'), minimum: 0, default: 3 }),
    litert: choice(['required', 'optional', 'off'], {
      ...key('Whether LiteRT runs the file as a witness: it must, it may be missing, or it is not asked'),
      default: 'optional',
    }),
    gates: object(
      {
        int8_top1_min: share('Least top-1 accuracy of the integer model, a share 0..1'),
        drop_max: share('Most that float top-1 may exceed int8 top-1, a share 0..1; needs a float-pretrain stage'),
        fake_quant_top1_min: share('Least top-1 accuracy of the fake-quant model, a share 0..1'),
        agreement_min: share('Least share of images on which fake-quant and int8 choose the same class'),
      },
      { ...key('Limits that the run must keep; a missed one ends it with exit code 2'), default: {} },
    ),
  },
});
