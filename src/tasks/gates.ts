/** Limits that a tested model must keep. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { object, runtime } from '../core/schema.ts';
import type { Task } from '../models/layers.ts';
import type { Gate } from '../measurements/metrics.ts';

// Not in the key: limits are compared with what was measured on every run, stored or not.
const share = (description: string) => Type.Optional(Type.Number({ ...runtime(description), minimum: 0, maximum: 1 }));
const positive = (description: string) => Type.Optional(Type.Number({ ...runtime(description), minimum: 0 }));

export const gatesSchema = object(
  {
    int8_top1_min: share('Minimum top-1 accuracy of the integer model, as a fraction 0..1'),
    drop_max: share(
      'Maximum drop in top-1 accuracy from float to int8, as a fraction 0..1; needs a float-pretrain stage',
    ),
    fake_quant_top1_min: share('Minimum top-1 accuracy of the fake-quant model, as a fraction 0..1'),
    agreement_min: share('Minimum fraction of images for which fake-quant and int8 predict the same class'),
    worst_recall_min: share(
      'Minimum recall of every class by the integer model, as a fraction 0..1; classes without test images do not count',
    ),
    class_drop_max: share(
      'Maximum drop in the recall of any class from float to int8, as a fraction 0..1; needs a float-pretrain stage',
    ),
    balanced_accuracy_min: share(
      'Minimum mean of the recalls of all classes by the integer model, as a fraction 0..1; classes without test images do not count',
    ),
    int8_mae_max: positive(
      'Maximum mean absolute error of an integer model that regresses: in the unit of its target, or in standard deviations of several',
    ),
    mae_rise_max: positive(
      'Maximum rise of the mean absolute error from float to int8, as a fraction of the float error; needs a float-pretrain stage',
    ),
    int8_error_max: positive('Maximum mean squared error of an integer model that reconstructs, in real units'),
    error_rise_max: positive(
      'Maximum rise of the mean squared error from float to int8, as a fraction of the float error; needs a float-pretrain stage',
    ),
  },
  { ...runtime('Limits that the results must meet; if one is not met, the run ends with exit code 2'), default: {} },
);

export type GateLimits = Static<typeof gatesSchema>;
export type GateName = keyof GateLimits;

/** What the network must be for, and whether the gate compares with a float model. */
export const gateRules: { readonly [G in GateName]-?: { readonly task: Task; readonly compares: 'float' | null } } = {
  int8_top1_min: { task: 'classify', compares: null },
  drop_max: { task: 'classify', compares: 'float' },
  fake_quant_top1_min: { task: 'classify', compares: null },
  agreement_min: { task: 'classify', compares: null },
  worst_recall_min: { task: 'classify', compares: null },
  class_drop_max: { task: 'classify', compares: 'float' },
  balanced_accuracy_min: { task: 'classify', compares: null },
  int8_mae_max: { task: 'regress', compares: null },
  mae_rise_max: { task: 'regress', compares: 'float' },
  int8_error_max: { task: 'reconstruct', compares: null },
  error_rise_max: { task: 'reconstruct', compares: 'float' },
};

/** What was measured for a gate, null where it could not be. */
export type GateValue = Omit<Gate, 'name' | 'limit' | 'ok'> & { readonly name: GateName };

/** Compares measured values with their limits; a gate whose value was not measured is not met. */
export function judgeGates(limits: GateLimits, measured: readonly GateValue[]): Gate[] {
  return measured.flatMap((gate) => {
    const limit = limits[gate.name];
    if (limit === undefined) return [];
    const { rule, value } = gate;
    // Shares of a finite test set differ by multiples of 1/n; 1e-9 is only float64's rounding of their difference.
    const ok = value !== null && (rule === 'at_least' ? value >= limit - 1e-9 : value <= limit + 1e-9);
    return [{ ...gate, limit, ok }];
  });
}
