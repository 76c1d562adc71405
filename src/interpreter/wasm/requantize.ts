/** Multipliers, shifts and output ranges in the form that the kernels take. */
import { perTensor } from '../../core/affine.ts';
import type { IntegerRange } from '../../core/affine.ts';
import type { QuantizedMultiplier } from '../../core/fixedpoint.ts';
import { PANEL } from './opcodes.ts';
import type { Operand } from './program.ts';

/** What a shift to the left multiplies by. */
export function leftFactor(shift: number): number {
  return shift > 0 ? 1 << shift : 1;
}

/** 2^(31 - e) for a shift of e > 0 bits to the right; -2^31 for none. */
export function rightFactor(shift: number): number {
  return shift < 0 ? 2 ** (31 + shift) : -2147483648;
}

/** Panels of [bias, left factor, multiplier, right factor], zero where the last panel has no channels. */
export function channelTables(bias: ArrayLike<number> | null, multipliers: readonly QuantizedMultiplier[]): Int32Array {
  const panels = Math.ceil(multipliers.length / PANEL);
  const tables = new Int32Array(panels * 4 * PANEL);
  for (const [channel, { multiplier, shift }] of multipliers.entries()) {
    const at = Math.floor(channel / PANEL) * 4 * PANEL + (channel % PANEL);
    tables[at] = bias?.[channel] ?? 0;
    tables[at + PANEL] = leftFactor(shift);
    tables[at + 2 * PANEL] = multiplier;
    tables[at + 3 * PANEL] = rightFactor(shift);
  }
  return tables;
}

/** Clamp low and high before the zero point is added, and the zero point. */
export function outputWords(output: Operand, { min, max }: IntegerRange): readonly [number, number, number] {
  const { zeroPoint } = perTensor(output.quant, 'the output');
  return [min - zeroPoint, max - zeroPoint, zeroPoint];
}

export function isByte({ type }: Operand): boolean {
  return type.dtype === 'int8' || type.dtype === 'uint8';
}

/** 1 for uint8, 0 for int8. */
export function isUnsigned({ type }: Operand): 0 | 1 {
  return type.dtype === 'uint8' ? 1 : 0;
}
