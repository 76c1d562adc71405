/** A store after bad luck: killed and stopped processes, other places. A result, a miss, or one clear error. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { makeWorkspace } from '../e2e/workspace.ts';

const inPlace = ['run', 'tiny.yaml', '--runs', 'runs', '--store', 'store'];
const forever = ['--set', 'stages.pretrain.epochs=100000'];

/** Without leaving off to read, which would end the run by itself. */
function untilSaid({ stdout }: { readonly stdout: Readable }, words: string): Promise<string> {
  let all = '';
  return new Promise((resolve) => {
    stdout.on('data', (text: Buffer) => {
      all += text.toString();
      if (all.includes(words)) resolve(all);
    });
  });
}

describe('a run that was killed', () => {
  it('is interrupted for whoever reads it next, and the next run sweeps what it left', async () => {
    const space = makeWorkspace();
    const kill = async (): Promise<string> => {
      const run = space.start(...inPlace, ...forever);
      await untilSaid(run, 'epoch 2/');
      run.kill('SIGKILL');
      await run;
      expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'running', owner: { pid: run.pid } });
      expect(readdirSync(space.file('store/v1/leases'))).toHaveLength(1);
      return realpathSync(space.file('runs/latest'));
    };
    const first = await kill();
    mkdirSync(join(first, 'stages/.qat.partial'));
    const { code, stdout } = await space.qpipe('report', 'runs/latest');
    expect([code, stdout]).toEqual([0, expect.stringContaining('The run was interrupted')]);
    expect(readdirSync(join(first, 'stages'))).toEqual([]);

    const second = await kill();
    expect(await space.qpipe(...inPlace)).toMatchObject({ code: 0, stderr: '' });
    for (const run of [first, second]) {
      expect(JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))).toMatchObject({ status: 'interrupted' });
    }
    for (const section of ['work', 'tmp', 'leases', 'live']) {
      expect(readdirSync(space.file('store/v1', section)), section).toEqual([]);
    }
  });
});

describe('a run that was stopped, as by Ctrl-Z', () => {
  it('is waited for, and whoever waits is told how it goes on; Ctrl-C ends the waiting', async () => {
    const space = makeWorkspace();
    const first = space.start(...inPlace, ...forever);
    await untilSaid(first, 'epoch 2/');
    first.kill('SIGSTOP');
    const second = space.start(...inPlace, ...forever);
    const text = await untilSaid(second, 'waiting for');
    expect(text).toContain(`pretrain: waiting for pid ${first.pid} of run `);
    expect(text).toContain(`, which is stopped; \`kill -CONT ${first.pid}\` lets it go on`);
    second.kill('SIGINT');
    expect((await second).exitCode).toBe(130);
    const impatient = await space.qpipe(...inPlace, ...forever, '--no-wait');
    expect(impatient.code).toBe(1);
    expect(impatient.stderr).toContain(' error result-in-use: another process makes this result: pid ');
    first.kill('SIGKILL');
    await first;
  });
});

describe('a store on a disk of its own', () => {
  it('is used, may be moved, and may be read-only as long as no result is missing', async (context) => {
    const space = makeWorkspace();
    mkdirSync(space.file('disk'));
    const mount = (...args: string[]) => spawnSync('mount', args, { stdio: 'ignore' }).status === 0;
    if (!mount('-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', space.file('disk'))) {
      return context.skip('this user may not mount a tmpfs');
    }
    const run = (store: string, ...more: string[]) =>
      space.qpipe('run', 'tiny.yaml', '--runs', 'runs', '--store', store, ...more);
    const model = (): Buffer => readFileSync(space.file('runs/latest/stages/convert/model.tflite'));
    try {
      expect(await run('disk/store')).toMatchObject({ code: 0, stderr: '' });
      const before = model();
      renameSync(space.file('disk/store'), space.file('disk/away'));
      for (const readOnly of [false, true]) {
        if (readOnly) execFileSync('mount', ['-o', 'remount,ro', space.file('disk')]);
        const { code, stdout, stderr } = await run('disk/away');
        expect([code, stderr, stdout.match(/: cached/g)?.length]).toEqual([0, '', 6]);
        expect(model()).toEqual(before);
      }
      const other = await run('disk/away', '--set', 'stages.qat.delay=3');
      expect(other.code).toBe(1);
      expect(other.stderr).toContain(' error read-only: the store cannot be written');
      expect(other.stderr).not.toMatch(/^\s+at /m);
    } finally {
      execFileSync('umount', [space.file('disk')]);
    }
  });
});
