/** A small network and a training for examples of any shape, as lines of YAML: where `qpipe init` begins. */
import type { DatasetIdentity } from '../data/dataset.ts';

type Examples = Pick<DatasetIdentity, 'image' | 'classNames' | 'targets' | 'trainingImages' | 'validationImages'>;

/** Convolutions halve the axes until neither is longer. */
const smallestMap = 6;
const filters = [16, 32, 48, 64] as const;
const mostFilters = 64;

/**
 * What is below `model:`. A network for images and features has convolutions of stride 2, then the mean of each channel;
 * one for rows of values has dense layers. It ends in an output for each class, or for each target where there are no
 * classes.
 */
export function starterModel({ image, classNames, targets = [] }: Omit<Examples, `${string}Images`>): string[] {
  const layers = starterLayers(image, classNames.length > 0 ? classNames.length : targets.length);
  const task = isRegression({ classNames }) ? ['task: regress'] : [];
  return [...task, 'layers:', ...layers.map((layer) => `  ${layer}`)];
}

const isRegression = ({ classNames }: Pick<Examples, 'classNames'>): boolean => classNames.length === 0;

function starterLayers(image: Examples['image'], outputs: number): string[] {
  let [height, width] = [image.height, image.width];
  const last = `- { kind: fully_connected, units: ${outputs} }`;
  if (height * width === 1) {
    const hidden = [32, 16].map((units) => `- { kind: fully_connected, units: ${units}, activation: relu }`);
    return ['- { kind: flatten }', ...hidden, last];
  }
  const layers: string[] = [];
  const kind = height === 1 || width === 1 ? 'conv_1d' : 'conv_2d';
  const convolve = (stride: readonly [number, number]): void => {
    const count = filters[layers.length] ?? mostFilters;
    const factor = stride[0] * stride[1];
    const strideText = factor === 1 ? '' : `, stride: ${kind === 'conv_1d' ? factor : pairText(stride)}`;
    layers.push(`- { kind: ${kind}, filters: ${count}, kernel: 3${strideText}, batch_norm: true, activation: relu }`);
    [height, width] = [Math.ceil(height / stride[0]), Math.ceil(width / stride[1])];
  };
  while (Math.max(height, width) > smallestMap) {
    convolve([height > smallestMap ? 2 : 1, width > smallestMap ? 2 : 1]);
  }
  convolve([1, 1]);
  return [...layers, '- { kind: mean }', '- { kind: dropout, rate: 0.2 }', last];
}

function pairText([vertical, horizontal]: readonly [number, number]): string {
  return vertical === horizontal ? String(vertical) : `[${vertical}, ${horizontal}]`;
}

/** Steps that a network of this size needs about to learn; epochs follow from it. */
const wantedSteps = 1800;
const [fewestEpochs, mostEpochs] = [10, 60];
const largestBatch = 32;

/** All six stages, each a line with what it is for. */
export function starterStages(examples: Examples): { readonly yaml: string; readonly comment: string }[] {
  const { trainingImages, validationImages } = examples;
  const count = trainingImages - validationImages;
  let batch = largestBatch;
  while (batch > 2 && 8 * batch > count) batch /= 2;
  const steps = Math.max(1, Math.floor(count / batch));
  const epochs = Math.min(mostEpochs, Math.max(fewestEpochs, Math.round(wantedSteps / steps)));
  const keep = validationImages > 0 ? ', keep: best' : '';
  const adam = (rate: number): string => `optimizer: { kind: adam, learning_rate: ${rate}, schedule: cosine }`;
  return [
    {
      yaml: `pretrain: { uses: float-pretrain, epochs: ${epochs}, batch: ${batch}${keep}, ${adam(0.003)} }`,
      comment: 'in floating point',
    },
    {
      yaml: `qat: { uses: qat, from: pretrain, epochs: ${Math.ceil(epochs / 8) + 1}, batch: ${batch}, delay: ${steps}, ${adam(0.0003)} }`,
      comment: 'with quantization, from the second epoch on',
    },
    { yaml: 'eval: { uses: save-eval-graph, from: qat }', comment: '' },
    { yaml: 'freeze: { uses: freeze, from: eval }', comment: '' },
    { yaml: 'convert: { uses: convert, from: freeze }', comment: 'writes model.tflite' },
    isRegression(examples)
      ? {
          yaml: 'test: { uses: test, from: convert, gates: { mae_rise_max: 0.05 } }',
          comment: 'the error of int8 may be 5 % above that of float; otherwise the run fails',
        }
      : {
          yaml: 'test: { uses: test, from: convert, gates: { drop_max: 0.02 } }',
          comment: 'int8 may be 2 percentage points below float; otherwise the run fails',
        },
  ];
}
