/** Small trainings with everything that a state holds, and a place for their states. */
import { UserError } from '../../src/core/diagnostic.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Engine, Session } from '../../src/engine/engine.ts';
import type { QuantizationOptions } from '../../src/evaluation/graphs.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { OptimizerSpec } from '../../src/passes/index.ts';
import type { Checkpoints, StageProgress } from '../../src/runner/plan.ts';
import type { Trained, TrainOptions } from '../../src/training/train-loop.ts';
import { train } from '../../src/training/train-loop.ts';
import { trainingGraph } from '../models/forms.ts';
import { conv, dense, network } from '../models/networks.ts';

export const dataset: Dataset = await loadDataset(
  { kind: 'synthetic', classes: 3, size: 6, trainCount: 60, testCount: 4, noise: 8, seed: 4 },
  { count: 10, seed: 1 },
);
const batch = 8;
/** 50 images are 6 whole batches of 8. */
export const perEpoch = 6;

const spec = network(
  [
    conv('conv', 3, 3, { batch_norm: true }),
    { kind: 'dropout', name: 'dropout', rate: 0.25 },
    { kind: 'flatten', name: 'flatten' },
    dense('logits', 3),
  ],
  [6, 6, 1],
);
const loss = { kind: 'softmax_cross_entropy', targets: null } as const;
const momentum: OptimizerSpec = { kind: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
const adam: OptimizerSpec = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };

const quantized = (
  estimator: NonNullable<QuantizationOptions>['estimator'],
  form: Pick<NonNullable<QuantizationOptions>, 'scheme' | 'batchNorm' | 'dropout'>,
): QuantizationOptions => ({
  ...{ delay: 8, estimator, merge: 'mean', observe: 'after_activation', denseWeights: 'per_channel' },
  ...form,
});

/** The delay of both is step 8, within the second epoch; the statistics of the second are frozen from step 10 on. */
export const kinds = {
  float: [null, adam],
  'moving averages, kept batch norm': [
    quantized(
      { kind: 'moving_average', decay: 0.9 },
      { scheme: 'int8', batchNorm: { kind: 'kept' }, dropout: 'off_after_delay' },
    ),
    momentum,
  ],
  'running extremes, folded batch norm': [
    quantized(
      { kind: 'running_extremes', decay: 0.99 },
      { scheme: 'uint8', batchNorm: { kind: 'folded', freezeDelay: 10 }, dropout: 'always' },
    ),
    adam,
  ],
} as const satisfies Record<string, readonly [QuantizationOptions, OptimizerSpec]>;
export type Kind = keyof typeof kinds;

export const graphOf = ([quantization, optimizer]: (typeof kinds)[Kind], replicas = 1): Graph =>
  trainingGraph(spec, batch / replicas, { kind: 'random', seed: 1 }, quantization, optimizer, loss);

export const options: TrainOptions = {
  ...{ epochs: 3, batch, replicas: 1, seed: 1, patience: null, keep: 'last', judgedFrom: 1 },
  schedule: { learningRate: 0.01, schedule: 'cosine', warmup: 0.2, change: null },
  checkpoint: { seconds: 1e9, steps: null },
};

export const constant = { learningRate: 0.01, schedule: 'constant', warmup: 0, change: null } as const;

/** States in memory, all of them, the newest last. */
export interface Kept extends Checkpoints {
  readonly states: { readonly step: number; readonly bytes: Uint8Array }[];
}

export function keepStates(states: Kept['states'] = []): Kept {
  return {
    states,
    latest(use) {
      for (const { bytes } of states.toReversed()) {
        try {
          const used = use(bytes, 'a state');
          if (used !== null) return Promise.resolve(used);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
        }
      }
      return Promise.resolve(null);
    },
    save(bytes, step) {
      states.push({ step, bytes: bytes.slice() });
      return Promise.resolve();
    },
  };
}

export interface Attempt {
  readonly kind: Kind;
  readonly engine: Engine;
  readonly changes?: Partial<TrainOptions>;
  readonly checkpoints?: Checkpoints;
  /** Raises the signal while a step runs: the first after the start is 1. */
  readonly stopIn?: number;
  /** Raises it in a validation: the first after the start is 1. */
  readonly stopInValidation?: number;
  readonly now?: () => number;
}

export interface Ended {
  /** All that the training gives, as text: equal for equal bytes. Null when it was stopped. */
  readonly result: string | null;
  readonly trained: Trained | null;
  readonly emitted: readonly StageProgress[];
  /** Steps that the engine was given. */
  readonly steps: number;
}

/** Trains until it ends or is stopped. What validation finds is a function of the weights. */
export async function attempt(options_: Attempt): Promise<Ended> {
  const { kind, engine, changes = {}, checkpoints = null, stopIn, stopInValidation, now = () => 0 } = options_;
  const all = { ...options, ...changes };
  const abort = new AbortController();
  const emitted: StageProgress[] = [];
  const counts = { steps: 0, validations: 0 };
  const counting = (session: Session): Session => ({
    ...session,
    run(feeds) {
      if (++counts.steps === stopIn) abort.abort();
      return session.run(feeds);
    },
  });
  const trained = await train(graphOf(kinds[kind], all.replicas), all, {
    ...{ task: 'classify', ignorantLoss: Math.log(3), dataset, normalize: spec.normalize, threads: 1 },
    answers: [{ input: 'labels', column: 'labels', picked: null }],
    augment: { crop: 1, flip: true },
    open: async (graph, replicas) => counting(await engine.open(graph, { replicas, threads: 1 })),
    validate(variables) {
      if (++counts.validations === stopInValidation) {
        abort.abort();
        return Promise.reject(new Error('the step was abandoned'));
      }
      const quality = qualityOf(variables);
      return Promise.resolve({ loss: 1 - quality, quality, share: quality });
    },
    emit: (progress) => emitted.push(progress),
    signal: abort.signal,
    checkpoints,
    now,
  }).catch((error: unknown) => {
    if (error !== abort.signal.reason) throw error;
    return null;
  });
  return { result: trained && textOf(trained), trained, emitted, steps: counts.steps };
}

/** Rises and falls from epoch to epoch, as the weights go. */
function qualityOf(variables: ReadonlyMap<string, Tensor>): number {
  const weights = [...(variables.get('logits/filter')?.data ?? [])].map(Number);
  const [sum] = [weights.reduce((total, weight, index) => total + weight * Math.sin(index), 0)];
  return 0.5 + 0.5 * Math.sin(40 * sum);
}

function textOf({ variables, metrics, ranges }: Trained): string {
  const weights = [...variables].map(([name, { data }]) => [name, Buffer.from(data.buffer).toString('hex')]);
  return JSON.stringify({ weights, metrics, ranges });
}
