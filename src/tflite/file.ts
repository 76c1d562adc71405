/** A .tflite file as plain data. Nothing is interpreted here, neither operators nor scales. */
import type { FieldSpec, OptionValues } from '../formats/flatbuffer/options.ts';
import type { TensorTypeName } from './schema.ts';

export interface TfliteFile {
  readonly version: number;
  readonly description: string;
  readonly operatorCodes: readonly TfliteOperatorCode[];
  readonly subgraphs: readonly TfliteSubgraph[];
  /** Buffer 0 is empty by convention: tensors without data refer to it. */
  readonly buffers: readonly Uint8Array[];
  readonly metadata: readonly TfliteMetadata[];
  readonly signatures: readonly TfliteSignature[];
}

export interface TfliteOperatorCode {
  readonly builtinCode: number;
  readonly customCode: string | null;
  readonly version: number;
}

export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** In the order of execution. */
  readonly operators: readonly TfliteOperator[];
}

export interface TfliteTensor {
  readonly name: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /** The shape with -1 where a dimension is dynamic and `shape` holds 1. */
  readonly shapeSignature: readonly number[] | null;
  readonly type: TensorTypeName;
  readonly buffer: number;
  readonly isVariable: boolean;
  readonly quantization: TfliteQuantization | null;
  /** How the values are stored if not as a dense buffer with a scale; such data are not read. */
  readonly foreign?: ForeignStorage;
}

export type ForeignStorage = 'stored sparse' | 'kept in another file' | 'quantized in blocks or in a custom way';

export interface TfliteQuantization {
  /** One for the tensor or one per channel; empty when only a range is stored. */
  readonly scale: Float32Array;
  /** As long as `scale`. */
  readonly zeroPoint: readonly number[];
  /** The axis of a per-channel scale. Writers leave any number here for biases, so it is not checked. */
  readonly quantizedDimension: number;
  readonly min: Float32Array;
  readonly max: Float32Array;
}

export interface TfliteOperator {
  readonly opcodeIndex: number;
  /** Tensor indices; -1 stands for an optional input that is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The tag of the options union, 0 for none. */
  readonly optionsType: number;
  readonly options: OptionValues;
}

export interface TfliteMetadata {
  readonly name: string;
  readonly buffer: number;
}

export interface TfliteSignature {
  readonly key: string;
  readonly subgraph: number;
  readonly inputs: readonly TfliteTensorMap[];
  readonly outputs: readonly TfliteTensorMap[];
}

export interface TfliteTensorMap {
  readonly name: string;
  readonly tensor: number;
}

/** The option fields of a builtin operator by its code; none for an operator that is not known. */
export type OptionFields = (builtinCode: number) => readonly FieldSpec[];
