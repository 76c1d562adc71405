/** A run on arrays of pixels that another program can read, for the numbers of its report. */
import { mkdirSync } from 'node:fs';
import { createRandom } from '../../src/core/random.ts';
import type { Report } from '../../src/report/report.ts';
import type { Workspace } from '../e2e/workspace.ts';
import { npyFile } from '../e2e/workspace.ts';

export const side = 12;
export const classes = 5;
export const counts = { train: 500, val: 120, test: 300 } as const;

const pipeline = `version: 1
name: numbers
data: { source: npz, path: arrays, normalize: { scale: 1/255 } }
model:
  layers:
    - { kind: conv_2d, name: first, filters: 6, kernel: 3, activation: relu }
    - { kind: max_pool_2d, name: pool, window: 2 }
    - { kind: conv_2d, name: second, filters: 8, kernel: 3, batch_norm: true, bias: false, activation: relu6 }
    - { kind: flatten }
    - { kind: fully_connected, name: hidden, units: 16, activation: relu }
    - { kind: fully_connected, name: last, units: ${classes} }
stages:
  pretrain: { uses: float-pretrain, epochs: 5, batch: 32, optimizer: { kind: adam, learning_rate: 0.004, schedule: cosine } }
  # Ranges settle too low with few steps and averages, so that values are cut off.
  qat: { uses: qat, from: pretrain, epochs: 1, batch: 32, delay: 2, ranges: moving_average, optimizer: { kind: sgd, learning_rate: 0.03 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, examples: 3, gates: { int8_top1_min: 0.3, worst_recall_min: 0.2, agreement_min: 0.5 } }
`;

/** Stripes of a width and phase for each class under noise, so that a small network gets some of them wrong. */
function examples(part: keyof typeof counts, count: number) {
  const random = createRandom(11, 'report', part);
  const truth = BigInt64Array.from({ length: count }, (_, index) => BigInt(index % classes));
  const pixels = new Uint8Array(count * side * side);
  for (let at = 0; at < pixels.length; at++) {
    const label = Number(truth[Math.floor(at / side ** 2)]);
    const [row, column] = [Math.floor(at / side) % side, at % side];
    const stripe = (row * (label % 3) + column * (label >> 1)) % 4 < 2 ? 60 : 0;
    pixels[at] = stripe + random.below(196);
  }
  return { truth, pixels, count };
}

export interface NumbersRun {
  /** The folder of the run, and that of the arrays. */
  readonly run: string;
  readonly data: string;
  readonly report: Report;
  readonly html: string;
}

export const runForNumbers = (space: Workspace): Promise<NumbersRun> => runOnStripes(space, pipeline);

/**
 * @param text of a pipeline that reads `arrays`
 * @param tested examples in its test part
 */
export async function runOnStripes(space: Workspace, text: string, tested: number = counts.test): Promise<NumbersRun> {
  mkdirSync(space.file('arrays'), { recursive: true });
  for (const part of ['train', 'val', 'test'] as const) {
    const { truth, pixels, count } = examples(part, part === 'test' ? tested : counts[part]);
    space.write(`arrays/x_${part}.npy`, npyFile('|u1', [count, side, side], pixels));
    space.write(`arrays/y_${part}.npy`, npyFile('<i8', [count], truth));
  }
  space.write('numbers.yaml', text);
  const { code, stdout, stderr } = await space.qpipe('run', 'numbers.yaml');
  if (code !== 0) throw new Error(stdout + stderr);
  return {
    ...{ run: space.file('runs/latest'), data: space.file('arrays') },
    report: space.json('runs/latest/report.json') as Report,
    html: space.text('runs/latest/report.html'),
  };
}
