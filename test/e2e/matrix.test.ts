/** A matrix from the file to its report: which stages run, and what is found of it afterwards. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { Workspace } from './workspace.ts';
import { makeWorkspace, tinyWith } from './workspace.ts';

/** Two schemes by two seeds. */
const matrix = tinyWith([
  [', devices: [cpu:0, cpu:1]', ''],
  ['model:\n', 'matrix:\n  seed: [1, 2]\n  stages.qat.scheme: [int8, uint8]\nmodel:\n'],
]);

const recordIn = (space: Workspace) => space.json('runs/latest/run.json') as RunRecord;
const executed = (space: Workspace) => recordIn(space).stages.flatMap(({ name, cached }) => (cached ? [] : [name]));
const modelOf = (space: Workspace, stage: string) =>
  recordIn(space).stages.find(({ name }) => name === stage)?.outputs['model']?.digest;

describe('a run of a matrix', () => {
  it('trains each float model once, two cells at once, and reports all cells', async () => {
    const space = makeWorkspace();
    space.write('matrix.yaml', matrix);
    const validation = await space.qpipe('validate', 'matrix.yaml');
    expect(validation.stdout).toContain(
      'matrix: 4 cells, seed (1, 2) × scheme (int8, uint8); they have 22 stages in all',
    );

    const { code, stdout } = await space.qpipe('run', 'matrix.yaml', '-j', '2');
    expect(code, stdout).toBe(0);
    const names = executed(space);
    expect(names).toHaveLength(22);
    expect(names.filter((name) => name.startsWith('pretrain'))).toEqual(['pretrain@seed=1', 'pretrain@seed=2']);
    expect(names.filter((name) => name.startsWith('qat'))).toHaveLength(4);
    for (const name of names) {
      expect(existsSync(join(space.folder, 'runs/latest/stages', name, 'metrics.json')), name).toBe(true);
    }
    expect(stdout).toMatch(/^2 +uint8 +\d+\.\d+ %/m);
    expect(stdout).toMatch(/^uint8 +2 +\d+\.\d+ % ± \d+\.\d+ pp/m);

    const report = space.json('runs/latest/report.json') as Report;
    const measured = (stage: string) =>
      (space.json(`runs/latest/stages/${stage}/metrics.json`) as { accuracy: { int8: { top1: number } } }).accuracy.int8
        .top1;
    const [first, second] = [1, 2].map((seed) => measured(`test@seed=${seed}@scheme=uint8`)) as [number, number];
    const group = report.matrix?.groups.find(({ name }) => name === 'scheme=uint8');
    expect(group?.int8.mean).toBeCloseTo((first + second) / 2, 12);
    // Of two values: their difference over the root of 2.
    expect(group?.int8.deviation).toBeCloseTo(Math.abs(first - second) / Math.SQRT2, 12);

    // One of its cells alone: nothing is left to do, and the stages have their own names.
    const alone = await space.qpipe('run', 'matrix.yaml', '--set', 'seed=2', '--set', 'stages.qat.scheme=uint8');
    expect(alone.code, alone.stderr).toBe(0);
    expect(executed(space)).toEqual([]);
    expect(readdirSync(join(space.folder, 'runs/latest/stages')).sort()).toEqual([
      'convert',
      'eval',
      'freeze',
      'pretrain',
      'qat',
      'test',
    ]);
    expect(recordIn(space)).not.toHaveProperty('matrix');

    // A part of the matrix, by the name of a stage in some of its cells.
    const forced = await space.qpipe('run', 'matrix.yaml', '--only', 'qat@seed=1', '--force', 'qat@seed=1');
    expect(forced.code, forced.stderr).toBe(0);
    expect(executed(space)).toEqual(['qat@seed=1@scheme=int8', 'qat@seed=1@scheme=uint8']);
  });

  it('has models that are those of the pipeline with the settings of the cell', async () => {
    const space = makeWorkspace();
    space.write('matrix.yaml', matrix);
    space.write(
      'one.yaml',
      tinyWith([
        [', devices: [cpu:0, cpu:1]', ', scheme: uint8'],
        ['name: tiny\n', 'name: tiny\nseed: 2\n'],
      ]),
    );
    await space.qpipe('run', 'one.yaml', '--store', 'other');
    const expected = modelOf(space, 'convert');
    await space.qpipe('run', 'matrix.yaml');
    expect(expected).toBeDefined();
    expect(modelOf(space, 'convert@seed=2@scheme=uint8')).toBe(expected);
  });

  it('names the cells and the place of a mistake', async () => {
    const space = makeWorkspace();
    space.write('matrix.yaml', matrix.replace('seed: [1, 2]', 'stages.qat.delay: [2, 900]'));
    const { code, stderr } = await space.qpipe('run', 'matrix.yaml');
    expect(code).toBe(64);
    expect(stderr).toMatch(/^matrix\.yaml:5:25 error delay-too-long: .*\(in the cells with delay=900\)/m);
    expect(stderr.match(/ error /g)).toHaveLength(1);
  });
});
