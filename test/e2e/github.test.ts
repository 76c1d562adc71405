/** The workflow in examples/github, its shell steps run as GitHub runs them, with a repository and a `gh` of our own. */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeWorkspace, program, tinyWith } from './workspace.ts';

interface Step {
  readonly name?: string;
  readonly if?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

const file = join(import.meta.dirname, '../../examples/github/quantize.yml');
const workflow = parse(readFileSync(file, 'utf8')) as Workflow; // asserted below
const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

describe('the example workflow', () => {
  it('is of steps that run a command or an action of a fixed version, and asks for no more than it needs', () => {
    expect(steps.length).toBeGreaterThan(5);
    for (const { run, uses } of steps) {
      expect([run, uses].filter((one) => one !== undefined)).toHaveLength(1);
      if (uses !== undefined) expect(uses).toMatch(/^actions\/[a-z-]+@v\d+$/);
      // What others may choose, such as the name of a branch, reaches a shell only as a variable.
      expect(run ?? '').not.toContain('${{');
    }
    expect(workflow.permissions).toEqual({ contents: 'read', 'pull-requests': 'write' });
    expect(Object.keys(workflow.on)).toEqual(['pull_request', 'push']);
  });
});

describe('its steps, in a pull request that lowers what the model reaches', () => {
  const space = makeWorkspace();
  const summary = space.file('summary.md');
  const results = new Map<string, { readonly code: number | undefined; readonly output: string }>();

  /** GitHub's default shell: `bash -e {0}`. */
  const bash = (script: string) =>
    execa('bash', ['-e', '-c', script], {
      ...{ cwd: space.file('checkout'), reject: false, all: true },
      env: {
        PATH: `${space.file('bin')}:${process.env['PATH'] ?? ''}`,
        GITHUB_BASE_REF: 'main',
        GITHUB_STEP_SUMMARY: summary,
        GITHUB_WORKSPACE: space.file('checkout'),
        ...{ NUMBER: '7', GH_TOKEN: 'none' },
      },
    });

  beforeAll(async () => {
    for (const folder of ['bin', 'origin']) mkdirSync(space.file(folder));
    const script = (name: string, text: string) => chmodSync(space.write(`bin/${name}`, `#!/bin/sh\n${text}\n`), 0o755);
    script('npm', 'test "$1" = ci');
    script('npx', `shift; exec '${process.execPath}' '${program}' "$@"`);
    script('gh', `echo "$@" > '${space.file('gh.txt')}'; cp "$5" '${space.file('comment.md')}'`);
    const git = (cwd: string, ...args: string[]) =>
      execa('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd });
    const origin = space.file('origin');
    await git(origin, 'init', '-q', '-b', 'main');
    space.write('origin/pipeline.yaml', tinyWith([['epochs: 1', 'epochs: 2']]));
    await git(origin, 'add', '.');
    await git(origin, 'commit', '-qm', 'before');
    await git(space.folder, 'clone', '-q', origin, 'checkout');
    space.write('checkout/pipeline.yaml', tinyWith([['int8_top1_min: 0.1', 'int8_top1_min: 1']]));
    for (const { name, run } of steps) {
      if (run === undefined) continue;
      const { exitCode, all } = await bash(run);
      results.set(name ?? run, { code: exitCode, output: all });
    }
  }, 90_000);

  it('end as they should: only the gate fails the check', () => {
    expect([...results].map(([name, { code }]) => [name, code])).toEqual([
      ['npm ci', 0],
      ['the pipeline of the target branch', 0],
      ['this pipeline', 2],
      ['a comment on what has changed', 0],
    ]);
  });

  it('put the gate beside its line', () => {
    const { output = '' } = results.get('this pipeline') ?? {};
    const [, line = ''] =
      /^::error file=pipeline\.yaml,line=(\d+),.*title=gate not met::test, int8_top1_min: /m.exec(output) ?? [];
    expect(space.text('checkout/pipeline.yaml').split('\n')[Number(line) - 1]).toContain('int8_top1_min: 1');
    expect(output.match(/^::group::/gm)?.length).toBe(output.match(/^::endgroup::$/gm)?.length);
  });

  it('write the summary and the comment', () => {
    expect(readFileSync(summary, 'utf8')).toMatch(/^### ❌ qpipe: tiny\n[\s\S]*int8\\_top1\\_min/);
    expect(space.text('gh.txt')).toMatch(/^pr comment 7 --body-file comment\.md /);
    expect(space.text('comment.md')).toContain('epochs');
  });
});
