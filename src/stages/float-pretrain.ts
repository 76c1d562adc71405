import { newModel } from '../models/build.ts';
import { encodeModelFile } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { writeOutput } from './files.ts';
import type { TrainMetrics } from '../measurements/metrics.ts';
import { floatTraining, runTraining, trainingFields } from './training.ts';

const outputs = { model: { type: 'FloatModel/2', file: 'float_model.safetensors' } } as const;

export const floatPretrain = defineStage({
  kind: 'float-pretrain',
  revision: 2,
  description: 'Trains the float model from scratch',
  from: null,
  produces: 'FloatModel/2',
  uses: ['training-data', 'augment', 'loss', 'model', 'engine', 'seed'],
  inputs: {},
  outputs,
  fields: trainingFields,

  async run(config, context, environment) {
    const dataset = await environment.trainingData();
    const model = newModel(environment.model(dataset), environment.seed);
    const { tensors, metrics } = await runTraining(config, model, dataset, floatTraining, context, environment);
    await writeOutput(context, outputs.model, encodeModelFile({ level: 'float', ...model, tensors }));
    return { metrics: { kind: 'train', level: 'float', ...metrics } satisfies TrainMetrics };
  },
});
