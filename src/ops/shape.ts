import { plainTflite } from './bindings.ts';
import type { NoAttrs, TfliteBinding } from './define.ts';
import { defineInferenceOp } from './define.ts';

const plain = plainTflite(77, 55, () => ({ version: 1, minimumRuntime: '1.10.0' }));

/** The dimensions of the input, known before the model runs: the reader of files puts a constant in its place. */
export const shapeOf = defineInferenceOp<'shape', NoAttrs>({
  name: 'shape',
  operands: [{ name: 'input', role: 'activation' }],
  quant: { kind: 'codes' },
  infer: ([input]) => [{ dtype: 'int32', shape: [input!.shape.length] }],
  int8:
    ({ inputs: [input] }) =>
    (_inputs, [y]) =>
      y!.set(input!.type.shape),
  tflite: {
    ...plain,
    fields: [{ id: 0, name: 'out_type', type: 'byte', default: 0 }],
    // TensorType INT32 of the schema.
    encode: () => ({ options: { out_type: 2 }, parameters: [] }),
  } satisfies TfliteBinding<NoAttrs>,
});
