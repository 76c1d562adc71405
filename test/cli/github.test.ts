/** What the runner of GitHub Actions understands of our lines, read by rules written from its documentation. */
import { describe, expect, it } from 'vitest';
import { annotation, diagnosticAnnotation, githubProgress, inert } from '../../src/cli/github.ts';
import { summaryMarkdown } from '../../src/cli/summary-markdown.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunEvent } from '../../src/runner/event.ts';
import { config, run, stages, test } from '../report/fixtures.ts';

/** As the runner does: `::name key=value,key=value::data`, each value decoded; null for a line that is no command. */
function command(line: string) {
  const found = /^\s*::([a-z-]+)(?: ([^:]*(?:%3A[^:]*)*))?::(.*)$/s.exec(line);
  if (found === null) return null;
  const [, name = '', properties = '', data = ''] = found;
  const decoded = (text: string): string => text.replace(/%(0D|0A|3A|2C|25)/g, (code) => decodeURIComponent(code));
  const pairs = properties.split(',').filter((pair) => pair !== '');
  return {
    name,
    properties: Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), decoded(pair.slice(pair.indexOf('=') + 1))]),
    ),
    data: decoded(data),
  };
}

describe('an annotation', () => {
  it.each(['plain', '100 %, at most: 5', 'a\r\nb\n::error::c', '%0A %25 %3A', 'x::y,z=1', ''])('carries %j', (text) => {
    const line = annotation('warning', { file: text === '' ? undefined : text, line: 3, title: text }, text);
    expect(line).not.toMatch(/[\r\n]/);
    expect(command(line)).toEqual({
      name: 'warning',
      properties: { ...(text === '' ? {} : { file: text }), line: '3', title: text },
      data: text,
    });
  });

  it('of a mistake is beside what it means, by the path in the repository', () => {
    const place = { file: '/repo/models/a.yaml', line: 4, column: 7, source: { text: 'a: { bcd: 1 }', length: 3 } };
    const line = diagnosticAnnotation('error', { code: 'unknown-key', place, message: 'm', hint: 'h' }, '/repo');
    expect(command(line)).toEqual({
      name: 'error',
      properties: { file: 'models/a.yaml', line: '4', col: '7', endColumn: '10', title: 'unknown-key' },
      data: 'm\nhint: h',
    });
    const nowhere = diagnosticAnnotation('error', { code: 'c', place: { file: 'stage qat' }, message: 'm' }, '/repo');
    expect(command(nowhere)).toEqual({ name: 'error', properties: { title: 'c' }, data: 'stage qat: m' });
  });
});

const time = '2026-01-01T00:00:00.000Z';
const started = (stage: string): RunEvent => ({ kind: 'stage-started', time, stage, key: '', cached: false });
const log = (stage: string, message: string): RunEvent => ({ kind: 'stage-log', time, stage, message });
const finished = (stage: string, cached = false): RunEvent => ({
  ...{ kind: 'stage-finished', time, stage, cached, seconds: 1, verdict: 'pass', outputs: {} },
});

/** Lines by the group that they are in; the runner knows one group at a time. */
function grouped(events: readonly RunEvent[]) {
  const lines: string[] = [];
  const progress = githubProgress((line) => lines.push(line));
  for (const event of events) progress.show(event);
  void progress.finish();
  const groups: { name: string | null; lines: string[] }[] = [{ name: null, lines: [] }];
  for (const line of lines.flatMap((text) => text.split('\n'))) {
    const found = command(line);
    if (found?.name === 'group') {
      expect(groups.at(-1)?.name).toBeNull();
      groups.push({ name: found.data, lines: [] });
    } else if (found?.name === 'endgroup') groups.push({ name: null, lines: [] });
    else {
      expect(found).toBeNull();
      groups.at(-1)?.lines.push(line);
    }
  }
  expect(groups.at(-1)?.name).toBeNull();
  return groups.filter((group) => group.lines.length > 0).map(({ name, lines: inside }) => [name, inside]);
}

describe('groups of the log', () => {
  it('are one a stage, with the result behind it', () => {
    expect(
      grouped([started('a'), log('a', 'x'), finished('a'), finished('b', true), started('c'), finished('c')]),
    ).toEqual([
      ['a', ['a: started', 'a: x']],
      [null, ['a: 1.0 s', 'b: cached (1.0 s when it ran)']],
      ['c', ['c: started']],
      [null, ['c: 1.0 s']],
    ]);
  });

  it('do not mix stages that run at once, and lose no line', () => {
    const events = [
      started('a'),
      started('b'),
      log('b', '1'),
      log('a', '2'),
      started('c'),
      finished('b'),
      log('a', '3'),
    ];
    expect(grouped([...events, finished('a'), log('c', '4'), finished('c')])).toEqual([
      ['a', ['a: started', 'a: 2']],
      ['b', ['b: started', 'b: 1']],
      [null, ['b: 1.0 s']],
      ['a', ['a: 3']],
      [null, ['a: 1.0 s']],
      ['c', ['c: started', 'c: 4']],
      [null, ['c: 1.0 s']],
    ]);
  });

  it('take no commands from what a program prints', () => {
    const hostile = 'x\n::endgroup::\n  ::error::y\r::set-env name=PATH::z ##[add-path]w';
    const [[name, lines] = []] = grouped([started('a'), log('a', hostile)]);
    expect(name).toBe('a');
    expect(lines?.slice(1)).toHaveLength(4);
    expect(inert(hostile)).not.toContain('##[');
    expect(inert('a::b: c')).toBe('a::b: c');
  });
});

describe('the summary of a workflow', () => {
  const gate = {
    name: 'int8_top1_min',
    rule: 'at_least',
    limit: 0.999,
    value: 0.99,
    unit: 'share',
    ok: false,
  } as const;
  const hostile = 'a|b`<img src=x>@someone\n# c';
  const metrics = { ...test, gates: [gate] };
  const record = {
    ...run,
    pipeline: hostile,
    status: 'fail' as const,
    stages: [{ ...stages.test, name: hostile, metrics }],
  };
  const text = summaryMarkdown(buildReport(record, config), 'runs/x');

  it('has tables whose rows have one number of cells, whatever names contain', () => {
    const tables = text.split('\n\n').filter((block) => block.startsWith('|'));
    expect(tables.length).toBeGreaterThan(2);
    for (const table of tables) {
      const cells = table.split('\n').map((line) => line.replaceAll(String.raw`\|`, '').split('|').length);
      expect(new Set(cells).size).toBe(1);
    }
    expect(text).not.toMatch(/<img|@someone|^# c/m);
  });

  it('says which gate was not met, and the numbers of the models', () => {
    expect(text).toContain(String.raw`int8\_top1\_min | 99.00`);
    expect(text).toMatch(/^### ❌ qpipe/);
    expect(text).toMatch(/\| int8 microcontroller \(TFLM\) \| \d\d\.\d\d % \|/);
  });
});
