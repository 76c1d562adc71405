/** Records of runs with several lines. */
import type { RunRecord, StageRecord } from '../../src/runner/record.ts';
import { hex, run, stages, test } from './fixtures.ts';

/** The run with a second branch, trained with another delay: its evaluation graph has the same bytes, as graphs do. */
export function branched(): RunRecord {
  const again = (stage: StageRecord): StageRecord => {
    const digest = (text: string) => `sha256:${hex(`b${text.slice(7, 12)}`)}` as const;
    const own = !stage.name.startsWith('eval');
    const outputs = Object.entries(stage.outputs).map(([name, output]) => [
      name,
      { ...output, digest: own || output.type === 'Checkpoint/1' ? digest(output.digest) : output.digest },
    ]);
    const made = run.stages.filter(({ name }) => name !== 'pretrain').flatMap((one) => Object.values(one.outputs));
    const inputs = Object.entries(stage.inputs).map(([name, input]) => {
      const maker = made.find((output) => output.digest === input.digest);
      const shared = maker === undefined || (maker.type !== 'Checkpoint/1' && maker.path.includes('eval'));
      return [name, { ...input, digest: shared ? input.digest : digest(input.digest) }];
    });
    const metrics = 'kind' in stage.metrics && stage.metrics['kind'] === 'test' ? second : stage.metrics;
    return {
      ...{ ...stage, name: `${stage.name}-2`, metrics },
      outputs: Object.fromEntries(outputs) as StageRecord['outputs'],
      inputs: Object.fromEntries(inputs) as StageRecord['inputs'],
    };
  };
  const outcomes = (right: string) => Buffer.from(Float32Array.from(right, Number).buffer).toString('base64');
  const { int8 } = test.accuracy;
  // Of 20 examples both are right on 12, the first alone on 7, the second alone on none.
  const second = {
    ...test,
    outcomes: outcomes('11111111111100000000'),
    accuracy: { ...test.accuracy, int8: { ...int8, top1: 0.98, correct: 9800 } },
    model: { ...test.model, sha256: hex('bc0ffe') },
  };
  const first = { ...stages.test, metrics: { ...test, outcomes: outcomes('11111111111111111110') } };
  const line = run.stages.map((stage) => (stage.name === 'test' ? first : stage));
  return { ...run, stages: [...line, ...line.filter(({ name }) => name !== 'pretrain').map(again)] };
}

/** What the pipeline of `branched` says. */
export const branchedConfig = {
  stages: Object.fromEntries(
    branched().stages.map(({ name, kind }, index, all) => {
      const from = name === 'qat-2' ? 'pretrain' : (all[index - 1]?.name ?? 'pretrain');
      const delay = name.startsWith('qat') ? { delay: name === 'qat' ? 500 : 20 } : {};
      return [name, { uses: kind, ...(name === 'pretrain' ? {} : { from }), ...delay }];
    }),
  ),
};

/** Twenty cells, each with all its stages. */
export function matrixOfTwenty(): RunRecord {
  const cells = Array.from({ length: 20 }, (_, index) => {
    const place = `@delay=${index}`;
    const own = run.stages.filter(({ name }) => name !== 'pretrain');
    const digest = (text: string) => `sha256:${hex(`${index + 10}${text.slice(7, 12)}`)}` as const;
    const made = new Set<string>(own.flatMap(({ outputs }) => Object.values(outputs).map((output) => output.digest)));
    const renamed = <T extends { readonly digest: string }>(named: Readonly<Record<string, T>>) =>
      Object.fromEntries(
        Object.entries(named).map(([name, one]) => [
          name,
          made.has(one.digest) ? { ...one, digest: digest(one.digest) } : one,
        ]),
      );
    // As long as those of two settings.
    const moved = (outputs: StageRecord['outputs']): StageRecord['outputs'] =>
      Object.fromEntries(
        Object.entries(outputs).map(([name, one]) => [
          name,
          { ...one, path: one.path.replace(/^stages\/[^/]+/, (folder) => `${folder}${place}@learning_rate=0.0001`) },
        ]),
      );
    const metrics = (stage: StageRecord): StageRecord['metrics'] =>
      stage.name === 'test'
        ? { ...test, model: { ...test.model, sha256: digest(`sha256:${test.model.sha256}`).slice(7) } }
        : stage.metrics;
    return {
      cell: {
        ...{ name: `delay=${index}`, choices: [index] },
        stages: Object.fromEntries(
          run.stages.map(({ name }) => [name, name === 'pretrain' ? name : `${name}${place}`]),
        ),
      },
      stages: own.map((stage): StageRecord => ({
        ...{ ...stage, name: `${stage.name}${place}`, metrics: metrics(stage) },
        inputs: renamed<StageRecord['inputs'][string]>(stage.inputs),
        outputs: moved(renamed<StageRecord['outputs'][string]>(stage.outputs)),
      })),
    };
  });
  const labels = cells.map((_, index) => String(index));
  const pretrain = run.stages.filter(({ name }) => name === 'pretrain');
  return {
    ...run,
    matrix: {
      axes: [{ setting: 'stages.qat.delay', name: 'delay', values: labels, labels }],
      cells: cells.map(({ cell }) => cell),
    },
    stages: [...pretrain, ...cells.flatMap((one) => one.stages)],
  };
}
