/** A disk or a limit that refuses: a diagnostic with its cause, nothing half-written, and the next run goes on. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Outcome, Workspace } from '../e2e/workspace.ts';
import { makeWorkspace, npyFile, program, tinyWith } from '../e2e/workspace.ts';

function expectDiagnostic({ code, stderr }: Outcome, words: string): void {
  expect(stderr).toContain(words);
  expect(stderr).toContain('hint: ');
  expect(stderr).not.toMatch(/^\s+at |bug in qpipe/m);
  expect(code).toBe(1);
}

/** Every file below a folder, by its path from there; links are not followed. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** What was written to a temporary name and left there, or was to be moved and was not. */
function expectNothingHalfWritten(space: Workspace): void {
  const left = [...filesBelow(space.file('store')), ...filesBelow(space.file('runs'))];
  expect(left.filter((file) => /(^|\/)(tmp|work)\/|\.tmp$|\.partial/.test(file))).toEqual([]);
  for (const run of existsSync(space.file('runs')) ? readdirSync(space.file('runs')) : []) {
    expect(space.json('runs', run, 'run.json')).not.toMatchObject({ status: 'running' });
  }
}

const model = (space: Workspace): Buffer => readFileSync(space.file('runs/latest/stages/convert/model.tflite'));
const inPlace = ['run', 'tiny.yaml', '--runs', 'runs', '--store', 'store'];

/** Runs the program under a limit of the shell, such as `-f 8`. */
function limited(space: Workspace, limit: string, args: readonly string[]): Outcome {
  const command = `ulimit ${limit} && exec "$0" "$@"`;
  const options = { cwd: space.folder, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command, process.execPath, program, ...args], options);
  return { code: status ?? undefined, stdout, stderr };
}

describe('files that may not grow', () => {
  it('end the run wherever it meets the limit; without the limit it goes on to the same model', async () => {
    const whole = makeWorkspace();
    expect((await whole.qpipe(...inPlace)).code).toBe(0);
    const places = new Set<string>();
    // Kibibytes: from less than the pipeline's to nearly the report's.
    for (const kibibytes of [1, 8, 56, 128]) {
      const space = makeWorkspace();
      const outcome = limited(space, `-f ${kibibytes}`, inPlace);
      expectDiagnostic(outcome, 'error file-too-large: ');
      places.add(/: (.*) cannot be written/.exec(outcome.stderr)?.[1] ?? '');
      expectNothingHalfWritten(space);
      const next = await space.qpipe(...inPlace);
      expect(next).toMatchObject({ code: 0, stderr: '' });
      expect(next.stdout).not.toContain('damage');
      expect(model(space)).toEqual(model(whole));
    }
    expect([...places].sort()).toEqual(['the folder for runs', 'the run folder', 'the store']);
  });
});

describe('too many open files', () => {
  it('is said, wherever it happens', () => {
    const space = makeWorkspace();
    const outcomes = Array.from({ length: 12 }, (_, index) => limited(space, `-n ${22 + 2 * index}`, inPlace));
    // Node itself, which loads the program, needs some before anything can be said.
    const ours = outcomes.filter(({ stderr }) => !/^node:|^Node\.js v/m.test(stderr) && stderr !== '');
    expect(ours.length).toBeGreaterThan(0);
    for (const outcome of ours) expectDiagnostic(outcome, 'error too-many-files: ');
    expectNothingHalfWritten(space);
  });
});

/** A file that everybody may open and whose first byte cannot be read: an address of no memory. */
const unreadable = '/proc/self/mem';

describe.skipIf(!existsSync(unreadable))('a disk that fails while it is read', () => {
  it('under the store ends the run with its name, and harms nothing', async () => {
    const space = makeWorkspace();
    expect((await space.qpipe(...inPlace)).code).toBe(0);
    const before = model(space);
    for (const section of ['objects', 'actions', 'preimage']) {
      const folder = space.file('store/v1', section);
      const file = join(folder, filesBelow(folder)[0] ?? '');
      renameSync(file, `${file}.aside`);
      symlinkSync(unreadable, file);
      const outcome = await space.qpipe(...inPlace);
      expectDiagnostic(outcome, `${file} error disk-error: `);
      expectNothingHalfWritten(space);
      rmSync(file);
      renameSync(`${file}.aside`, file);
    }
    const next = await space.qpipe(...inPlace);
    expect(next.code).toBe(0);
    expect(next.stdout.match(/: cached/g)).toHaveLength(6);
    expect(model(space)).toEqual(before);
  });

  it('under the data is a mistake at its place in the pipeline, and nothing is written', async () => {
    const space = makeWorkspace();
    const synthetic = 'source: synthetic, size: 12, classes: 4, train: 256, test: 64,';
    const names = ['train_images', 'train_labels', 'test_images', 'test_labels'];
    const files = names.map((name) => `${name}: ${unreadable}`).join(', ');
    space.write('tiny.yaml', tinyWith([[synthetic, `source: idx, ${files},`]]));
    const outcome = await space.qpipe(...inPlace);
    expect(outcome.stderr).toContain(unreadable);
    expect(outcome.stderr).toContain('hint: ');
    expect(outcome.stderr).not.toMatch(/^\s+at |bug in qpipe/m);
    expect(existsSync(space.file('runs'))).toBe(false);
  });
});

