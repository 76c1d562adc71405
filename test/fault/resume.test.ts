/** Trainings that are killed, or told to stop, in the middle. */
import { chmodSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Workspace } from '../e2e/workspace.ts';
import { makeWorkspace } from '../e2e/workspace.ts';
import { describeKills, someKills } from './kills.ts';

describeKills(someKills(6, 1), 120_000);

describe('a training that is told to stop', () => {
  it.each([
    ['SIGUSR1', 75],
    ['SIGTERM', 143, '--jobs', '2'],
    ['SIGINT', 130],
  ] as const)(
    'with %s is saved, and goes on',
    { timeout: 60_000 },
    async (signal, code, option?: string, count?: string) => {
      const space = makeWorkspace();
      const run = () =>
        space.start(
          'run',
          'tiny.yaml',
          '--set',
          'stages.pretrain.epochs=100000',
          ...[option, count].filter((word) => word !== undefined),
        );
      const first = run();
      await line(first, /pretrain: epoch 2\//);
      first.kill(signal);
      const { exitCode, stderr } = await first;
      expect(exitCode).toBe(code);
      expect(stderr).toBe('interrupted; results of finished stages are kept, and a training goes on where it was');
      const [folder = ''] = readdirSync(space.file('.qpipe/store/v1/ckpt'));
      const saved = (): string[] => readdirSync(space.file('.qpipe/store/v1/ckpt', folder));
      const step = Number(saved()[0]!.split('-')[1]);
      expect(step).toBeGreaterThanOrEqual(12);

      const second = run();
      const [said] = await line(
        second,
        /pretrain: continues after step ([\d,]+) of 600,000 \(epoch \d+\)[^]*pretrain: epoch /,
      );
      second.kill(signal);
      await second;
      expect(said).toContain(`step ${step.toLocaleString('en-US')} of`);
      const events = readFileSync(space.file('runs/latest/events.ndjson'), 'utf8');
      expect(events).toContain(`"kind":"stage-resumed","stage":"pretrain","step":${step}`);

      // The last is torn, so the one before is used, and both the run and its report say so.
      const [before, last] = saved().toSorted();
      expect(Number(before!.split('-')[1])).toBe(step);
      const file = space.file('.qpipe/store/v1/ckpt', folder, last!);
      chmodSync(file, 0o644);
      truncateSync(file, 1000);
      const third = run();
      await line(third, new RegExp(`pretrain: continues after step ${step.toLocaleString('en-US')} of`));
      third.kill(signal);
      const { stdout } = await third;
      expect(stdout).toMatch(/pretrain: damage in the store: the checkpoint of step \d+ is damaged/);
      expect(space.json('runs/latest/run.json')).toMatchObject({ warnings: [{ code: 'checkpoint-damaged' }] });
    },
  );

  it('and cannot be saved says so, once, and ends with the same model', { timeout: 60_000 }, async () => {
    const [whole, refused] = [makeWorkspace(), makeWorkspace()];
    expect((await whole.qpipe('run', 'tiny.yaml')).code).toBe(0);
    // A file where the folder should be, in a store that is made already.
    await refused.qpipe('run', 'tiny.yaml', '--only', 'test');
    writeFileSync(refused.file('.qpipe/store/v1/ckpt'), '');
    const { code, stdout } = await refused.qpipe('run', 'tiny.yaml', '--set', 'stages.pretrain.checkpoint.steps=1');
    expect(code).toBe(0);
    expect(stdout.match(/pretrain: it goes on, but would begin again if it were interrupted/g)).toHaveLength(1);
    const model = (space: Workspace): Buffer => readFileSync(space.file('runs/latest/stages/convert/model.tflite'));
    expect(model(refused).equals(model(whole))).toBe(true);
    expect(refused.text('runs/latest/report.html')).toContain('could not save how far it was');
  });
});

/** The first match in the output, without leaving off to read, which would end the run by itself. */
function line({ stdout }: { readonly stdout: Readable }, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  return new Promise((resolve, reject) => {
    stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = pattern.exec(text);
      if (found !== null) resolve(found);
    });
    stdout.on('end', () => reject(new Error(`no ${pattern.source} in:\n${text}`)));
  });
}
