/** Trainings whose process is killed again and again, through the built command line. */
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Workspace } from '../e2e/workspace.ts';
import { makeWorkspace, tinyWith } from '../e2e/workspace.ts';

/** 6 steps an epoch: 48 steps of float training, then 36 of quantized training, with the delay at step 14. */
export const delay = 14;
const everyStep = 'checkpoint: { steps: 1 }';
const text = tinyWith([
  ['epochs: 2, batch: 32,', `epochs: 8, batch: 32, keep: best, ${everyStep},`],
  ['epochs: 1, batch: 32, delay: 2,', `epochs: 6, batch: 32, delay: ${delay}, reestimate_batch_norm: 3, ${everyStep},`],
  ['activation: relu }', 'activation: relu, batch_norm: true }'],
]);

export interface Kill {
  readonly stage: 'pretrain' | 'qat';
  /** Killed as soon as the state behind this step is on the disk. */
  readonly step: number;
}

/** Before, at and behind the delay, and wherever else. */
export function someKills(count: number, seed: number): readonly Kill[] {
  const random = createRandom(seed, 'kills');
  const fixed = [delay - 1, delay, delay + 1].map((step): Kill => ({ stage: 'qat', step }));
  const others = Array.from({ length: count - fixed.length }, (): Kill => {
    return random.below(2) === 0
      ? { stage: 'pretrain', step: 1 + random.below(47) }
      : { stage: 'qat', step: 1 + random.below(35) };
  });
  const order = ({ stage, step }: Kill): number => (stage === 'pretrain' ? 0 : 1000) + step;
  return [...fixed, ...others].toSorted((a, b) => order(a) - order(b));
}

export function describeKills(kills: readonly Kill[], timeout: number): void {
  describe(`trainings killed ${kills.length} times on their way`, () => {
    const space = makeWorkspace();
    space.write('kills.yaml', text);

    it('end with the files and the measurements of an undisturbed run', { timeout }, async () => {
      const whole = await space.qpipe('run', 'kills.yaml', '--store', 'other', '--runs', 'whole');
      expect(whole.stderr).toBe('');
      let killed = 0;
      for (const kill of kills) killed += (await killedAt(space, kill)) ? 1 : 0;
      // A training is sometimes faster than the one who looks at it; most of the time it is not.
      expect(killed).toBeGreaterThan(kills.length / 2);
      const last = await space.qpipe('run', 'kills.yaml', '--json');
      expect(last.code).toBe(0);
      expect(last.stdout).not.toContain('checkpoint-damaged');
      expect(last.stdout).toMatch(/"kind":"stage-resumed"|"cached":true/);
      expect(resultsOf(space, 'runs/latest')).toEqual(resultsOf(space, 'whole/latest'));
      expect(readdirSync(space.file('.qpipe/store/v1/work'))).toEqual([]);
    });
  });
}

/** Whether the run was still going on. */
async function killedAt(space: Workspace, { stage, step }: Kill): Promise<boolean> {
  const before = states(space);
  const run = space.start('run', 'kills.yaml');
  const running = { isOver: false };
  void run.finally(() => (running.isOver = true));
  // The float training has its folder first.
  const isReached = (): boolean =>
    states(space).some((state) => !before.includes(state) && state.stage === stage && state.step >= step);
  while (!running.isOver && !isReached()) await sleep(1);
  run.kill('SIGKILL');
  const { signal } = await run;
  return signal === 'SIGKILL';
}

interface StoredState {
  readonly stage: Kill['stage'];
  readonly step: number;
}

const folders: string[] = [];

function states(space: Workspace): StoredState[] {
  const folder = space.file('.qpipe/store/v1/ckpt');
  if (!existsSync(folder)) return [];
  for (const name of readdirSync(folder)) if (!folders.includes(name)) folders.push(name);
  return folders.flatMap((name, index) =>
    readdirSync(space.file('.qpipe/store/v1/ckpt', name)).map((file) => {
      return { stage: index === 0 ? ('pretrain' as const) : ('qat' as const), step: Number(file.split('-')[1]) };
    }),
  );
}

/** Digests of all files and the measurements, without what the clock decides. */
function resultsOf(space: Workspace, run: string): unknown {
  const { stages } = space.json(run, 'run.json') as { stages: { name: string; outputs: object; metrics: object }[] };
  const timeless = (_name: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).filter(([name]) => !['seconds', 'imagesPerSecond'].includes(name)))
      : value;
  return stages.map(({ name, outputs, metrics }) => {
    return { name, outputs, metrics: JSON.parse(JSON.stringify(metrics, timeless)) as unknown };
  });
}
