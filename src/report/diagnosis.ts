import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import { exp } from '../core/math.ts';
import { object } from '../core/schema.ts';
import { nullable, oneOf } from '../measurements/metrics.ts';
import type { TestMetrics } from '../measurements/metrics.ts';
import { causes, dataFault, deadLayer, isFarOff, kernelFault, rangeFault } from './faults.ts';
import type { Fault, Learned } from './faults.ts';
import { decibel, fixed } from './format.ts';

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
  cause: nullable(oneOf(causes)),
  costs: Costs,
  sqnrDb: nullable(Type.Number({ description: 'int8 against float after the last layer; null when exact' })),
  kernelShare: Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the integer kernels explain' }),
  layer: nullable(Type.String({ description: 'the layer that adds most of the noise that is to blame' })),
  layerShare: nullable(Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the layer adds' })),
});
export type Diagnosis = Static<typeof Diagnosis>;

type Layer = TestMetrics['layers'][number];

/** What the test stage measured beside costs. */
export interface Evidence extends Pick<TestMetrics, 'layers' | 'compared' | 'input'> {
  /** Null where nothing counts right answers. */
  readonly learned: Learned | null;
  /** Names the layer of the output; the last layer where it is left out. */
  readonly model?: { readonly output: { readonly name: string } };
}

/**
 * What was lost, to training or to quantization, in which layer, why, and what to do. The accuracies decide what is to
 * blame; the noise only tells which layer. Null without layers.
 *
 * @param amount writes a cost for people, for example `2.40 points`
 */
export function diagnose(
  { layers, compared, input, learned, model }: Evidence,
  costs: Costs,
  amount: (change: number) => string,
): Diagnosis | null {
  // Of a network with several outputs, each has a layer of its own.
  const last = layers.find(({ name }) => name === model?.output.name) ?? layers.at(-1);
  if (last === undefined) return null;
  const { floatSqnrDb: sqnrDb } = last;
  const kernelShare = sqnrDb === null || last.sqnrDb === null ? 0 : Math.min(1, powerRatio(sqnrDb - last.sqnrDb));
  const whole = costSentence(costs, amount);
  const base = { blame: blameOf(costs), costs, sqnrDb, kernelShare, layer: null, layerShare: null, cause: null };
  // What makes all other numbers meaningless comes first.
  const first = deadLayer(layers, compared) ?? dataFault(learned, input);
  if (first !== null) {
    return { ...base, sentence: `${first.sentence} ${whole}`, cause: first.cause, layer: first.layer };
  }
  if (sqnrDb === null) {
    return {
      ...base,
      sentence: `${whole} Quantization changes nothing: int8 gives the same outputs as the same weights in float.`,
    };
  }
  const noise =
    `The signal-to-quantization-noise ratio (SQNR) at the output is ${decibel(sqnrDb)}; ` +
    `integer kernels cause ${fixed(100 * kernelShare, 0)} % of the noise.`;
  const source = costs.quantization.loss !== 'real' ? null : costs.kernels > costs.ranges ? 'integer_kernel' : 'ranges';
  const found = source === null ? quietFault(layers) : loudFault(source, layers);
  if (found === null) return { ...base, sentence: `${whole} ${noise}` };
  const { cause, layer } = found.fault;
  return { ...base, sentence: `${whole} ${noise}${found.clause}`, cause, layer, layerShare: found.share };
}

interface Found {
  readonly fault: Fault;
  readonly share: number | null;
  /** Behind what is said of the noise. */
  readonly clause: string;
}

/** What costs accuracy. */
function loudFault(source: 'ranges' | 'integer_kernel', layers: readonly Layer[]): Found | null {
  const worst = source === 'integer_kernel' ? noisiestKernel(layers) : noisiestRange(layers);
  if (worst === null) return null;
  const { layer, share } = worst;
  const percentage = `${fixed(100 * share, 0)} %`;
  if (source === 'ranges') {
    const fault = rangeFault(layer);
    const clause = ` Of the noise of fake-quant, ${layer.name} adds most (${percentage}): ${fault.sentence}`;
    return { fault, share, clause };
  }
  const off = kernelFault([layer]);
  const fault: Fault = off ?? { cause: 'kernel', layer: layer.name, sentence: '' };
  const detail = off === null ? '' : ` ${sentenceCase(off.sentence)}`;
  return { fault, share, clause: ` The integer kernel of ${layer.name} adds most (${percentage}).${detail}` };
}

/** What costs nothing yet, and is wrong all the same. */
function quietFault(layers: readonly Layer[]): Found | null {
  const kernel = kernelFault(layers);
  if (kernel !== null) return { fault: kernel, share: null, clause: ` Still, ${kernel.sentence}` };
  const worst = noisiestRange(layers);
  if (worst === null || worst.share <= 0.5 || !isFarOff(worst.layer)) return null;
  const fault = rangeFault(worst.layer);
  const clause = ` Still, ${worst.layer.name} adds ${fixed(100 * worst.share, 0)} % of the noise of fake-quant: ${fault.sentence}`;
  return { fault, share: worst.share, clause };
}

const sentenceCase = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

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

function powerRatio(decibels: number): number {
  return exp((decibels / 10) * Math.LN10);
}
