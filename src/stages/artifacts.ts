import { readFile, stat } from 'node:fs/promises';
import { internal } from '../core/assert.ts';
import { importGraphDef } from '../graphdef/import.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import { readGraphDef } from '../formats/protobuf/graph-def.ts';
import { trainedRanges } from '../passes/index.ts';
import { readTflite } from '../tflite/read.ts';
import { readModelFile, readQatModel, tensorSource } from '../training/checkpoint.ts';
import type { ArtifactType } from './define.ts';
import { evalGraph, floatGraph } from '../evaluation/graphs.ts';

/**
 * Rejects when a file is not what its type promises. A stage wrote it, so a failure here is ours, and it is found
 * before the file is kept: a float model with ranges in it, or a model that nothing can read, goes no further.
 */
export const artifactChecks: { readonly [T in ArtifactType]: (file: string) => Promise<void> } = {
  async 'FloatModel/2'(file) {
    const model = await readModelFile(file);
    if (model.level !== 'float') internal(`${file} has level ${model.level}, not float`);
    floatGraph(model);
  },
  async 'QatModel/2'(file) {
    const model = await readQatModel(file);
    // Builds only when the file holds a range for every activation.
    evalGraph(model, trainedRanges(tensorSource(model.tensors, file)), model.quantization);
  },
  async 'EvalGraph/1'(file) {
    const { nodes } = readGraphDef(await readFile(file), file);
    if (!nodes.some(({ op }) => op.startsWith('FakeQuant'))) internal(`${file} holds no fake quantizer`);
  },
  async 'Checkpoint/1'(file) {
    if (readSafetensors(await readFile(file), file).tensors.size === 0) internal(`${file} is empty`);
  },
  async 'FrozenGraph/1'(file) {
    // Without variables to fill in, it imports only if all of them became constants.
    importGraphDef(readGraphDef(await readFile(file), file), new Map(), file);
  },
  async 'Tflite/1'(file) {
    const graph = readTflite(await readFile(file), file);
    // At its edges the pipeline may ask for floats; inside, nothing may be one.
    const edges = new Set([...graph.inputs, ...graph.outputs]);
    for (const { name, type } of graph.values.values()) {
      if (type.dtype === 'float32' && !edges.has(name)) internal(`tensor "${name}" of ${file} is float32`);
    }
  },
  async 'TestReport/1'(file) {
    JSON.parse(await readFile(file, 'utf8'));
  },
  async 'Export/1'(file) {
    if ((await stat(file)).size === 0) internal(`${file} is empty`);
  },
  // Whatever a command writes.
  'File/1': () => Promise.resolve(),
};
