/** A small training graph, assembled by hand: quantized convolution, batch norm, pooling, classifier, optimizer. */
import { createRandom } from '../../src/core/random.ts';
import { floatTensor, numElements, zeros } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/tensor.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';

const CHANNELS = 6;
const CLASSES = 5;

/** One replica of the network; images are [batch, 9, 8, 3]. */
export function trainingGraph(batch: number): Graph {
  const builder = buildGraph('small', 'qat');
  const random = createRandom(7);
  const variable = (name: string, shape: Shape, scale: number): ValueRef =>
    builder.variable(name, floatTensor(shape, uniform(random.split(name), numElements(shape), scale)), 'weight');
  const first = <K extends OpName>(op: K, name: string, inputs: readonly ValueRef[], attrs: Attrs[K]): ValueRef =>
    builder.node(op, name, inputs, attrs)[0]!;

  const images = builder.input('images', { dtype: 'float32', shape: [batch, 9, 8, 3] });
  const labels = builder.input('labels', { dtype: 'float32', shape: [batch] });
  const rate = builder.input('rate', { dtype: 'float32', shape: [] });
  const filter = variable('filter', [CHANNELS, 3, 3, 3], 0.3);
  const gamma = builder.variable('gamma', floatTensor([CHANNELS], new Array<number>(CHANNELS).fill(1)), 'weight');
  const beta = variable('beta', [CHANNELS], 0.1);
  const dense = variable('dense', [CLASSES, 4 * 4 * CHANNELS], 0.2);
  const bias = variable('bias', [CLASSES], 0.1);

  // Forward.
  const weightQuant = { bits: 8, narrowRange: true, axis: 0 };
  const [low, high] = builder.node('observe_range', 'filter_range', [filter], { axis: 0, symmetric: true });
  const quantized = first('fake_quant', 'quantized', [filter, low!, high!], weightQuant);
  const window = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
  const convolved = first('conv_2d', 'convolved', [images, quantized], window);
  const [normal, mean, variance] = builder.node('batch_norm_train', 'normal', [convolved, gamma, beta], {
    epsilon: 1e-3,
  });
  const positive = first('relu', 'positive', [normal!], {});
  const [seenLow, seenHigh] = builder.node('observe_range', 'seen', [positive], { axis: null, symmetric: false });
  const rangeLow = average(builder, 'range_low', seenLow!, 'min');
  const rangeHigh = average(builder, 'range_high', seenHigh!, 'max');
  average(builder, 'moving_mean', mean!, 'mean');
  const activationQuant = { bits: 8, narrowRange: false, axis: null };
  const rounded = first('fake_quant', 'rounded', [positive, rangeLow, rangeHigh], activationQuant);
  const pooling = { window: [2, 2], strides: [2, 2], padding: { kind: 'valid' }, activation: 'none' } as const;
  const pooled = first('max_pool_2d', 'pooled', [rounded], pooling);
  const flat = first('reshape', 'flat', [pooled], { shape: [-1, 4 * 4 * CHANNELS] });
  const logits = first('fully_connected', 'logits', [flat, dense, bias], { activation: 'none', keepNumDims: false });
  const loss = first('softmax_cross_entropy', 'loss', [logits, labels], {});
  const correct = first('top_1_count', 'correct', [logits, labels], {});

  // Backward.
  const one = builder.constant('one', floatTensor([], [1]));
  const dLogits = first('softmax_cross_entropy_grad', 'd_logits', [one, logits, labels], {});
  const dDense = first('mat_mul', 'd_dense', [dLogits, flat], { transposeA: true, transposeB: false });
  const dBias = first('sum', 'd_bias', [dLogits], { axes: [0], keepDims: false });
  const dFlat = first('mat_mul', 'd_flat', [dLogits, dense], { transposeA: false, transposeB: false });
  const dPooled = first('reshape', 'd_pooled', [dFlat], { shape: pooled.type.shape });
  const dRounded = first('max_pool_2d_grad', 'd_rounded', [rounded, dPooled], pooling);
  const dPositive = first('fake_quant_grad', 'd_positive', [dRounded, positive, rangeLow, rangeHigh], activationQuant);
  const dNormal = first('relu_grad', 'd_normal', [dPositive, positive], { limit: Infinity });
  const [dConvolved, dGamma, dBeta] = builder.node(
    'batch_norm_train_grad',
    'd_convolved',
    [dNormal, convolved, gamma, mean!, variance!],
    { epsilon: 1e-3 },
  );
  const filterShape = filter.type.shape;
  const dQuantized = first('conv_2d_grad_filter', 'd_quantized', [images, dConvolved!], { ...window, filterShape });

  // Updates: gradients are averaged over the replicas before anything shared is computed from them.
  const momentum = { momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
  for (const [parameter, gradient] of [
    [gamma, dGamma!],
    [beta, dBeta!],
    [dense, dDense],
    [bias, dBias],
  ] as const) {
    const velocity = builder.variable(`${parameter.name}/velocity`, zeros('float32', parameter.type.shape), 'slot');
    const common = first('cross_replica', `${parameter.name}/gradient`, [gradient], { reduce: 'mean' });
    const inputs = [parameter, common, velocity, rate];
    const [next, speed] = builder.node('momentum_update', `${parameter.name}/next`, inputs, momentum);
    builder.update(parameter.name, next!);
    builder.update(velocity.name, speed!);
  }
  const counter = builder.variable('counter', zeros('float32', []), 'slot');
  const count = first('increment', 'count', [counter], {});
  builder.update('counter', count);
  const common = first('cross_replica', 'filter/gradient', [dQuantized], { reduce: 'mean' });
  const slope = first('fake_quant_grad', 'filter/slope', [common, filter, low!, high!], weightQuant);
  const moments = ['first', 'second'].map((name) =>
    builder.variable(`filter/${name}`, zeros('float32', filterShape), 'slot'),
  );
  const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
  const updated = builder.node('adam_update', 'filter/next', [filter, slope, ...moments, rate, count], adam);
  ['filter', 'filter/first', 'filter/second'].forEach((name, index) => builder.update(name, updated[index]!));

  const meanLoss = first('cross_replica', 'mean_loss', [loss], { reduce: 'mean' });
  return verify(builder.finish([meanLoss, logits, correct]));
}

/** A variable that follows a statistic: its smoothed new value, the same on all replicas. */
function average(builder: GraphBuilder, name: string, value: ValueRef, reduce: 'mean' | 'min' | 'max'): ValueRef {
  const old = builder.variable(name, zeros('float32', value.type.shape), 'slot');
  const [agreed] = builder.node('cross_replica', `${name}/agreed`, [value], { reduce });
  const [next] = builder.node('moving_average', `${name}/next`, [old, agreed!], { decay: 0.75 });
  builder.update(name, next!);
  return next!;
}

/** Images, labels and a learning rate for one step of `batch` examples in all. */
export function trainingFeeds(batch: number, step: number): ReadonlyMap<string, Float32Array> {
  const random = createRandom(3, `step ${step}`);
  return new Map([
    ['images', uniform(random.split('images'), batch * 9 * 8 * 3, 1)],
    ['labels', Float32Array.from({ length: batch }, () => random.below(CLASSES))],
    ['rate', Float32Array.of(0.01)],
  ]);
}

function uniform(random: { float(): number }, length: number, limit: number): Float32Array {
  return Float32Array.from({ length }, () => (random.float() * 2 - 1) * limit);
}
