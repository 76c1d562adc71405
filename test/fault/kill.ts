/** A run that is killed, at a random moment or at a call that changes the disk; and then one that is not. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { program } from '../e2e/workspace.ts';

const hook = join(import.meta.dirname, 'kill-hook.mjs');

/** Both training stages in a second, of which most is steps, with a checkpoint after each. */
export const pipeline = `version: 1
name: killed
data: { source: synthetic, size: 12, classes: 3, train: 192, test: 32, validation: 32 }
model:
  layers:
    - { kind: conv_2d, filters: 3, kernel: 3, activation: relu }
    - { kind: flatten }
    - { kind: fully_connected, units: 3 }
stages:
  pretrain: { uses: float-pretrain, epochs: 4, batch: 16, optimizer: { kind: adam, learning_rate: 0.01 }, checkpoint: { steps: 1 } }
  qat:      { uses: qat, from: pretrain, epochs: 4, batch: 16, delay: 9, checkpoint: { steps: 1 } }
  eval:     { uses: save-eval-graph, from: qat }
  freeze:   { uses: freeze, from: eval }
  convert:  { uses: convert, from: freeze }
  test:     { uses: test, from: convert }
`;

/** A folder with the pipeline in it. */
export function makeFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'qpipe-kill-')));
  writeFileSync(join(folder, 'killed.yaml'), pipeline);
  return folder;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

const start = (folder: string, args: readonly string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [...(env['KILL_AT'] === undefined ? [] : ['--import', hook]), program, ...args], {
    ...{ cwd: folder, reject: false, env },
  });

/** What the stages of the last run wrote. */
export function outputsIn(folder: string): readonly (readonly [string, unknown])[] {
  const { stages } = JSON.parse(readFileSync(join(folder, 'runs/latest/run.json'), 'utf8')) as RunRecord;
  return stages.map(({ name, outputs }) => [name, outputs] as const);
}

/** Runs the pipeline to its end without a disturbance. */
export async function runOnce(folder: string, ...options: string[]): Promise<void> {
  const { exitCode, stderr } = await start(folder, ['run', 'killed.yaml', ...options]);
  expect([exitCode, stderr]).toEqual([0, '']);
}

/** How often a run says something, apart from progress, of which a slow one says more. */
const marks = 22;

/**
 * Starts the pipeline again and again, and kills it each time, some moments behind one of its events.
 *
 * @returns how many of the runs were killed; those that went on from others may have ended before
 */
export async function killAtRandom(folder: string, times: number, seed: number): Promise<number> {
  const random = createRandom(seed, 'kill');
  let killed = 0;
  for (let time = 0; time < times; time++) {
    // Each fifth time everything begins again, so that moments of all stages are met.
    if (time % 5 === 0) rmSync(join(folder, '.qpipe'), { recursive: true, force: true });
    const run = start(folder, ['run', 'killed.yaml', '--json']);
    const mark = 1 + random.below(marks);
    let seen = 0;
    // Reading goes on behind it: a reader that leaves would end the run in order.
    const isThere = new Promise<void>((resolve) => {
      run.stdout.on('data', (text: Buffer) => {
        seen += text.toString().match(/"kind":"(?!stage-progress)/g)?.length ?? 0;
        if (seen >= mark) resolve();
      });
    });
    await Promise.race([run, isThere]);
    await sleep(random.below(30));
    run.kill('SIGKILL');
    if ((await run).signal === 'SIGKILL') killed++;
  }
  return killed;
}

/** How many calls of a run change the disk. */
export async function countChanges(folder: string, ...options: string[]): Promise<number> {
  const file = join(folder, 'count');
  const env = { KILL_AT: '0 before', KILL_INSIDE: folder, KILL_COUNT: file };
  await start(folder, ['run', 'killed.yaml', ...options], env);
  return Number(readFileSync(file, 'utf8'));
}

/** Runs until the call of this number, counted from 1. */
export async function killAtChange(folder: string, at: number, when: 'before' | 'after', ...options: string[]) {
  const env = { KILL_AT: `${at} ${when}`, KILL_INSIDE: folder };
  const { signal } = await start(folder, ['run', 'killed.yaml', ...options], env);
  return signal === 'SIGKILL';
}

/** What killed runs left: nothing but whole results, and records that say how the runs ended. */
export async function expectClean(folder: string): Promise<void> {
  const store = join(folder, '.qpipe/store/v1');
  for (const section of ['work', 'tmp', 'leases', 'live', 'corrupt']) {
    expect(readdirSync(join(store, section)), section).toEqual([]);
  }
  const runs = join(folder, 'runs');
  for (const run of readdirSync(runs)) {
    if (run === 'latest') continue;
    const file = join(runs, run, 'run.json');
    // A run that was killed before it had a record has none.
    if (existsSync(file)) expect(JSON.parse(readFileSync(file, 'utf8'))).not.toMatchObject({ status: 'running' });
    const stages = join(runs, run, 'stages');
    if (existsSync(stages)) expect(readdirSync(stages).filter((name) => name.startsWith('.'))).toEqual([]);
  }
  const { exitCode, stdout, stderr } = await start(folder, ['cache', 'verify']);
  expect([exitCode, stdout, stderr]).toMatchObject([0, expect.any(String), '']);
}
