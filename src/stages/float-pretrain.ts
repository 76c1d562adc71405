import { encodeModelFile } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import { writeOutput } from './files.ts';
import type { TrainMetrics } from '../measurements/metrics.ts';
import { floatTraining, initialModel, runTraining, stepFields, trainingFields } from './training.ts';

const outputs = { model: { type: 'FloatModel/2', file: 'float_model.safetensors' } } as const;

export const floatPretrain = defineStage({
  kind: 'float-pretrain',
  revision: 2,
  description: 'Trains a float model, from scratch or from another',
  from: { accepts: ['FloatModel/2'], optional: true },
  produces: 'FloatModel/2',
  uses: ['training-data', 'augment', 'loss', 'model', 'engine', 'seed'],
  inputs: { model: { type: 'FloatModel/2', optional: true } },
  outputs,
  fields: trainingFields,
  trajectory: stepFields,

  async run(config, context, environment) {
    const dataset = await environment.trainingData();
    const model = await initialModel(context, environment);
    const { tensors, metrics } = await runTraining(config, model, dataset, floatTraining, context, environment);
    await writeOutput(context, outputs.model, encodeModelFile({ level: 'float', ...model, tensors }));
    return { metrics: { kind: 'train', level: 'float', ...metrics } satisfies TrainMetrics };
  },
});
