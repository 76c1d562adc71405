import type { TfliteFile, TfliteOperator, TfliteSubgraph, TfliteTensor } from './file.ts';
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
  const tensors = main.tensors.map(forStrictRuntimes);
  const replacement = new Map<number, number>();
  const addFloatTensor = (index: number): number => {
    const quantized = main.tensors[index]!;
    replacement.set(index, tensors.length);
    return tensors.push(floatTwin(quantized)) - 1;
  };
  const isQuantized = (index: number): boolean => (main.tensors[index]?.quantization?.scale.length ?? 0) > 0;
  const quantizeIndex = file.operatorCodes.length;
  const quantizers = main.inputs
    .filter(isQuantized)
    .map((index) => edge(quantizeIndex, addFloatTensor(index), index, quantizeOperator.optionsType));
  const inputs = main.inputs.map((index) => replacement.get(index) ?? index);
  replacement.clear();
  const dequantizers = main.outputs
    .filter(isQuantized)
    .map((index) => edge(quantizeIndex + 1, index, addFloatTensor(index), dequantizeOperator.optionsType));
  const outputs = main.outputs.map((index) => replacement.get(index) ?? index);
  const operators = [...quantizers, ...main.operators, ...dequantizers];
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

function edge(opcodeIndex: number, from: number, to: number, optionsType: number): TfliteOperator {
  return { opcodeIndex, inputs: [from], outputs: [to], optionsType, options: {} };
}

function operatorCode(operator: { readonly builtinCode: number; readonly version: number }) {
  return { builtinCode: operator.builtinCode, customCode: null, version: operator.version };
}
