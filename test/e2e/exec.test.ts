/** Programs of the user's own as stages. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/runner/record.ts';
import type { Workspace } from './workspace.ts';
import { makeWorkspace, tinyText } from './workspace.ts';

const head = tinyText.slice(0, tinyText.indexOf('stages:'));

/** A pipeline of one stage, `own`. */
const own = (fields: string): string => `${head}stages:\n  own:\n    uses: exec\n${fields.replaceAll(/^/gm, '    ')}\n`;

const { PATH } = process.env;
afterEach(() => {
  process.env['PATH'] = PATH;
  delete process.env['FLAVOUR'];
});

const stagesIn = (space: Workspace) => (space.json('runs/latest/run.json') as RunRecord).stages;
const isCached = (space: Workspace) => stagesIn(space).map(({ cached }) => cached);

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1500) throw new Error('it did not happen');
    await sleep(20);
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('an exec stage', () => {
  it('reads the model and writes what the next one reads; both are stored', async () => {
    const space = makeWorkspace();
    space.write('size.sh', 'echo measuring >&2\nwc -c < "$1" | tr -d " \\n" > "$2"\n');
    space.write(
      'p.yaml',
      `${tinyText}  size:
    uses: exec
    from: convert
    command: [sh, size.sh, "{inputs.model}", "{outputs.size}"]
    inputs: { model: model.tflite }
    files: [size.sh]
    outputs: { size: out/size.txt }
  twice: { uses: exec, from: size, command: [sh, -c, "cat inputs/out/size.txt inputs/out/size.txt > twice.txt"], inputs: { size: out/size.txt }, outputs: { twice: twice.txt } }
`,
    );
    const first = await space.qpipe('run', 'p.yaml');
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toContain('size: measuring\n');
    const { size } = statSync(space.file('runs/latest/stages/convert/model.tflite'));
    expect(space.text('runs/latest/stages/size/out/size.txt')).toBe(String(size));
    expect(space.text('runs/latest/stages/twice/twice.txt')).toBe(`${size}${size}`);
    expect(space.text('runs/latest/report.html')).toContain('twice');
    expect((await space.qpipe('run', 'p.yaml')).code).toBe(0);
    expect(new Set(isCached(space))).toEqual(new Set([true]));
    expect(existsSync(space.file('out'))).toBe(false);
  }, 60_000);

  it('runs again for another argument, file, tool or value, and not for another limit', async () => {
    const space = makeWorkspace();
    mkdirSync(space.file('bin'));
    const tool = (text: string): void => chmodSync(space.write('bin/brew', `#!/bin/sh\n${text}\n`), 0o755);
    const pipeline = (argument: string, timeout: number): void => {
      const command = `command: [brew, ${argument}]\nfiles: [beans.txt]\noutputs: { cup: cup.txt }\n`;
      space.write('p.yaml', own(`${command}environment: [FLAVOUR]\ntimeout: ${timeout}`));
    };
    const run = async (): Promise<[boolean | undefined, string]> => {
      const { code, stderr } = await space.qpipe('run', 'p.yaml');
      expect([code, stderr]).toEqual([0, '']);
      return [isCached(space)[0], space.text('runs/latest/stages/own/cup.txt')];
    };
    process.env['PATH'] = `${space.file('bin')}:${PATH}`;
    tool('echo "$1" $(cat beans.txt) $FLAVOUR $SECRET > cup.txt');
    process.env['SECRET'] = 'secret';
    space.write('beans.txt', 'arabica');
    pipeline('small', 60);
    expect(await run()).toEqual([false, 'small arabica\n']);
    pipeline('small', 50);
    expect(await run()).toEqual([true, 'small arabica\n']);
    pipeline('large', 50);
    expect(await run()).toEqual([false, 'large arabica\n']);
    space.write('beans.txt', 'robusta');
    expect(await run()).toEqual([false, 'large robusta\n']);
    process.env['FLAVOUR'] = 'vanilla';
    expect(await run()).toEqual([false, 'large robusta vanilla\n']);
    tool('echo "$1" of $(cat beans.txt) $FLAVOUR > cup.txt');
    expect(await run()).toEqual([false, 'large of robusta vanilla\n']);
    expect(await run()).toEqual([true, 'large of robusta vanilla\n']);
    delete process.env['SECRET'];
  }, 60_000);

  it.each([
    [
      'ends with another status',
      'command: [sh, -c, "echo one; echo two >&2; exit 3"]\noutputs: { a: a }',
      ['p.yaml:13:14 error command-failed: `sh` ended with status 3; expected 0; its last words: one / two'],
    ],
    [
      'does not write an output',
      'command: ["true"]\noutputs: { a: a.txt, b: b.txt }',
      [
        'p.yaml:14:19 error output-not-written: the program ended with status 0, but did not write `a.txt`',
        'p.yaml:14:29 error output-not-written: the program ended with status 0, but did not write `b.txt`',
      ],
    ],
    [
      'takes too long',
      'command: [sh, -c, "sleep 100 & sleep 100"]\noutputs: { a: a }\ntimeout: 0.3',
      ['p.yaml:15:14 error command-timeout: `sh` was ended after 0.3 s, its time limit; it wrote nothing'],
    ],
    [
      'kills itself',
      'command: [sh, -c, "kill -9 $$"]\noutputs: { a: a }',
      ['p.yaml:13:14 error command-killed: `sh` was ended by SIGKILL; it wrote nothing'],
    ],
  ] as const)(
    'fails at its line when its program %s',
    async (_what, fields, expected) => {
      const space = makeWorkspace();
      space.write('p.yaml', own(fields));
      const { code, stderr } = await space.qpipe('run', 'p.yaml');
      expect(stderr.split('\n').filter((line) => line.includes(' error '))).toEqual(expected);
      expect(stderr).toContain('hint: ');
      expect(code).toBe(1);
      expect(readdirSync(space.file('.qpipe/store/v1/work'))).toEqual([]);
      expect((await space.qpipe('run', 'p.yaml')).code).toBe(1);
    },
    30_000,
  );

  it('is refused before anything runs when a file or a program is missing', async () => {
    const space = makeWorkspace();
    space.write('p.yaml', own('command: [no-such-program]\nfiles: [a.txt]\ntools: [no-such-tool]\noutputs: { b: b }'));
    for (const verb of ['run', 'validate']) {
      const { code, stderr } = await space.qpipe(verb, 'p.yaml');
      expect(stderr.split('\n').filter((line) => line.includes(' error '))).toEqual([
        `p.yaml:14:13 error missing-file: there is no file ${space.file('a.txt')}`,
        'p.yaml:13:15 error missing-program: `PATH` has no program `no-such-program`',
        'p.yaml:15:13 error missing-program: `PATH` has no program `no-such-tool`',
      ]);
      expect(code).toBe(64);
    }
    expect(existsSync(space.file('runs'))).toBe(false);
  }, 30_000);
});

describe('what a program has started', () => {
  /** A run whose program has started a grandchild that ignores hints. */
  async function withGrandchild(space: Workspace) {
    const script = `trap '' INT HUP; sh -c 'echo $$ > ${space.file('pid')}; sleep 1000; true' & wait`;
    space.write('p.yaml', own(`command: [sh, -c, ${JSON.stringify(script)}]\noutputs: { a: a }`));
    const run = space.start('run', 'p.yaml');
    await until(() => existsSync(space.file('pid')) && space.text('pid').endsWith('\n'));
    const pid = Number(space.text('pid'));
    expect(isAlive(pid)).toBe(true);
    return { run, pid };
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'ends with the run after %s',
    async (signal) => {
      const { run, pid } = await withGrandchild(makeWorkspace());
      run.kill(signal);
      const { exitCode, stderr } = await run;
      if (signal !== 'SIGKILL') {
        expect(isAlive(pid)).toBe(false);
        expect(stderr).toMatch(/^interrupted; /);
        expect(exitCode).toBe(signal === 'SIGINT' ? 130 : 143);
      }
      await until(() => !isAlive(pid));
    },
    60_000,
  );
});
