/** `loss:` of a pipeline: how training judges an answer. Which of the fields a task has is in its row. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, key, object } from '../core/schema.ts';
import type { Split } from '../data/dataset.ts';
import { classCounts } from '../data/dataset.ts';

export const lossSchema = object(
  {
    class_weights: Type.Optional(
      Type.Unsafe<'balanced' | Readonly<Record<string, number>>>({
        ...key(
          'How much an example of each class counts: `balanced`, so that all classes count the same together, or a weight by class name (1 for those that are left out)',
        ),
        type: ['string', 'object'],
        'x-parse': 'weights',
        pattern: '^balanced$',
        additionalProperties: {
          type: 'number',
          minimum: 0,
          description: 'Weight of each example of the class: 1 as usual, 0 to learn nothing of it',
        },
        examples: ['balanced'],
      }),
    ),
    label_smoothing: Type.Optional(
      Type.Number({
        ...key('Share of the target that is spread evenly over all classes, as in Keras'),
        minimum: 0,
        exclusiveMaximum: 1,
      }),
    ),
    error: Type.Optional(
      choice(
        ['squared', 'absolute', 'huber'],
        key(
          'Error of a target: its square, its magnitude, or the square of small and the magnitude of large ones; default: squared',
        ),
      ),
    ),
    huber_delta: Type.Optional(
      Type.Number({
        ...key(
          'Error up to which `huber` takes the square, in standard deviations of the target. Only with `error: huber`; default: 1',
        ),
        exclusiveMinimum: 0,
      }),
    ),
  },
  { ...key('The loss of training, where it is not the plain one of the task'), default: {} },
);

export type LossOptions = Static<typeof lossSchema>;
export type LossField = keyof LossOptions;

/**
 * A weight by class, or null where all are 1.
 *
 * @param train of which `balanced` counts the examples, or the pixels of masks: weight = all / (classes * those of the
 *   class)
 * @see scikit-learn, compute_class_weight
 */
export function classWeights(
  weights: LossOptions['class_weights'],
  names: readonly string[],
  train: Split | null,
): readonly number[] | null {
  if (weights === undefined) return null;
  if (weights !== 'balanced') return names.map((name) => weights[name] ?? 1);
  const found = train === null ? [] : classCounts(train, names.length);
  const total = found.reduce((sum, count) => sum + count, 0);
  const present = found.filter((count) => count > 0).length;
  return found.map((count) => (count === 0 ? 1 : total / (present * count)));
}
