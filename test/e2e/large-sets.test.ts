/** A set that does not fit into the memory that it may take gives the model of one that does. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeTree } from '../cli/example-folders.ts';
import { writePng } from '../formats/png-writer.ts';
import { makeWorkspace } from './workspace.ts';

const text = `version: 1
name: many
data: { source: image_folder, path: many, image: { size: 40, color: grey }, split: { test: 0.2, validation: 0.1 }, augment: { crop: 2 } }
model: { layers: [{ kind: max_pool_2d, window: 4 }, { kind: flatten }, { kind: fully_connected, units: 2 }] }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: 16, optimizer: { kind: sgd, learning_rate: 0.01 } }
  qat: { uses: qat, from: pretrain, epochs: 1, batch: 16, delay: 0, reestimate_batch_norm: 0, optimizer: { kind: sgd, learning_rate: 0.001 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, litert: off }
`;

describe('450 images of 720 kB', () => {
  const space = makeWorkspace();
  const image = (value: number) =>
    writePng({ width: 40, height: 40, depth: 8, colorType: 0, sample: (x) => value + x });
  beforeAll(() => {
    const files = Array.from({ length: 225 }, (_, index): [string, Uint8Array][] => [
      [`dark/${index}.png`, image(index % 100)],
      [`light/${index}.png`, image(115 + (index % 100))],
    ]);
    writeTree(space.file('many'), Object.fromEntries(files.flat()));
    space.write('many.yaml', text);
  });

  /** The digest of the model. */
  async function modelOf(store: string, ...options: readonly string[]): Promise<string> {
    const folders = ['--runs', `runs ${store}`, '--store', store];
    const { code, stderr } = await space.qpipe('run', 'many.yaml', ...folders, ...options);
    expect([code, stderr]).toEqual([0, '']);
    const model = readFileSync(space.file(`runs ${store}`, 'latest/stages/convert/model.tflite'));
    return createHash('sha256').update(model).digest('hex');
  }

  it('give one model, whatever memory and threads, and whether they were decoded before', async () => {
    const streamed = await modelOf('a', '--threads', '2', '--set', 'memory=1 MB');
    const kept = readdirSync(space.file('a', 'v1/examples'));
    expect(kept).toHaveLength(1);
    expect(readdirSync(space.file('a', 'v1/tmp'))).toEqual([]);
    const again = await modelOf('a', '--threads', '1', '--set', 'memory=1 MB', '--force', 'pretrain,qat');
    const whole = await modelOf('b', '--threads', '1');
    expect([again, whole]).toEqual([streamed, streamed]);
  });

  it('end at once where the run is interrupted, and nothing half-made is left', async () => {
    const running = space.start('run', 'many.yaml', '--store', 'c', '--runs', 'runs c', '--threads', '2', '--json');
    while (!existsSync(space.file('c', 'v1/tmp')) || readdirSync(space.file('c', 'v1/tmp')).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    running.kill('SIGINT');
    const { exitCode } = await running;
    expect(exitCode).toBe(130);
    expect(readdirSync(space.file('c', 'v1/tmp'))).toEqual([]);
  });
});
