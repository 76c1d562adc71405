import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import { exp } from '../core/math.ts';
import { object } from '../core/schema.ts';
import { nullable } from '../measurements/metrics.ts';
import type { TestMetrics } from '../measurements/metrics.ts';
import { decibel, fixed, percent } from './format.ts';
import { thresholds } from './lints.ts';

/** Whether a difference between two models on the same examples is more than chance. */
export const losses = ['none', 'within_chance', 'real'] as const;
export type Loss = (typeof losses)[number];

const LossSchema = Type.Union(losses.map((loss) => Type.Literal(loss)));

const Cost = object({
  change: Type.Number({
    description: 'accuracy lost, as a share, or error added; negative where something was gained',
  }),
  loss: LossSchema,
});

export const Costs = object(
  {
    whole: nullable(Cost),
    training: nullable(Cost),
    quantization: Cost,
    ranges: Type.Number({ description: 'the part of quantization up to fake-quant' }),
    kernels: Type.Number({ description: 'the part of quantization from fake-quant to int8' }),
  },
  {
    description:
      'whole: from float to int8; training: from float to the QAT weights without quantizers; quantization: from ' +
      'those to int8. Null without a float model',
  },
);
export type Cost = Static<typeof Cost>;
export type Costs = Static<typeof Costs>;

