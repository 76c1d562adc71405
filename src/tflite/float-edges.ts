import type { TfliteFile, TfliteOperator, TfliteOperatorCode, TfliteSubgraph, TfliteTensor } from './file.ts';
import { dequantizeOperator, quantizeOperator } from './schema.ts';

/**
 * The model with float32 inputs and outputs: QUANTIZE in front of every quantized input of the first subgraph
 * and DEQUANTIZE behind every quantized output. For runtimes whose interface takes no int8.
 *
 * Nothing is lost: `scale * (q - zeroPoint)` as input becomes `q` again, and an output becomes its q by
 * `round(real / scale) + zeroPoint`, since the error of one float32 product is far below half a step.
 */
export function addFloatEdges(file: TfliteFile): TfliteFile {
  const main = file.subgraphs[0];
  if (main === undefined) return file;
  const isQuantized = (index: number): boolean => {
    const { type, quantization } = main.tensors[index]!;
    return type !== 'FLOAT32' && quantization !== null && quantization.scale.length > 0;
  };
  const quantizedInputs = main.inputs.filter(isQuantized);
  const quantizedOutputs = main.outputs.filter(isQuantized);
  // The float twins follow the model's own tensors, those of the inputs first.
  const firstInputTwin = main.tensors.length;
  const firstOutputTwin = firstInputTwin + quantizedInputs.length;
  const twins = [...quantizedInputs, ...quantizedOutputs].map((index) => floatTwin(main.tensors[index]!));
  const tensors = [...main.tensors.map(forStrictRuntimes), ...twins];
  const withTwins = (indices: readonly number[], quantized: readonly number[], firstTwin: number): number[] =>
    indices.map((index) => (quantized.includes(index) ? firstTwin + quantized.indexOf(index) : index));
  const inputs = withTwins(main.inputs, quantizedInputs, firstInputTwin);
  const outputs = withTwins(main.outputs, quantizedOutputs, firstOutputTwin);
  const opcodeIndex = file.operatorCodes.length;
  const operators = [
    ...quantizedInputs.map((index, at) => edge(opcodeIndex, firstInputTwin + at, index, quantizeOperator)),
    ...main.operators,
    ...quantizedOutputs.map((index, at) => edge(opcodeIndex + 1, index, firstOutputTwin + at, dequantizeOperator)),
  ];
  const subgraph: TfliteSubgraph = { ...main, tensors, inputs, outputs, operators };
  return {
    ...file,
    operatorCodes: [...file.operatorCodes, operatorCode(quantizeOperator), operatorCode(dequantizeOperator)],
    subgraphs: [subgraph, ...file.subgraphs.slice(1)],
    // Their tensor indices would name the quantized tensors; the order of inputs and outputs says enough.
    signatures: [],
  };
}

/**
 * Fixes the shape, since LiteRT refuses an input of the fixed shape for a dynamic one, and moves the axis of a
 * per-channel bias, which old converters copied from the filter, back to the one axis that the bias has.
 */
function forStrictRuntimes(tensor: TfliteTensor): TfliteTensor {
  const { quantization } = tensor;
  const axisExists = quantization === null || quantization.quantizedDimension < tensor.shape.length;
  return {
    ...tensor,
    shapeSignature: null,
    quantization: axisExists ? quantization : { ...quantization, quantizedDimension: 0 },
  };
}

function floatTwin(quantized: TfliteTensor): TfliteTensor {
  return {
    ...quantized,
    name: `${quantized.name}_float`,
    shapeSignature: null,
    type: 'FLOAT32',
    buffer: 0,
    quantization: null,
  };
}

interface EdgeOperator {
  readonly builtinCode: number;
  readonly version: number;
  readonly optionsType: number;
}

function edge(opcodeIndex: number, from: number, to: number, { optionsType }: EdgeOperator): TfliteOperator {
  return { opcodeIndex, inputs: [from], outputs: [to], optionsType, options: {} };
}

function operatorCode({ builtinCode, version }: EdgeOperator): TfliteOperatorCode {
  return { builtinCode, customCode: null, version };
}
