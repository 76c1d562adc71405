import { describe, expect, it } from 'vitest';
import type { Plan, StagePlan } from '../../src/runner/plan.ts';
import type { Selection } from '../../src/runner/select.ts';
import { isNamed, select } from '../../src/runner/select.ts';

const stage = (name: string, from: string | null): StagePlan => ({
  ...{ name, kind: 'test', config: {}, seeds: {}, environment: {}, replicas: 1, outputs: {}, job: {} },
  implementation: { id: 'test', revision: 1, code: `sha256:${'0'.repeat(64)}` },
  needs: { threads: 0 },
  inputs: from === null ? {} : { model: { kind: 'output', stage: from, output: 'model', type: 'Text/1' } },
});

/** pretrain, from which two branches come. */
const plan: Plan = {
  ...{ name: 'two', pipeline: '', resolved: {}, warnings: [], origin: { file: '/two.yaml', set: [], data: null } },
  stages: [
    stage('pretrain', null),
    stage('a', 'pretrain'),
    stage('test-a', 'a'),
    stage('b', 'pretrain'),
    stage('test-b', 'b'),
  ],
};

describe('a selection', () => {
  it.each<[Selection, string[], string[]]>([
    [{}, ['pretrain', 'a', 'test-a', 'b', 'test-b'], []],
    [{ from: ['a'] }, ['a', 'test-a'], ['pretrain']],
    [{ from: ['pretrain'] }, ['pretrain', 'a', 'test-a', 'b', 'test-b'], []],
    [{ until: ['a'] }, ['pretrain', 'a'], []],
    [{ until: ['a', 'test-b'] }, ['pretrain', 'a', 'b', 'test-b'], []],
    [{ from: ['a'], until: ['a'] }, ['a'], ['pretrain']],
    [{ only: ['test-a'] }, ['test-a'], ['pretrain', 'a']],
    [{ only: ['a', 'b'] }, ['a', 'b'], ['pretrain']],
  ])('%j runs %j and needs results of %j', (selection, runs, stored) => {
    const selected = select(plan, selection);
    expect([...selected.stored]).toEqual(stored);
    expect(selected.plan.stages.map(({ name }) => name).filter((name) => !selected.stored.has(name))).toEqual(runs);
  });

  it('names the stage of every cell of a matrix', () => {
    expect(['qat', 'qat@seed=1', 'qat2', 'pretrain'].filter((name) => isNamed(name, ['qat']))).toEqual([
      'qat',
      'qat@seed=1',
    ]);
  });
});
