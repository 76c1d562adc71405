/** Ops that only a training graph has: counters, moving averages, collectives, optimizers. All float32. */
import { integerPower } from '../core/math.ts';
import { defineOp, trainingOnly } from './define.ts';
import type { NoAttrs } from './define.ts';
import { SMALLEST_ACTIVATION_RANGE } from './fake_quant.ts';
import { expectSameShape } from './geometry.ts';

const f32 = Math.fround;

/** counter + 1. Exact up to 2^24 steps. */
export const increment = defineOp({
  ...trainingOnly,
  name: 'increment',
  operands: [{ name: 'counter', role: 'activation' }],
  infer: ([counter], _attrs: NoAttrs) => [counter!],
  float: ([counter], _attrs, [output]) => {
    output!.data[0] = counter!.data[0]! + 1;
  },
});

/** 1 where counter >= threshold, else 0: the switch of the quantization delay. */
export const reached = defineOp({
  ...trainingOnly,
  name: 'reached',
  operands: [{ name: 'counter', role: 'activation' }],
  infer: ([counter], _attrs: { readonly threshold: number }) => [counter!],
  float: ([counter], { threshold }, [output]) => {
    output!.data[0] = counter!.data[0]! >= threshold ? 1 : 0;
  },
});

export interface DecayAttrs {
  /** Weight of the old value, in (0, 1). */
  readonly decay: number;
}

/**
 * average - (average - value) * (1 - decay), in float32 in this order.
 *
 * @see tensorflow/python/training/moving_averages.py, assign_moving_average
 */
export const movingAverage = defineOp({
  ...trainingOnly,
  name: 'moving_average',
  operands: [
    { name: 'average', role: 'activation' },
    { name: 'value', role: 'activation' },
  ],
  infer([average, value], _attrs: DecayAttrs) {
    expectSameShape(value!.shape, average!.shape, 'the value');
    return [average!];
  },
  float([average, value], { decay }, [output]) {
    const rate = f32(1 - decay);
    for (let index = 0; index < output!.data.length; index++) {
      const old = average!.data[index]!;
      output!.data[index] = old - f32(f32(old - value!.data[index]!) * rate);
    }
  },
});

/** An end of a range, or zero where it is too close to zero to have codes of its own. */
function rangeEnd(value: number): number {
  return Math.abs(value) < f32(SMALLEST_ACTIVATION_RANGE) ? 0 : value;
}

export interface RunningExtremeAttrs extends DecayAttrs {
  /** Which end of the range it is; a least value is at most 0, a largest at least 0. */
  readonly end: 'min' | 'max';
}

/**
 * The most extreme value so far, which decays: max(value, decay * extreme), or min. So the result is the largest of all
 * values times decay^(steps since), and a value never lies outside it in the step that brings it. Zero below
 * SMALLEST_ACTIVATION_RANGE.
 */
export const runningExtreme = defineOp({
  ...trainingOnly,
  name: 'running_extreme',
  operands: [
    { name: 'extreme', role: 'activation' },
    { name: 'value', role: 'activation' },
  ],
  infer([extreme, value], _attrs: RunningExtremeAttrs) {
    expectSameShape(value!.shape, extreme!.shape, 'the value');
    return [extreme!];
  },
  float([extreme, value], { decay, end }, [output]) {
    const wider = end === 'max' ? Math.max : Math.min;
    for (let index = 0; index < output!.data.length; index++) {
      output!.data[index] = rangeEnd(wider(value!.data[index]!, f32(extreme!.data[index]! * f32(decay))));
    }
  },
});

/**
 * Corrects the bias of a moving average toward its initial zero (zero debiasing), for one end of a range: biased / (1 -
 * decay^count). Zero below SMALLEST_ACTIVATION_RANGE.
 *
 * Inputs: biased average, count of updates so far (at least 1).
 */
export const zeroDebias = defineOp({
  ...trainingOnly,
  name: 'zero_debias',
  operands: [
    { name: 'biased', role: 'activation' },
    { name: 'count', role: 'activation' },
  ],
  infer: ([biased], _attrs: DecayAttrs) => [biased!],
  float([biased, count], { decay }, [output]) {
    const divisor = f32(1 - f32(integerPower(f32(1 - f32(1 - decay)), count!.data[0]!)));
    for (let index = 0; index < output!.data.length; index++) {
      output!.data[index] = rangeEnd(f32(biased!.data[index]! / divisor));
    }
  },
});

export interface CrossReplicaAttrs {
  readonly reduce: 'mean' | 'min' | 'max';
}

