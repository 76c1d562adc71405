/** The parts of the .tflite schema (LiteRT `tflite/converter/schema/schema.fbs`) that belong to no single operator. */

export const fileIdentifier = 'TFL3';
export const schemaVersion = 3;

/** The builtin code below which both code fields of an OperatorCode hold the code itself. */
export const placeholderForGreaterOpCodes = 127;

/** Codes and options tags of the edges between the types of a model and those of a runtime's interface. */
export const quantizeOperator = { builtinCode: 114, version: 1, optionsType: 89 } as const;
export const dequantizeOperator = { builtinCode: 6, version: 2, optionsType: 38 } as const;
export const castOperator = { builtinCode: 53, version: 1, optionsType: 37 } as const;

/** TensorType by its number in the file, with the bits of one element; null where a buffer has another layout. */
export const tensorTypes = [
  { name: 'FLOAT32', bits: 32 },
  { name: 'FLOAT16', bits: 16 },
  { name: 'INT32', bits: 32 },
  { name: 'UINT8', bits: 8 },
  { name: 'INT64', bits: 64 },
  { name: 'STRING', bits: null },
  { name: 'BOOL', bits: 8 },
  { name: 'INT16', bits: 16 },
  { name: 'COMPLEX64', bits: 64 },
  { name: 'INT8', bits: 8 },
  { name: 'FLOAT64', bits: 64 },
  { name: 'COMPLEX128', bits: 128 },
  { name: 'UINT64', bits: 64 },
  { name: 'RESOURCE', bits: null },
  { name: 'VARIANT', bits: null },
  { name: 'UINT32', bits: 32 },
  { name: 'UINT16', bits: 16 },
  { name: 'INT4', bits: 4 },
  { name: 'BFLOAT16', bits: 16 },
  { name: 'INT2', bits: 2 },
  { name: 'UINT4', bits: 4 },
  { name: 'FLOAT8_E4M3FN', bits: 8 },
  { name: 'FLOAT8_E5M2', bits: 8 },
] as const;

export type TensorTypeName = (typeof tensorTypes)[number]['name'];

/** Field ids of the tables; field `n` of a table is the `n`-th of its vtable. */
export const fields = {
  model: { version: 0, operatorCodes: 1, subgraphs: 2, description: 3, buffers: 4, metadata: 6, signatures: 7 },
  operatorCode: { deprecatedBuiltinCode: 0, customCode: 1, version: 2, builtinCode: 3 },
  subgraph: { tensors: 0, inputs: 1, outputs: 2, operators: 3, name: 4 },
  tensor: {
    shape: 0,
    type: 1,
    buffer: 2,
    name: 3,
    quantization: 4,
    isVariable: 5,
    sparsity: 6,
    shapeSignature: 7,
    hasRank: 8,
    externalBuffer: 10,
  },
  quantization: { min: 0, max: 1, scale: 2, zeroPoint: 3, detailsType: 4, quantizedDimension: 6 },
  operator: { opcodeIndex: 0, inputs: 1, outputs: 2, optionsType: 3, options: 4, largeCustomOptionsOffset: 9 },
  buffer: { data: 0, offset: 1, size: 2 },
  metadata: { name: 0, buffer: 1 },
  signature: { inputs: 0, outputs: 1, key: 2, subgraph: 4 },
  tensorMap: { name: 0, tensor: 1 },
} as const;
