/** The graphs that stages run, from a network and its weights. */
import { internal } from '../core/assert.ts';
import { inputRange } from '../data/batches.ts';
import { createRandom } from '../core/random.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { ModelForm, Weights } from '../models/build.ts';
import { buildModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import type {
  BatchNormForm,
  DropoutInQat,
  Loss,
  ObservedSide,
  OptimizerSpec,
  Pass,
  RangeEstimator,
  Scheme,
  WeightRanges,
} from '../passes/index.ts';
import { evalPasses, floatTrainingPasses, qatPasses, runPasses, trainedRanges } from '../passes/index.ts';

export type TensorSource = (name: string, shape?: Shape) => FloatTensor;

export type InitialWeights =
  { readonly kind: 'random'; readonly seed: number } | { readonly kind: 'given'; readonly tensor: TensorSource };

/** How a network is quantized, as far as its eval graph depends on it. */
export interface QuantizationForm {
  readonly scheme: Scheme;
  readonly denseWeights: WeightRanges;
  readonly observe: ObservedSide;
  /** Whether batch norm was part of the weights while training. */
  readonly batchNorm: BatchNormForm['kind'];
}

/** What level qat adds to float training; null trains the float model. */
export type QuantizationOptions =
  | (Omit<QuantizationForm, 'batchNorm'> & {
      readonly delay: number;
      readonly estimator: RangeEstimator;
      readonly merge: 'mean' | 'min_max';
      readonly batchNorm: BatchNormForm;
      readonly dropout: DropoutInQat;
    })
  | null;

/**
 * A graph whose one run is one training step of one replica.
 *
 * @param batch images per replica
 */
export function trainingGraph(
  spec: ModelSpec,
  batch: number,
  weights: InitialWeights,
  quantization: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss: Loss,
  observe?: (pass: string, graph: Graph) => void,
): Graph {
  const model = modelGraph(spec, batch, 'training', weights);
  observe?.('build-model', model);
  return runPasses(model, trainingPasses(spec, quantization, optimizer, loss), observe);
}

function trainingPasses(
  spec: ModelSpec,
  quantization: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss: Loss,
): readonly Pass[] {
  if (quantization === null) return floatTrainingPasses(optimizer, loss);
  const { scheme, denseWeights, observe, batchNorm, dropout, ...observer } = quantization;
  const options = {
    input: inputRange(spec.normalize),
    ranges: { kind: 'observed', ...observer },
    scheme,
    denseWeights,
    observe,
    batchNorm,
    dropout,
  } as const;
  return qatPasses(options, optimizer, loss);
}

/** The float inference graph. */
export function floatGraph(spec: ModelSpec, batch: number, tensor: TensorSource): Graph {
  return modelGraph(spec, batch, 'inference', { kind: 'given', tensor });
}

/** The inference graph with fake quantization and the trained ranges, parameters as variables. */
export function evalGraph(
  spec: ModelSpec,
  batch: number,
  tensor: TensorSource,
  { scheme, denseWeights, observe, batchNorm }: QuantizationForm,
  onPass?: (pass: string, graph: Graph) => void,
): Graph {
  const options = {
    ...({
      input: inputRange(spec.normalize),
      ranges: trainedRanges(tensor),
      scheme,
      denseWeights,
      observe,
    } as const),
    batchNorm: batchNorm === 'kept' ? { kind: batchNorm } : { kind: batchNorm, freezeDelay: null },
  };
  return runPasses(floatGraph(spec, batch, tensor), evalPasses(options), onPass);
}

function modelGraph(spec: ModelSpec, batch: number, form: ModelForm, weights: InitialWeights): Graph {
  return buildModel(spec, batch, form, weightsOf(weights));
}

function weightsOf(weights: InitialWeights): Weights {
  return weights.kind === 'random'
    ? { kind: 'random', random: createRandom(weights.seed, 'weights') }
    : { kind: 'given', tensor: weights.tensor };
}

/** The input that takes the images: a graph's first. Training adds labels and the learning rate behind it. */
export function modelInput(graph: Graph): string {
  return graph.inputs[0] ?? internal(`"${graph.name}" takes no image`);
}
