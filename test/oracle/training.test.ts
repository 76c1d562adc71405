/** Quantization-aware training, step by step, here and written in TensorFlow: loss, gradients, ranges, switches. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal, present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { variablesOf } from '../../src/graph/graph.ts';
import { batchNormDefaults } from '../../src/models/batch-norm.ts';
import { learningRateInput, lossNames } from '../../src/passes/index.ts';
import type { BatchNormForm, Scheme, WeightRanges } from '../../src/passes/index.ts';
import { conv, dense, network, scattered, uniform } from '../models/networks.ts';
import { floatOf, relativeError } from './closeness.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';
import { tasks } from '../../src/tasks/index.ts';
import { pixelNormalization } from '../../src/data/batches.ts';
import { trainingGraph } from '../models/forms.ts';

const STEPS = 10;
const BATCH = 8;
const TRIALS = 2;
const image = [6, 5, 2] as const;
/** Both sides add float32 products, in different orders. */
const TOLERANCE = 5e-5;
/** A value at the edge of two codes may get the other one, and what is made of it another by some of its own. */
const CODES = 5 / 255;

interface Form {
  readonly batchNorm: BatchNormForm | null;
  readonly scheme: Scheme;
  /** Default per_channel. */
  readonly denseWeights?: WeightRanges;
  readonly delay: number;
}

const forms: readonly (readonly [title: string, form: Form])[] = [
  ['without batch norm', { batchNorm: null, scheme: 'int8', delay: 4 }],
  ['without batch norm, uint8, without a delay', { batchNorm: null, scheme: 'uint8', delay: 0 }],
  ['with one range for dense weights', { batchNorm: null, scheme: 'int8', denseWeights: 'per_tensor', delay: 4 }],
  ['with batch norm', { batchNorm: { kind: 'kept' }, scheme: 'int8', delay: 4 }],
  ['with folded batch norm', { batchNorm: { kind: 'folded', freezeDelay: null }, scheme: 'int8', delay: 1 }],
  ['with folded batch norm in float', { batchNorm: { kind: 'folded', freezeDelay: null }, scheme: 'int8', delay: 99 }],
  ['freezing batch norm in float', { batchNorm: { kind: 'folded', freezeDelay: 5 }, scheme: 'int8', delay: 99 }],
  ['freezing batch norm when quantized', { batchNorm: { kind: 'folded', freezeDelay: 6 }, scheme: 'int8', delay: 3 }],
  ['quantizing when frozen, uint8', { batchNorm: { kind: 'folded', freezeDelay: 3 }, scheme: 'uint8', delay: 6 }],
];

describe.skipIf(!hasOracle)(`quantization-aware training, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const tally = { trainings: 0, steps: 0, tensors: 0, apart: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${tally.trainings} trainings of ${STEPS} steps: ${tally.tensors} tensors (loss, output, gradients, ranges, counters, ` +
        `weights); in ${tally.apart} of ${tally.steps} steps a value got another code`,
    );
  });

  it.each(forms)('%s: every step computes what TensorFlow does', async (title, form) => {
    /** Trials in which a step was the same to float accuracy. */
    const close = new Array<number>(STEPS).fill(0);
    for (let trial = 0; trial < TRIALS; trial++) {
      const ours = await trainHere(form, seed * 100 + trial);
      const theirs = expectList(await oracle.evaluate('training.steps(batches, weights, options)', ours.request));
      for (const [step, computed] of ours.steps.entries()) {
        const reference = recordOf(theirs[step]);
        const errors = [...computed].map(([name, data]) => {
          const expected = floatOf(reference[name] ?? internal(`TensorFlow computed no ${name}`)).data;
          return { name, error: relativeError(data, expected) };
        });
        const worst = errors.reduce((a, b) => (b.error > a.error ? b : a));
        const where = `${title}, trial ${trial}, step ${step + 1}: ${worst.name}`;
        // Without quantization there are no codes to fall on other sides of.
        expect(worst.error, where).toBeLessThan(step + 1 < form.delay ? TOLERANCE : CODES);
        if (worst.error < TOLERANCE) close[step]!++;
        tally.tensors += errors.length;
      }
      tally.trainings++;
      tally.steps += STEPS;
    }
    tally.apart += close.reduce((apart, count) => apart + TRIALS - count, 0);
    // A switch at the wrong step, or a wrong gradient behind it, would show in every trial.
    expect(Math.min(...close), `the same in ${close.join()} of ${TRIALS} trials`).toBeGreaterThan(0);
  });
});