/** The one value that all replicas agree on. With one replica it is the value itself; engines implement the rest. */
export const crossReplica = defineOp({
  ...trainingOnly,
  name: 'cross_replica',
  operands: [{ name: 'value', role: 'activation' }],
  infer: ([value], _attrs: CrossReplicaAttrs) => [value!],
  float: ([value], _attrs, [output]) => output!.data.set(value!.data),
});

export interface MomentumAttrs {
  readonly momentum: number;
  readonly nesterov: boolean;
  /** L2 penalty added to the gradient: gradient + weightDecay * parameter. */
  readonly weightDecay: number;
}

/**
 * Stochastic gradient descent with momentum. Inputs: parameter, gradient, velocity, learning rate (scalar).
 * Outputs: parameter, velocity. velocity' = momentum * velocity + gradient; parameter' = parameter - rate * velocity',
 * or with Nesterov parameter - rate * (gradient + momentum * velocity').
 *
 * @see tensorflow/core/kernels/training_ops.cc, ApplyMomentum
 */
export const momentumUpdate = defineOp({
  ...trainingOnly,
  name: 'momentum_update',
  operands: [
    { name: 'parameter', role: 'activation' },
    { name: 'gradient', role: 'activation' },
    { name: 'velocity', role: 'activation' },
    { name: 'learning_rate', role: 'activation' },
  ],
  infer([parameter, gradient, velocity], _attrs: MomentumAttrs) {
    expectSameShape(gradient!.shape, parameter!.shape, 'the gradient');
    expectSameShape(velocity!.shape, parameter!.shape, 'the velocity');
    return [parameter!, parameter!];
  },
  float([parameter, gradient, velocity, learningRate], attrs, [newParameter, newVelocity]) {
    const momentum = f32(attrs.momentum);
    const weightDecay = f32(attrs.weightDecay);
    const rate = learningRate!.data[0]!;
    for (let index = 0; index < newParameter!.data.length; index++) {
      const value = parameter!.data[index]!;
      const slope = f32(gradient!.data[index]! + f32(weightDecay * value));
      const speed = f32(f32(momentum * velocity!.data[index]!) + slope);
      const step = attrs.nesterov ? f32(slope + f32(momentum * speed)) : speed;
      newVelocity!.data[index] = speed;
      newParameter!.data[index] = value - f32(rate * step);
    }
  },
});

export interface AdamAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/**
 * Adam. Inputs: parameter, gradient, first moment, second moment, learning rate, step count (1 at the first step).
 * Outputs: parameter, first moment, second moment.
 *
 * @see Kingma and Ba 2015, section 2, the form with the bias corrections folded into the rate
 */
export const adamUpdate = defineOp({
  ...trainingOnly,
  name: 'adam_update',
  operands: [
    { name: 'parameter', role: 'activation' },
    { name: 'gradient', role: 'activation' },
    { name: 'first_moment', role: 'activation' },
    { name: 'second_moment', role: 'activation' },
    { name: 'learning_rate', role: 'activation' },
    { name: 'count', role: 'activation' },
  ],
  infer([parameter, gradient, ...moments], _attrs: AdamAttrs) {
    expectSameShape(gradient!.shape, parameter!.shape, 'the gradient');
    for (const moment of moments.slice(0, 2)) expectSameShape(moment.shape, parameter!.shape, 'a moment');
    return [parameter!, parameter!, parameter!];
  },
  float([parameter, gradient, first, second, learningRate, count], attrs, [newParameter, newFirst, newSecond]) {
    const [beta1, beta2, epsilon] = [f32(attrs.beta1), f32(attrs.beta2), f32(attrs.epsilon)];
    const weightDecay = f32(attrs.weightDecay);
    const steps = count!.data[0]!;
    const correction = Math.sqrt(1 - integerPower(beta2, steps)) / (1 - integerPower(beta1, steps));
    const rate = f32(learningRate!.data[0]! * correction);
    for (let index = 0; index < newParameter!.data.length; index++) {
      const value = parameter!.data[index]!;
      const slope = f32(gradient!.data[index]! + f32(weightDecay * value));
      const mean = f32(f32(beta1 * first!.data[index]!) + f32(f32(1 - beta1) * slope));
      const square = f32(f32(beta2 * second!.data[index]!) + f32(f32(1 - beta2) * f32(slope * slope)));
      newFirst!.data[index] = mean;
      newSecond!.data[index] = square;
      newParameter!.data[index] = value - f32(f32(rate * mean) / f32(f32(Math.sqrt(square)) + epsilon));
    }
  },
});
