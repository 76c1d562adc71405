import { Type } from '@sinclair/typebox';
import { choice, key } from '../core/schema.ts';
import { variablesOf } from '../graph/graph.ts';
import { stepVariable } from '../passes/index.ts';
import { encodeModelFile, readModelFile, tensorSource } from './checkpoint.ts';
import { defineStage } from './define.ts';
import { writeOutput } from './files.ts';
import type { InitialWeights } from './graphs.ts';
import { evalGraph } from './graphs.ts';
import type { TrainMetrics } from './metrics.ts';
import { inferenceTensors, runTraining, trainingFields } from './training.ts';

const outputs = { model: { type: 'QatModel/1', file: 'qat_model.safetensors' } } as const;

export const qat = defineStage({
  kind: 'qat',
  revision: 1,
  description: 'Quantization-aware training, from a float model or from scratch',
  from: { accepts: ['FloatModel/1'], optional: true },
  produces: 'QatModel/1',
  uses: ['data', 'augment', 'model', 'engine', 'seed'],
  inputs: { model: { type: 'FloatModel/1', optional: true } },
  outputs,
  fields: {
    ...trainingFields,
    delay: Type.Integer({
      ...key('Quantization is applied from this step on; ranges are observed from the first'),
      minimum: 0,
      default: 0,
    }),
    ema_decay: Type.Number({
      ...key('Decay of the moving averages that estimate the ranges of activations'),
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
      default: 0.999,
    }),
    merge_ranges: choice(['mean', 'min_max'], {
      ...key('How the ranges of several devices become one: their mean, or the widest'),
      default: 'mean',
    }),
    observe: choice(['after_activation', 'before_activation'], {
      ...key('Side of a ReLU or ReLU6 on which ranges are observed; before_activation is for comparison only'),
      default: 'after_activation',
    }),
  },

  async run(config, context, environment) {
    const dataset = environment.dataset();
    const spec = environment.model(dataset);
    const weights = await startingWeights(context.inputs['model'], environment.seed);
    const { delay, ema_decay: decay, merge_ranges: merge, observe } = config;
    const quantization = { delay, decay, merge, observe };
    const trained = await runTraining(config, spec, dataset, weights, quantization, context, environment);
    // The eval graph's state, less the weight ranges, which it takes from the final weights by itself.
    const trainedTensor = tensorSource(trained.variables, 'the trained weights');
    const state = variablesOf(evalGraph(spec, 1, trainedTensor, observe));
    const names = [...state.map(({ name }) => name).filter((name) => !name.includes('/weights_quant/')), stepVariable];
    const tensors = inferenceTensors(names, trained.variables);
    await writeOutput(context, outputs.model, encodeModelFile({ level: 'qat', spec, tensors, observe }));
    const updates = trained.metrics.steps;
    const ranges = trained.ranges.map((range) => ({ ...range, updates }));
    return {
      metrics: { kind: 'train', level: 'qat', delay, decay, ranges, ...trained.metrics } satisfies TrainMetrics,
      verdict: 'pass',
    };
  },
});

/** The float parent's weights, or fresh ones: then the delay is the float phase. */
async function startingWeights(parent: string | undefined, seed: number): Promise<InitialWeights> {
  if (parent === undefined) return { kind: 'random', seed };
  const { tensors } = await readModelFile(parent);
  return { kind: 'given', tensor: tensorSource(tensors, parent) };
}
