/** The graphs and the model file that our own side of a measurement runs. */
import { evalGraph, trainingGraph, withWeights } from '../dist/evaluation/graphs.js';
import { newModel } from '../dist/models/build.js';
import { tensorSource } from '../dist/training/checkpoint.js';
import { wasmEngine } from '../dist/engine/wasm/index.js';
import { variablesOf } from '../dist/graph/graph.js';
import { modelLayers } from '../dist/models/presets.js';
import { freezePasses, lowerToIntegers, runPasses, trainedRanges } from '../dist/passes/index.js';
import { tensor } from '../dist/core/tensor.js';
import { createRandom } from '../dist/core/random.js';
import { writeTflite } from '../dist/tflite/write.js';
import { networks, numClasses } from './cases.js';

/** @typedef {import('./cases.js').Network} Network */
/** @typedef {import('../dist/graph/graph.js').Graph} Graph */

/** @type {import('../dist/passes/index.js').OptimizerSpec} */
const optimizer = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 };

/** Small, so that weights stay finite on images and labels that have nothing to do with each other. */
const learningRate = 1e-3;

/** @type {NonNullable<import('../dist/evaluation/graphs.js').QuantizationOptions>} */
const quantization = {
  ...{ scheme: 'int8', observe: 'after_activation', merge: 'min_max', dropout: 'always' },
  estimator: { kind: 'running_extremes', decay: 0.99 },
  ...{ denseWeights: 'per_channel', batchNorm: { kind: 'kept' } },
  // Every step that is timed quantizes.
  delay: 0,
};

/** @type {(network: Network) => import('../dist/models/layers.js').ModelSpec} */
function specOf(network) {
  const { image, model } = networks[network];
  return {
    ...{ name: network, task: 'classify', image, layers: modelLayers(model, numClasses, image) },
    classes: Array.from({ length: numClasses }, (_, index) => String(index)),
    // Images are in [-1, 1].
    normalize: { scale: 1 / 127.5, mean: 127.5 },
  };
}

/**
 * @param {Network} network
 * @param {'float' | 'qat'} level
 * @param {number} batch
 * @returns {Graph}
 */
export function stepGraph(network, level, batch) {
  return trainingGraph(newModel(specOf(network), 1), batch, level === 'qat' ? quantization : null, optimizer, {
    kind: 'softmax_cross_entropy',
    targets: null,
  });
}

/**
 * Random images in [-1, 1], random labels, and the learning rate: a training graph's inputs in their order.
 *
 * @param {Graph} graph
 * @param {Network} network
 * @param {number} batch
 * @returns {ReadonlyMap<string, Float32Array>}
 */
export function randomFeeds(graph, network, batch) {
  const random = createRandom(1, 'bench');
  const [height, width, channels] = networks[network].image;
  const images = Float32Array.from({ length: batch * height * width * channels }, () => 2 * random.float() - 1);
  const labels = Float32Array.from({ length: batch }, () => random.below(numClasses));
  const values = [images, labels, Float32Array.of(learningRate)];
  return new Map(graph.inputs.map((name, index) => [name, values[index] ?? unexpected(name)]));
}

/** @type {(name: string) => never} */
function unexpected(name) {
  throw new Error(`internal: a training graph takes "${name}"`);
}

/**
 * A .tflite file with int8 weights, whose ranges were observed in a few steps on random images.
 *
 * @param {Network} network
 * @returns {Promise<Uint8Array>}
 */
export async function integerModel(network) {
  const batch = 16;
  const graph = stepGraph(network, 'qat', batch);
  const session = await wasmEngine.open(graph, { replicas: 1, threads: 1 });
  const feeds = randomFeeds(graph, network, batch);
  for (let step = 0; step < 3; step++) await session.run(feeds);
  const variables = new Map(
    variablesOf(graph).map(({ name, type }) => [name, tensor('float32', type.shape, session.read(name))]),
  );
  await session.close();
  const { scheme, denseWeights, observe, batchNorm } = quantization;
  const form = { scheme, denseWeights, observe, batchNorm: batchNorm.kind };
  const source = tensorSource(variables, network);
  const trained = withWeights(newModel(specOf(network), 1), source);
  const inference = evalGraph(trained, trainedRanges(source), form);
  return writeTflite(lowerToIntegers(runPasses(inference, freezePasses), scheme, network).graph);
}
