/**
 * `<root> <round>`: makes `<root>/ready-<round>/<pid>`; when `<root>/go-<round>` is there, runs a pipeline of four small stages in the store and the runs
 * folder of `<root>`. Each execution adds the stage's name to `<root>/executed`. Writes the outputs' digests.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../../src/runner/execute.ts';
import type { Plan, StagePlan, StageWork } from '../../src/runner/plan.ts';

const [root = '', round = ''] = process.argv.slice(2);

const work: StageWork = {
  async execute({ name }, { inputs, directory }) {
    appendFileSync(join(root, 'executed'), `${name}\n`);
    await sleep(20);
    const texts = Object.values(inputs).map((file) => readFileSync(file, 'utf8'));
    writeFileSync(join(directory, 'text'), `${name}(${texts.join()})`);
    return { metrics: {} };
  },
  check: () => Promise.resolve(),
  judge: (_, metrics) => ({ metrics, verdict: 'pass' }),
};

function stage(name: string, ...after: string[]): StagePlan {
  const input = (from: string) => [from, { kind: 'output', stage: from, output: 'text', type: 'Text/1' }] as const;
  return {
    ...{ name, kind: name, config: { round }, seeds: {}, environment: {}, replicas: 1, job: {}, needs: { threads: 0 } },
    implementation: { id: 'test:race', revision: 1, code: `sha256:${'0'.repeat(64)}` },
    inputs: Object.fromEntries(after.map(input)),
    outputs: { text: { type: 'Text/1', file: 'text' } },
  };
}

const plan: Plan = {
  ...{ name: 'race', pipeline: '', resolved: {}, warnings: [], origin: { file: '/race.yaml', set: [], data: null } },
  stages: [stage('a'), stage('b', 'a'), stage('c', 'a'), stage('d', 'b', 'c')],
};

writeFileSync(join(root, `ready-${round}`, String(process.pid)), '');
while (!existsSync(join(root, `go-${round}`))) await sleep(5);
let waited = 0;
const record = await execute(plan, {
  ...{ store: join(root, 'store'), runs: join(root, 'runs'), work, schedule: { jobs: 2 } },
  emit: ({ kind }) => (waited += kind === 'stage-waiting' ? 1 : 0),
  signal: new AbortController().signal,
  clock: () => new Date(),
  now: () => performance.now(),
  randomHex: () => randomBytes(16).toString('hex'),
  provenance: { commandLine: [], node: '', platform: '', arch: '', cpus: 2, qpipeVersion: '' },
});
const digests = record.stages.map(({ outputs }) => outputs['text']?.digest);
process.stdout.write(JSON.stringify({ status: record.status, digests, warnings: record.warnings, waited }));
