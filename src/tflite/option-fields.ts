import type { FieldSpec } from '../formats/flatbuffer/options.ts';
import { opNames, ops } from '../ops/index.ts';
import type { OpName } from '../ops/index.ts';

const rows = new Map<number, { readonly op: OpName; readonly fields: readonly FieldSpec[] }>(
  opNames.flatMap((op) => {
    const binding = ops[op].tflite;
    return binding === null ? [] : [[binding.builtinCode, { op, fields: binding.fields }] as const];
  }),
);

/** The row of the op table for a BuiltinOperator code; null where the table has none. */
export function opOfBuiltinCode(code: number): OpName | null {
  return rows.get(code)?.op ?? null;
}

/** The fields of an operator's options table; none for an operator that the table lacks. */
export function optionFields(code: number): readonly FieldSpec[] {
  return rows.get(code)?.fields ?? [];
}