describe.skipIf(!existsSync('/dev/full'))('a device that is full', () => {
  it('as the output of predict is named', async () => {
    const space = makeWorkspace();
    expect((await space.qpipe(...inPlace)).code).toBe(0);
    space.write('x.npy', npyFile('|i1', [1, 12, 12, 1], new Int8Array(144)));
    const predict = ['predict', 'runs/latest/stages/convert/model.tflite', '--input', 'x.npy'];
    expectDiagnostic(await space.qpipe(...predict, '--output', '/dev/full'), ' error disk-full: the output cannot be');
  });
});

/** Nobody, where this process may write everywhere; else itself. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** Whether that user can run the program at all. */
const canRun = spawnSync(process.execPath, [program, '--version'], user).status === 0;

describe.skipIf(!canRun)('a folder that this user may not write', () => {
  function runAs(space: Workspace): Outcome {
    const options = { cwd: space.folder, encoding: 'utf8', ...user } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...inPlace], options);
    return { code: status ?? undefined, stdout, stderr };
  }
  /** Everything below a folder that belongs to another user, as `mode` allows. */
  function restrict(space: Workspace, folder: string, mode: string): void {
    execFileSync('chmod', ['-R', mode, space.file(folder)]);
  }

  it.each(['store', 'runs'])('%s is named with the remedy, and nothing is half-written', (folder) => {
    const space = makeWorkspace();
    chmodSync(space.folder, 0o777);
    mkdirSync(space.file(folder), { mode: 0o555 });
    expectDiagnostic(runAs(space), ' error permission-denied: ');
    expect(readdirSync(space.file(folder))).toEqual([]);
    chmodSync(space.file(folder), 0o777);
    expect(runAs(space)).toMatchObject({ code: 0, stderr: '' });
  });

  it('is a store whose results can be read: the run says so, and leaves it as it was', () => {
    const space = makeWorkspace();
    chmodSync(space.folder, 0o777);
    expect(runAs(space).code).toBe(0);
    const files = filesBelow(space.file('store'));
    if (user.uid !== undefined) execFileSync('chown', ['-R', '0:0', space.file('store')]);
    restrict(space, 'store', 'a-w,a+rX');
    const outcome = runAs(space);
    restrict(space, 'store', 'u+w');
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(filesBelow(space.file('store'))).toEqual(files);
    expectNothingHalfWritten(space);
  });

  it('is one whose results cannot even be read', () => {
    const space = makeWorkspace();
    chmodSync(space.folder, 0o777);
    expect(runAs(space).code).toBe(0);
    const [object = ''] = filesBelow(space.file('store/v1/objects'));
    const file = space.file('store/v1/objects', object);
    if (user.uid !== undefined) execFileSync('chown', ['0:0', file]);
    const { mode } = statSync(file);
    chmodSync(file, 0);
    expectDiagnostic(runAs(space), `${file} error permission-denied: a stored file cannot be read`);
    chmodSync(file, mode & 0o777);
    expect(runAs(space).stdout.match(/: cached/g)).toHaveLength(6);
  });
});

describe('a disk that is mounted read-only', () => {
  it.for(['store', 'runs'])('under the %s is named as that', async (folder, context) => {
    const space = makeWorkspace();
    mkdirSync(space.file(folder));
    const mount = (...args: string[]) => spawnSync('mount', args, { stdio: 'ignore' }).status === 0;
    if (!mount('-t', 'tmpfs', '-o', 'size=1m,ro', 'tmpfs', space.file(folder))) {
      return context.skip('this user may not mount a tmpfs');
    }
    try {
      expectDiagnostic(await space.qpipe(...inPlace), ' error read-only: ');
      expect(readdirSync(space.file(folder))).toEqual([]);
      execFileSync('mount', ['-o', 'remount,rw,size=20m', space.file(folder)]);
      expect(await space.qpipe(...inPlace)).toMatchObject({ code: 0, stderr: '' });
    } finally {
      execFileSync('umount', [space.file(folder)]);
    }
  });
});
