import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import { exp } from '../core/math.ts';
import { object } from '../core/schema.ts';
import { nullable, oneOf } from '../measurements/metrics.ts';
import type { TestMetrics } from '../measurements/metrics.ts';
import { causes, dataFault, deadLayer, isFarOff, kernelFault, rangeFault } from './faults.ts';
import type { Cause, Fault, Learned } from './faults.ts';
import { decibel, fixed, percent } from './format.ts';

/** Whether a difference between two models on the same examples is more than chance. */
export const losses = ['none', 'within_chance', 'real'] as const;
export type Loss = (typeof losses)[number];

const LossSchema = Type.Union(losses.map((loss) => Type.Literal(loss)));

const Cost = object({
  change: Type.Number({
    description: 'accuracy lost, as a share, or error added; negative where something was gained',
  }),
  loss: LossSchema,
  isChance: Type.Boolean({ description: 'whether the change, a loss or a gain, may be chance' }),
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
  sentence: Type.String({ description: 'what is lost, to what, and the layer that adds most noise, with its cause' }),
  noise: nullable(
    Type.String({ description: 'how much noise there is at the output, and of which kind; null when exact' }),
  ),
  remedy: nullable(Type.String({ description: 'what to do about what costs most; null where nothing has to be done' })),
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
  /** How the tested model was quantized. */
  readonly method: QuantizedBy;
  /** Names the layer of the output; the last layer where it is left out. */
  readonly model?: { readonly output: { readonly name: string } };
}

/** With or without training. */
export type QuantizedBy = 'qat' | 'ptq';

/**
 * What was lost, to training or to quantization, in which layer, why, and what to do. The accuracies decide what is to
 * blame; the noise only tells which layer. Null without layers.
 *
 * @param amount writes a cost for people, for example `2.40 points`
 */
export function diagnose(evidence: Evidence, costs: Costs, amount: (change: number) => string): Diagnosis | null {
  const { layers, compared, input, learned, method, model } = evidence;
  // Of a network with several outputs, each has a layer of its own.
  const last = layers.find(({ name }) => name === model?.output.name) ?? layers.at(-1);
  if (last === undefined) return null;
  const { floatSqnrDb: sqnrDb } = last;
  const kernelShare = sqnrDb === null || last.sqnrDb === null ? 0 : Math.min(1, powerRatio(sqnrDb - last.sqnrDb));
  const whole = costSentence(costs, method, amount);
  const blame = blameOf(costs);
  const base = { blame, costs, sqnrDb, kernelShare, layer: null, layerShare: null, cause: null, noise: null };
  // What makes all other numbers meaningless comes first.
  const first = deadLayer(layers, compared) ?? dataFault(learned, input);
  if (first !== null) {
    const { cause, layer, found, remedy } = first;
    return { ...base, sentence: `${found} ${whole}`, cause, layer, remedy };
  }
  const remedy = blame === 'nothing' ? null : remedies[blame](method);
  if (sqnrDb === null) {
    const exact = 'Quantization changes nothing: int8 gives the same outputs as the same weights in float.';
    return { ...base, sentence: `${whole} ${exact}`, remedy };
  }
  const measured = { ...base, noise: noiseSentence(sqnrDb, kernelShare, noisiestKernel(layers)) };
  const source = costs.quantization.loss !== 'real' ? null : costs.kernels > costs.ranges ? 'integer_kernel' : 'ranges';
  const worst = noisiestRange(layers, last);
  const found = source === null ? quietFault(layers, worst) : loudFault(source, layers, worst);
  if (found === null)
    return {
      ...measured,
      sentence: `${whole}${worst === null || worst.share === 1 ? '' : rangeClause(worst)}`,
      remedy,
    };
  const { cause, layer, remedy: ofFault } = found.fault;
  return {
    ...{ ...measured, sentence: `${whole}${found.clause}`, cause, layer, layerShare: found.share },
    // Of what training costs, no range is the cause.
    remedy:
      blame === 'training' && cause !== 'bias' && cause !== 'kernel'
        ? remedies.training(method)
        : (withoutTraining(cause, method) ?? ofFault),
  };
}

/** Where no layer tells more. */
const remedies: Readonly<Record<Exclude<Diagnosis['blame'], 'nothing'>, (method: QuantizedBy) => string>> = {
  training: (method) =>
    method === 'qat'
      ? 'Lower the learning rate of `qat`, or train it longer: its weights lose accuracy before anything is rounded.'
      : 'Calibrate without `cross_layer_equalization` and `bias_correction`: they change the weights, and that costs accuracy.',
  ranges: (method) => (method === 'qat' ? 'Train longer with quantization.' : trainQuantized),
  integer_kernel: (method) => (method === 'qat' ? 'Train longer with quantization.' : trainQuantized),
};

const trainQuantized = 'Train with quantization: `qat` may start from this `ptq`.';

/** A model that was only calibrated can still learn to live with its rounding; null where that does not help. */
const withoutTraining = (cause: Cause, method: QuantizedBy): string | null =>
  cause === 'rounding' && method === 'ptq' ? trainQuantized : null;

/** Our choice: kernels that make less of the noise are not looked at one by one. */
const muchNoise = 0.2;

/** How much noise there is at the output, and of which kind. */
function noiseSentence(sqnrDb: number, kernelShare: number, kernel: Worst | null): string {
  const kernels = Math.round(100 * kernelShare);
  const noisiest =
    kernelShare > muchNoise && kernel !== null ? `, of which that of ${kernel.layer.name} is the noisiest` : '';
  return (
    `At the output, noise is ${percent(amplitude(-sqnrDb))} of the signal (signal-to-quantization-noise ratio ` +
    `${decibel(sqnrDb)}): ${100 - kernels} % of it is from rounding to 8 bits, ${kernels} % from integer kernels${noisiest}.`
  );
}

/** Our choice: a layer with more than that of the noise is where to begin. */
export const mostNoise = 0.5;

/** The layer whose rounding puts most noise into the output, and why it does. */
const rangeClause = ({ share, fault }: WorstRange): string =>
  ` ${share > mostNoise ? 'Most' : 'The largest part of the'} rounding noise (${fixed(100 * share, 0)} %) is from ${fault.layer ?? ''}: ${fault.found}.`;

interface Found {
  readonly fault: Fault;
  readonly share: number | null;
  /** Behind what is said of the costs. */
  readonly clause: string;
}

/** What costs accuracy. */
function loudFault(
  source: 'ranges' | 'integer_kernel',
  layers: readonly Layer[],
  worstRange: WorstRange | null,
): Found | null {
  if (source === 'ranges') {
    return worstRange === null ? null : { ...worstRange, clause: rangeClause(worstRange) };
  }
  const worst = noisiestKernel(layers);
  if (worst === null) return null;
  const { layer, share } = worst;
  const off = kernelFault([layer]);
  const clause = ` The noisiest kernel is that of ${layer.name} (${fixed(100 * share, 0)} % of the noise of kernels)`;
  if (off !== null) return { fault: off, share, clause: `${clause}: ${off.found}.` };
  const fault: Fault = {
    ...{ cause: 'kernel', layer: layer.name, found: 'its integers are within one step of what training simulated' },
    remedy: `Train longer with quantization, or give ${layer.name} more filters: its kernel is sound, but rounds more than this network bears.`,
  };
  return { fault, share, clause: `${clause}: ${fault.found}.` };
}

/** What costs nothing yet, and is wrong all the same. */
function quietFault(layers: readonly Layer[], worst: WorstRange | null): Found | null {
  const kernel = kernelFault(layers);
  if (kernel !== null) return { fault: kernel, share: null, clause: ` Still, ${kernel.found}.` };
  if (worst === null || worst.share <= mostNoise || !isFarOff(worst.measured)) return null;
  const { fault, share } = worst;
  const clause = ` Still, ${fixed(100 * share, 0)} % of the rounding noise is from ${fault.layer ?? ''}: ${fault.found}.`;
  return { fault, share, clause };
}

function blameOf({ training, quantization, ranges, kernels }: Costs): Diagnosis['blame'] {
  const ofTraining = training?.loss === 'real' ? training.change : 0;
  const ofQuantization = quantization.loss === 'real' ? quantization.change : 0;
  if (ofTraining <= 0 && ofQuantization <= 0) return 'nothing';
  if (ofTraining >= ofQuantization) return 'training';
  return kernels > ranges ? 'integer_kernel' : 'ranges';
}

function costSentence(
  { whole, training, quantization }: Costs,
  method: QuantizedBy,
  amount: (change: number) => string,
): string {
  // What is within chance in all is so in its parts, unless they are said to be real.
  const clause = (cost: Cost): string => costClause(cost, whole?.loss === 'real' ? 'whether_chance' : 'amount', amount);
  const quantized = `quantization ${clause(quantization)}`;
  if (whole === null || training === null) {
    return `Float was not measured, so what retraining costs is unknown; ${quantized}.`;
  }
  const trained = method === 'qat' ? 'retraining (`qat`)' : 'preparing the weights (`ptq`)';
  const parts = `${trained} ${clause(training)}, ${quantized}`;
  if (training.loss === 'real' && training.change >= quantization.change) {
    return `The loss comes from ${trained}: ${parts}. The same weights lose that much without any quantizer.`;
  }
  switch (whole.loss) {
    case 'none':
      if (quantization.loss === 'real')
        return `Nothing is lost against float, but only because ${trained} gained what quantization lost: ${parts}.`;
      if (whole.change === 0) return 'There is no loss against float.';
      return `There is no loss against float, and the gain ${whole.isChance ? 'may be chance' : 'is more than chance'}: ${parts}.`;
    case 'within_chance':
      return quantization.loss === 'real'
        ? `The loss against float is within chance, that of quantization is not: ${parts}.`
        : `The loss against float is within chance: ${parts}.`;
    case 'real':
      return `The loss against float is real: ${parts}.`;
    default:
      return unreachable(whole.loss);
  }
}

function costClause(
  { change, loss }: Cost,
  said: 'amount' | 'whether_chance',
  amount: (change: number) => string,
): string {
  if (change < 0) return `gains ${amount(-change)}`;
  if (change === 0) return 'costs nothing';
  return `costs ${amount(change)}${said === 'whether_chance' && loss === 'within_chance' ? ', which is within chance' : ''}`;
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

/** The layer whose rounding adds most noise, and why. */
export interface WorstRange {
  readonly fault: Fault;
  readonly share: number;
  readonly measured: Layer;
}

/** @param output the layer of the output */
export function noisiestRange(layers: readonly Layer[], output: Layer | undefined): WorstRange | null {
  const shares = noiseShares(layers);
  const worst = worstOf(layers.map((layer) => ({ layer, share: shares.get(layer.name) ?? 0 })));
  if (worst === null) return null;
  const { layer, share } = worst;
  return { fault: rangeFault(layer, layer === output ? 'output' : 'hidden'), share, measured: layer };
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

/** Root mean square of noise over that of the signal. */
const amplitude = (decibels: number): number => exp((decibels / 20) * Math.LN10);

function powerRatio(decibels: number): number {
  return exp((decibels / 10) * Math.LN10);
}
