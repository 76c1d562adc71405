/** Float kernels, gradients and the state of training against TensorFlow's own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal, present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements, transposeTensor, zeros } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import type { Level } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { invertPermutation } from '../../src/graphdef/layout.ts';
import type { ValueRef, Vjp } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import { writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { runFloat } from '../contract/evaluate.ts';
import type { Sample } from '../contract/samples.ts';
import { operandData, samples } from '../contract/samples.ts';
import { uniform } from '../models/networks.ts';
import { floatOf, relativeError } from './closeness.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

// Both sides add float32 products, in different orders.
const TOLERANCE = 2e-5;

/** Ops that TensorFlow's format has, in float. */
const exportedOps = opNames.filter((op) => ops[op].graphdef !== null && ops[op].float !== null);

describe.skipIf(!hasOracle)(`float kernels, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  let cases = 0;
  /** Exported ops, what their gradient rules emit, and what has a test of its own: these three in training.test.ts. */
  const compared = new Set<OpName>(['observe_range', 'increment', 'reached']);
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(`float cases compared with TensorFlow: ${cases}`);
  });

  const evaluateList = async (expression: string, values: { readonly [name: string]: OracleValue }) =>
    expectList(await oracle.evaluate(expression, values)).map(floatOf);

  it.each(exportedOps)('%s and its gradient give the numbers of its TensorFlow node', async (op) => {
    for (const sample of samples[op]) {
      // The delay's switch is no part of an eval graph.
      const isGated = op === 'fake_quant' && sample.inputs.length > 3;
      if (sample.refusedBy?.graphdef !== undefined || isGated) continue;
      const { failures, emitted } = await compareWithNode(oracle, op, sample, createRandom(seed, op, sample.name));
      expect(failures, sample.name).toEqual([]);
      for (const gradient of emitted) compared.add(gradient);
      cases++;
    }
    compared.add(op);
  });

  describe('fake quant', () => {
    it.each(['per tensor', 'per channel'] as const)('%s gives the same bits, forward and back', async (form) => {
      const random = createRandom(seed, 'fake quant', form);
      const channels = form === 'per tensor' ? null : 7;
      let values = 0;
      for (let index = 0; index < 150; index++) {
        const attrs = {
          bits: index % 3 === 0 ? 2 + random.below(15) : 8,
          narrowRange: random.below(2) === 0,
          axis: channels === null ? null : 1,
        };
        const [min, max] = randomRange(random, channels === null ? [] : [channels]);
        const span = 1.5 * Math.max(...max.data, ...Array.from(min.data, Math.abs));
        const x = uniform(random, [60, 7], -span, span);
        const gradient = uniform(random, [60, 7]);
        const suffix = channels === null ? '' : '_per_channel';
        const options = 'num_bits=bits, narrow_range=narrow';
        const [forward, back] = await evaluateList(
          `[tf.quantization.fake_quant_with_min_max_vars${suffix}(x, low, high, ${options}), ` +
            `tf.quantization.fake_quant_with_min_max_vars${suffix}_gradient(gradient, x, low, high, ${options})[0]]`,
          { x, gradient, low: min, high: max, bits: attrs.bits, narrow: attrs.narrowRange },
        );
        const ours = ourFloat('fake_quant', [x, min, max], attrs)[0]!;
        const oursBack = ourFloat('fake_quant_grad', [gradient, x, min, max], attrs)[0]!;
        expect(differingBits(ours, forward!), `values of case ${index}, ${JSON.stringify(attrs)}`).toEqual([]);
        expect(differingBits(oursBack, back!), `gradients of case ${index}, ${JSON.stringify(attrs)}`).toEqual([]);
        values += x.data.length;
      }
      cases += 150;
      console.info(`fake quant ${form}: ${values} values, all with the same bits`);
      compared.add('fake_quant_grad');
    });
  });

  it('batch norm of a training step, and its gradients', async () => {
    for (const [index, shape] of [
      [4, 5, 6, 3],
      [2, 1, 3, 8],
      [16, 7, 7, 5],
    ].entries()) {
      const random = createRandom(seed, 'batch norm', `${index}`);
      const channels = [shape.at(-1)!];
      const epsilon = 1e-3;
      const x = uniform(random, shape, -3, 5);
      const gradient = uniform(random, shape);
      const gamma = uniform(random, channels, 0.5, 2);
      const beta = uniform(random, channels);
      const [y, mean, variance, dx, dGamma, dBeta] = await evaluateList(
        '(lambda run: [run.y, run.batch_mean, run.batch_variance] + list(tf.raw_ops.FusedBatchNormGradV3(' +
          'y_backprop=gradient, x=x, scale=gamma, reserve_space_1=run.reserve_space_1, ' +
          'reserve_space_2=run.reserve_space_2, reserve_space_3=run.reserve_space_3, epsilon=epsilon))[:3])' +
          '(tf.raw_ops.FusedBatchNormV3(x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon))',
        { x, gradient, gamma, beta, epsilon },
      );
      const [ours, ourMean, ourVariance] = ourFloat('batch_norm_train', [x, gamma, beta], { epsilon });
      expectClose(ours!, y!);
      expectClose(ourMean!, mean!);
      // TensorFlow gives the unbiased variance, n / (n - 1) times the one that normalises.
      const count = numElements(shape) / channels[0]!;
      expectClose(
        ourVariance!,
        floatTensor(
          channels,
          variance!.data.map((value) => (value * (count - 1)) / count),
        ),
      );
      const back = ourFloat('batch_norm_train_grad', [gradient, x, gamma, ourMean!, ourVariance!], { epsilon });
      for (const [at, reference] of [dx!, dGamma!, dBeta!].entries()) expectClose(back[at]!, reference);
      cases++;
    }
    compared.add('batch_norm_train').add('batch_norm_train_grad');
  });

  it('softmax cross entropy and its gradient', async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'cross entropy', `${index}`);
      const [batch, classes] = [1 + random.below(9), 2 + random.below(20)];
      const logits = uniform(random, [batch, classes], -12, 12);
      const labels = drawn(random, classes, [batch]);
      const upstream = uniform(random, []);
      const [loss, gradient] = await evaluateList(
        '(lambda loss: [loss(logits), upstream * gradient_of(loss, logits)])(lambda value: tf.reduce_mean(' +
          'tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int64), value)))',
        { logits, labels, upstream },
      );
      expectClose(ourFloat('softmax_cross_entropy', [logits, labels], {})[0]!, loss!);
      expectClose(ourFloat('softmax_cross_entropy_grad', [upstream, logits, labels], {})[0]!, gradient!);
      cases++;
    }
    compared.add('softmax_cross_entropy').add('softmax_cross_entropy_grad');
  });

  it("label smoothing and class weights as one table of targets: Keras's loss and its gradient", async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'targets', `${index}`);
      const classes = 2 + random.below(9);
      // Rows of a batch, or the pixels of its images.
      const shape = index % 2 === 0 ? [1 + random.below(9)] : [2, 1 + random.below(9), 11];
      const rows = numElements(shape);
      const logits = uniform(random, [rows, classes], -40, 40);
      const labels = drawn(random, classes, [rows]);
      const [weights, upstream] = [uniform(random, [classes], 0, 4), uniform(random, [])];
      const smoothing = index % 3 === 0 ? 0 : 0.9 * random.float();
      const targets = zeros('float32', [classes, classes]);
      for (let label = 0; label < classes; label++) {
        for (let at = 0; at < classes; at++) {
          const hit = at === label ? 1 - smoothing : 0;
          targets.data[label * classes + at] = weights.data[label]! * (hit + smoothing / classes);
        }
      }
      const [loss, gradient] = await evaluateList(
        '(lambda loss: [loss(logits), upstream * gradient_of(loss, logits)])(lambda value: ' +
          'tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(' +
          'tf.reshape(tf.one_hot(tf.cast(labels, tf.int64), classes), shape + [classes]), ' +
          'tf.reshape(value, shape + [classes]), ' +
          'tf.reshape(tf.gather(weights, tf.cast(labels, tf.int64)), shape)))',
        { logits, labels, weights, upstream, smoothing, classes, shape },
      );
      expectClose(ourFloat('softmax_cross_entropy', [logits, labels, targets], {})[0]!, loss!);
      const ours = ourFloat('softmax_cross_entropy_grad', [upstream, logits, labels, targets], {})[0]!;
      expectClose(ours, gradient!);
      cases++;
    }
  });

  it('sigmoid cross entropy and its gradient, smoothed', async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'sigmoid cross entropy', `${index}`);
      const shape = [1 + random.below(40), 1 + random.below(9)];
      const logits = uniform(random, shape, -30, 30);
      const labels = index % 2 === 0 ? drawn(random, 2, shape) : uniform(random, shape, 0, 1);
      const upstream = uniform(random, []);
      const smoothing = index % 3 === 0 ? 0 : 0.9 * random.float();
      const [loss, gradient] = await evaluateList(
        '(lambda loss: [loss(logits), upstream * gradient_of(loss, logits)])(lambda value: ' +
          'tf.keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)(labels, value))',
        { logits, labels, upstream, smoothing },
      );
      expectClose(ourFloat('sigmoid_cross_entropy', [logits, labels], { smoothing })[0]!, loss!);
      const ours = ourFloat('sigmoid_cross_entropy_grad', [upstream, logits, labels], { smoothing })[0]!;
      expectClose(ours, gradient!);
      cases++;
    }
    compared.add('sigmoid_cross_entropy').add('sigmoid_cross_entropy_grad');
  });

  it('sigmoid cross entropy with a weight for each answer of yes and of no', async () => {
    for (let index = 0; index < 10; index++) {
      const random = createRandom(seed, 'weighted answers', `${index}`);
      const [rows, answers] = [1 + random.below(40), 1 + random.below(9)];
      const logits = uniform(random, [rows, answers], -30, 30);
      const labels = drawn(random, 2, [rows, answers]);
      const [no, yes] = [uniform(random, [answers], 0.1, 3), uniform(random, [answers], 0.1, 3)];
      const upstream = uniform(random, []);
      const [loss, gradient] = await evaluateList(
        '(lambda loss: [loss(logits), upstream * gradient_of(loss, logits)])(lambda value: tf.reduce_mean(' +
          'no * tf.nn.weighted_cross_entropy_with_logits(labels, value, yes / no)))',
        { logits, labels, upstream, no, yes },
      );
      const inputs = [logits, labels, floatTensor([2, answers], [...no.data, ...yes.data])];
      expectClose(ourFloat('sigmoid_cross_entropy', inputs, { smoothing: 0 })[0]!, loss!);
      const ours = ourFloat('sigmoid_cross_entropy_grad', [upstream, ...inputs], { smoothing: 0 })[0]!;
      expectClose(ours, gradient!);
      cases++;
    }
  });

  const compareError = async <Loss extends ErrorOp>(op: Loss, attrs: Attrs[Loss], keras: string): Promise<void> => {
    for (let index = 0; index < 10; index++) {
      const random = createRandom(seed, op, `${index}`);
      const shape = [1 + random.below(9), 1 + random.below(700)];
      const [prediction, target, upstream] = [uniform(random, shape), uniform(random, shape), uniform(random, [])];
      // The slope where they are equal is a convention.
      prediction.data[0] = target.data[0]!;
      const [loss, gradient] = await evaluateList(
        '(lambda loss: [loss(prediction), upstream * gradient_of(loss, prediction)])' +
          `(lambda value: tf.keras.losses.${keras}(target, value))`,
        { prediction, target, upstream, ...attrs },
      );
      expectClose(ourFloat(op, [prediction, target], attrs)[0]!, loss!);
      const grad = `${op}_grad` as const;
      expectClose(ourFloat<`${ErrorOp}_grad`>(grad, [upstream, prediction, target], attrs)[0]!, gradient!);
      compared.add(op).add(grad);
      cases++;
    }
  };

  it('the mean squared error and its gradient', () => compareError('mean_squared_error', {}, 'MeanSquaredError()'));

  it('the mean absolute error and its gradient', () => compareError('mean_absolute_error', {}, 'MeanAbsoluteError()'));

  it.each([0.1, 0.5, 1])("Huber's error with delta %s and its gradient", (delta) =>
    compareError('mean_huber_error', { delta }, 'Huber(delta)'),
  );

  it('depthwise convolutions whose gradients TensorFlow has no kernel for: unequal strides, dilations', async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'depthwise', `${index}`);
      const pair = (from: number, count: number) => [from + random.below(count), from + random.below(count)] as const;
      const [size, window, strides, dilations] = [pair(7, 4), pair(1, 3), pair(1, 3), pair(1, 3)];
      const [channels, multiplier] = pair(1, 4);
      const padding = { kind: random.below(2) === 0 ? 'same' : 'valid' } as const;
      const x = uniform(random, [2, ...size, channels]);
      const filter = uniform(random, [1, ...window, channels * multiplier]);
      const attrs = { strides, dilations, padding, activation: 'none' } as const;
      const ours = ourFloat('depthwise_conv_2d', [x, filter], attrs)[0]!;
      const upstream = uniform(random, ours.shape);
      const [output, ofInput, ofTaps] = await evaluateList(
        'with_gradients(lambda x, taps: depthwise_by_taps(x, taps, strides, dilations, padding), upstream, [x, taps])',
        {
          ...{ x, upstream, strides, dilations, padding: padding.kind },
          taps: floatTensor([...window, channels, multiplier], filter.data),
        },
      );
      expectClose(ours, output!);
      const inputAttrs = { ...attrs, inputShape: x.shape };
      expectClose(ourFloat('depthwise_conv_2d_grad_input', [upstream, filter], inputAttrs)[0]!, ofInput!);
      const filterAttrs = { ...attrs, filterShape: filter.shape };
      expectClose(ourFloat('depthwise_conv_2d_grad_filter', [x, upstream], filterAttrs)[0]!, ofTaps!);
      cases++;
    }
  });

  it.each(['filter of a convolution', 'filter of a depthwise convolution', 'bias'])(
    'batch norm folded into the %s, and its gradients',
    async (form) => {
      for (let index = 0; index < 10; index++) {
        const random = createRandom(seed, 'fold filter', form, `${index}`);
        const [channels, epsilon] = [1 + random.below(7), 1e-3];
        const rows = 1 + random.below(9);
        const [shape, axis] =
          form === 'bias'
            ? [[channels], 0]
            : form === 'filter of a convolution'
              ? [[channels, 2, 3, rows], 0]
              : [[1, rows, 3, channels], 3];
        const values = {
          filter: uniform(random, shape),
          gamma: uniform(random, [channels], -1, 2),
          variance: uniform(random, [channels], 0.1, 3),
        };
        const upstream = uniform(random, shape);
        const [folded, ofFilter, ofGamma] = await evaluateList(
          'with_gradients(lambda filter, gamma: filter * tf.reshape(' +
            'tf.nn.batch_normalization(tf.ones_like(gamma), 0.0, variance, None, gamma, epsilon), across), upstream, [filter, gamma])',
          { ...values, upstream, epsilon, across: shape.map((size, at) => (at === axis ? size : 1)) },
        );
        const inputs = [values.filter, values.gamma, values.variance];
        expectClose(ourFloat('fold_filter', inputs, { axis, epsilon })[0]!, folded!);
        const back = ourFloat('fold_filter_grad', [upstream, ...inputs], { axis, epsilon });
        expectClose(back[0]!, ofFilter!);
        expectClose(back[1]!, ofGamma!);
        cases++;
      }
      compared.add('fold_filter').add('fold_filter_grad');
    },
  );

  it.each([false, true])('the correction of a folded batch norm, frozen %s, and its gradients', async (frozen) => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'fold correct', `${frozen}`, `${index}`);
      const channels = 1 + random.below(7);
      const shape = index % 3 === 0 ? [2 + random.below(20), channels] : [2, 1 + random.below(5), 4, channels];
      const statistic = (low: number, high: number): FloatTensor => uniform(random, [channels], low, high);
      const [folded, unfolded, upstream] = [
        uniform(random, shape),
        uniform(random, shape, -3, 4),
        uniform(random, shape),
      ];
      const [gamma, beta, mean, variance] = [statistic(-1, 2), statistic(-1, 1), statistic(-1, 1), statistic(0.1, 3)];
      const epsilon = 1e-3;
      const [output, ofFolded, ofUnfolded, ofGamma, ofBeta, usedMean, usedVariance] = await evaluateList(
        'fold_correction(folded, unfolded, gamma, beta, mean, variance, upstream, frozen, epsilon)',
        { folded, unfolded, gamma, beta, mean, variance, upstream, frozen, epsilon },
      );
      const active = floatTensor([], [frozen ? 1 : 0]);
      const ours = ourFloat('fold_correct', [folded, unfolded, gamma, beta, mean, variance, active], { epsilon });
      for (const [at, reference] of [output!, usedMean!, usedVariance!].entries()) expectClose(ours[at]!, reference);
      const back = ourFloat(
        'fold_correct_grad',
        [upstream, folded, unfolded, gamma, ours[1]!, ours[2]!, variance, active],
        { epsilon },
      );
      const references = [ofFolded!, ofUnfolded!, ofGamma!, ofBeta!];
      for (const [at, reference] of references.entries()) expectClose(back[at]!, reference);
      cases++;
    }
    compared.add('fold_correct').add('fold_correct_grad');
  });

  it('dropout, given its mask, and its gradient', async () => {
    for (const [index, rate] of [0, 0.1, 0.25, 0.5, 0.9].entries()) {
      const random = createRandom(seed, 'dropout', `${rate}`);
      // None of them is 0, so that what is 0 was dropped.
      const x = uniform(random, [40, 50], 0.5, 2);
      const gradient = uniform(random, [40, 50], 0.5, 2);
      const key = floatTensor([2], [random.below(2 ** 24), random.below(2 ** 24)]);
      const ours = ourFloat('dropout', [x, key], { rate, stream: index })[0]!;
      const kept = floatTensor(
        [40, 50],
        ours.data.map((value) => (value === 0 ? 0 : 1)),
      );
      const [output, ofInput] = await evaluateList('with_gradients(lambda x: x * kept / (1 - rate), gradient, [x])', {
        x,
        gradient,
        kept,
        rate: floatTensor([], [rate]),
      });
      expectClose(ours, output!);
      // The rule's gradient is the op itself, on the gradient.
      expectClose(ourFloat('dropout', [gradient, key], { rate, stream: index })[0]!, ofInput!);
      const share = 1 - kept.data.reduce((sum, value) => sum + value, 0) / 2000;
      // Five standard deviations of the share of 2000 draws.
      expect(Math.abs(share - rate)).toBeLessThanOrEqual(5 * Math.sqrt((rate * (1 - rate)) / 2000));
      cases++;
    }
    compared.add('dropout');
  });

  it('the count of right answers, the first of equal logits winning', async () => {
    for (let index = 0; index < 20; index++) {
      const random = createRandom(seed, 'top 1', `${index}`);
      const [batch, classes] = [1 + random.below(40), 2 + random.below(6)];
      const [logits, labels] = [drawn(random, 4, [batch, classes]), drawn(random, classes, [batch])];
      const [count] = await evaluateList(
        '[tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == tf.cast(labels, tf.int64), tf.float32))]',
        { logits, labels },
      );
      expect(ourFloat('top_1_count', [logits, labels], {})[0]!.data[0]).toBe(count!.data[0]);
      cases++;
    }
    compared.add('top_1_count');
  });

  it.each(['mean', 'min', 'max'] as const)('what replicas agree on: the %s', async (reduce) => {
    for (const replicas of [1, 2, 3, 4]) {
      const values = uniform(createRandom(seed, 'replicas', reduce, `${replicas}`), [replicas, 7]);
      const builder = buildGraph('agreed', 'qat');
      const input = builder.input('input', { dtype: 'float32', shape: [1, 7] });
      const graph = verify(builder.finish(builder.node('cross_replica', 'agreed', [input], { reduce })));
      const session = await referenceEngine.open(graph, { replicas, threads: 1 });
      const ours = present((await session.run(new Map([['input', values.data]]))).get('agreed'), 'the value');
      await session.close();
      const [expected] = await evaluateList(`[tf.reduce_${reduce}(values, 0)]`, { values });
      expectClose(floatTensor([7], ours), expected!);
      cases++;
    }
    compared.add('cross_replica');
  });

  it.each([false, true])('momentum, Nesterov %s', async (nesterov) => {
    const random = createRandom(seed, 'momentum', `${nesterov}`);
    let [parameter, velocity] = [uniform(random, [41]), zeros('float32', [41])];
    for (let step = 0; step < 20; step++) {
      const gradient = uniform(random, [41]);
      const rate = uniform(random, [], 0, 0.1);
      const expected = await evaluateList('apply_momentum(parameter, velocity, gradient, rate, momentum, nesterov)', {
        parameter,
        velocity,
        gradient,
        rate,
        momentum: 0.9,
        nesterov,
      });
      const attrs = { momentum: 0.9, nesterov, weightDecay: 0 };
      const ours = ourFloat('momentum_update', [parameter, gradient, velocity, rate], attrs);
      expected.forEach((reference, at) => expectClose(ours[at]!, reference));
      [parameter, velocity] = [ours[0]!, ours[1]!];
      cases++;
    }
    compared.add('momentum_update');
  });

  it('Adam, from its first step on', async () => {
    const random = createRandom(seed, 'adam');
    const shape = [41];
    let [parameter, first, second] = [uniform(random, shape), zeros('float32', shape), zeros('float32', shape)];
    for (let step = 1; step <= 30; step++) {
      const gradient = uniform(random, shape);
      const [rate, count] = [uniform(random, [], 0, 0.1), floatTensor([], [step])];
      const constants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
      const expected = await evaluateList(
        'apply_adam(parameter, first, second, gradient, rate, count, beta1, beta2, epsilon)',
        { parameter, first, second, gradient, rate, count, ...constants },
      );
      const ours = ourFloat('adam_update', [parameter, gradient, first, second, rate, count], {
        ...constants,
        weightDecay: 0,
      });
      expected.forEach((reference, at) => expectClose(ours[at]!, reference));
      [parameter, first, second] = [ours[0]!, ours[1]!, ours[2]!];
      cases++;
    }
    compared.add('adam_update');
  });

  it.each([0.9, 0.999])('moving averages with decay %s, with and without zero debias, step by step', async (decay) => {
    const random = createRandom(seed, 'moving average', `${decay}`);
    const values = Array.from({ length: 200 }, () => uniform(random, [], 1, 5));
    const initial = floatTensor([], [6]);
    const averages = (zeroDebias: boolean) =>
      evaluateList('moving_averages(values, decay, initial, debias)', { values, decay, initial, debias: zeroDebias });
    const [plain, debiased] = [await averages(false), await averages(true)];
    let [average, biased] = [initial, floatTensor([], [0])];
    for (const [step, value] of values.entries()) {
      average = ourFloat('moving_average', [average, value], { decay })[0]!;
      biased = ourFloat('moving_average', [biased, value], { decay })[0]!;
      const count = floatTensor([], [step + 1]);
      expectClose(average, plain[step]!);
      expectClose(ourFloat('zero_debias', [biased, count], { decay })[0]!, debiased[step]!);
      cases++;
    }
    compared.add('moving_average').add('zero_debias');
  });

  it.each(['min', 'max'] as const)('running extremes (%s), step by step', async (end) => {
    const random = createRandom(seed, 'running extremes', end);
    const sign = end === 'max' ? 1 : -1;
    const values = Array.from({ length: 200 }, () =>
      floatTensor([], [sign * Math.abs(uniform(random, [], 1, 5).data[0]!)]),
    );
    const decay = 0.9;
    const extremes = await evaluateList('running_extremes(values, decay, end)', { values, decay, end });
    let extreme = floatTensor([], [0]);
    for (const [step, value] of values.entries()) {
      extreme = ourFloat('running_extreme', [extreme, value], { decay, end })[0]!;
      expectClose(extreme, extremes[step]!);
      cases++;
    }
    compared.add('running_extreme');
  });

  it('covers every float op of the table', () => {
    expect(opNames.filter((op) => ops[op].float !== null && !compared.has(op))).toEqual([]);
  });
});

type ErrorOp = 'mean_squared_error' | 'mean_absolute_error' | 'mean_huber_error';

interface Comparison {
  readonly failures: readonly string[];
  /** The op, and what its gradient rule emitted; the op alone where TensorFlow has no such gradient on a CPU. */
  readonly emitted: readonly OpName[];
}

/** One op as a graph of ours and as TensorFlow's node: outputs and, where there are any, gradients. */
async function compareWithNode<K extends OpName>(
  oracle: Oracle,
  op: K,
  sample: Sample<K>,
  random: Random,
): Promise<Comparison> {
  const { operands, graphdef, quant } = ops[op];
  const tensors = sample.inputs.map((operand, index) => operandData(operand, random.split(`${index}`)));
  // The batch of a placeholder is open, so a scalar cannot be one.
  const isInput = tensors.map(
    ({ shape }, index) => operands[Math.min(index, operands.length - 1)]?.role === 'activation' && shape.length > 0,
  );
  const start = (level: Level) => {
    const builder = buildGraph(op, level);
    const refs = tensors.map((data, index) => {
      const name = `operand_${index}`;
      return isInput[index] === true
        ? builder.input(name, { dtype: 'float32', shape: data.shape })
        : builder.constant(name, data);
    });
    return { builder, refs, outputs: builder.node(op, 'result', refs, sample.attrs) };
  };
  const feeds = Object.fromEntries(
    tensors.flatMap((data, index) => (isInput[index] === true ? [[`operand_${index}`, data]] : [])),
  );
  const exported = start(quant.kind === 'quantizer' ? 'eval' : 'float');
  const [output] = exported.outputs;
  if (output === undefined) return internal(`${op} has no output`);
  const graph = writeGraphDef(exportGraphDef(verify(exported.builder.finish([output]))).graphDef);

  const upstream = uniform(random, output.type.shape);
  const training = start('qat');
  const gradients = gradientsOf(op, training.refs, training.outputs, sample.attrs, training.builder);
  const isJudged = hasCpuGradient(op, sample.attrs);
  const differentiated = training.refs.filter((_, index) => isJudged && gradients[index] != null);
  const forwardAndBack = verify(
    training.builder.finish([output, ...gradients.filter((gradient) => gradient !== null)]),
  );
  const session = await referenceEngine.open(forwardAndBack, { replicas: 1, threads: 1 });
  const given = new Map(Object.entries(feeds).map(([name, { data }]) => [name, data]));
  if (gradients.length > 0) given.set('upstream', upstream.data);
  const ours = await session.run(given);
  await session.close();

  const values = { graph, feeds };
  const forward = await oracle.evaluate('run_graph(graph, {}, feeds, ["output"])', values);
  const expected = new Map([[output.name, floatOf(expectList(forward)[0])]]);
  if (differentiated.length > 0) {
    const of = differentiated.map(({ name }) => name);
    const back = await oracle.evaluate('graph_gradients(graph, feeds, "output", upstream, of)', {
      ...values,
      upstream,
      of,
    });
    const references = expectList(back).map(floatOf);
    for (const [index, reference] of references.entries()) {
      const operand = training.refs.indexOf(differentiated[index]!);
      const layout = graphdef?.storedLayouts?.[operand] ?? graphdef?.layouts?.[operand];
      const inOurs =
        layout === undefined || layout === 'merged' ? reference : transposeTensor(reference, invertPermutation(layout));
      expected.set(gradients[operand]!.name, inOurs);
    }
  }
  const failures = [...expected].flatMap(([name, reference]) => {
    const error = relativeError(present(ours.get(name), name), reference.data);
    return error <= TOLERANCE ? [] : [`${name}: differs by ${error} of its range`];
  });
  return { failures, emitted: isJudged ? forwardAndBack.nodes.map((node) => node.op) : [op] };
}

/** TensorFlow has no kernel for the gradients of other depthwise convolutions; they have a test of their own. */
function hasCpuGradient<K extends OpName>(op: K, attrs: Attrs[K]): boolean {
  if (op !== 'depthwise_conv_2d' || !('dilations' in attrs)) return true;
  const { strides, dilations } = attrs;
  return strides[0] === strides[1] && dilations.every((dilation) => dilation === 1);
}

function gradientsOf<K extends OpName>(
  op: K,
  refs: readonly ValueRef[],
  outputs: readonly ValueRef[],
  attrs: Attrs[K],
  builder: GraphBuilder,
): readonly (ValueRef | null)[] {
  const vjp: Vjp<Attrs[K]> | null = ops[op].vjp;
  if (vjp === null) return [];
  const upstream = builder.input('upstream', present(outputs[0], 'an output').type);
  return builder.scoped('gradient', () => vjp(builder, { inputs: refs, outputs, attrs }, upstream));
}

function ourFloat<K extends OpName>(op: K, inputs: readonly FloatTensor[], attrs: Attrs[K]): readonly FloatTensor[] {
  const outputs = ops[op].infer(inputs, attrs).map(({ shape }) => zeros('float32', shape));
  runFloat(op, inputs, attrs, outputs);
  return outputs;
}

/** Whole numbers below `below`. */
function drawn(random: Random, below: number, shape: Shape): FloatTensor {
  return floatTensor(
    shape,
    Array.from({ length: numElements(shape) }, () => random.below(below)),
  );
}

/** Ranges that hold zero, ranges beside it, and now and then an empty one. */
function randomRange(random: Random, shape: Shape): readonly [FloatTensor, FloatTensor] {
  const [min, max] = [zeros('float32', shape), zeros('float32', shape)];
  for (let at = 0; at < min.data.length; at++) {
    const size = 10 ** (3 * random.float() - 2);
    switch (random.below(8)) {
      case 0:
        max.data[at] = size;
        break;
      case 1:
        [min.data[at], max.data[at]] = [size / 4, size];
        break;
      case 2:
        [min.data[at], max.data[at]] = [-size, -size / 4];
        break;
      case 3:
        [min.data[at], max.data[at]] = [-size, size];
        break;
      default:
        [min.data[at], max.data[at]] = [-size * random.float(), size * (0.1 + random.float())];
    }
  }
  return [min, max];
}

function expectClose(ours: FloatTensor, reference: FloatTensor): void {
  expect(relativeError(ours.data, reference.data)).toBeLessThanOrEqual(TOLERANCE);
}

/** Elements whose float32 is another one; 0 and -0 are the same. */
function differingBits(ours: FloatTensor, reference: FloatTensor): readonly string[] {
  return Array.from(reference.data).flatMap((value, at) =>
    ours.data[at] === value ? [] : [`element ${at} is ${ours.data[at]}, TensorFlow gives ${value}`],
  );
}
