/** Small .tflite files written by hand, with sums that can be done in the head. */
import { writeTfliteFile } from '../../src/tflite/write-file.ts';
import type { TfliteFile, TfliteOperator, TfliteTensor } from '../../src/tflite/file.ts';
import { optionFields } from '../../src/tflite/option-fields.ts';

export const builtin = { add: 0, fullyConnected: 9, custom: 32, mul: 18, reshape: 22, shape: 77 } as const;

/** A tensor whose codes are its values (scale 1, zero point 0) where it is int8 or uint8. */
export function plainTensor(
  name: string,
  shape: readonly number[],
  type: TfliteTensor['type'],
  more: Partial<TfliteTensor> = {},
): TfliteTensor {
  const none = new Float32Array(0);
  const isCode = type === 'INT8' || type === 'UINT8';
  const ones = { scale: Float32Array.of(1), zeroPoint: [0], quantizedDimension: 0, min: none, max: none };
  const quantization = isCode ? ones : null;
  return { name, shape, shapeSignature: null, type, buffer: 0, isVariable: false, quantization, ...more };
}

export function plainOperator(
  opcodeIndex: number,
  inputs: readonly number[],
  outputs: readonly number[],
  more: Partial<TfliteOperator> = {},
): TfliteOperator {
  return { opcodeIndex, inputs, outputs, optionsType: 0, options: {}, ...more };
}

export interface Parts {
  readonly codes: readonly number[];
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly TfliteOperator[];
  readonly buffers?: readonly Uint8Array[];
  readonly signatures?: TfliteFile['signatures'];
}

export function handmade({
  codes,
  tensors,
  inputs,
  outputs,
  operators,
  buffers = [],
  signatures = [],
}: Parts): Uint8Array {
  const file: TfliteFile = {
    version: 3,
    description: 'by hand',
    operatorCodes: codes.map((builtinCode) => ({ builtinCode, customCode: null, version: 1 })),
    subgraphs: [{ name: 'main', tensors, inputs, outputs, operators }],
    buffers: [new Uint8Array(0), ...buffers],
    metadata: [],
    signatures,
  };
  return writeTfliteFile(file, optionFields);
}

const addOptions = { optionsType: 11 } as const;

/** sum = a + b of the type, and where `both` is set its flat form as a second output. */
export function sumOf(type: TfliteTensor['type'], shape: readonly number[], flat?: readonly number[]): Uint8Array {
  const tensors = [plainTensor('a:0', shape, type), plainTensor('b:0', shape, type), plainTensor('sum:0', shape, type)];
  const operators = [plainOperator(0, [0, 1], [2], addOptions)];
  const ports = { inputs: [0, 1], outputs: [2] };
  if (flat === undefined) return handmade({ codes: [builtin.add], tensors, operators, ...ports });
  return handmade({
    codes: [builtin.add, builtin.reshape],
    tensors: [
      ...tensors,
      plainTensor('flat:0', flat, type),
      plainTensor('flat/shape', [flat.length], 'INT32', { buffer: 1 }),
    ],
    operators: [...operators, plainOperator(1, [2, 4], [3])],
    inputs: [0, 1],
    outputs: [2, 3],
    buffers: [new Uint8Array(Int32Array.from(flat).buffer)],
    signatures: [
      {
        key: 'serving_default',
        subgraph: 0,
        inputs: [
          { name: 'a', tensor: 0 },
          { name: 'b', tensor: 1 },
        ],
        outputs: [
          { name: 'sum', tensor: 2 },
          { name: 'flat', tensor: 3 },
        ],
      },
    ],
  });
}

/** y = x in another shape. */
export function reshaped(
  from: readonly number[],
  to: readonly number[],
  input: Partial<TfliteTensor> = {},
): Uint8Array {
  return handmade({
    codes: [builtin.reshape],
    tensors: [
      plainTensor('x', from, 'INT8', input),
      plainTensor('shape', [to.length], 'INT32', { buffer: 1 }),
      plainTensor('y', to, 'INT8', input.quantization === undefined ? {} : { quantization: input.quantization }),
    ],
    operators: [plainOperator(0, [0, 1], [2])],
    inputs: [0],
    outputs: [2],
    buffers: [new Uint8Array(Int32Array.from(to).buffer)],
  });
}
