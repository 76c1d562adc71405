import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { StageProgress } from '../../src/runner/plan.ts';
import type { Variables } from '../../src/training/state.ts';
import type { TrainEnvironment, TrainOptions } from '../../src/training/train-loop.ts';
import { train } from '../../src/training/train-loop.ts';
import { dense, network } from '../models/networks.ts';
import { trainingGraph } from '../models/forms.ts';

const dataset: Dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 12, trainCount: 70, testCount: 4, noise: 8, seed: 4 },
  { count: 10, seed: 1 },
);
const spec = network([dense('logits', 3)], [12, 12, 1]);
const loss = { kind: 'softmax_cross_entropy', targets: null } as const;
const sgd = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;
const graph = trainingGraph(spec, 16, { kind: 'random', seed: 1 }, null, sgd, loss);

const options: TrainOptions = {
  epochs: 5,
  batch: 16,
  replicas: 1,
  seed: 1,
  schedule: { learningRate: 0.01, schedule: 'constant', warmup: 0, change: null },
  patience: null,
  keep: 'last',
  judgedFrom: 1,
  checkpoint: { seconds: 30, steps: null },
};

/** Trains with a validation that counts as many right answers as the list says, one entry an epoch. */
async function trainWith(changes: Partial<TrainOptions>, right: readonly number[], rate = 0.01) {
  const validated: Variables[] = [];
  const emitted: StageProgress[] = [];
  const environment: TrainEnvironment = {
    task: 'classify',
    ignorantLoss: Math.log(3),
    dataset,
    normalize: spec.normalize,
    answers: [{ input: 'labels', column: 'labels', picked: null }],
    augment: { crop: 0, flip: false },
    open: (opened, replicas) => referenceEngine.open(opened, { replicas, threads: 1 }),
    validate: (variables) => {
      validated.push(variables);
      const correct = right[validated.length - 1] ?? 0;
      const share = correct / dataset.validation.count;
      return Promise.resolve({ loss: 1, quality: share, share });
    },
    threads: 1,
    emit: (progress) => emitted.push(progress),
    signal: new AbortController().signal,
    checkpoints: null,
    now: () => 0,
  };
  const schedule = { ...options.schedule, learningRate: rate };
  return { trained: await train(graph, { ...options, ...changes, schedule }, environment), validated, emitted };
}

const filterOf = (variables: Variables | undefined) => [...(variables?.get('logits/filter')?.data ?? [])];

describe('training', () => {
  it('takes whole batches only and validates after each epoch', async () => {
    const { trained, validated } = await trainWith({ epochs: 2 }, [3, 4]);
    // 60 images are 3 batches of 16.
    expect(trained.metrics).toMatchObject({ stepsPerEpoch: 3, steps: 6, bestEpoch: 2, stoppedEarly: false });
    expect(trained.metrics).toMatchObject({
      task: 'classify',
      epochs: [
        { step: 3, validationAccuracy: 0.3 },
        { step: 6, validationAccuracy: 0.4 },
      ],
    });
    expect(validated).toHaveLength(2);
    expect(filterOf(trained.variables)).toEqual(filterOf(validated[1]));
  });

  it('ends when the accuracy has not risen for as many epochs as its patience', async () => {
    const { trained } = await trainWith({ patience: 2 }, [5, 6, 6, 6, 9]);
    // An equal accuracy is not a better one.
    expect(trained.metrics).toMatchObject({ steps: 12, bestEpoch: 2, stoppedEarly: true });
  });

  it('was not stopped early by a patience that runs out with the last epoch', async () => {
    const { trained } = await trainWith({ epochs: 3, patience: 2 }, [5, 4, 4]);
    expect(trained.metrics).toMatchObject({ steps: 9, stoppedEarly: false });
  });

  it('keeps the last weights, or those of the best epoch', async () => {
    const right = [5, 8, 6];
    const last = await trainWith({ epochs: 3 }, right);
    const best = await trainWith({ epochs: 3, keep: 'best' }, right);
    expect(filterOf(last.trained.variables)).toEqual(filterOf(last.validated[2]));
    expect(filterOf(best.trained.variables)).toEqual(filterOf(best.validated[1]));
    expect(filterOf(best.validated[1])).not.toEqual(filterOf(best.validated[2]));
  });

  it('keeps the best of the epochs that are judged, however good one before them is', async () => {
    const { trained, validated } = await trainWith({ keep: 'best', judgedFrom: 3 }, [9, 8, 5, 7, 6]);
    expect(trained.metrics).toMatchObject({ bestEpoch: 4 });
    expect(filterOf(trained.variables)).toEqual(filterOf(validated[3]));
  });

  it('keeps the last weights where no epoch is judged', async () => {
    const { trained, validated } = await trainWith({ keep: 'best', judgedFrom: 6 }, [9, 8, 5, 7, 6]);
    expect(trained.metrics).toMatchObject({ bestEpoch: null, steps: 15 });
    expect(filterOf(trained.variables)).toEqual(filterOf(validated[4]));
  });

  it('counts its patience from the first epoch that is judged', async () => {
    const { trained } = await trainWith({ epochs: 7, patience: 2, judgedFrom: 3 }, [9, 8, 7, 7, 7, 7]);
    expect(trained.metrics).toMatchObject({ bestEpoch: 3, steps: 15, stoppedEarly: true });
    // An accuracy of 0 is an accuracy.
    const hopeless = await trainWith({ patience: 1, judgedFrom: 3 }, [9, 8, 0, 0]);
    expect(hopeless.trained.metrics).toMatchObject({ bestEpoch: 3, steps: 12, stoppedEarly: true });
  });

  it('gives the same weights for the same seed', async () => {
    const [one, two] = [await trainWith({ epochs: 2 }, []), await trainWith({ epochs: 2 }, [])];
    const other = await trainWith({ epochs: 2, seed: 2 }, []);
    expect(filterOf(one.trained.variables)).toEqual(filterOf(two.trained.variables));
    // The seed orders the images; the first weights are the graph's.
    expect(filterOf(one.trained.variables)).not.toEqual(filterOf(other.trained.variables));
  });

  it('reports each epoch and its last step', async () => {
    const { emitted } = await trainWith({ epochs: 2 }, [5, 6]);
    expect(emitted.filter(({ kind }) => kind === 'log')).toHaveLength(2);
    expect(emitted.findLast(({ kind }) => kind === 'progress')).toMatchObject({ step: 6, totalSteps: 6 });
  });

  it('that diverges is a mistake with a remedy', async () => {
    const failure = await trainWith({}, [], 1e38).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(String(failure)).toMatch(/synthetic error training-diverged: the loss is (NaN|Infinity) at step \d+/);
  });

  it('that destroys the weights is one, too, where the loss stays finite', async () => {
    const failure = await trainWith({}, [], 1e6).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(String(failure)).toMatch(
      /the trained weights error training-diverged: the weights `logits\/filter` have a root mean square of \S+ after epoch 1 /,
    );
  });
});
