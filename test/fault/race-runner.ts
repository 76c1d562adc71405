/**
 * `<root> <round>`: makes `<root>/ready-<round>/<pid>`; when `<root>/go-<round>` is there, runs a pipeline of four small stages in the store and the runs
 * folder of `<root>`. Each execution adds the stage's name to `<root>/executed`. Writes the outputs' digests.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../../src/runner/execute.ts';
import type { Plan, StageWork } from '../../src/runner/plan.ts';
import { plainOptions, textStage } from '../runner/plain.ts';

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

const stage = (...names: Parameters<typeof textStage>) => ({
  ...textStage(...names),
  config: { name: names[0], round },
});

const plan: Plan = {
  ...{ name: 'race', pipeline: '', resolved: {}, warnings: [], origin: { file: '/race.yaml', set: [], data: null } },
  stages: [stage('a'), stage('b', 'a'), stage('c', 'a'), stage('d', 'b', 'c')],
};

writeFileSync(join(root, `ready-${round}`, String(process.pid)), '');
while (!existsSync(join(root, `go-${round}`))) await sleep(5);
let waited = 0;
const record = await execute(plan, {
  ...{ ...plainOptions(root), work, schedule: { jobs: 2 } },
  emit: ({ kind }) => (waited += kind === 'stage-waiting' ? 1 : 0),
});
const digests = record.stages.map(({ outputs }) => outputs['text']?.digest);
process.stdout.write(JSON.stringify({ status: record.status, digests, warnings: record.warnings, waited }));
