/** Compiles exported folders, with a runtime that looks answers of our interpreter up. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, elementBytes } from '../../src/core/tensor.ts';
import { namespaceOf } from '../../src/export/cpp.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { readTflite } from '../../src/tflite/read.ts';

/** Those of GCC and Clang that are installed. */
export const compilers = ['g++', 'clang++'].filter((name) => spawnSync(name, ['--version']).status === 0);

if (compilers.length === 0) console.warn('no C++ compiler is installed: what is exported is not compiled');

const flags = ['-std=c++17', '-Wall', '-Wextra', '-Wconversion', '-Wpedantic', '-Werror'];

/**
 * Compiles sources of a folder.
 *
 * @returns what the compiler prints, nothing for a program without warnings
 */
export function compile(
  compiler: string,
  folder: string,
  sources: readonly string[],
  more: readonly string[] = [],
): string {
  const { stderr, stdout } = spawnSync(compiler, [...flags, ...more, ...sources, '-o', 'program'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return stderr + stdout;
}

export function runProgram(folder: string): { readonly status: number | null; readonly text: string } {
  const { status, stdout } = spawnSync(join(folder, 'program'), { cwd: folder, encoding: 'utf8' });
  return { status, text: stdout };
}

interface VectorsFile {
  readonly layers: readonly { readonly name: string; readonly bytes: number }[];
  readonly vectors: readonly { readonly input: readonly number[] }[];
}

const arrays = { int8: Int8Array, uint8: Uint8Array, float32: Float32Array } as const;

/** The file that `lookUp` reads: each input with what a model gives for it, the output and all layers. */
export function writeAnswers(folder: string, model: Uint8Array): void {
  const { vectors, layers } = JSON.parse(readFileSync(join(folder, 'test_vectors.json'), 'utf8')) as VectorsFile; // ours
  const graph = readTflite(model, 'model.tflite');
  const interpreter = prepareInterpreter(graph, 'model.tflite');
  const dtype = graph.values.get(graph.inputs[0]!)!.type.dtype as keyof typeof arrays; // of a model's edge
  const parts = vectors.flatMap(({ input }) => {
    const data = arrays[dtype].from(input);
    interpreter.run([data]);
    const seen = [interpreter.peek(graph.outputs[0]!), ...layers.map(({ name }) => interpreter.peek(name))];
    return [data, ...seen].map((values) => Buffer.from(bytesOf(values)));
  });
  if (elementBytes[dtype] > 4) throw new Error(dtype);
  writeFileSync(join(folder, 'answers.bin'), Buffer.concat(parts));
}

/** qpipe_invoke.h by looking up answers.bin. */
export const lookUp = (name: string): string => `#include <stdio.h>
#include <string.h>

#include <vector>

#include "qpipe_invoke.h"
#include "test_vectors.h"

namespace ${namespaceOf({ name })} {
namespace {
constexpr size_t kInputBytes = kInputSize * sizeof(InputType);
constexpr size_t kOutputBytes = kOutputSize * sizeof(OutputType);
std::vector<unsigned char> answers;
const unsigned char* current = nullptr;

size_t AnswerBytes() {
  size_t bytes = kInputBytes + kOutputBytes;
  for (const Layer& layer : kLayers) bytes += layer.bytes;
  return bytes;
}
}  // namespace

bool Prepare() {
  FILE* file = fopen("answers.bin", "rb");
  if (file == nullptr) return false;
  for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) answers.push_back(static_cast<unsigned char>(byte));
  fclose(file);
  return true;
}

bool Invoke(const InputType* input, OutputType* output) {
  for (size_t at = 0; at + AnswerBytes() <= answers.size(); at += AnswerBytes()) {
    current = answers.data() + at;
    if (memcmp(current, input, kInputBytes) != 0) continue;
    memcpy(output, current + kInputBytes, kOutputBytes);
    return true;
  }
  return false;
}

const void* TensorData(int tensor) {
  size_t offset = kInputBytes + kOutputBytes;
  for (const Layer& layer : kLayers) {
    if (layer.tensor == tensor) return current + offset;
    offset += layer.bytes;
  }
  return nullptr;
}
}  // namespace ${namespaceOf({ name })}
`;
