/** A model that is exported: its file, and what it means. */
import { createHash } from 'node:crypto';
import type { QuantParams } from '../core/affine.ts';
import { perTensor } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { Shape } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Contract, Purpose } from '../graph/contract.ts';
import { purposeOf } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import { producers, valueOf } from '../graph/graph.ts';
import { builtinName } from '../tflite/builtin-names.ts';
import { readTflite, readTfliteContents } from '../tflite/read.ts';
import type { Decision } from './decision.ts';
import { halfDecision, testedDecision } from './decision.ts';
import { identifierOf } from './literals.ts';

/** An input or output of the model. */
export interface ExportedPort {
  readonly name: string;
  readonly dtype: 'int8' | 'uint8' | 'float32';
  /** With the batch, which is 1. */
  readonly shape: Shape;
  /** Elements. */
  readonly size: number;
  /** real = scale * (code - zeroPoint); null for floats. */
  readonly quant: { readonly scale: number; readonly zeroPoint: number } | null;
}

/** The file that is exported, and what it means. */
export interface ExportedModel {
  /** Part of identifiers. */
  readonly name: string;
  /** As the convert stage wrote it. */
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly graph: Graph;
  readonly purpose: Purpose;
  readonly input: ExportedPort;
  readonly output: ExportedPort;
  /** Whether the network ends in softmax or logistic. */
  readonly areProbabilities: boolean;
  /** Names of BuiltinOperator, each once, in the order in which they run first. */
  readonly operators: readonly string[];
  /** From which output on a class or a label applies; null for tasks that compare outputs, or give numbers. */
  readonly decision: Decision | null;
}

/**
 * @param name of the field, see `identifierOf`
 * @param report the parsed test.json, which may hold a threshold; null where there is none
 * @throws UserError for a model of several inputs or outputs
 */
export function exportedModel(
  name: string,
  bytes: Uint8Array,
  contract: Contract,
  report: unknown,
  path: string,
): ExportedModel {
  const graph = readTflite(bytes, path);
  const purpose = purposeOf(contract);
  const [[inputName, ...inputs], [outputName, ...outputs]] = [graph.inputs, graph.outputs];
  if (inputName === undefined || outputName === undefined || inputs.length + outputs.length > 0) {
    throw userError(
      path,
      'unsupported-model',
      `the model has ${counted(graph.inputs.length, 'input')} and ${counted(graph.outputs.length, 'output')}; ` +
        'the export stage writes code for one of each',
      'leave the stage out, and use the file of the `convert` stage',
    );
  }
  const output = portOf(graph, outputName);
  const areProbabilities = endsInProbabilities(graph);
  return {
    name: identifierOf(name),
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    ...{ graph, purpose, output, areProbabilities },
    input: portOf(graph, inputName),
    operators: operatorsOf(bytes, path),
    decision:
      testedDecision(report, output) ?? halfDecision(purpose.task, areProbabilities, output, scaleBehind(graph)),
  };
}

function portOf(graph: Graph, name: string): ExportedPort {
  const {
    type: { dtype, shape },
    quant,
  } = valueOf(graph, name);
  if (dtype !== 'int8' && dtype !== 'uint8' && dtype !== 'float32') return internal(`"${name}" is ${dtype}`);
  return {
    ...{ name, dtype, shape, size: numElements(shape) },
    quant: dtype === 'float32' ? null : scaleOf(quant, name),
  };
}

function scaleOf(quant: QuantParams | null, name: string): { readonly scale: number; readonly zeroPoint: number } {
  const { scale, zeroPoint } = perTensor(quant, name);
  return { scale, zeroPoint };
}

/** The node that computes the output, before what only changes its type. */
function lastNode(graph: Graph): Graph['nodes'][number] | undefined {
  const makers = producers(graph);
  const last = makers.get(graph.outputs[0] ?? '');
  return last?.op === 'dequantize' || last?.op === 'quantize' ? makers.get(last.inputs[0] ?? '') : last;
}

const endsInProbabilities = (graph: Graph): boolean => ['softmax', 'logistic'].includes(lastNode(graph)?.op ?? '');

/** Of the integers that the output stands for. */
function scaleBehind(graph: Graph): { readonly scale: number; readonly zeroPoint: number } {
  const output = graph.outputs[0] ?? '';
  const maker = producers(graph).get(output);
  return perTensor(valueOf(graph, maker?.op === 'dequantize' ? (maker.inputs[0] ?? '') : output).quant, output);
}

function operatorsOf(bytes: Uint8Array, path: string): readonly string[] {
  const { subgraphs, operatorCodes } = readTfliteContents(bytes, path);
  const codes = subgraphs.flatMap(({ operators }) => operators.map(({ opcodeIndex }) => operatorCodes[opcodeIndex]));
  return [...new Set(codes.map((code) => builtinName(code?.builtinCode ?? internal('an operator without a code'))))];
}
