import { internal } from '../core/assert.ts';
import type { Graph } from '../graph/graph.ts';
import { buildGraph } from '../graph/builder.ts';
import { verify } from '../graph/verify.ts';
import type { LayerContext, ModelForm, PixelNormalizer, Weights } from './layers/define.ts';
import { outputOf } from './layers/define.ts';
import { buildLayer } from './layers/index.ts';
import type { ModelSpec } from './layers.ts';
import { addPixelNormalization, pixelNormalizer, takesNormalization } from './pixels.ts';

export type { ModelForm, Weights };

/** The input of training graphs with dropout: two whole numbers below 2^24, others in every step and replica. */
export const dropoutKeyInput = 'dropout_key';

/**
 * The float graph of a network: input [batch, height, width, channels] in normalised units, output the logits (or
 * the softmax, if the last layer is one) or the reconstruction. Values are named `layer/op`, variables `layer/filter`,
 * `layer/bias`, ….
 *
 * @throws ShapeError naming the layer when sizes do not fit
 */
export function buildModel(spec: ModelSpec, batch: number, form: ModelForm, weights: Weights): Graph {
  const builder = buildGraph(spec.name, 'float');
  let value = builder.input('input', { dtype: 'float32', shape: [batch, ...spec.image] });
  const drops = form === 'training' && spec.layers.some(({ kind }) => kind === 'dropout');
  const dropoutKey = drops ? builder.input(dropoutKeyInput, { dtype: 'float32', shape: [2] }) : null;
  const pixels = normalizerOf(spec, value.name);
  const isFolded = pixels !== null && takesNormalization(spec.layers);
  if (pixels !== null && !isFolded) value = addPixelNormalization(builder, pixels, value);
  const context: LayerContext = {
    ...{ builder, form, weights, dropoutKey, outputs: new Map() },
    pixels: isFolded ? pixels : null,
  };
  for (const layer of spec.layers) {
    value = buildLayer(context, layer, layer.input === undefined ? value : outputOf(context, layer, layer.input));
    context.outputs.set(layer.name, value);
  }
  return verify(builder.finish([value]));
}

/** Null where the scale and the zero point of the input say all. */
function normalizerOf({ pixels, normalize }: ModelSpec, input: string): PixelNormalizer | null {
  if (pixels === undefined) return null;
  return 'scale' in normalize ? pixelNormalizer(pixels, normalize, input) : internal('pixels have no scale');
}
