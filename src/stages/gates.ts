/** Limits that a tested model must keep. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { key, object } from '../core/schema.ts';
import type { Task } from '../models/layers.ts';
import type { Gate } from './metrics.ts';

const share = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0, maximum: 1 }));
const positive = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0 }));

export const gatesSchema = object(
  {
    int8_top1_min: share('Least top-1 accuracy of the integer model, a share 0..1'),
    drop_max: share('Most that float top-1 may exceed int8 top-1, a share 0..1; needs a float-pretrain stage'),
    fake_quant_top1_min: share('Least top-1 accuracy of the fake-quant model, a share 0..1'),
    agreement_min: share('Least share of images on which fake-quant and int8 choose the same class'),
    int8_error_max: positive('Most mean squared error of the integer model that reconstructs, in real units'),
    error_rise_max: positive(
      'Most by which the int8 error may exceed the float error, as a share of it; needs a float-pretrain stage',
    ),
  },
  { ...key('Limits that the run must keep; a missed one ends it with exit code 2'), default: {} },
);

export type GateLimits = Static<typeof gatesSchema>;
export type GateName = keyof GateLimits;

/** What the network must be for, and whether the gate compares with a float model. */
export const gateRules: { readonly [G in GateName]-?: { readonly task: Task; readonly compares: 'float' | null } } = {
  int8_top1_min: { task: 'classify', compares: null },
  drop_max: { task: 'classify', compares: 'float' },
  fake_quant_top1_min: { task: 'classify', compares: null },
  agreement_min: { task: 'classify', compares: null },
  int8_error_max: { task: 'reconstruct', compares: null },
  error_rise_max: { task: 'reconstruct', compares: 'float' },
};

/** Judges those of the measured values that have a limit; what was not measured is not met. */
export function judgeGates(
  limits: GateLimits,
  measured: readonly (Omit<Gate, 'name' | 'limit' | 'ok'> & { readonly name: GateName })[],
): Gate[] {
  return measured.flatMap((gate) => {
    const limit = limits[gate.name];
    if (limit === undefined) return [];
    const { rule, value } = gate;
    // Shares of a finite test set differ by multiples of 1/n; 1e-9 is only float64's rounding of their difference.
    const ok = value !== null && (rule === 'at_least' ? value >= limit - 1e-9 : value <= limit + 1e-9);
    return [{ ...gate, limit, ok }];
  });
}
