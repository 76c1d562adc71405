/** Small files of each format of Keras, and how damaged copies of them are read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Diagnostic } from '../../src/core/diagnostic.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { readModel } from '../../src/importers/read.ts';
import type { Subject } from '../fault/fuzz.ts';
import { workOf } from '../fault/fuzz.ts';
import { runSteps } from '../models/networks.ts';

const window = { strides: [1, 1], padding: 'same', dilation_rate: [1, 1], use_bias: true };

const call = (...names: readonly string[]) => [names.map((name) => [name, 0, 0, {}])];

/** `{ class_name, config }` of a network with a branch, as Keras 2 writes it. */
const config = {
  class_name: 'Functional',
  config: {
    name: 'net',
    layers: [
      { class_name: 'InputLayer', name: 'x', config: { batch_input_shape: [null, 6, 6, 2] }, inbound_nodes: [] },
      {
        ...{ class_name: 'Conv2D', name: 'conv', inbound_nodes: call('x') },
        config: { name: 'conv', filters: 3, kernel_size: [3, 3], activation: 'relu', groups: 1, ...window },
      },
      {
        class_name: 'BatchNormalization',
        name: 'norm',
        config: { axis: [3], epsilon: 1e-3 },
        inbound_nodes: call('conv'),
      },
      {
        ...{ class_name: 'DepthwiseConv2D', name: 'depthwise', inbound_nodes: call('norm') },
        config: {
          kernel_size: 3,
          depth_multiplier: 1,
          activation: { class_name: 'ReLU', config: { max_value: 6 } },
          ...window,
        },
      },
      { class_name: 'Add', name: 'add', config: {}, inbound_nodes: call('norm', 'depthwise') },
      {
        class_name: 'MaxPooling2D',
        name: 'pool',
        config: { pool_size: [2, 2], padding: 'valid' },
        inbound_nodes: call('add'),
      },
      { class_name: 'Flatten', name: 'flatten', config: {}, inbound_nodes: call('pool') },
      {
        class_name: 'Dense',
        name: 'dense',
        config: { units: 4, activation: 'softmax', use_bias: true },
        inbound_nodes: call('flatten'),
      },
    ],
    input_layers: [['x', 0, 0]],
    output_layers: [['dense', 0, 0]],
  },
};

/** By the names that Keras gives them. */
const variables: readonly (readonly [name: string, shape: Shape])[] = [
  ['conv/kernel', [3, 3, 2, 3]],
  ['conv/bias', [3]],
  ['norm/gamma', [3]],
  ['norm/beta', [3]],
  ['norm/moving_mean', [3]],
  ['norm/moving_variance', [3]],
  ['depthwise/depthwise_kernel', [3, 3, 3, 1]],
  ['depthwise/bias', [3]],
  ['dense/kernel', [27, 4]],
  ['dense/bias', [4]],
];

const random = createRandom(1, 'keras');
const values = new Map(
  variables.map(([name, shape]) => [name, Float32Array.from({ length: numElements(shape) }, () => random.float())]),
);
const weights = Buffer.concat([...values.values()].map(({ buffer }) => Buffer.from(buffer)));

const topology = Buffer.from(
  JSON.stringify({
    format: 'layers-model',
    modelTopology: { keras_version: '2.15.0', model_config: config },
    weightsManifest: [
      { paths: ['weights.bin'], weights: variables.map(([name, shape]) => ({ name, shape, dtype: 'float32' })) },
    ],
  }),
);

async function hdf5(): Promise<Uint8Array> {
  const library = await import('h5wasm');
  const { FS } = await library.ready;
  const file = new library.File('/written.h5', 'w');
  file.create_attribute('model_config', JSON.stringify(config));
  file.create_attribute('keras_version', '2.15.0');
  const groups = new Set(variables.map(([name]) => name.slice(0, name.indexOf('/'))));
  file.create_group('model_weights');
  for (const group of groups) {
    file.create_group(`model_weights/${group}`);
    file.create_group(`model_weights/${group}/${group}`);
  }
  for (const [name, shape] of variables) {
    const layer = name.slice(0, name.indexOf('/'));
    file.create_dataset({
      name: `model_weights/${layer}/${name}:0`,
      data: values.get(name) ?? [],
      shape: [...shape],
      dtype: '<f',
    });
  }
  file.close();
  const bytes = FS.readFile('/written.h5');
  FS.unlink('/written.h5');
  return bytes;
}

async function run(graph: Graph): Promise<'ran' | 'too much work'> {
  verify(graph);
  if (workOf(graph) > 1e6) return 'too much work';
  const inputs = graph.inputs.map((name) => {
    return [name, new Float32Array(numElements(valueOf(graph, name).type.shape)).fill(0.5)] as const;
  });
  await runSteps(graph, [new Map(inputs)]);
  return 'ran';
}

/** A file that is read from a folder, with others beside it. */
function subject(name: string, bytes: Uint8Array, others: Readonly<Record<string, Uint8Array>>): Subject {
  return {
    name,
    bytes,
    async use(damaged) {
      const folder = mkdtempSync(join(tmpdir(), 'qpipe-fuzz-'));
      try {
        for (const [file, content] of Object.entries(others)) writeFileSync(join(folder, file), content);
        writeFileSync(join(folder, name), damaged);
        const format = name.endsWith('.h5') ? 'keras_hdf5' : 'tfjs';
        return await run((await readModel(join(folder, name), format)).graph);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        const named = ({ place, ...said }: Diagnostic) => ({
          ...said,
          place: { ...place, file: basename(place.file) },
        });
        throw new UserError(error.diagnostics.map(named));
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

export const kerasSubjects = async (): Promise<readonly Subject[]> => [
  subject('model.h5', await hdf5(), {}),
  subject('model.json', topology, { 'weights.bin': weights }),
];
