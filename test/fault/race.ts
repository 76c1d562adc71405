/** Processes that run one pipeline on one store at once. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/runner/collect.ts';
import { openStore } from '../../src/runner/store.ts';
import { verifyStore } from '../../src/runner/verify.ts';
import { childProgram } from '../runner/child.ts';

/** @param rounds how many processes race in each round, on keys that nobody has */
export function describeRaces(rounds: readonly number[]): void {
  const start = childProgram('../fault/race-runner.ts');
  const root = mkdtempSync(join(tmpdir(), 'qpipe-race-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  describe('processes that race on one store', () => {
    it(`execute each stage once between them, and all have its result (${rounds.length} rounds)`, async () => {
      let waited = 0;
      for (const [round, racers] of rounds.entries()) {
        writeFileSync(join(root, 'executed'), '');
        const ready = join(root, `ready-${round}`);
        mkdirSync(ready);
        const children = Array.from({ length: racers }, () => start(root, String(round)));
        while (readdirSync(ready).length < racers) await sleep(5);
        writeFileSync(join(root, `go-${round}`), '');
        const texts = await Promise.all(children.map(({ stdout }) => buffer(stdout)));
        const results = texts.map((text) => JSON.parse(text.toString()) as Result); // as the program writes it
        const where = `round ${round}, ${racers} processes`;
        expect(readFileSync(join(root, 'executed'), 'utf8').trim().split('\n').sort(), where).toEqual([
          'a',
          'b',
          'c',
          'd',
        ]);
        expect(new Set(results.map(({ digests }) => digests.join())).size, where).toBe(1);
        expect(results.map(({ status, warnings }) => [status, warnings.length])).toEqual(
          results.map(() => ['pass', 0]),
        );
        for (const folder of ['leases', 'work', 'tmp', 'corrupt'])
          expect(readdirSync(join(root, 'store/v1', folder)), where).toEqual([]);
        waited += results.reduce((sum, result) => sum + result.waited, 0);
      }
      expect(waited).toBeGreaterThan(0);
    }, 1_800_000);

    it('lose nothing to a collection of all that is not in use', async () => {
      const store = await openStore(join(root, 'store'), () => randomBytes(16).toString('hex'));
      const common = { signal: new AbortController().signal, now: () => performance.now(), onWait: () => undefined };
      const everything = { keepRuns: 1, olderThan: 0, maxBytes: 0, checkpoints: 'all', mode: 'remove' } as const;
      const collectAll = () => collect(store, { ...common, ...everything, run: 'gc', runs: join(root, 'runs') });
      let collections = 0;
      for (const [index, racers] of rounds.entries()) {
        const round = `gc-${index}`;
        const ready = join(root, `ready-${round}`);
        mkdirSync(ready);
        const children = Array.from({ length: racers }, () => start(root, round));
        while (readdirSync(ready).length < racers) await sleep(5);
        writeFileSync(join(root, `go-${round}`), '');
        const texts = Promise.all(children.map(({ stdout }) => buffer(stdout)));
        const ended = new AbortController();
        void texts.then(() => ended.abort());
        for (; !ended.signal.aborted; collections++) await collectAll();
        const results = (await texts).map((text) => JSON.parse(text.toString()) as Result); // as the program writes it
        expect(results.map(({ status, warnings }) => [status, warnings.length])).toEqual(
          results.map(() => ['pass', 0]),
        );
        expect(new Set(results.map(({ digests }) => digests.join())).size, round).toBe(1);
        expect(await verifyStore(store, [], () => undefined, common.signal)).toMatchObject({ faults: [] });
      }
      expect(collections).toBeGreaterThan(2 * rounds.length);
      rmSync(join(root, 'runs'), { recursive: true });
      await collectAll();
      expect(readdirSync(join(root, 'store/v1/objects'))).toEqual([]);
    }, 1_800_000);
  });
}

interface Result {
  readonly status: string;
  readonly digests: readonly string[];
  readonly warnings: readonly unknown[];
  readonly waited: number;
}
