// The view of many stages, as a terminal of a few rows shows it.
import { describe, expect, it } from 'vitest';
import { boundedProgress, stageProgress } from '../../src/cli/bounded-progress.ts';
import type { RunEvent } from '../../src/runner/event.ts';

/** Understands what the view writes: up by lines, back to the first column, clear to the end. */
function screen(columns: number, rows: number) {
  let lines: string[] = [];
  let tallest = 0;
  const terminal = {
    ...{ columns, rows },
    write(text: string) {
      const [, up = '0', rest = ''] = /^(?:\u001b\[(\d+)A\r\u001b\[J)?([\s\S]*)$/.exec(text) ?? [];
      lines = [...lines.slice(0, lines.length - Number(up)), ...rest.split('\n').slice(0, -1)];
      tallest = Math.max(tallest, lines.length);
    },
  };
  return { terminal, lines: () => lines, tallest: () => tallest };
}

const time = '2026-01-01T00:00:00.000Z';
const names = Array.from({ length: 40 }, (_, index) => `qat@seed=${index}`);
const started = (stage: string): RunEvent => ({ kind: 'stage-started', time, stage, key: '', cached: false });
const finished = (stage: string, verdict: 'pass' | 'fail' = 'pass', cached = false): RunEvent => {
  return { kind: 'stage-finished', time, stage, cached, seconds: 3.9, verdict, outputs: {} };
};
const begin: RunEvent = { kind: 'run-started', schema: 'qpipe-events-1', time, run: 'r', pipeline: 'p', stages: names };

describe('the progress of many stages', () => {
  it('is never more than the screen, and shows what runs and what ended last', async () => {
    const { terminal, lines, tallest } = screen(60, 12);
    let clock = 0;
    const view = boundedProgress(terminal, () => (clock += 1000));
    view.show(begin);
    for (const name of names.slice(0, 30)) {
      view.show(started(name));
      view.show(finished(name, 'pass', name === names[0]));
    }
    view.show(started('qat@seed=30'));
    view.show(started('qat@seed=31'));
    const values = { epoch: 2, epochs: 3, loss: 0.25, images_per_second: 4000, eta_seconds: 7 };
    view.show({ kind: 'stage-progress', time, stage: 'qat@seed=31', step: 50, totalSteps: 100, values });
    expect(tallest()).toBeLessThanOrEqual(8);
    expect(lines().slice(0, 5)).toEqual([25, 26, 27, 28, 29].map((seed) => `✔ qat@seed=${seed}  3.9 s`));
    expect(lines()[5]).toBe('▸ qat@seed=30  ');
    expect(lines()[6]).toMatch(/^▸ qat@seed=31 .*epoch 2\/3/);
    expect(lines()[7]).toBe('30 of 40 stages done, 1 from the store, 8 to go');
    for (const line of lines()) expect(line.length).toBeLessThanOrEqual(60);
    await view.finish();
    expect(tallest()).toBeLessThanOrEqual(8);
  });

  it('keeps what went wrong', () => {
    const { terminal, lines } = screen(60, 12);
    const view = boundedProgress(terminal, () => 0);
    view.show(begin);
    view.show(started('qat@seed=0'));
    view.show({ kind: 'stage-failed', time, stage: 'qat@seed=0', message: 'no space left\nmore' });
    for (const name of names.slice(1)) view.show(finished(name, name === names[5] ? 'fail' : 'pass'));
    expect(lines()).toContain('✖ qat@seed=0  failed: no space left');
    expect(lines()).toContain('✖ qat@seed=5  3.9 s, gate not met');
    expect(lines().at(-1)).toBe('40 of 40 stages done');
  });

  it('is only for runs that do not fit', async () => {
    const { terminal, lines } = screen(60, 60);
    const view = stageProgress(terminal, 2, () => 0);
    view.show(begin);
    expect(lines().at(-1)).toBe('0 of 40 stages done, 40 to go');
    await view.finish();
  });
});
