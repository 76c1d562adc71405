/** Stages that need nothing, and the surroundings of a run that are of no matter to a test. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ExecuteOptions } from '../../src/runner/execute.ts';
import type { StagePlan } from '../../src/runner/plan.ts';

/** Its output is the file `text`; its inputs are those of the stages that are named. */
export const textStage = (name: string, ...after: readonly string[]): StagePlan => ({
  ...{ name, kind: 'text', config: { name }, seeds: {}, environment: {}, replicas: 1, job: {}, needs: { threads: 0 } },
  implementation: { id: 'test:text', revision: 1, code: `sha256:${'0'.repeat(64)}` },
  inputs: Object.fromEntries(
    after.map((from) => [from, { kind: 'output', stage: from, output: 'text', type: 'Text/1' }] as const),
  ),
  outputs: { text: { type: 'Text/1', file: 'text' } },
});

/** @param root the folder of the store and of the runs */
export const plainOptions = (root: string): Omit<ExecuteOptions, 'work'> => ({
  ...{ store: join(root, 'store'), runs: join(root, 'runs'), emit: () => undefined },
  signal: new AbortController().signal,
  clock: () => new Date(),
  now: () => performance.now(),
  randomHex: () => randomBytes(16).toString('hex'),
  provenance: { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' },
});
