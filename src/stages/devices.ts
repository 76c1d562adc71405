import { Type } from '@sinclair/typebox';
import { key } from '../core/schema.ts';

/** Where one replica of a training graph runs. */
export interface Device {
  readonly kind: 'cpu';
  readonly index: number;
}

const pattern = '^cpu:(0|[1-9][0-9]*)$';

/** The number of replicas changes the numbers, so the field is part of the key. */
export const devicesSchema = Type.Array(
  Type.Unsafe<Device>({ type: 'string', pattern, examples: ['cpu:0', 'cpu:1'], 'x-parse': 'device' }),
  {
    ...key('One replica of the graph per device; each takes an equal part of every batch'),
    minItems: 1,
    uniqueItems: true,
    default: ['cpu:0'],
  },
);

/** @param text as the schema's pattern has it, for example `cpu:1` */
export function parseDevice(text: string): Device {
  return { kind: 'cpu', index: Number(text.slice('cpu:'.length)) };
}
