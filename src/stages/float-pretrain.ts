import { encodeModelFile } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { writeOutput } from './files.ts';
import type { TrainMetrics } from '../measurements/metrics.ts';
import { floatTraining, runTraining, trainingFields } from './training.ts';

const outputs = { model: { type: 'FloatModel/1', file: 'float_model.safetensors' } } as const;

export const floatPretrain = defineStage({
  kind: 'float-pretrain',
  revision: 1,
  description: 'Trains the float model from scratch',
  from: null,
  produces: 'FloatModel/1',
  uses: ['training-data', 'augment', 'model', 'engine', 'seed'],
  inputs: {},
  outputs,
  fields: trainingFields,

  async run(config, context, environment) {
    const dataset = await environment.trainingData();
    const spec = environment.model(dataset);
    const weights = { kind: 'random', seed: environment.seed } as const;
    const { tensors, metrics } = await runTraining(config, spec, dataset, weights, floatTraining, context, environment);
    await writeOutput(context, outputs.model, encodeModelFile({ level: 'float', spec, tensors }));
    return { metrics: { kind: 'train', level: 'float', ...metrics } satisfies TrainMetrics };
  },
});
