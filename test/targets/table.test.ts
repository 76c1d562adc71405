/** The table of targets is whole, and every row says what the file format can hold. */
import { describe, expect, it } from 'vitest';
import { opNames, ops } from '../../src/ops/index.ts';
import { fileOps } from '../../src/targets/define.ts';
import { targetNames, targets } from '../../src/targets/index.ts';

describe('the ops of a file', () => {
  it('are those of the op table that have integer loops and a .tflite form', () => {
    const expected = opNames.filter((op) => ops[op].int8 !== null && ops[op].tflite !== null);
    expect([...fileOps].sort()).toEqual([...expected].sort());
  });
});

describe.each(targetNames)('%s', (name) => {
  const row = targets[name];

  it('chooses what it takes', () => {
    expect(row.denseWeights.takes).toContain(row.denseWeights.chosen);
    expect(row.schemes).toContain('int8');
    expect(row.edges).toContain('int8');
  });

  it('has a name of its own', () => expect(row.name).toBe(name));
});
