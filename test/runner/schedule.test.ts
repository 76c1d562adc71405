import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { ScheduleOptions, Task } from '../../src/runner/schedule.ts';
import { runAll } from '../../src/runner/schedule.ts';

const task = (name: string, after: readonly string[] = [], threads = 1): Task => ({ name, after, threads });

const options = (changes: Partial<ScheduleOptions<Task>> = {}): ScheduleOptions<Task> => ({
  ...{ jobs: 1, cores: 2, failures: 'stop', signal: new AbortController().signal },
  pick: (ready) => ready[0]!,
  ...changes,
});

/** Tasks that end when they are told to. */
function held() {
  const running = new Map<string, { end: () => void; fail: () => void }>();
  const run = ({ name }: Task) =>
    new Promise<void>((resolve, reject) => {
      running.set(name, { end: resolve, fail: () => reject(new Error(`${name} broke`)) });
    }).finally(() => running.delete(name));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const names = async () => (await turn(), [...running.keys()].toSorted());
  return {
    run,
    names,
    end: (name: string) => running.get(name)!.end(),
    fail: (name: string) => running.get(name)!.fail(),
  };
}

const diamond = [task('a'), task('b', ['a']), task('c', ['a']), task('d', ['b', 'c'])];

describe('a schedule', () => {
  it('starts what is ready, in the order given, one after another', async () => {
    const order: string[] = [];
    await runAll(diamond, ({ name }) => Promise.resolve(void order.push(name)), options());
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('runs side by side only what fits into memory together; alone runs whatever it wants', async () => {
    const { run, names, end } = held();
    const sized = [3, 6, 4, 50].map((memory, index) => ({ ...task('abcd'[index]!, [], 0), memory }));
    const all = runAll(sized, run, options({ jobs: 4, cores: 4, memory: 8 }));
    const seen: string[] = [];
    for (let running = await names(); running.length > 0; running = await names()) {
      seen.push(running.join(''));
      end(running[0]!);
    }
    await all;
    expect(seen).toEqual(['ac', 'c', 'b', 'd']);
  });

  it('starts nothing before what it needs has ended, whatever is drawn', async () => {
    const random = createRandom(1, 'order');
    const seen = new Set<string>();
    for (let round = 0; round < 30; round++) {
      const ended: string[] = [];
      const run = async ({ name, after }: Task) => {
        expect(ended).toEqual(expect.arrayContaining([...after]));
        await Promise.resolve();
        ended.push(name);
      };
      await runAll(diamond, run, options({ jobs: 2, pick: (ready) => ready[random.below(ready.length)]! }));
      seen.add(ended.join(''));
    }
    expect([...seen].toSorted()).toEqual(['abcd', 'acbd']);
  });

  it.each([
    [1, 4, 1, ['a']],
    [2, 4, 1, ['a', 'b']],
    [3, 4, 2, ['a', 'b']],
    [3, 4, 0, ['a', 'b', 'c']],
    // One that wants more than there is runs alone.
    [3, 4, 8, ['a']],
  ])('runs at most %i at once on %i cores of which each takes %i', async (jobs, cores, threads, expected) => {
    const tasks = ['a', 'b', 'c'].map((name) => task(name, [], threads));
    const { run, names, end } = held();
    const all = runAll(tasks, run, options({ jobs, cores }));
    expect(await names()).toEqual(expected);
    for (const name of ['a', 'b', 'c']) {
      await names();
      end(name);
    }
    expect([...(await all).values()]).toEqual(Array(3).fill({ kind: 'done' }));
  });

  const branches = [task('a'), task('b', ['a']), task('c', ['b']), task('x'), task('y', ['x'])];

  it('waits for what runs when something fails, and starts nothing more', async () => {
    const { run, names, end, fail } = held();
    const all = runAll(branches, run, options({ jobs: 2 }));
    expect(await names()).toEqual(['a', 'x']);
    fail('a');
    expect(await names()).toEqual(['x']);
    end('x');
    expect(Object.fromEntries(await all)).toEqual({
      a: { kind: 'failed', error: new Error('a broke') },
      b: { kind: 'skipped', because: 'a' },
      c: { kind: 'skipped', because: 'a' },
      x: { kind: 'done' },
      y: { kind: 'not-started' },
    });
  });

  it('goes on with what does not need the failed one, if it is told to', async () => {
    const run = ({ name }: Task) => (name === 'a' ? Promise.reject(new Error('no')) : Promise.resolve());
    const endings = await runAll(branches, run, options({ failures: 'keep-going' }));
    const kinds = Object.fromEntries([...endings].map(([name, { kind }]) => [name, kind]));
    expect(kinds).toEqual({ a: 'failed', b: 'skipped', c: 'skipped', x: 'done', y: 'done' });
  });

  it('starts nothing more once it is stopped', async () => {
    const abort = new AbortController();
    const { run, names, end } = held();
    const all = runAll(branches, run, options({ signal: abort.signal }));
    expect(await names()).toEqual(['a']);
    abort.abort();
    end('a');
    expect([...(await all)].map(([name, { kind }]) => `${name} ${kind}`).toSorted()).toEqual([
      'a done',
      'b not-started',
      'c not-started',
      'x not-started',
      'y not-started',
    ]);
  });
});
