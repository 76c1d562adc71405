/** What a task measures from, with outputs that are written out. */
import type { Split } from '../../src/data/dataset.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import type { Purpose } from '../../src/graph/contract.ts';
import type { Table, Task } from '../../src/measurements/metrics.ts';
import type { Tested } from '../../src/tasks/tested.ts';

interface Example {
  readonly task: Task;
  readonly classNames?: readonly string[];
  readonly tags?: readonly string[];
  readonly split: Split;
}

/** Real inputs, one for each example, that say nothing. */
export const splitOf = (count: number, change: Partial<Split>): Split => ({
  ...{ count, inputs: inputsOf(new Float32Array(count), 1), labels: null, targets: null },
  ...change,
});

/** Of models whose outputs are all the same numbers, codes by a scale of 1, but for what is changed. */
export function testedOf(
  { task, classNames = [], tags, split }: Example,
  outputs: readonly number[],
  change: Partial<Tested> = {},
): Tested {
  const spec: Purpose = {
    ...{ task, image: [1, 1, 1], classes: classNames, normalize: { min: -1, max: 1 } },
    ...(tags && { tags }),
  };
  const reals = Float32Array.from(outputs);
  return {
    spec,
    areProbabilities: false,
    dataset: { name: 'd', classNames, image: { height: 1, width: 1, channels: 1 }, test: split },
    ...{ float: reals, qatFloat: reals, fakeQuant: reals, int8: Int32Array.from(outputs), litert: null },
    ...{ output: { scale: 1, zeroPoint: 0 }, numExamples: 0, options: {}, validation: null },
    ...change,
  };
}

/** A table as rows by name of the column. */
export function rowsOf(table: Table | undefined): Readonly<Record<string, string | number | null>>[] {
  return (table?.rows ?? []).map((row) =>
    Object.fromEntries(table?.columns.map(({ head }, at) => [head, row[at] ?? null]) ?? []),
  );
}
