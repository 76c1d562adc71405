/** The graphs that stages run, from a network and its weights. */
import { internal } from '../core/assert.ts';
import { inputRange } from '../data/batches.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/contract.ts';
import { purposeOf } from '../graph/contract.ts';
import { withVariables } from '../graph/variables.ts';
import { verify } from '../graph/verify.ts';
import { batchNormDefaults } from '../models/batch-norm.ts';
import type {
  BatchNormForm,
  DropoutInQat,
  ObservedSide,
  OptimizerSpec,
  Pass,
  RangeEstimator,
  Ranges,
  Scheme,
  TrainedRange,
  TrainingLoss,
  WeightRanges,
} from '../passes/index.ts';
import {
  evalPasses,
  floatTrainingPasses,
  qatPasses,
  removeDropout,
  runPasses,
  setBatch,
  trainingForm,
} from '../passes/index.ts';

export type TensorSource = (name: string, shape?: Shape) => FloatTensor;

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
      /** What observers begin with; left out where nothing was observed before. */
      readonly initial?: (quantizer: string) => TrainedRange;
      /** Steps of the training that observed them; left out where they were chosen. */
      readonly earlierSteps?: number;
    })
  | null;

/**
 * A graph whose one run is one training step of one replica.
 *
 * @param batch images per replica
 */
export function trainingGraph(
  model: Model,
  batch: number,
  quantization: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss: TrainingLoss,
  observe?: (pass: string, graph: Graph) => void,
): Graph {
  const network = verify(trainingForm(setBatch(model.graph, batch), batchNormDefaults.momentum));
  observe?.('build-model', network);
  return runPasses(network, trainingPasses(model, quantization, optimizer, loss), observe);
}

function trainingPasses(
  { contract }: Model,
  quantization: QuantizationOptions,
  optimizer: OptimizerSpec,
  loss: TrainingLoss,
): readonly Pass[] {
  if (quantization === null) return floatTrainingPasses(optimizer, loss);
  const { scheme, denseWeights, observe, batchNorm, dropout, ...observer } = quantization;
  const options = {
    input: inputRange(purposeOf(contract).normalize),
    ranges: { kind: 'observed', ...observer },
    scheme,
    denseWeights,
    observe,
    batchNorm,
    dropout,
  } as const;
  return qatPasses(options, optimizer, loss);
}

/** The float inference graph as engines run it. */
export function floatGraph({ graph }: Model): Graph {
  return verify(removeDropout(graph));
}

/** The same network with other weights. */
export function withWeights({ graph, contract }: Model, tensor: TensorSource): Model {
  return { graph: withVariables(graph, ({ name, type }) => tensor(name, type.shape)), contract };
}

/**
 * The inference graph with fake quantization, parameters as variables.

 */
export function evalGraph(
  model: Model,
  ranges: Ranges,
  { scheme, denseWeights, observe, batchNorm }: QuantizationForm,
  onPass?: (pass: string, graph: Graph) => void,
): Graph {
  const options = {
    ...({ input: inputRange(purposeOf(model.contract).normalize), ranges, scheme, denseWeights, observe } as const),
    batchNorm: batchNorm === 'kept' ? { kind: batchNorm } : { kind: batchNorm, freezeDelay: null },
  };
  return runPasses(floatGraph(model), evalPasses(options), onPass);
}

/** The input that takes the images: a graph's first. Training adds labels and the learning rate behind it. */
export function modelInput(graph: Graph): string {
  return graph.inputs[0] ?? internal(`"${graph.name}" takes no image`);
}
