/** Test examples with the codes that the model gives for them, in C++ and in JSON. */
import type { IntegerData } from '../ops/define.ts';
import { cppHeader, cppSource } from './cpp.ts';
import type { Exported } from './exported.ts';
import { arrayLines, cFloat, cString } from './literals.ts';

const says = 'Inputs, and what the model gives for them.';

export function testVectorsHeader(model: Exported): string {
  const { layers, vectors } = model.vectors;
  const body = `inline constexpr size_t kNumVectors = ${vectors.length};
extern const InputType kVectorInputs[kNumVectors][kInputSize];
// As TensorFlow Lite Micro's reference kernels give them, bit for bit.
extern const OutputType kVectorOutputs[kNumVectors][kOutputSize];

// What each operator writes, in the order in which they run.
struct Layer {
  const char* name;
  int tensor;  // index in the file
  size_t bytes;
};
inline constexpr size_t kNumLayers = ${layers.length};
extern const Layer kLayers[kNumLayers];
// 32-bit FNV-1a of the bytes of each layer's tensor.
extern const uint32_t kVectorDigests[kNumVectors][kNumLayers];

`;
  return cppHeader(model, 'test_vectors.h', says, ['<stddef.h>', '<stdint.h>', 'model_settings.h'], body);
}

export function testVectorsSource(model: Exported): string {
  const { layers, vectors } = model.vectors;
  const rows = (rowOf: (index: number) => readonly string[]): string =>
    vectors.map((_, index) => `    {\n${arrayLines(rowOf(index), '        ')}\n    },\n`).join('');
  const body = `const InputType kVectorInputs[kNumVectors][kInputSize] = {
${rows((index) => literals(vectors[index]!.input))}};

const OutputType kVectorOutputs[kNumVectors][kOutputSize] = {
${rows((index) => literals(vectors[index]!.output))}};

const Layer kLayers[kNumLayers] = {
${layers.map(({ name, tensor, bytes }) => `    {${cString(name)}, ${tensor}, ${bytes}},\n`).join('')}};

const uint32_t kVectorDigests[kNumVectors][kNumLayers] = {
${rows((index) => vectors[index]!.digests.map((digest) => `0x${hex(digest)}u`))}};

`;
  return cppSource(model, says, ['test_vectors.h'], body);
}

const literals = (values: IntegerData): readonly string[] =>
  Array.from(values, (value) => (values instanceof Float32Array ? cFloat(value) : String(value)));

const hex = (digest: number): string => digest.toString(16).padStart(8, '0');

/** The same for programs of any language; a vector on each line. */
export function testVectorsJson(model: Exported): string {
  const { sha256, input, output } = model;
  const { layers, vectors, litertNote } = model.vectors;
  const lines = vectors.map(({ example, input: given, output: expected, digests, litert }) =>
    JSON.stringify({
      ...{ example, input: Array.from(given), output: Array.from(expected) },
      litert: litert === null ? null : Array.from(litert),
      digests: digests.map(hex),
    }),
  );
  const head = { schema: 'qpipe-vectors-1', sha256, input, output, litertNote, layers };
  return `${JSON.stringify(head).slice(0, -1)},"vectors":[\n${lines.join(',\n')}\n]}\n`;
}
