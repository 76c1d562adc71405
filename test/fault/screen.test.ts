/** A run on real terminals of several sizes, and what it says without one. */
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ScreenText } from '../cli/screen.ts';
import { onTerminal } from '../cli/screen.ts';
import { findPty } from '../e2e/pty.ts';
import { makeWorkspace, program, stageNames, tinyWith } from '../e2e/workspace.ts';

const hasPty = findPty('tests of the list of stages on a terminal');
const space = makeWorkspace();
const qpipe = (...args: string[]): readonly string[] => [process.execPath, program, ...args];
const onScreen = (columns: number, rows: number, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  onTerminal({ columns, rows }, qpipe(...args), { cwd: space.folder, env });

/** What is said of each stage, without mark, name and curve. */
const bodies = (lines: readonly string[], separator: RegExp): ReadonlyMap<string, string> =>
  new Map(
    stageNames.map((name) => {
      const line = lines.find((text) => text.replace(/^[✔✖] /, '').match(new RegExp(`^${name}${separator.source}`)));
      const body =
        line
          ?.replace(/^[✔✖] /, '')
          .slice(name.length)
          .replace(separator, '') ?? '';
      return [name, body.replace(/ [▁▂▃▄▅▆▇█]+/, '').trim()];
    }),
  );

describe.skipIf(!hasPty)('a run on a terminal', () => {
  let first: ScreenText & { readonly status: number | null };
  beforeAll(async () => {
    first = await onScreen(80, 24, ['run', 'tiny.yaml']);
  }, 60_000);

  it('of 80 x 24 is on one screen, broken nowhere', () => {
    expect(first.status).toBe(0);
    expect(first.broken).toEqual([]);
    expect(first.scrolled).toBe(0);
    expect(first.lines.slice(0, 6).map((line) => line.slice(0, 10).trim())).toEqual(
      stageNames.map((name) => `✔ ${name}`),
    );
    expect(first.lines[0]).toMatch(/^✔ pretrain {2}[\d.]+ s · val \d+\.\d\d % [▁▂▃▄▅▆▇█]{2}$/);
    expect(first.lines[5]).toMatch(/^✔ test {6}[\d.]+ s · int8 \d+\.\d\d %, float \d+\.\d\d %$/);
    expect(first.isColored(0)).toBe(true);
  });

  it.each([
    [40, 24],
    [40, 8],
    [80, 10],
    [132, 50],
  ])('of %i x %i is broken nowhere', async (columns, rows) => {
    const { broken, status, lines } = await onScreen(columns, rows, ['run', 'tiny.yaml']);
    expect({ broken, status }).toEqual({ broken: [], status: 0 });
    expect(lines.join('\n')).toMatch(/int8 \d+\.\d\d %/);
  });

  it('has no colour with NO_COLOR', async () => {
    const { bytes, lines } = await onScreen(80, 24, ['run', 'tiny.yaml'], { NO_COLOR: '1' });
    expect(lines[0]).toContain('✔ pretrain');
    expect([...bytes.matchAll(/\u001b\[[\d;]*m/g)]).toEqual([]);
  });

  it('shows of several at once what a pipe prints', async () => {
    const screen = await onScreen(80, 24, ['run', 'tiny.yaml', '-j', '2']);
    const { stdout } = await execa(process.execPath, [program, 'run', 'tiny.yaml', '-j', '2'], { cwd: space.folder });
    const [seen, printed] = [bodies(screen.lines, / +/), bodies(stdout.split('\n'), /: /)];
    expect(seen.get('test')).toMatch(/int8 .* %/);
    expect(seen).toEqual(printed);
    // Behind the stages, both have the same summary, but for the breaks.
    const tail = (lines: readonly string[], from: string): string => {
      const start = lines.findLastIndex((line) => line.replace(/^[✔✖] /, '').startsWith(from));
      return lines
        .slice(start + 1)
        .join(' ')
        .replace(/\s+/g, ' ')
        .replaceAll(/runs\/\S+/g, 'RUN')
        .trim();
    };
    expect(tail(screen.lines, 'test ')).toBe(tail(stdout.split('\n'), 'test: '));
  });

  it.each([40, 80])('at %i columns breaks a mistake between words, its line around the caret', async (columns) => {
    const bad = `a: ${'x'.repeat(200)}, epochs: 2, batch: 32, optimizr: { kind: sgd }`;
    space.write('bad.yaml', tinyWith([['epochs: 2, batch: 32, optimizer: { kind: sgd, learning_rate: 0.05 }', bad]]));
    const { broken, lines, status } = await onScreen(columns, 40, ['run', 'bad.yaml']);
    expect({ broken, status }).toEqual({ broken: [], status: 64 });
    const caret = lines.findIndex((line, index) => / \| +\^/.test(line) && lines[index - 1]?.includes('optimizr'));
    expect(lines[caret]?.indexOf('^')).toBe(lines[caret - 1]?.indexOf('optimizr'));
    expect(lines[caret]?.trim().replace(/^\| +/, '')).toBe('^'.repeat('optimizr'.length));
    expect(lines.join(' ').replace(/ +/g, ' ')).toContain('did you mean `optimizer`?');
  });

  it('ends with an unmet gate in red, and says so in both forms', async () => {
    space.write('strict.yaml', tinyWith([['int8_top1_min: 0.1', 'int8_top1_min: 1']]));
    const { lines, status } = await onScreen(80, 30, ['run', 'strict.yaml']);
    expect(status).toBe(2);
    expect(lines[5]).toMatch(/^✖ test .*gate not met$/);
    const { stdout } = await execa(process.execPath, [program, 'run', 'strict.yaml'], {
      ...{ cwd: space.folder, reject: false },
    });
    expect(stdout).toMatch(/^test: .*gate not met$/m);
  });

  it('names the branch that a sentence, a gate or a number is about', async () => {
    const branched = `${tinyWith([['int8_top1_min: 0.1', 'int8_top1_min: 0.01']])}  again:    { uses: test, from: convert, gates: { int8_top1_min: 0.02 } }\n`;
    space.write('branched.yaml', branched);
    const { lines, broken } = await onScreen(80, 40, ['run', 'branched.yaml']);
    expect(broken).toEqual([]);
    const text = lines.join('\n');
    // Both test the same model, so the first of them leads.
    expect(text).toMatch(/^Best of 2 branches: test, int8 top-1 \d/m);
    expect(text).toMatch(/^branch {2,}int8 top-1 {2,}float {2,}fake-quant {2,}against float {2,}size {2,}gates$/m);
    const row = String.raw`( {2,}\d+\.\d\d %){3} {2,}\S+ pp {2,}[\d.]+ KiB {2,}met$`;
    expect(text).toMatch(new RegExp(`^test${row}`, 'm'));
    expect(text).toMatch(new RegExp(`^again${row}`, 'm'));
    expect(text.replace(/\s+/g, ' ')).toMatch(
      /test, int8_top1_min \S+ % \(at least 1\.00 %\), again, int8_top1_min \S+ % \(/,
    );
  });
});
