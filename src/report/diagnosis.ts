import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { unreachable } from '../core/assert.ts';
import { exp } from '../core/math.ts';
import { object } from '../core/schema.ts';
import { nullable } from '../stages/metrics.ts';
import type { TestMetrics } from '../stages/metrics.ts';
import { decibel, fixed, percent } from './format.ts';
import { thresholds } from './lints.ts';

export const Diagnosis = object({
  sentence: Type.String(),
  blame: Type.Union(
    [Type.Literal('nothing'), Type.Literal('training'), Type.Literal('ranges'), Type.Literal('integer_kernel')],
    { description: 'where the larger part of the noise comes from; training: it is too little to have cost anything' },
  ),
  sqnrDb: nullable(Type.Number({ description: 'int8 against float after the last layer; null when exact' })),
  kernelShare: Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the integer kernels explain' }),
  layer: nullable(Type.String({ description: 'the layer that adds most of the noise that is to blame' })),
  layerShare: nullable(Type.Number({ minimum: 0, maximum: 1, description: 'of that noise, what the layer adds' })),
});
export type Diagnosis = Static<typeof Diagnosis>;

/** What the test says about the quality of int8 beside float, whatever the measure of quality is. */
export type Loss = 'none' | 'within_chance' | 'real' | 'not_measured';

type Layer = TestMetrics['layers'][number];

/** Noise this small at the output is what 8 bits cost at their best: 6.02 dB a bit, less 8 dB for a range's headroom. */
const negligibleNoiseDb = 40;

/**
 * Which layer loses, and whether by its range or by its integer kernel: at the output, the noise of fake-quant against
 * float is the ranges' and 8 bits', that of int8 against fake-quant the kernels'. Null without layers.
 *
 * @param layers in the order of execution
 */
export function diagnose(layers: readonly Layer[], loss: Loss): Diagnosis | null {
  const last = layers.at(-1);
  if (last === undefined) return null;
  const { floatSqnrDb: sqnrDb } = last;
  if (sqnrDb === null) {
    const sentence = 'Quantization loses nothing: the integers say what the same weights say in float.';
    return { sentence, blame: 'nothing', sqnrDb, kernelShare: 0, layer: null, layerShare: null };
  }
  const kernelShare = last.sqnrDb === null ? 0 : Math.min(1, powerRatio(sqnrDb - last.sqnrDb));
  const source = kernelShare > 0.5 ? 'integer_kernel' : 'ranges';
  const worst = source === 'integer_kernel' ? noisiestKernel(layers) : noisiestRange(layers);
  const found = { sqnrDb, kernelShare, layer: worst?.layer.name ?? null, layerShare: worst?.share ?? null };
  const blame = loss === 'real' && sqnrDb >= negligibleNoiseDb ? 'training' : source;
  return { sentence: `${lossSentence(loss, blame)} ${noiseSentence(source, found, worst?.layer)}`, blame, ...found };
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

/** The kernel that adds most noise by itself, in shares of its signal. */
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

function lossSentence(loss: Loss, blame: Diagnosis['blame']): string {
  switch (loss) {
    case 'none':
      return 'Nothing is lost against float.';
    case 'within_chance':
      return 'The loss against float is within chance.';
    case 'not_measured':
      return 'The loss against float was not measured.';
    case 'real':
      return blame === 'training'
        ? 'The loss against float comes from training rather than from quantization, which adds next to no noise.'
        : `The loss against float is real, and ${blame === 'ranges' ? 'the ranges are' : 'the integer kernels are'} to blame.`;
    default:
      return unreachable(loss);
  }
}

function noiseSentence(
  source: 'ranges' | 'integer_kernel',
  { sqnrDb, kernelShare, layerShare }: Pick<Diagnosis, 'kernelShare' | 'layerShare'> & { readonly sqnrDb: number },
  layer: Layer | undefined,
): string {
  const whole = `Noise at the output is ${decibel(sqnrDb)} below the signal`;
  const kernels = `${fixed(100 * kernelShare, 0)} % of it from the integer kernels`;
  if (layer === undefined || layerShare === null) return `${whole}, ${kernels}.`;
  const share = `${fixed(100 * layerShare, 0)} %`;
  return source === 'ranges'
    ? `${whole}, ${kernels}; of the ranges' part, ${layer.name} puts in most (${share}): ${causeOf(layer)}.`
    : `${whole}, ${kernels}; the kernel of ${layer.name} adds most (${share}).`;
}

/** Why a range costs what it does, as far as the values tell. */
function causeOf({ clipped, headroom, range }: Layer): string {
  if (clipped !== null && clipped.noiseShare > 0.5) {
    const share = percent(clipped.below + clipped.above);
    return `its range is too narrow, and the ${share} of its values that are clipped make ${fixed(100 * clipped.noiseShare, 0)} % of its noise`;
  }
  if (range === 'own' && headroom !== null && headroom > thresholds.headroom) {
    return `its range is ${fixed(headroom, 1)} times as wide as 99.9 % of its values need`;
  }
  return 'its range fits, so this is what rounding to 8 bits costs';
}

function powerRatio(decibels: number): number {
  return exp((decibels / 10) * Math.LN10);
}
