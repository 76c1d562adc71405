/** A small network and data set for each task, with all that a pipeline may say of its loss and its test. */
import { createRandom } from '../../src/core/random.ts';
import type { Dataset, Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { loadDataset } from '../../src/data/load.ts';
import type { Layer, ModelSpec } from '../../src/models/layers.ts';
import { conv, dense } from '../models/networks.ts';
import type { LineConfig } from './pipeline-line.ts';
import { adam, quantization, training } from './pipeline-line.ts';

const scenes = (classes: number, answers?: 'labels' | 'masks'): Promise<Dataset> =>
  loadDataset(
    {
      ...{ kind: 'synthetic', classes, size: 12, trainCount: 96, testCount: 24, noise: 8, seed: 4 },
      ...(answers && { answers }),
    },
    { count: 24, seed: 1 },
  );

/** Two features, and a target that is their difference with one in eight far off. */
function slopes(): Dataset {
  const random = createRandom(6, 'slopes');
  const split = (count: number): Split => {
    const values = Float32Array.from({ length: 2 * count }, () => 2 * random.float() - 1);
    const targets = Float32Array.from({ length: count }, (_, index) => {
      const difference = values[2 * index]! - values[2 * index + 1]!;
      return random.below(8) === 0 ? difference + 4 : difference;
    });
    return { count, inputs: inputsOf(values, 2), labels: null, targets };
  };
  const channel = (name: string) => ({ name, mean: 0, deviation: 1 });
  return {
    ...{ name: 'slopes', classNames: [], targets: [{ name: 'difference', mean: 5, deviation: 2 }] },
    ...{ image: { height: 1, width: 1, channels: 2 } },
    reals: { range: { min: -1, max: 1 }, channels: [channel('a'), channel('b')] },
    ...{ train: split(96), validation: split(24), test: split(24) },
  };
}

function specOf(dataset: Dataset, task: ModelSpec['task'], layers: readonly Layer[]): ModelSpec {
  const { image, classNames, tags, targets, reals } = dataset;
  return {
    ...{ name: 'small', task, layers, classes: classNames },
    image: [image.height, image.width, image.channels],
    normalize: reals === undefined ? { scale: Math.fround(1 / 255), mean: 0 } : reals.range,
    ...(tags && { tags }),
    ...(targets && { targets }),
    ...(reals && { channels: reals.channels }),
  };
}

const flatten: Layer = { kind: 'flatten', name: 'flatten' };
const seen = conv('seen', 4, 3, { stride: [2, 2] });

const [single, several, labelled, masked] = await Promise.all([
  scenes(2),
  scenes(3),
  scenes(3, 'labels'),
  scenes(3, 'masks'),
]);
const numbers = slopes();
const toOne = [dense('hidden', 6, { activation: 'relu' }), dense('out', 1)];
const regression = specOf(numbers, 'regress', toOne);

type TaskLine = Pick<LineConfig, 'dataset' | 'spec' | 'loss' | 'test'>;

const lines: readonly (readonly [title: string, line: TaskLine])[] = [
  [
    'classify, weighted and smoothed',
    {
      dataset: several,
      spec: specOf(several, 'classify', [seen, flatten, dense('out', 3)]),
      loss: { class_weights: { disc: 2 }, label_smoothing: 0.1 },
      test: { top_k: 2 },
    },
  ],
  [
    'binary, balanced and smoothed',
    {
      dataset: single,
      spec: specOf(single, 'binary', [seen, flatten, dense('out', 1, { activation: 'logistic' })]),
      loss: { class_weights: 'balanced', label_smoothing: 0.1 },
      test: { threshold: 'f1' },
    },
  ],
  [
    'multi_label, balanced and smoothed',
    {
      dataset: labelled,
      spec: specOf(labelled, 'multi_label', [seen, flatten, dense('out', 3, { activation: 'logistic' })]),
      loss: { class_weights: 'balanced', label_smoothing: 0.05 },
    },
  ],
  [
    'segment, balanced and smoothed',
    {
      dataset: masked,
      spec: specOf(masked, 'segment', [conv('seen', 4, 3), conv('out', 4, 3, { activation: 'none' })]),
      loss: { class_weights: 'balanced', label_smoothing: 0.05 },
    },
  ],
  ['regress, by the absolute error', { dataset: numbers, spec: regression, loss: { error: 'absolute' } }],
  ['regress, by Huber', { dataset: numbers, spec: regression, loss: { error: 'huber', huber_delta: 0.5 } }],
  [
    'reconstruct, with anomalies',
    {
      dataset: several,
      spec: specOf(several, 'reconstruct', [
        flatten,
        dense('code', 8, { activation: 'relu' }),
        dense('out', 144, { activation: 'logistic' }),
        { kind: 'reshape', name: 'image', shape: [12, 12, 1] },
      ]),
      test: { anomaly: 'plus' },
    },
  ],
];

/** Each with a few epochs, of float and of quantized training. */
export const taskLines: readonly (readonly [title: string, line: LineConfig])[] = lines.map(([title, line]) => [
  title,
  {
    ...line,
    pretrain: { ...training, epochs: 4, optimizer: adam },
    qat: { ...quantization, epochs: 2, optimizer: { ...adam, learning_rate: 0.002 } },
    convert: { scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
  },
]);
