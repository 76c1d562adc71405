/** The task that docs/add-a-task.md writes measures what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import type { TaskRow } from '../../src/tasks/define.ts';
import type { Tested } from '../../src/tasks/tested.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const code = /```ts\n([^]*?)```/.exec(read('docs/add-a-task.md'))?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'qpipe-task-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the task of docs/add-a-task.md', () => {
  it('measures how many answers are at most one beside the right class', async () => {
    const file = join(folder, 'grade.ts');
    writeFileSync(
      file,
      code.replaceAll("from '../", `from '${root}/src/`).replaceAll("from './", `from '${root}/src/tasks/`),
    );
    const { grade } = (await import(file)) as { readonly grade: TaskRow<'segment'> };
    const classNames = ['1', '2', '3', '4'];
    const split: Split = {
      ...{ count: 4, inputs: inputsOf(new Uint8Array(4), 1), targets: null },
      labels: Uint8Array.of(0, 1, 3, 3),
    };
    const scores = (answers: readonly number[]) =>
      Float32Array.from({ length: 16 }, (_, at) => Number(answers[Math.floor(at / 4)] === at % 4));
    const tested: Tested = {
      spec: { task: 'classify', classes: classNames, image: [1, 1, 1], normalize: { scale: 1, mean: 0 } },
      dataset: { name: 'd', classNames, image: { height: 1, width: 1, channels: 1 }, test: split },
      ...{ options: {}, validation: null, areProbabilities: false, numExamples: 1 },
      float: scores([0, 1, 3, 2]),
      qatFloat: scores([0, 1, 3, 2]),
      fakeQuant: scores([0, 3, 3, 2]),
      int8: Int32Array.from(scores([2, 3, 3, 2])),
      litert: null,
      output: { scale: 1, zeroPoint: 0 },
    };
    const measured = grade.measure(tested);
    expect(measured.score).toMatchObject({ float: { value: 1 }, fake_quant: { value: 0.75 }, int8: { value: 0.5 } });
    // 3 of the labels are within one of class 3: 2, 4 and 4.
    expect(measured.ignorant).toEqual({ answer: '3', score: 0.75 });
    expect(measured.tables?.[0]?.rows).toEqual([
      ['1', 0, 0, 1],
      ['2', 0, 0, 1],
      ['3', 0, 0, 0],
      ['4', 1, 1, 0],
    ]);
    expect(grade.gates['within_one_drop_max']?.value(measured)).toBe(0.5);
    expect(
      grade.validate({ outputs: scores([0, 3, 3, 2]), logits: scores([0, 3, 3, 2]) }, split, { scale: 1, mean: 0 }),
    ).toMatchObject({
      quality: 0.75,
      share: 0.5,
    });
  });
});
