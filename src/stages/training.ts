import { Type } from '@sinclair/typebox';
import { choice, key, object } from '../core/schema.ts';
import { devicesSchema } from './devices.ts';
import { optimizerSchema } from './optimizer.ts';

/** The fields that both training stages have. */
export const trainingFields = {
  epochs: Type.Integer({ ...key('Number of passes over the training images'), minimum: 1 }),
  batch: Type.Integer({ ...key('Images per step, over all devices together'), minimum: 1, default: 64 }),
  optimizer: optimizerSchema,
  early_stopping: Type.Optional(
    object(
      {
        patience: Type.Integer({ ...key('Epochs without a better validation accuracy before the end'), minimum: 1 }),
      },
      key('End before all epochs are done; needs data.validation'),
    ),
  ),
  keep: choice(['last', 'best'], {
    ...key('Which weights are the result: the last, or those of the best validation accuracy'),
    default: 'last',
  }),
  devices: devicesSchema,
};
