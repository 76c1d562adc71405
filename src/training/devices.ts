import { Type } from '@sinclair/typebox';
import { key } from '../core/schema.ts';
import type { Device } from '../engine/engine.ts';

const pattern = '^(cpu|gpu):(0|[1-9][0-9]*)$';

/** The number of replicas changes the numbers, so the field is part of the key. */
export const devicesSchema = Type.Array(
  Type.Unsafe<Device>({ type: 'string', pattern, examples: ['cpu:0', 'gpu:0'], 'x-parse': 'device' }),
  {
    ...key(
      'Devices. Each runs one replica of the graph on an equal part of every batch; `gpu` needs engine tensorflow',
    ),
    minItems: 1,
    uniqueItems: true,
    default: ['cpu:0'],
  },
);

/** @param text matches the schema's pattern, for example `cpu:1` */
export function parseDevice(text: string): Device {
  const [kind, index] = text.split(':');
  return { kind: kind === 'gpu' ? 'gpu' : 'cpu', index: Number(index) };
}