/** Trains by the reference engine, and says what TensorFlow needs to repeat each of the steps. */
async function trainHere({ batchNorm, scheme, denseWeights = 'per_channel', delay }: Form, trainingSeed: number) {
  const layers = [conv('conv', 4, 3, { batch_norm: batchNorm !== null, activation: 'relu' }), dense('logits', 3)];
  const spec = network(layers, image);
  const quantization = {
    ...({
      scheme,
      denseWeights,
      delay,
      estimator: { kind: 'moving_average', decay: 0.9 },
      merge: 'mean',
      observe: 'after_activation',
      dropout: 'always',
    } as const),
    batchNorm: batchNorm ?? { kind: 'kept' },
  } as const;
  const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 } as const;
  const rate = Math.fround(0.05);
  const built = trainingGraph(
    spec,
    BATCH,
    { kind: 'given', tensor: scattered(trainingSeed) },
    quantization,
    sgd,
    tasks[spec.task].loss({}, spec, null),
  );
  const weights = variablesOf(built).filter(({ name }) =>
    /\/(filter|bias|gamma|beta|moving_mean|moving_variance)$/.test(name),
  );
  const ranges = variablesOf(built).filter(({ name }) => /_quant\/(min|max)$/.test(name));
  const active = 'fake_quantization_step/active';
  const outputs = [
    ...[lossNames.loss, 'logits/act_quant/fake_quant', 'fake_quantization_step/next'],
    // Without a delay there is no switch.
    ...(built.values.has(active) ? [active] : []),
    ...weights.flatMap(({ name, source }) => (source.trainable ? [`${name}/gradient`] : [])),
  ];
  const graph = { ...built, outputs };
  const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
  const random = createRandom(trainingSeed, 'batches');
  const batches: OracleValue[] = [];
  const weightsBefore: OracleValue[] = [];
  const steps: ReadonlyMap<string, Float32Array>[] = [];
  for (let step = 0; step < STEPS; step++) {
    // Every step sees a wider batch than the one before.
    const images = uniform(random, [BATCH, ...image], 0, (step + 1) / STEPS);
    const labels = Array.from({ length: BATCH }, () => random.below(3));
    batches.push([images, tensor('int32', [BATCH], Int32Array.from(labels))]);
    weightsBefore.push(
      Object.fromEntries(weights.map(({ name, type }) => [name, floatTensor(type.shape, session.read(name))])),
    );
    const computed = await session.run(
      new Map([
        ['input', images.data],
        [lossNames.labels, Float32Array.from(labels)],
        [learningRateInput, Float32Array.of(rate)],
      ]),
    );
    const after = [...weights, ...ranges].map(({ name }) => [name, session.read(name).slice()] as const);
    steps.push(new Map([...outputs.map((name) => [name, present(computed.get(name), name)] as const), ...after]));
  }
  await session.close();
  const options = {
    batch_norm: batchNorm?.kind ?? 'none',
    freeze_delay: batchNorm?.kind === 'folded' ? (batchNorm.freezeDelay ?? STEPS + 1) : STEPS + 1,
    symmetric: scheme === 'int8',
    dense_per_channel: denseWeights === 'per_channel',
    input_range: [0, Math.fround(pixelNormalization(spec.normalize).scale * 255)],
    batch_norm_momentum: batchNormDefaults.momentum,
    epsilon: batchNormDefaults.epsilon,
    ...{ delay, decay: 0.9, rate, momentum: 0.9 },
  };
  return { steps, request: { batches, weights: weightsBefore, options } };
}

function recordOf(value: OracleValue | undefined): { readonly [name: string]: OracleValue } {
  const isRecord = typeof value === 'object' && value !== null && !('dtype' in value) && !Array.isArray(value);
  return isRecord ? (value as { readonly [name: string]: OracleValue }) : internal('the oracle gave no record');
}
