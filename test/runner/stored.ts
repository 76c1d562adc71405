/** A store, results in it, and runs that used them, made without running anything. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach } from 'vitest';
import type { StageKey } from '../../src/runner/fingerprint.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { seal } from '../../src/runner/sealed.ts';
import type { Store } from '../../src/runner/store.ts';
import { commitResult, openStore, putObject } from '../../src/runner/store.ts';

export interface StoredWorld {
  readonly root: string;
  readonly runs: string;
  readonly store: Store;
  /** A result whose outputs have these texts, last used so many days ago. */
  readonly result: (name: string, days: number, ...texts: string[]) => Promise<StageKey>;
  /** A file of the store that was last changed so many days ago. */
  readonly file: (days: number, ...names: string[]) => void;
  /** The folder of a run that used these results. */
  readonly run: (id: string, used: readonly StageKey[], changes?: Partial<RunRecord>) => RunRecord;
  /** Files of the store, below `v1`, but for VERSION. */
  readonly files: () => string[];
}

const provenance = { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Removed after each test. */
const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

export function age(path: string, days: number): void {
  const time = new Date(Date.now() - days * 24 * 3_600_000);
  utimesSync(path, time, time);
}

export async function makeWorld(): Promise<StoredWorld> {
  const root = mkdtempSync(join(tmpdir(), 'qpipe-stored-'));
  roots.push(root);
  const runs = join(root, 'runs');
  const store = await openStore(join(root, 'store'), () => randomBytes(16).toString('hex'));
  const allFiles = (): string[] =>
    readdirSync(store.folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(store.folder, name))
      .filter((path) => statSync(path).isFile());
  return {
    ...{ root, runs, store },
    async result(name, days, ...texts) {
      const before = new Set(allFiles());
      const preimage = JSON.stringify({ name });
      const key = sha256(`qpipe-key-v1\n${preimage}`);
      const outputs: Record<string, { type: string; digest: `sha256:${string}`; bytes: number }> = {};
      for (const [index, text] of texts.entries()) {
        const source = join(root, 'source');
        writeFileSync(source, text);
        outputs[`o${index}`] = { type: 'Text/1', ...(await putObject(store, source)) };
      }
      const startedAt = '2026-01-01T00:00:00.000Z';
      const record = { ...{ key, outputs, provenance, startedAt, seconds: 1, run: 'r', metrics: {} } };
      await commitResult(store, { key, preimage }, { schema: 'qpipe-action-v2', ...record });
      for (const file of allFiles()) if (!before.has(file)) age(file, days);
      return { key, preimage };
    },
    file(days, ...names) {
      mkdirSync(join(store.folder, ...names.slice(0, -1)), { recursive: true });
      writeFileSync(join(store.folder, ...names), 'x');
      age(join(store.folder, ...names), days);
    },
    run(id, used, changes = {}) {
      const record: RunRecord = {
        ...{ schema: 'qpipe-run-v2', id, pipeline: 'p', status: 'pass', seconds: 0, warnings: [] },
        ...{ startedAt: '2026-01-01T00:00:00.000Z', provenance, resolved: `sha256:${'0'.repeat(64)}` },
        origin: { file: '/p.yaml', set: [], data: null },
        stages: used.map(({ key }) => {
          return {
            name: 's',
            kind: 's',
            key,
            cached: true,
            seconds: 1,
            verdict: 'pass',
            inputs: {},
            outputs: {},
            metrics: {},
          };
        }),
        ...changes,
      };
      mkdirSync(join(runs, id), { recursive: true });
      writeFileSync(join(runs, id, 'run.json'), seal(record));
      return record;
    },
    files: () =>
      allFiles()
        .map((path) => relative(store.folder, path))
        .filter((name) => name !== 'VERSION')
        .sort(),
  };
}
