import { floatTensor } from '../core/tensor.ts';
import type { Graph, Level } from '../graph/graph.ts';
import type { OptimizerSpec, Pass, Ranges } from '../passes/index.ts';
import { freezePasses, lowerToIntegers, runPasses } from '../passes/index.ts';
import type { QuantizationOptions } from '../evaluation/graphs.ts';
import { evalGraph, trainingGraph } from '../evaluation/graphs.ts';
import { calibratedForm } from '../stages/ptq.ts';
import { quantizationOf } from '../stages/qat.ts';
import { formOf } from '../stages/training.ts';
import { outputsOf, trainingLoss } from '../tasks/outputs.ts';
import type { LoadedPipeline } from './load.ts';
import { pipelineNetwork } from './plan.ts';

export interface GraphAfterPass {
  readonly pass: string;
  readonly graph: Graph;
}

/** What an activation's range is before anything was observed; contrib.quantize begins with it too. */
const untrainedRanges: Ranges = {
  kind: 'trained',
  range: () => ({ min: floatTensor([], [0]), max: floatTensor([], [6]) }),
};

/** The defaults of a qat stage, for a pipeline that has neither it nor a ptq stage. */
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
  const model = await pipelineNetwork(loaded);
  const graphs: GraphAfterPass[] = [];
  const observe = (pass: string, graph: Graph): void => void graphs.push({ pass, graph });
  const configs = loaded.pipeline.stages.map(({ config }) => config);
  const qat = configs.find((config) => config.uses === 'qat');
  const pretrain = configs.find((config) => config.uses === 'float-pretrain');
  const loss = trainingLoss(outputsOf(model.contract), loaded.pipeline.loss, null);
  const ptq = configs.find((config) => config.uses === 'ptq');
  const quantization = qat === undefined ? untrainedQuantization : quantizationOf(qat);
  const form = qat === undefined && ptq !== undefined ? calibratedForm(ptq) : formOf(quantization);
  switch (level) {
    case 'float': {
      const batch = (pretrain?.batch ?? 1) / (pretrain?.devices.length ?? 1);
      trainingGraph(model, batch, null, untrainedOptimizer, loss, observe);
      break;
    }
    case 'qat': {
      const batch = (qat?.batch ?? 1) / (qat?.devices.length ?? 1);
      trainingGraph(model, batch, quantization, untrainedOptimizer, loss, observe);
      break;
    }
    case 'eval':
      evalGraph(model, untrainedRanges, form, observe);
      break;
    case 'int8': {
      const lower: Pass = {
        name: 'lower-to-integers',
        run: (graph) => lowerToIntegers(graph, form.scheme, 'the pipeline').graph,
      };
      runPasses(evalGraph(model, untrainedRanges, form, observe), [...freezePasses, lower], observe);
    }
  }
  return graphs;
}
