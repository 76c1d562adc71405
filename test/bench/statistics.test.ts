import { describe, expect, it } from 'vitest';
import { casesOf } from '../../bench/cases.js';
import type { Case, Level, Who } from '../../bench/cases.js';
import type { Measured } from '../../bench/statistics.js';
import { median, ratio, summarize, times } from '../../bench/statistics.js';
import { markdownTable, summaryTable, terminalTable, timeTable } from '../../bench/table.js';

/** One process for each median; the best step of each took 1 ms less. */
function measured(network: Case['network'], level: Level, who: Who, medians: readonly number[]): Measured {
  const samples = medians.map((value) => ({ median: value, best: value - 1 }));
  return { network, level, who, batch: 64, threads: 2, samples };
}

describe('statistics of a benchmark', () => {
  it('takes the value in the middle, or the mean of the two in the middle', () => {
    expect(median([7])).toBe(7);
    expect(median([30, 4, 5])).toBe(5);
    expect(median([8, 1, 2, 100])).toBe(5);
    expect(() => median([])).toThrow('internal');
  });

  it('gives the median of the processes, their range, and the best step of all', () => {
    expect(times(measured('lenet5', 'float', 'keras', [5, 9, 6]))).toEqual({ median: 6, low: 5, high: 9, best: 4 });
  });

  it('divides round by round, so that a slow round for both counts for neither', () => {
    const ours = measured('resnet8', 'qat', 'tensorflow', [40, 400, 50]);
    const theirs = measured('resnet8', 'qat', 'tfmot', [80, 500, 50]);
    // 0.5, 0.8 and 1; the ratio of the medians would be 50 / 80.
    expect(ratio(ours, theirs)).toEqual({ median: 0.8, low: 0.5, high: 1 });
  });

  it('gives the wanted ratios whose two sides were measured', () => {
    const all = [
      measured('resnet8', 'float', 'tensorflow', [40]),
      measured('resnet8', 'qat', 'tensorflow', [52]),
      measured('resnet8', 'qat', 'torch', [104]),
      measured('lenet5', 'qat', 'tfmot', [6]),
    ];
    expect(summarize(all).map(({ one, other, atMost, found }) => [one.who, other.who, atMost, found.median])).toEqual([
      ['tensorflow', 'torch', 0.6, 0.5],
      ['tensorflow', 'tensorflow', 1.25, 1.3],
    ]);
  });
});

describe('cases of a benchmark', () => {
  it('are what each one can measure, integer models one image at a time', () => {
    const who = ['wasm-strict', 'wasm-fast', 'keras', 'tflite'] as const;
    const cases = casesOf({ networks: ['lenet5'], levels: ['float', 'qat', 'int8'], who, batch: 32, threads: 1 });
    expect(cases.map((one) => `${one.level} ${one.who} ${one.batch}`)).toEqual([
      'float wasm-strict 32',
      'float keras 32',
      'qat wasm-strict 32',
      'int8 wasm-strict 1',
      'int8 tflite 1',
    ]);
  });
});

describe('tables of a benchmark', () => {
  const all = [
    measured('lenet5', 'qat', 'tensorflow', [4, 5, 6]),
    measured('lenet5', 'qat', 'tfmot', [8, 5, 8]),
    measured('lenet5', 'float', 'keras', [123.4]),
  ];

  it('has a row for each case, with its ratio to the peers of its network and level', () => {
    expect(timeTable(all).rows).toEqual([
      ['lenet5', 'qat', 'tensorflow', '5.00', '4.00 to 6.00', '3.00', '0.75 (0.50 to 1.00)', ''],
      ['lenet5', 'qat', 'tfmot', '8.00', '5.00 to 8.00', '4.00', '', ''],
      ['lenet5', 'float', 'keras', '123', '123 to 123', '122', '', ''],
    ]);
  });

  it('says of each wanted ratio whether it was reached', () => {
    const [row] = summaryTable(all).rows;
    expect(row).toEqual(['lenet5', 'tensorflow qat / tfmot qat', '0.75 (0.50 to 1.00)', 'at most 0.9', 'yes']);
  });

  it('prints the same cells for a terminal and as Markdown', () => {
    const cells = { head: ['who', 'ms'], rows: [['keras', '5.70']] };
    expect(markdownTable(cells)).toBe('| who | ms |\n| --- | --- |\n| keras | 5.70 |');
    expect(terminalTable(cells)).toContain('│ keras │ 5.70 │');
  });
});
