/** What `qat` and `ptq` have in common: how a network is quantized, whichever of them does it. */
import { choice, derived, key } from '../core/schema.ts';

export const formFields = {
  observe: choice(['after_activation', 'before_activation'], {
    ...key('Whether ranges are observed after or before a ReLU or ReLU6; before_activation is for comparison only'),
    default: 'after_activation',
  }),
  scheme: choice(['int8', 'uint8'], {
    ...key(
      'int8: symmetric weight range for each output channel; uint8: one asymmetric range for the whole filter, codes 1..255',
    ),
    default: 'int8',
  }),
  dense_weights: derived(
    choice(
      ['per_channel', 'per_tensor'],
      key(
        'Scales of the weights of fully connected layers: one for each output, or a single one, which TensorFlow ' +
          'Lite before 2.10 and older runtimes for microcontrollers need; uint8 always has one',
      ),
    ),
    '`per_tensor` where a target asks for it, else `per_channel`',
  ),
};
