/** `report` and `compare` given something else than an intact run. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../e2e/workspace.ts';
import { makeWorkspace, tinyText } from '../e2e/workspace.ts';

const space = makeWorkspace();
beforeAll(async () => {
  expect((await space.qpipe('run', 'tiny.yaml')).code).toBe(0);
  mkdirSync(space.file('elsewhere/empty'), { recursive: true });
  cpSync(space.file('runs/latest/stages/convert/model.tflite'), space.file('elsewhere/m.tflite'));
  cpSync(space.file('runs/latest/report.json'), space.file('elsewhere/report.json'));
  space.write('elsewhere/p.yaml', tinyText);
});

/** Of both commands, and of compare in both places. */
async function answers(path: string): Promise<Outcome[]> {
  const commands = [
    ['report', path],
    ['compare', path, 'runs/latest'],
    ['compare', 'runs/latest', path],
  ];
  return Promise.all(commands.map((args) => space.qpipe(...args)));
}

describe('what is not the folder of a run', () => {
  const ofItsRun = 'hint: give the folder of its run: runs/latest';
  const anyRun = 'hint: give the folder of a run, for example runs/latest';
  it.each([
    ['elsewhere/m.tflite', 'this is a TensorFlow Lite model (.tflite); expected the folder of a run', anyRun],
    ['elsewhere/m.tflite', 'a TensorFlow Lite model', '`qpipe inspect` shows what is in this file'],
    ['elsewhere/report.json', 'this is JSON text', anyRun],
    ['elsewhere/p.yaml', 'this is a pipeline file', '`qpipe run elsewhere/p.yaml` makes a run of it'],
    ['elsewhere/empty', 'the folder has no run.json, which every run writes', anyRun],
    ['nosuch', 'there is no such folder', 'or run a pipeline first'],
    ['tiny.yaml/nosuch', 'there is no such folder', anyRun],
    ['runs', 'this folder holds runs', 'hint: give one, for example runs/latest'],
    ['runs/latest/run.json', 'this is JSON text', ofItsRun],
    ['runs/latest/stages', 'this folder is a part of a run', ofItsRun],
    ['runs/latest/stages/convert', 'this folder is a part of a run', ofItsRun],
    ['runs/latest/stages/convert/model.tflite', 'a TensorFlow Lite model', ofItsRun],
  ])('%s: %s; %s', async (path, found, remedy) => {
    for (const { code, stdout, stderr } of await answers(path)) {
      expect(stderr).toContain(`${path} error not-a-run: `);
      expect(stderr).toContain(found);
      expect(stderr).toContain(remedy);
      expect(stderr.split('\n')).toHaveLength(2);
      expect([code, stdout]).toEqual([1, '']);
    }
  });
});

describe('a run whose record is damaged', () => {
  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ['cut in half', (file) => truncateSync(file, readFileSync(file).length >> 1)],
    ['without its last byte', (file) => truncateSync(file, readFileSync(file).length - 1)],
    ['empty', (file) => truncateSync(file, 0)],
    ['no JSON', (file) => writeFileSync(file, '{"id": ')],
    ['other JSON', (file) => writeFileSync(file, '[]\n')],
    ['with a changed digit', (file) => writeFileSync(file, readFileSync(file, 'utf8').replace(/\d/, '7'))],
    ['not text', (file) => writeFileSync(file, Uint8Array.of(0xff, 0xfe, 0, 1))],
  ];
  const names = ['run.json', 'resolved.json'] as const;
  const cases = names.flatMap((name) => damages.map(([what, damage]) => [name, what, damage] as const));

  it.each(cases)('%s %s: is said by report and compare, and neither writes anything', async (name, _what, damage) => {
    const run = copyOfRun();
    damage(join(run, name));
    const before = digests(run);
    for (const { code, stdout, stderr } of await answers('damaged')) {
      expect(stderr).toContain(`damaged/${name} error damaged-run: `);
      expect(stderr).toContain('hint: run the pipeline again');
      expect(stderr.split('\n')).toHaveLength(2);
      expect([code, stdout]).toEqual([1, '']);
    }
    expect(digests(run)).toEqual(before);
  });

  it.each(['resolved.json'])('%s is gone: is said by both', async (name) => {
    rmSync(join(copyOfRun(), name));
    for (const { stderr } of await answers('damaged')) expect(stderr).toContain(`damaged/${name} error damaged-run`);
  });

  it('is said where a folder lies in the place of a file', async () => {
    const run = copyOfRun();
    rmSync(join(run, 'run.json'));
    mkdirSync(join(run, 'run.json'));
    for (const { stderr } of await answers('damaged')) expect(stderr).toContain('it cannot be read: it is a folder');
  });

  it('is no obstacle to the next run, which takes every stage from the store', async () => {
    const latest = realpathSync(space.file('runs/latest'));
    for (const name of ['run.json', 'resolved.json', 'events.ndjson', 'report.json'])
      truncateSync(join(latest, name), 9);
    const next = await space.qpipe('run', 'tiny.yaml');
    expect(next).toMatchObject({ code: 0, stderr: '' });
    expect(next.stdout.match(/: cached/g)).toHaveLength(6);
    expect(realpathSync(space.file('runs/latest'))).not.toBe(latest);
    expect((await space.qpipe('report')).code).toBe(0);
  });

  function copyOfRun(): string {
    const run = space.file('damaged');
    rmSync(run, { recursive: true, force: true });
    cpSync(realpathSync(space.file('runs/latest')), run, { recursive: true });
    return run;
  }

  function digests(folder: string): Record<string, string> {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return Object.fromEntries(
      files.map(({ parentPath, name }) => {
        const file = join(parentPath, name);
        return [file, createHash('sha256').update(readFileSync(file)).digest('hex')];
      }),
    );
  }
});
