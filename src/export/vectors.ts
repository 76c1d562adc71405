/** Inputs of test examples with what the runtimes give for them: what a device and a browser have to give too. */
import { roundHalfAway } from '../core/affine.ts';
import { internal, present } from '../core/assert.ts';
import { UserError } from '../core/diagnostic.ts';
import { bytesOf, elementBytes, numElements } from '../core/tensor.ts';
import type { Normalization } from '../data/batches.ts';
import type { Split } from '../data/dataset.ts';
import { modelImages } from '../evaluation/integer-input.ts';
import { spread } from '../evaluation/memory.ts';
import { valueOf } from '../graph/graph.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import { openLitert } from '../interpreter/litert.ts';
import type { IntegerData } from '../ops/define.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';
import { readTfliteContents } from '../tflite/read.ts';
import type { ExportedModel, ExportedPort } from './model.ts';

/** What an operator writes. */
export interface VectorLayer {
  readonly name: string;
  readonly op: string;
  /** Index of the tensor in the file. */
  readonly tensor: number;
  /** Of the tensor. */
  readonly bytes: number;
}

export interface TestVector {
  /** Which of the test examples it is. */
  readonly example: number;
  /** As the model takes it. */
  readonly input: IntegerData;
  /** What TensorFlow Lite Micro gives, and our interpreter with it. */
  readonly output: IntegerData;
  /** By layer, FNV-1a of the bytes of its output. */
  readonly digests: readonly number[];
  /** What LiteRT gives, whose XNNPACK rounds in float32; null where it did not run. */
  readonly litert: IntegerData | null;
}

export interface TestVectors {
  readonly layers: readonly VectorLayer[];
  readonly vectors: readonly TestVector[];
  /** Why LiteRT did not run; null where it did. */
  readonly litertNote: string | null;
}

/** 32-bit FNV-1a of bytes: a few lines on any device. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * @param split examples that are not trained on, of which `count` are taken, spread evenly
 * @param path of the model, for errors
 */
export async function testVectors(
  model: ExportedModel,
  split: Split,
  count: number,
  path: string,
): Promise<TestVectors> {
  const { normalize } = model.purpose;
  const examples = [...spread(Math.min(count, split.count), split.count)];
  const layers = layersOf(model, path);
  const computed = interpreted(model, split, normalize, examples, path);
  const litert = await litertOutputs(
    model,
    computed.map(({ input }) => input),
    path,
  );
  return {
    layers: layers.map(({ value: _value, ...layer }) => layer),
    vectors: computed.map(({ values, ...vector }, at) => ({
      ...vector,
      digests: layers.map(({ value }) => fnv1a(bytesOf(present(values.get(value), value)))),
      litert: 'unavailable' in litert ? null : present(litert.outputs[at], 'the output of LiteRT'),
    })),
    litertNote: 'unavailable' in litert ? litert.unavailable : null,
  };
}

interface Interpreted extends Omit<TestVector, 'digests' | 'litert'> {
  /** What every node gave, by name. */
  readonly values: ReadonlyMap<string, IntegerData>;
}

function interpreted(
  { graph }: ExportedModel,
  split: Split,
  normalize: Normalization,
  examples: readonly number[],
  path: string,
): readonly Interpreted[] {
  const interpreter = prepareInterpreter(graph, path);
  const image = modelImages(graph, normalize, split.inputs);
  const [outputName = internal('the model has no output')] = graph.outputs;
  return examples.map((example) => {
    const input = image(example).slice();
    interpreter.run([input]);
    const names = graph.nodes.flatMap(({ outputs }) => outputs);
    const values = new Map(names.map((name) => [name, interpreter.peek(name).slice()]));
    return { example, input, output: interpreter.peek(outputName).slice(), values };
  });
}

/** Tensors by their index in the file, which a runtime on a device knows; `value` is their name in the graph. */
function layersOf({ graph, bytes }: ExportedModel, path: string): readonly (VectorLayer & { value: string })[] {
  const [subgraph = internal('a model without subgraphs')] = readTfliteContents(bytes, path).subgraphs;
  const tensors = subgraph.operators.flatMap(({ outputs }) => outputs);
  const values = graph.nodes.flatMap(({ op, outputs }) => outputs.map((value) => ({ op, value })));
  if (tensors.length !== values.length) internal(`${tensors.length} tensors for ${values.length} values`);
  return values.map(({ op, value }, at) => {
    const { type } = valueOf(graph, value);
    const bytes = numElements(type.shape) * elementBytes[type.dtype];
    return { name: value, op, tensor: tensors[at]!, bytes, value };
  });
}

/** Of each input, as the type of the model's output; or why there are none. */
async function litertOutputs(
  { bytes, input, output }: ExportedModel,
  inputs: readonly IntegerData[],
  path: string,
): Promise<{ readonly outputs: readonly IntegerData[] } | { readonly unavailable: string }> {
  try {
    const model = await openLitert(addFloatEdges(bytes, path), path);
    try {
      const outputs: IntegerData[] = [];
      for (const codes of inputs) {
        const [result] = await model.run([realsOf(codes, input)]);
        outputs.push(codesOf(present(result, 'the output of LiteRT').data, output));
      }
      return { outputs };
    } finally {
      model.close();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { unavailable: error.diagnostics.map(({ message }) => message).join('; ') };
  }
}

/** What QUANTIZE turns into the same codes. */
function realsOf(codes: IntegerData, { quant }: ExportedPort): Float32Array {
  return Float32Array.from(codes, (code) => (quant === null ? code : quant.scale * (code - quant.zeroPoint)));
}

/** Exact: the error of one float32 product is far below half a step. */
function codesOf(reals: ArrayLike<number>, { quant, dtype }: ExportedPort): IntegerData {
  if (quant === null) return Float32Array.from(reals);
  const code = (real: number): number => roundHalfAway(real / quant.scale) + quant.zeroPoint;
  return dtype === 'uint8' ? Uint8Array.from(reals, code) : Int8Array.from(reals, code);
}
