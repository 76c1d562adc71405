/** What ends a run from outside: Ctrl-C, a reader that leaves, a disk that refuses. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { makeWorkspace, npyFile, program, tinyText } from '../e2e/workspace.ts';

const status = (text: string): unknown => (JSON.parse(text) as { status: unknown }).status;

describe('Ctrl-C', () => {
  it('ends the run within a step or two, records it, and keeps the finished stages', async () => {
    const space = makeWorkspace();
    const process = space.start('run', 'tiny.yaml', '--set', 'stages.qat.epochs=100000');
    for await (const line of process) if (/^qat: epoch 2\//.test(line)) break;
    const started = performance.now();
    process.kill('SIGINT');
    const { exitCode, stderr } = await process;
    expect(performance.now() - started).toBeLessThan(1500);
    expect(exitCode).toBe(130);
    expect(stderr).toBe('interrupted; results of finished stages are kept, and a training goes on where it was');
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'interrupted', stages: [{ name: 'pretrain' }] });
    expect(readdirSync(space.file('runs/latest/stages'))).toEqual(['pretrain']);
    expect(readdirSync(space.file('.qpipe/store/v1/work'))).toEqual([]);
    expect((await space.qpipe('report', 'runs/latest')).stdout).toContain(
      'The run was interrupted after stage pretrain',
    );

    const next = await space.qpipe('run', 'tiny.yaml');
    expect(next.code).toBe(0);
    expect(next.stdout).toMatch(/^pretrain: cached/m);
    expect(next.stdout).toMatch(/^qat: started/m);
  });
});

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('%s ends a run on the reference engine, which computes on the main thread', async (signal, code) => {
    const space = makeWorkspace();
    const run = space.start('run', 'tiny.yaml', '--engine', 'reference', '--set', 'stages.pretrain.epochs=100000');
    await firstEpoch(run);
    run.kill(signal);
    const { exitCode, stderr } = await run;
    expect(stderr).toBe('interrupted; results of finished stages are kept, and a training goes on where it was');
    expect(exitCode).toBe(code);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'interrupted', stages: [] });
  });

  it('that comes twice in a row still leaves a run that says how it ended', async () => {
    const space = makeWorkspace();
    const run = space.start('run', 'tiny.yaml', '--set', 'stages.pretrain.epochs=100000');
    await firstEpoch(run);
    run.kill('SIGINT');
    run.kill('SIGINT');
    expect((await run).exitCode).toBe(130);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'interrupted' });
  });

  /** Without leaving off to read, which would end the run by itself. */
  function firstEpoch({ stdout }: { readonly stdout: Readable }): Promise<void> {
    return new Promise((resolve) => {
      stdout.on('data', (text: Buffer) => text.includes('epoch 1/') && resolve());
    });
  }
});

describe('a reader that leaves', () => {
  it('ends the run as Ctrl-C does, without a stack trace', async () => {
    const space = makeWorkspace();
    const process = space.start('run', 'tiny.yaml', '--set', 'stages.pretrain.epochs=100000');
    for await (const line of process.iterable({ preserveNewlines: false })) if (line.includes('epoch 1/')) break;
    process.stdout.destroy();
    const { stderr } = await process;
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status(space.text('runs/latest/run.json'))).toBe('interrupted');
  });
});

describe('a folder that cannot be written', () => {
  const space = makeWorkspace();

  it.each([
    ['--runs', 'the folder for runs cannot be written'],
    ['--store', 'the store cannot be written'],
  ])('%s is named with the remedy, and nothing is half-written', async (option, words) => {
    space.write('in-the-way', 'a file');
    const { code, stderr } = await space.qpipe('run', 'tiny.yaml', option, 'in-the-way');
    expect(code).toBe(1);
    expect(stderr).toContain(`in-the-way`);
    expect(stderr).toContain(words);
    expect(stderr).toContain('hint: ');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readFileSync(space.file('in-the-way'), 'utf8')).toBe('a file');
    expect(existsSync(space.file('runs'))).toBe(false);
  });
});

