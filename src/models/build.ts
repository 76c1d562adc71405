import { internal } from '../core/assert.ts';
import { createRandom } from '../core/random.ts';
import type { Shape } from '../core/tensor.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Model } from '../graph/contract.ts';
import { contractFor } from '../graph/contract.ts';
import { verify } from '../graph/verify.ts';
import type { LayerContext, PixelNormalizer, Weights } from './layers/define.ts';
import { outputOf } from './layers/define.ts';
import { buildLayer } from './layers/index.ts';
import type { ModelSpec } from './layers.ts';
import { batchNormsAlone } from './standing-alone.ts';
import { addPixelNormalization, pixelNormalizer, takesNormalization } from './pixels.ts';

export type { Weights };

/**
 * The float graph of a network: input [batch, height, width, channels] in normalised units, output the logits (or
 * the softmax, if the last layer is one) or the reconstruction. Values are named `layer/op`, variables `layer/filter`,
 * `layer/bias`, …. `dropout` stands where training drops.
 *
 * @throws ShapeError naming the layer when sizes do not fit
 */
export function buildModel(spec: ModelSpec, batch: number, weights: Weights): Graph {
  const builder = buildGraph(spec.name, 'float');
  let value = builder.input('input', { dtype: 'float32', shape: [batch, ...spec.image] });
  const pixels = normalizerOf(spec, value.name);
  const isFolded = pixels !== null && takesNormalization(spec.layers);
  if (pixels !== null && !isFolded) value = addPixelNormalization(builder, pixels, value);
  const context: LayerContext = {
    ...{ builder, weights, pixels: isFolded ? pixels : null, outputs: new Map() },
    batchNormsAlone: batchNormsAlone(spec.layers),
  };
  for (const layer of spec.layers) {
    value = buildLayer(context, layer, layer.input === undefined ? value : outputOf(context, layer, layer.input));
    context.outputs.set(layer.name, value);
  }
  const { outputs } = spec;
  if (outputs === undefined) return verify(builder.finish([value]));
  const made = ({ output }: { readonly output: string }) =>
    context.outputs.get(output) ?? internal(`output "${output}" is no layer`);
  return verify(builder.finish(outputs.map(made)));
}

/** Null where the scale and the zero point of the input say all. */
function normalizerOf({ pixels, normalize }: ModelSpec, input: string): PixelNormalizer | null {
  if (pixels === undefined) return null;
  return 'scale' in normalize ? pixelNormalizer(pixels, normalize, input) : internal('pixels have no scale');
}

/** The network of a specification, with fresh weights. */
export function newModel(spec: ModelSpec, seed: number): Model {
  const graph = buildModel(spec, 1, { kind: 'random', random: createRandom(seed, 'weights') });
  return { graph, contract: contractFor(graph, spec, spec.outputs) };
}

/** The same without random numbers, for what depends on shapes alone: all variables are 1/2. */
export function untrainedModel(spec: ModelSpec): Model {
  const tensor = (_name: string, shape: Shape) => floatTensor(shape, new Float32Array(numElements(shape)).fill(0.5));
  const graph = buildModel(spec, 1, { kind: 'given', tensor });
  return { graph, contract: contractFor(graph, spec, spec.outputs) };
}
