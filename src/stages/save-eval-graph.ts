import { defineStage } from './define.ts';

export const saveEvalGraph = defineStage({
  kind: 'save-eval-graph',
  revision: 1,
  description: 'Writes the inference graph with fake quantization, and its variables',
  from: { accepts: ['QatModel/1'], optional: false },
  produces: 'EvalGraph/1',
  uses: [],
  fields: {},
});
