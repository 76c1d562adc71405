/** Limits that a tested model must keep: those of all tasks. */
import { Type } from '@sinclair/typebox';
import { object, runtime } from '../core/schema.ts';
import { taskNames } from '../measurements/metrics.ts';
import type { Gate, Task, UnjudgedTest } from '../measurements/metrics.ts';
import type { GateRow, MeasuredBy } from './define.ts';
import { tasks } from './index.ts';

type AnyGate = GateRow<MeasuredBy<Task>>;

const gatesOf = (task: Task): Readonly<Record<string, AnyGate>> => tasks[task].gates;

const rows = taskNames.flatMap((task) => Object.entries(gatesOf(task)).map(([name, row]) => ({ name, task, row })));

// Not in the key: limits are compared with what was measured on every run, stored or not.
const limitSchema = ({ description, limit }: AnyGate) =>
  Type.Optional(Type.Number({ ...runtime(description), minimum: 0, ...(limit === 'fraction' ? { maximum: 1 } : {}) }));

export type GateLimits = Readonly<Partial<Record<string, number>>>;

const limitSchemas = Object.fromEntries(rows.map(({ name, row }) => [name, limitSchema(row)]));

export const gatesSchema = Type.Unsafe<GateLimits>(
  object(limitSchemas, {
    ...runtime('Limits that the results must meet; if one is not met, the run ends with exit code 2'),
    default: {},
  }),
);

export const outputGatesSchema = Type.Unsafe<Readonly<Record<string, GateLimits>>>({
  type: 'object',
  minProperties: 1,
  additionalProperties: object(limitSchemas, runtime('The limits of this output')),
  ...runtime(
    'Limits of single outputs of a network that has several, by the names in `model.outputs`; those in `gates` are for every output whose task has them',
  ),
});

/** The tasks that have a gate, by its name. */
export function tasksWithGate(gate: string): readonly Task[] {
  return rows.flatMap(({ name, task }) => (name === gate ? [task] : []));
}

/** Compares what was measured with the limits; a gate whose value was not measured is not met. */
export function judgeGates(limits: GateLimits, measured: UnjudgedTest): Gate[] {
  return Object.entries(gatesOf(measured.task)).flatMap(([name, row]) => {
    const limit = limits[name];
    if (limit === undefined) return [];
    const { rule, unit } = row;
    const value = row.value(measured);
    // Shares of a finite test set differ by multiples of 1/n; 1e-9 is only float64's rounding of their difference.
    const ok = value !== null && (rule === 'at_least' ? value >= limit - 1e-9 : value <= limit + 1e-9);
    return [{ name, rule, limit, value, unit, ok }];
  });
}
