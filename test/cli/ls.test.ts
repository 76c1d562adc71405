/** The list of runs in narrow terminals. */
import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import type { ListedRun } from '../../src/cli/ls.ts';
import { lsText } from '../../src/cli/ls.ts';

const plain = picocolors.createColors(false);
const run: ListedRun = {
  id: '20260102-030405-mnist-lenet-ab12',
  pipeline: 'mnist-lenet',
  startedAt: '2026-01-02T03:04:05.000Z',
  status: 'interrupted',
  seconds: 3725,
  measured: { name: 'top-1', kind: 'share', values: [0.98, 0.9912] },
};

describe('lsText', () => {
  it('has a line for each run that is never wider than the terminal, and gives up the least important first', () => {
    for (let width = 20; width < 120; width++) {
      const lines = lsText([run, { ...run, measured: null }], width, plain).split('\n');
      expect(lines).toHaveLength(3);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
    const row = (width: number) => lsText([run], width, plain).split('\n')[1];
    expect(row(Infinity)).toMatch(
      /^20260102-030405-mnist-lenet-ab12 {2}interrupted {2}2026-01-0[123] \d\d:\d\d {2}1:02:05 {2}top-1 98\.00 % to 99\.12 %$/,
    );
    expect(row(80)).toBe('20260102-030405-mnist-lenet-ab12  interrupted  1:02:05  top-1 98.00 % to 99.12 %');
    expect(row(45)).toBe('20260102-030405-mnist-lenet-ab12  interrupted');
    expect(row(25)).toBe('20260102-030405-mnist-le…');
  });
});
