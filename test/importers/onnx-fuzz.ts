/** An ONNX file with most of what such files hold, and how damaged copies of it are read. */
import { numElements } from '../../src/core/tensor.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { readOnnx } from '../../src/importers/onnx/read.ts';

import type { Subject } from '../fault/fuzz.ts';
import { workOf } from '../fault/fuzz.ts';
import { runSteps } from '../models/networks.ts';
import type { WrittenModel, WrittenNode } from './onnx-writer.ts';
import { integers, weights, writeOnnx } from './onnx-writer.ts';

const chain: readonly Omit<WrittenNode, 'outputs'>[] = [
  { op: 'Transpose', inputs: ['x'], attributes: { perm: [0, 3, 1, 2] } },
  { op: 'Conv', inputs: ['', 'w', 'b4'], attributes: { pads: [1, 1, 1, 1], strides: [1, 1], dilations: [1, 1] } },
  { op: 'BatchNormalization', inputs: ['', 'b4', 'b4', 'b4', 'ones'], attributes: { epsilon: { float: 0.001 } } },
  { op: 'Clip', inputs: ['', 'low', 'high'] },
  { op: 'Conv', inputs: ['', 'dw'], attributes: { group: 4, auto_pad: 'SAME_UPPER', kernel_shape: [3, 3] } },
  { op: 'PRelu', inputs: ['', 'slopes'] },
  {
    op: 'MaxPool',
    inputs: [''],
    attributes: { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 1, 1, 0], ceil_mode: 1 },
  },
  { op: 'AveragePool', inputs: [''], attributes: { kernel_shape: [2, 3], pads: [1, 0, 0, 1], count_include_pad: 1 } },
  { op: 'Resize', inputs: ['', '', '', 'sizes'], attributes: { mode: 'linear' } },
  { op: 'ConvTranspose', inputs: ['', 'tw', 'b4'], attributes: { strides: [1, 1], pads: [0, 0, 1, 1] } },
  { op: 'Pad', inputs: ['', 'pads'], attributes: { mode: 'reflect' } },
  { op: 'Slice', inputs: ['', 'starts', 'ends', 'axes', 'steps'] },
  { op: 'Gather', inputs: ['', 'indices'], attributes: { axis: 1 } },
  { op: 'LeakyRelu', inputs: [''], attributes: { alpha: { float: 0.1 } } },
  { op: 'SpaceToDepth', inputs: [''], attributes: { blocksize: 2 } },
  { op: 'Mul', inputs: ['', 'half'] },
  { op: 'Softmax', inputs: [''], attributes: { axis: 1 } },
  { op: 'Flatten', inputs: [''] },
  { op: 'Gemm', inputs: ['', 'g', 'b4'], attributes: { transB: 1, alpha: { float: 0.5 } } },
  { op: 'Dropout', inputs: [''] },
];

/** Each node reads what the one before it makes where its input has no name. */
const nodes: readonly WrittenNode[] = chain.map((node, index) => ({
  ...node,
  name: `/layer${index}/${node.op}`,
  inputs: node.inputs.map((name, at) => (at === 0 && name === '' ? `v${index - 1}` : name)),
  outputs: [index === chain.length - 1 ? 'y' : `v${index}`],
}));

const scalar = (value: number) => ({ shape: [], dataType: 1, floats: [value] }) as const;

const model: WrittenModel = {
  ...{ inputs: { x: ['batch', 6, 6, 2] }, outputs: ['y'], nodes },
  weights: {
    ...{ w: weights([4, 2, 3, 3]), b4: weights([4]), ones: { shape: [4], dataType: 1, floats: [1, 1, 1, 1] } },
    ...{ low: scalar(-1), high: scalar(2), half: scalar(0.5), dw: weights([4, 1, 3, 3]), slopes: weights([4, 1, 1]) },
    ...{ sizes: integers(1, 4, 5, 5), tw: weights([4, 4, 2, 2]), pads: integers(0, 0, 1, 1, 0, 0, 0, 0) },
    ...{
      starts: integers(-1),
      ends: integers(-5),
      axes: integers(2),
      steps: integers(-1),
      indices: integers(2, 0, 1, 1),
    },
    g: weights([4, 96]),
  },
};

export const onnxSubject: Subject = {
  name: 'model.onnx',
  bytes: writeOnnx(model),
  async use(damaged) {
    const { graph } = readOnnx(damaged, 'model.onnx');
    if (workOf(graph) > 1e6) return 'too much work';
    const sizes = graph.inputs.map((name) => [name, numElements(valueOf(graph, name).type.shape)] as const);
    await runSteps(graph, [new Map(sizes.map(([name, size]) => [name, new Float32Array(size).fill(0.5)]))]);
    return 'ran';
  },
};
