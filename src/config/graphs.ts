import { createRandom } from '../core/random.ts';
import { floatTensor } from '../core/tensor.ts';
import type { Graph, Level } from '../graph/graph.ts';
import { variablesOf } from '../graph/graph.ts';
import { buildModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { OptimizerSpec, Pass } from '../passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses } from '../passes/index.ts';
import { tensorSource } from '../training/checkpoint.ts';
import type { QuantizationForm, QuantizationOptions, TensorSource } from '../evaluation/graphs.ts';
import { evalGraph, trainingGraph } from '../evaluation/graphs.ts';
import { quantizationOf } from '../stages/qat.ts';
import { formOf } from '../stages/training.ts';
import { tasks } from '../tasks/index.ts';
import type { LoadedPipeline } from './load.ts';
import { pipelineModel } from './plan.ts';

export interface GraphAfterPass {
  readonly pass: string;
  readonly graph: Graph;
}

type Observe = (pass: string, graph: Graph) => void;

/** What an activation's range is before anything was observed; contrib.quantize begins with it too. */
const untrainedRange = { min: 0, max: 6 } as const;

/** The defaults of a qat stage, for a pipeline that has none. */
const untrainedQuantization: NonNullable<QuantizationOptions> = {
  ...{ delay: 0, merge: 'min_max', observe: 'after_activation', scheme: 'int8', dropout: 'always' },
  estimator: { kind: 'running_extremes', decay: 0.999 },
  ...{ denseWeights: 'per_channel', batchNorm: { kind: 'kept' } },
};

const untrainedOptimizer: OptimizerSpec = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 };

/**
 * The graphs of a pipeline on the way to a level, after each pass, with fresh weights and untrained ranges. Training
 * graphs are those of the first stage of their level; a pipeline without one shows the defaults.
 */
export async function pipelineGraphs(loaded: LoadedPipeline, level: Level): Promise<readonly GraphAfterPass[]> {
  const spec = await pipelineModel(loaded);
  const seed = loaded.pipeline.seed;
  const graphs: GraphAfterPass[] = [];
  const observe = (pass: string, graph: Graph): void => void graphs.push({ pass, graph });
  const configs = loaded.pipeline.stages.map(({ config }) => config);
  const qat = configs.find((config) => config.uses === 'qat');
  const pretrain = configs.find((config) => config.uses === 'float-pretrain');
  const weights = { kind: 'random', seed } as const;
  const { loss } = tasks[spec.task];
  const quantization = qat === undefined ? untrainedQuantization : quantizationOf(qat);
  switch (level) {
    case 'float': {
      const batch = (pretrain?.batch ?? 1) / (pretrain?.devices.length ?? 1);
      trainingGraph(spec, batch, weights, null, untrainedOptimizer, loss, observe);
      break;
    }
    case 'qat': {
      const batch = (qat?.batch ?? 1) / (qat?.devices.length ?? 1);
      trainingGraph(spec, batch, weights, quantization, untrainedOptimizer, loss, observe);
      break;
    }
    case 'eval':
      untrainedEvalGraph(spec, seed, formOf(quantization), observe);
      break;
    case 'int8': {
      const lower: Pass = {
        name: 'lower-to-integers',
        run: (graph) => lowerToIntegers(graph, quantization.scheme, 'the pipeline').graph,
      };
      runPasses(untrainedEvalGraph(spec, seed, formOf(quantization), observe), [...freezePasses, lower], observe);
    }
  }
  return graphs;
}

function untrainedEvalGraph(spec: ModelSpec, seed: number, form: QuantizationForm, observe: Observe): Graph {
  const model = buildModel(spec, 1, 'inference', { kind: 'random', random: createRandom(seed, 'weights') });
  const tensors = new Map(variablesOf(model).map(({ name, source }) => [name, source.initial] as const));
  const weights = tensorSource(tensors, 'the fresh weights');
  const tensor: TensorSource = (name, shape) => {
    if (name.endsWith('/act_quant/min')) return floatTensor([], [untrainedRange.min]);
    if (name.endsWith('/act_quant/max')) return floatTensor([], [untrainedRange.max]);
    return weights(name, shape);
  };
  return evalGraph(spec, 1, tensor, form, observe);
}
