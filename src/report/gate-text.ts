/** Gates in words. */
import { unreachable } from '../core/assert.ts';
import type { Gate } from '../measurements/metrics.ts';
import { witnesses } from '../measurements/runtime-titles.ts';
import { bytes, fixed, integer, percent, points, significant } from './format.ts';

/** `98.20 %, at least 99.00 % wanted` */
export function gateText(gate: Gate): string {
  const value = gate.value === null ? 'not measured' : gateNumber(gate.value, gate.unit);
  // The size of the file is the same everywhere, and gates of fake-quant say so in their names.
  const isAnywhere = gate.unit === 'bytes' || gate.name.startsWith('fake_quant');
  const device = isAnywhere ? '' : ` on a ${witnesses.microcontroller}`;
  return `${value}${device}, ${gateLimit(gate)} wanted`;
}

/** `at least 99.00 %` */
export function gateLimit({ rule, limit, unit }: Gate): string {
  return `${rule === 'at_least' ? 'at least' : 'at most'} ${gateNumber(limit, unit)}`;
}

/** `drop_max at most 5.00 pp`, each once. */
export function limitsOf(gates: readonly Gate[]): string[] {
  return [...new Set(gates.map((gate) => `${gate.name} ${gateLimit(gate)}`))];
}

export function gateNumber(value: number, unit: Gate['unit']): string {
  switch (unit) {
    case 'share':
      return percent(value);
    case 'share_difference':
      return points(value).replace('+', '');
    case 'error':
      return significant(value);
    case 'bytes':
      return bytes(value);
    case 'number':
      return Number.isInteger(value) ? integer(value) : fixed(value, 3);
    default:
      return unreachable(unit);
  }
}
