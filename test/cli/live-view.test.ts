// The view of a run's stages, as an emulated terminal shows it.
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { liveView } from '../../src/cli/live-view.ts';
import type { RunEvent } from '../../src/runner/event.ts';
import { openScreen } from './screen.ts';

const time = '2026-01-01T00:00:00.000Z';
const colors = pc.createColors(false);
const begin = (stages: readonly string[]): RunEvent => ({
  ...{ kind: 'run-started', schema: 'qpipe-events-1', time, run: 'r', pipeline: 'p', stages: [...stages] },
});
const started = (stage: string): RunEvent => ({ kind: 'stage-started', time, stage, key: '', cached: false });
type Finished = Extract<RunEvent, { kind: 'stage-finished' }>;
const finished = (stage: string, more: Partial<Finished> = {}): Finished => ({
  ...{ kind: 'stage-finished', time, stage, cached: false, seconds: 3.9, verdict: 'pass', outputs: {} },
  ...more,
});
const progress = (stage: string, step: number, values: Record<string, number | null>): RunEvent => ({
  ...{ kind: 'stage-progress', time, stage, step, totalSteps: 100, values },
});
const trained = { result: { text: 'val 98.44 %', curve: [0.91, 0.95, 0.97, 0.98, 0.9844] } };
const values = {
  ...{ epoch: 2, epochs: 3, loss: 0.25, accuracy: 0.9, validation_accuracy: 0.979 },
  ...{ images_per_second: 41_200, eta_seconds: 72 },
};

function openView(columns: number, rows: number) {
  const screen = openScreen(columns, rows);
  let clock = 0;
  return { ...screen, view: liveView(screen.terminal, { colors, now: () => (clock += 1000) }) };
}

const standard = ['pretrain', 'qat', 'eval', 'freeze', 'convert', 'test'];