describe('a folder that cannot be made', () => {
  const space = makeWorkspace();
  symlinkSync('circle', space.file('circle'));

  it.each([
    ['a link that leads to itself', 'circle', 'error link-loop'],
    ['a name of 300 characters', 'n'.repeat(300), 'error name-too-long'],
  ])('%s is named as the cause, under --runs and under --store', async (_what, folder, code) => {
    for (const option of ['--runs', '--store']) {
      const { code: exitCode, stderr } = await space.qpipe('run', 'tiny.yaml', option, folder);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(code);
      expect(stderr.match(/ error /g)).toHaveLength(1);
      expect(stderr).toContain('hint: ');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });
});

describe.skipIf(!existsSync('/dev/full'))('output to a full device', () => {
  it('is an error with its cause and no stack, and a run goes on to its end', () => {
    const space = makeWorkspace();
    for (const args of [
      ['validate', 'tiny.yaml'],
      ['run', 'tiny.yaml'],
    ]) {
      const { status: exitCode, stderr } = spawnSync(process.execPath, [program, ...args], {
        cwd: space.folder,
        stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
        encoding: 'utf8',
      });
      expect(exitCode).toBe(1);
      expect(stderr).toContain('error disk-full: the output cannot be written');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
    expect(status(space.text('runs/latest/run.json'))).toBe('pass');
  });
});

describe('an output in a folder that does not exist', () => {
  it('is a clear error of predict and compare', async () => {
    const space = makeWorkspace();
    expect((await space.qpipe('run', 'tiny.yaml', '--json')).code).toBe(0);
    space.write('x.npy', npyFile('|i1', [1, 12, 12, 1], new Int8Array(144)));
    const model = 'runs/latest/stages/convert/model.tflite';
    for (const args of [
      ['predict', model, '--input', 'x.npy', '--output', 'nosuch/y.npy'],
      ['compare', 'runs/latest', 'runs/latest', '--html', 'nosuch/page.html'],
    ]) {
      const { code, stderr } = await space.qpipe(...args);
      expect(code).toBe(1);
      expect(stderr).toContain('nosuch error no-folder');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });
});

/** A disk of its own of so many KiB, or null where it cannot be mounted. */
function mountSmallDisk(folder: string, kibibytes: number): (() => void) | null {
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return () => void execFileSync('umount', [folder], { stdio: 'ignore' });
}

describe('a full disk', () => {
  it.for(['--store', '--runs'])(
    'under %s ends the run with a word on it; with space it goes on',
    async (option, context) => {
      const space = makeWorkspace();
      const unmount = mountSmallDisk(space.file('disk'), 28);
      if (unmount === null) return context.skip('this user may not mount a tmpfs');
      try {
        const { code, stderr } = await space.qpipe('run', 'tiny.yaml', option, 'disk/folder');
        expect(code).toBe(1);
        expect(stderr).toContain('error disk-full');
        expect(stderr).toContain('hint: ');
        expect(stderr).not.toMatch(/^\s+at /m);
        execFileSync('mount', ['-o', 'remount,size=20m', space.file('disk')]);
        const next = await space.qpipe('run', 'tiny.yaml', option, 'disk/folder');
        expect(next.code).toBe(0);
        expect(next.stdout).not.toContain('damage');
      } finally {
        unmount();
      }
    },
  );
});

describe('names with odd characters', () => {
  it('are no obstacle in files and folders', async () => {
    const space = makeWorkspace();
    space.write('päth with #&%$ and \'quotes".yaml', tinyText);
    const folders = ['--runs', 'rüns [1] $x', '--store', ' störe '];
    const { code, stdout } = await space.qpipe('run', 'päth with #&%$ and \'quotes".yaml', ...folders);
    expect(code).toBe(0);
    expect(stdout).toContain('report rüns [1] $x/');
    expect(status(space.text('rüns [1] $x/latest/run.json'))).toBe('pass');
  });
});
