import { describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import { epochOrder } from '../../src/data/batches.ts';
import { cropAndFlip, epochVariations } from '../../src/data/augment.ts';
import { loadDataset } from '../../src/data/load.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { StageEnvironment } from '../../src/stages/run.ts';
import type { TrainingConfig } from '../../src/stages/training.ts';
import { newModel } from '../../src/models/build.ts';
import { floatTraining, runTraining } from '../../src/stages/training.ts';
import { dense, network } from '../models/networks.ts';
import { pixelsIn } from '../data/examples.ts';

const dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 48, testCount: 4, noise: 8, seed: 4 },
  { count: 16, seed: 1 },
);
// A power of two, so that real numbers give the pixels back.
const spec = { ...network([dense('logits', 3)], [12, 12, 1]), normalize: { scale: 1 / 256, mean: 0 } };
const augment = { crop: 3, flip: true };
const seed = 5;
const batch = 16;
const imageSize = 144;

/** All batches that sessions were fed, in order; those with labels are for training. */
async function feeds() {
  const training: number[][] = [];
  const inference: number[][] = [];
  const environment: StageEnvironment = {
    seed,
    trainingData: () => Promise.resolve(dataset),
    testData: () => Promise.resolve(dataset),
    augment,
    loss: {},
    model: () => spec,
    purpose: () => internal('nothing is imported'),
    outside: () => internal('nothing is read outside'),
    checkModelFile: () => Promise.resolve(),
    open: async (graph, replicas) => {
      const session = await referenceEngine.open(graph, { replicas, threads: 1 });
      return {
        ...session,
        run: (fed) => {
          const images = [...fed.values()].find(({ length }) => length % imageSize === 0) ?? new Float32Array();
          (fed.size > 1 ? training : inference).push([...images].map((real) => 256 * real));
          return session.run(fed);
        },
      };
    },
    threads: 1,
    now: () => 0,
  };
  const config: TrainingConfig = {
    epochs: 2,
    batch,
    optimizer: {
      kind: 'sgd',
      learning_rate: 1e-6,
      momentum: 0,
      nesterov: false,
      weight_decay: 0,
      schedule: 'constant',
      warmup: 0,
    },
    keep: 'last',
    devices: [{ kind: 'cpu', index: 0 }],
  };
  const context = { inputs: {}, directory: '', emit: () => undefined, signal: new AbortController().signal };
  await runTraining(config, newModel(spec, seed), dataset, floatTraining, context, environment);
  return { training, inference };
}

const imageOf = (images: Uint8Array, index: number) => images.subarray(index * imageSize, (index + 1) * imageSize);

describe('augmentation in training', () => {
  it('varies each training image as its epoch and position say', async () => {
    const { training } = await feeds();
    const expected = [0, 1].flatMap((epoch) => {
      const order = epochOrder(dataset.train.count, seed, epoch);
      const variationAt = epochVariations(dataset.train.count, seed, epoch, augment);
      return Array.from(order, (index, position) => {
        const out = new Uint8Array(imageSize);
        cropAndFlip(imageOf(pixelsIn(dataset.train), index), dataset.image, augment.crop, variationAt(position), out);
        return [...out];
      });
    });
    expect(training.flat()).toEqual(expected.flat());
  });

  it('leaves the images to validate with as they are', async () => {
    const { inference } = await feeds();
    expect(inference).toHaveLength(2);
    // The last batch is filled up by repeating its images.
    for (const images of inference) {
      for (let start = 0; start < images.length; start += imageSize) {
        const index = (start / imageSize) % dataset.validation.count;
        expect(images.slice(start, start + imageSize)).toEqual([...imageOf(pixelsIn(dataset.validation), index)]);
      }
    }
  });
});