export const Diagnosis = object({
  sentence: Type.String(),
  blame: Type.Union(
    [Type.Literal('nothing'), Type.Literal('training'), Type.Literal('ranges'), Type.Literal('integer_kernel')],
    { description: 'what costs most of what is lost, by the accuracies; nothing: no loss beyond chance' },
  ),
  costs: Costs,
  sqnrDb: nullable(Type.Number({ description: 'int8 against float after the last layer; null when exact' })),
  kernelShare: Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the integer kernels explain' }),
  layer: nullable(Type.String({ description: 'the layer that adds most of the noise that is to blame' })),
  layerShare: nullable(Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the layer adds' })),
});
export type Diagnosis = Static<typeof Diagnosis>;

type Layer = TestMetrics['layers'][number];

/**
 * What was lost, to training or to quantization, and in which layer. The accuracies decide what is to blame; the noise
 * only tells which layer. Null without layers.
 *
 * @param layers in the order of execution
 * @param amount writes a cost for people, for example `2.40 points`
 */
export function diagnose(layers: readonly Layer[], costs: Costs, amount: (change: number) => string): Diagnosis | null {
  const last = layers.at(-1);
  if (last === undefined) return null;
  const { floatSqnrDb: sqnrDb } = last;
  const kernelShare = sqnrDb === null || last.sqnrDb === null ? 0 : Math.min(1, powerRatio(sqnrDb - last.sqnrDb));
  const blame = blameOf(costs);
  const base = { blame, costs, sqnrDb, kernelShare };
  const whole = costSentence(costs, amount);
  if (sqnrDb === null) {
    const sentence = `${whole} Quantization changes nothing: the integers say what the same weights say in float.`;
    return { sentence, ...base, layer: null, layerShare: null };
  }
  const noise =
    `Noise at the output is ${decibel(sqnrDb)} below the signal, ` +
    `${fixed(100 * kernelShare, 0)} % of it from the integer kernels`;
  const source = costs.quantization.loss !== 'real' ? null : costs.kernels > costs.ranges ? 'integer_kernel' : 'ranges';
  const worst = source === null ? null : source === 'integer_kernel' ? noisiestKernel(layers) : noisiestRange(layers);
  if (source === null || worst === null) {
    return { sentence: `${whole} ${noise}.`, ...base, layer: null, layerShare: null };
  }
  const { layer, share } = worst;
  return {
    sentence: `${whole} ${noise}; ${layerClause(source, layer, share)}.`,
    ...base,
    layer: layer.name,
    layerShare: share,
  };
}

function blameOf({ training, quantization, ranges, kernels }: Costs): Diagnosis['blame'] {
  const ofTraining = training?.loss === 'real' ? training.change : 0;
  const ofQuantization = quantization.loss === 'real' ? quantization.change : 0;
  if (ofTraining <= 0 && ofQuantization <= 0) return 'nothing';
  if (ofTraining >= ofQuantization) return 'training';
  return kernels > ranges ? 'integer_kernel' : 'ranges';
}

function costSentence({ whole, training, quantization }: Costs, amount: (change: number) => string): string {
  const quantized = `quantization ${costClause(quantization, amount)}`;
  if (whole === null || training === null) {
    return `Float was not measured, so the cost of training is unknown; ${quantized}.`;
  }
  const parts = `training ${costClause(training, amount)}, ${quantized}`;
  if (training.loss === 'real' && training.change >= quantization.change) {
    return (
      `The loss comes from training: ${parts}. The same weights lose that much without any quantizer, so lower the ` +
      'learning rate of `qat`, or train it longer.'
    );
  }
  switch (whole.loss) {
    case 'none':
      return quantization.loss === 'real'
        ? `Nothing is lost against float, but only because training gained what quantization lost: ${parts}.`
        : 'There is no loss against float.';
    case 'within_chance':
      return quantization.loss === 'real'
        ? `The loss against float is within chance, that of quantization is not: ${parts}.`
        : 'The loss against float is within chance.';
    case 'real':
      return `The loss against float is real: ${parts}.`;
    default:
      return unreachable(whole.loss);
  }
}

function costClause({ change, loss }: Cost, amount: (change: number) => string): string {
  if (change < 0) return `gains ${amount(-change)}`;
  if (change === 0) return 'costs nothing';
  return `costs ${amount(change)}${loss === 'within_chance' ? ', which is within chance' : ''}`;
}

/**
 * What part of the noise at the output each layer's quantizers put there, of the layers that have some; they are
 * measured one at a time, so what they do to each other is left out.
 */
export function noiseShares(layers: readonly Layer[]): ReadonlyMap<string, number> {
  const measured = layers.flatMap(({ name, outputNoise }) => (outputNoise === null ? [] : [{ name, outputNoise }]));
  const sum = measured.reduce((total, { outputNoise }) => total + outputNoise, 0);
  return sum === 0 ? new Map() : new Map(measured.map(({ name, outputNoise }) => [name, outputNoise / sum]));
}

interface Worst {
  readonly layer: Layer;
  readonly share: number;
}

function noisiestRange(layers: readonly Layer[]): Worst | null {
  const shares = noiseShares(layers);
  return worstOf(layers.map((layer) => ({ layer, share: shares.get(layer.name) ?? 0 })));
}

/** The kernel that adds most noise by itself, relative to its signal. */
function noisiestKernel(layers: readonly Layer[]): Worst | null {
  const noise = layers.map(({ kernel }) =>
    kernel === null || kernel.sqnrDb === null ? 0 : powerRatio(-kernel.sqnrDb),
  );
  const sum = noise.reduce((total, value) => total + value, 0);
  return worstOf(layers.map((layer, index) => ({ layer, share: sum === 0 ? 0 : noise[index]! / sum })));
}

function worstOf(candidates: readonly Worst[]): Worst | null {
  return candidates.reduce<Worst | null>((best, one) => (one.share > (best?.share ?? 0) ? one : best), null);
}

function layerClause(source: 'ranges' | 'integer_kernel', layer: Layer, share: number): string {
  const percentage = `${fixed(100 * share, 0)} %`;
  return source === 'ranges'
    ? `of what fake-quant adds, ${layer.name} puts in most (${percentage}): ${causeOf(layer)}`
    : `the kernel of ${layer.name} adds most (${percentage})`;
}

/** Why a range costs what it does, as far as the values tell. */
function causeOf({ name, clipped, headroom, range, sharedRange }: Layer): string {
  if (sharedRange !== null && sharedRange.neededBy !== name) {
    return `it shares the range of ${sharedRange.by}, which ${sharedRange.neededBy} needs`;
  }
  if (clipped !== null && clipped.noiseShare > 0.5) {
    const share = percent(clipped.below + clipped.above);
    return `its range is too narrow, and the ${share} of its values that are clipped cause ${fixed(100 * clipped.noiseShare, 0)} % of its noise`;
  }
  if (range === 'own' && headroom !== null && headroom > thresholds.headroom) {
    return `its range is ${fixed(headroom, 1)} times as wide as 99.9 % of its values need`;
  }
  return 'its range fits, so this is the cost of rounding to 8 bits';
}

function powerRatio(decibels: number): number {
  return exp((decibels / 10) * Math.LN10);
}
