/** What the runner itself takes for a stage: a plan of many that each write a line, cold and stored. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { execute } from '../dist/runner/execute.js';

/**
 * @param {number} count of the stages, of which each reads the one before it
 * @returns {Promise<{ readonly cold: number, readonly stored: number }>} milliseconds of the whole run
 */
export async function measureStages(count) {
  const folder = mkdtempSync(join(os.tmpdir(), 'qpipe-stages-'));
  /** @type {import('../dist/runner/plan.js').StagePlan[]} */
  const stages = Array.from({ length: count }, (_, index) => ({
    ...{ name: `stage-${index}`, kind: 'line', config: { index }, seeds: {}, environment: {}, replicas: 1, job: {} },
    implementation: { id: 'bench:line', revision: 1, code: /** @type {const} */ (`sha256:${'0'.repeat(64)}`) },
    needs: { threads: 0 },
    inputs:
      index === 0 ? {} : { before: { kind: 'output', stage: `stage-${index - 1}`, output: 'line', type: 'Text/1' } },
    outputs: { line: { type: 'Text/1', file: 'line.txt' } },
  }));
  const origin = { file: '/bench.yaml', set: [], data: null };
  const plan = { name: 'bench', pipeline: '', origin, resolved: {}, warnings: [], stages };
  const run = async () => {
    const start = performance.now();
    await execute(plan, {
      ...{ store: join(folder, 'store'), runs: join(folder, 'runs'), emit: () => undefined },
      work: {
        async execute({ name }, { directory }) {
          writeFileSync(join(directory, 'line.txt'), `${name}\n`);
          return { metrics: {} };
        },
        check: async () => undefined,
        judge: (_stage, metrics) => ({ metrics, verdict: 'pass' }),
      },
      signal: new AbortController().signal,
      clock: () => new Date(),
      now: () => performance.now(),
      randomHex: () => randomBytes(16).toString('hex'),
      provenance: { commandLine: [], node: process.version, platform: '', arch: '', cpus: 1, qpipeVersion: '' },
    });
    return performance.now() - start;
  };
  try {
    return { cold: await run(), stored: await run() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
