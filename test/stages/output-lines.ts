/** A network of three outputs, with a data set: which of three values is the largest, their mean, and their spread. */
import { createRandom } from '../../src/core/random.ts';
import type { Dataset, Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import { dense } from '../models/networks.ts';
import type { LineConfig } from './pipeline-line.ts';
import { adam, quantization, training } from './pipeline-line.ts';

export const columns = [
  { name: 'mean', mean: 4, deviation: 2 },
  { name: 'spread', mean: 0, deviation: 0.5 },
] as const;

const classNames = ['first', 'second', 'third'];

function values(): Dataset {
  const random = createRandom(9, 'values');
  const split = (count: number): Split => {
    const inputs = Float32Array.from({ length: 3 * count }, () => 2 * random.float() - 1);
    const rows = Array.from({ length: count }, (_, row) => [...inputs.subarray(3 * row, 3 * row + 3)]);
    return {
      count,
      inputs: inputsOf(inputs, 3),
      labels: Uint8Array.from(rows, (row) => row.indexOf(Math.max(...row))),
      targets: Float32Array.from(
        rows.flatMap((row) => [(row[0]! + row[1]! + row[2]!) / 3, Math.max(...row) - Math.min(...row) - 1]),
      ),
    };
  };
  const channel = (name: string) => ({ name, mean: 0, deviation: 1 });
  return {
    ...{ name: 'values', classNames, targets: columns },
    image: { height: 1, width: 1, channels: 3 },
    reals: { range: { min: -1, max: 1 }, channels: ['a', 'b', 'c'].map(channel) },
    ...{ train: split(256), validation: split(64), test: split(64) },
  };
}

const dataset = values();

/** In another order than that of the columns, so that a mistaken one shows. */
export const outputsLine: LineConfig = {
  dataset,
  spec: {
    ...{ name: 'small', task: 'classify', classes: classNames, image: [1, 1, 3], normalize: { min: -1, max: 1 } },
    ...{ channels: dataset.reals!.channels, targets: columns },
    layers: [
      dense('hidden', 16, { activation: 'relu' }),
      dense('largest', 3),
      { ...dense('spread', 1), input: 'hidden' },
      { ...dense('mean', 1), input: 'hidden' },
    ],
    outputs: [
      { output: 'spread', task: 'regress', classes: classNames, targets: [columns[1]], lossWeight: 2 },
      { output: 'largest', task: 'classify', classes: classNames },
      { output: 'mean', task: 'regress', classes: classNames, targets: [columns[0]], lossWeight: 0.5 },
    ],
  },
  loss: { label_smoothing: 0.01, error: 'huber' },
  pretrain: { ...training, epochs: 12, optimizer: adam },
  qat: { ...quantization, epochs: 3, optimizer: { ...adam, learning_rate: 0.002 } },
  convert: { scheme: 'int8', input: 'int8', output: 'int8', metadata: true },
};