describe('the stages of a run', () => {
  it('each have a line: what was reached, how far it is, what is to come', async () => {
    const { view, read } = openView(90, 24);
    view.show(begin(standard));
    view.show(started('pretrain'));
    view.show(finished('pretrain', trained));
    view.show(started('qat'));
    for (const [index, loss] of [2, 1, 0.5, 0.25].entries())
      view.show(progress('qat', index + 40, { ...values, loss }));
    expect((await read()).lines).toEqual([
      '✔ pretrain  3.9 s · val 98.44 % ▁▅▇██',
      '▸ qat       epoch 2/3  loss 0.2500 █▆▃▁  val 97.90 %  41,200 images/s  1:12 left',
      ...['  eval', '  freeze', '  convert', '  test'],
    ]);
  });

  it('show a curve by its heights', async () => {
    const { view, read } = openView(100, 24);
    view.show(begin(['a', 'b', 'c']));
    view.show(finished('a', { result: { text: 'x', curve: [0, 1, 2, 3, 4, 5, 6, 7] } }));
    view.show(finished('b', { result: { text: 'x', curve: [3, 3] } }));
    view.show(finished('c', { result: { text: 'x', curve: Array.from({ length: 24 }, (_, at) => at) } }));
    const { lines } = await read();
    expect(lines).toEqual(['✔ a  3.9 s · x ▁▂▃▄▅▆▇█', '✔ b  3.9 s · x ▄▄', '✔ c  3.9 s · x ▁▂▂▃▄▄▅▅▆▇▇█']);
  });

  it.each([40, 60, 80, 100, 200])('at %i columns break no line, and say what matters most', async (columns) => {
    const { view, read } = openView(columns, 24);
    view.show(begin([...standard, 'a-stage-with-a-name-of-forty-characters-or']));
    view.show(finished('pretrain', { cached: true, ...trained }));
    view.show(started('qat'));
    for (let step = 1; step <= 100; step++) view.show(progress('qat', step, values));
    const { lines, broken } = await read();
    expect(broken).toEqual([]);
    expect(lines[0]).toContain('val 98.44 %');
    expect(lines[1]).toContain('1:12 left');
    expect(lines[1]?.includes('━')).toBe(columns >= 200);
  });

  it('say how those ended that did not succeed', async () => {
    const { view, read } = openView(80, 24);
    view.show(begin(standard));
    view.show(finished('pretrain', { verdict: 'fail', ...trained }));
    view.show(started('qat'));
    view.show({ kind: 'stage-failed', time, stage: 'qat', message: 'no space left\nmore' });
    view.show({ kind: 'stage-skipped', time, stage: 'eval', because: 'qat' });
    view.show({ kind: 'stage-waiting', time, stage: 'freeze', pid: 7, run: 'other', host: null, state: 'running' });
    view.show({ kind: 'run-finished', time, status: 'interrupted', seconds: 1 });
    await view.finish();
    expect((await read()).lines.map((line) => line.trim())).toEqual([
      '✖ pretrain  3.9 s · val 98.44 % ▁▅▇██ · gate not met',
      '✖ qat       failed: no space left',
      '✖ eval      not run, since qat failed',
      '✖ freeze    interrupted',
      'convert   not run',
      'test      not run',
    ]);
  });

  it('keep what must be read, in whole words', async () => {
    const { view, read } = openView(60, 24);
    view.show(begin(['qat', 'eval']));
    const found = 'the file of the model has 20 bytes less than its record says, and its digest is another one';
    view.show({ kind: 'cache-repaired', time, stage: 'qat', found, movedTo: null });
    view.show(finished('qat'));
    const { lines, broken } = await read();
    expect(broken).toEqual([]);
    expect(
      lines
        .slice(1, -1)
        .map((line) => line.trim())
        .join(' '),
    ).toBe(`damage in the store: ${found}`);
    expect(lines.at(-1)?.trim()).toBe('eval');
  });

  it('may be called anything', async () => {
    const { view, read } = openView(40, 24);
    view.show(begin(['訓練する段階の名前', 'b\u001b[2J']));
    view.show(finished('訓練する段階の名前', trained));
    view.show(started('b\u001b[2J'));
    view.show(progress('b\u001b[2J', 50, values));
    const { lines, broken } = await read();
    expect(broken).toEqual([]);
    expect(lines[0]).toMatch(/^✔ 訓練する段階の名前 .*val 98.44 %/);
    expect(lines[1]).toMatch(/^▸ b\ufffd\[2J .* left$/);
  });
});

const many = Array.from({ length: 40 }, (_, index) => `qat@seed=${index}`);

describe('more stages than a screen has rows', () => {
  it('are counted where nothing happens', async () => {
    const { view, read } = openView(60, 12);
    view.show(begin(many));
    for (const name of many.slice(0, 30)) {
      view.show(started(name));
      view.show(finished(name, { cached: name === many[0] }));
    }
    view.show(started('qat@seed=30'));
    view.show(started('qat@seed=31'));
    view.show(progress('qat@seed=31', 50, { images: 5 }));
    const { lines, scrolled } = await read();
    expect(scrolled).toBe(0);
    expect(lines.map((line) => line.trimEnd())).toEqual([
      '⋮ 27 stages done (1 from the store)',
      ...[27, 28, 29].map((seed) => `✔ qat@seed=${seed}  3.9 s`),
      '▸ qat@seed=30',
      '▸ qat@seed=31  ━━━━━━━━━━──────────  50/100 images',
      ...[32, 33, 34].map((seed) => `  qat@seed=${seed}`),
      '⋮ 5 stages to go',
    ]);
  });

  it('show what went wrong, and each that runs', async () => {
    const { view, read } = openView(60, 12);
    view.show(begin(many));
    view.show({ kind: 'stage-failed', time, stage: 'qat@seed=0', message: 'no space left' });
    for (const seed of [10, 20, 30]) view.show(started(`qat@seed=${seed}`));
    const { lines } = await read();
    expect(lines.length).toBeLessThanOrEqual(10);
    expect(lines).toContain('✖ qat@seed=0   failed: no space left');
    expect(lines.filter((line) => line.startsWith('▸'))).toHaveLength(3);
    const named = lines.filter((line) => line.includes('@')).length;
    const counted = lines.flatMap((line) => [...(/(\d+) stages? to go/.exec(line)?.slice(1) ?? [])].map(Number));
    expect(named + counted.reduce((sum, count) => sum + count, 0)).toBe(40);
  });

  it('never scroll, however small the screen is', async () => {
    const { view, read } = openView(30, 4);
    view.show(begin(many));
    for (const name of many) {
      view.show(started(name));
      view.show(finished(name));
      const { scrolled, broken } = await read();
      expect({ scrolled, broken }).toEqual({ scrolled: 0, broken: [] });
    }
  });
});

describe('a terminal whose size changes', () => {
  it.each([
    [40, 24],
    [90, 24],
    [200, 10],
    [30, 14],
  ])('to %i x %i shows each stage once', async (columns, rows) => {
    const { view, read, resize } = openView(80, 24);
    view.show(begin(standard));
    view.show(finished('pretrain', trained));
    view.show(started('qat'));
    view.show(progress('qat', 50, values));
    await read();
    await resize(columns, rows);
    view.show(progress('qat', 60, values));
    const { lines, broken } = await read();
    expect(broken).toEqual([]);
    expect(lines.filter((line) => line.includes('pretrain'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('convert'))).toHaveLength(1);
    expect(lines).toHaveLength(6);
  });

  it('is no longer followed behind the end', async () => {
    const { view, terminal } = openView(80, 24);
    view.show(begin(standard));
    await view.finish();
    expect(terminal.listenerCount('resize')).toBe(0);
  });
});

describe('colours', () => {
  it.each([true, false])('are in the lines: %s', async (isColored) => {
    const { terminal, read } = openScreen(80, 24);
    const view = liveView(terminal, { colors: pc.createColors(isColored), now: () => 0 });
    view.show(begin(standard));
    view.show(finished('pretrain'));
    const text = await read();
    expect([0, 1].map((line) => text.isColored(line))).toEqual([isColored, isColored]);
  });
});
