/** Models made by others, beside the data folder, and the option fields that reading them takes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import type { FieldSpec } from '../../src/formats/flatbuffer/options.ts';

const folder = join(process.env['QPIPE_DATA'] ?? join(import.meta.dirname, '../../../shared/data'), '../models');

/** A suite that is skipped, and says why, where the models are missing. */
export function describeWithModels(name: string, suite: () => void): void {
  if (existsSync(join(folder, 'hello_world_int8.tflite'))) describe(name, suite);
  else describe.skip(`${name} (skipped: no models in ${folder}, set QPIPE_DATA)`, suite);
}

export function sharedModel(file: string): Uint8Array {
  return readFileSync(join(folder, file));
}

function int32(id: number, name: string, absent = 0): FieldSpec {
  return { id, name, type: 'int32', default: absent };
}

function byte(id: number, name: string): FieldSpec {
  return { id, name, type: 'byte', default: 0 };
}

/** By builtin code, after the schema. */
const optionTable: Readonly<Record<number, readonly FieldSpec[]>> = {
  1: [
    byte(0, 'padding'),
    int32(1, 'stride_w'),
    int32(2, 'stride_h'),
    int32(3, 'filter_width'),
    int32(4, 'filter_height'),
    byte(5, 'fused_activation_function'),
  ],
  3: [
    byte(0, 'padding'),
    int32(1, 'stride_w'),
    int32(2, 'stride_h'),
    byte(3, 'fused_activation_function'),
    int32(4, 'dilation_w_factor', 1),
    int32(5, 'dilation_h_factor', 1),
  ],
  4: [
    byte(0, 'padding'),
    int32(1, 'stride_w'),
    int32(2, 'stride_h'),
    int32(3, 'depth_multiplier'),
    byte(4, 'fused_activation_function'),
    int32(5, 'dilation_w_factor', 1),
    int32(6, 'dilation_h_factor', 1),
  ],
  9: [
    byte(0, 'fused_activation_function'),
    byte(1, 'weights_format'),
    { id: 2, name: 'keep_num_dims', type: 'bool', default: false },
  ],
  22: [{ id: 0, name: 'new_shape', type: 'int32_vector', default: [] }],
  25: [{ id: 0, name: 'beta', type: 'float32', default: 0 }],
};

export function optionFields(builtinCode: number): readonly FieldSpec[] {
  return optionTable[builtinCode] ?? [];
}
