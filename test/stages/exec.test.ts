import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/stages/command.ts';
import { exec } from '../../src/stages/exec.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-exec-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(line: readonly string[], timeout: number | null = null) {
  const said: string[] = [];
  const { signal } = new AbortController();
  const variables = { PATH: process.env['PATH'] ?? '', COLOUR: 'red' };
  const end = await runCommand({ line, folder, variables, timeout, signal, say: (text) => said.push(text) });
  return { end, said };
}

describe('a command', () => {
  it('is no text for a shell', async () => {
    expect((await run(['printf', '%s\\n', '$HOME;*', 'a b'])).said).toEqual(['$HOME;*', 'a b']);
  });

  it('gets these variables and no others', async () => {
    const { said } = await run(['env']);
    expect(said.filter((line) => !/^(PATH|_|PWD|SHLVL)=/.test(line))).toEqual(['COLOUR=red']);
  });

  it('cannot be started where there is no such program', async () => {
    const { end } = await run(['no-such-program']);
    expect(end.kind).toBe('refused');
    expect(end.detail).toContain('ENOENT');
  });

  it('has the beginning and the end of a flood in the log', async () => {
    const { said, end } = await run(['sh', '-c', 'seq 1 5000']);
    const numbers = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
    expect(said).toEqual([...numbers(1, 1000), '… 3980 lines are left out …', ...numbers(4981, 5000)]);
    expect(end).toEqual({ kind: 'status', detail: '0', last: ['4998', '4999', '5000'] });
  });

  it.each([
    [1001, ['1001']],
    [1020, Array.from({ length: 20 }, (_, index) => String(1001 + index))],
  ] as const)('leaves nothing out of %i lines', async (count, rest) => {
    const { said } = await run(['seq', '1', String(count)]);
    expect(said).toHaveLength(count);
    expect(said.slice(1000)).toEqual(rest);
  });

  it('has the beginning of a line that does not end', async () => {
    const { said } = await run(['sh', '-c', 'head -c 30000000 /dev/zero | tr "\\0" x; echo; echo next']);
    expect(said).toEqual([`${'x'.repeat(1000)} … (29999000 more characters)`, 'next']);
  });

  it('may go back to the beginning of its line, colour it, and write letters in two parts', async () => {
    const text = String.raw`10%%\r20%%\r\033[31mdone\033[0m\r\n\r\n\303`;
    const { said } = await run(['sh', '-c', `printf '${text}'; sleep 0.1; printf '\\244'`]);
    expect(said).toEqual(['10%', '20%', 'done', 'ä']);
  });

  it('takes with it what it leaves behind', async () => {
    const { end } = await run(['sh', '-c', '(sleep 0.5; touch late) & echo started']);
    expect(end.detail).toBe('0');
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(existsSync(join(folder, 'late'))).toBe(false);
  });

  it('may clean up before it is ended for its time', async () => {
    const { end } = await run(
      ['sh', '-c', 'trap "echo bye; echo left > left; exit 0" TERM; while :; do sleep 0.05; done'],
      0.3,
    );
    expect(end).toEqual({ kind: 'timeout', detail: '0.3', last: expect.arrayContaining(['bye']) as unknown });
    expect(readFileSync(join(folder, 'left'), 'utf8')).toBe('left\n');
  });
});

describe('the fields of an exec stage', () => {
  const config = {
    ...{ uses: 'exec' as const, command: ['p'], inputs: {}, files: [], environment: [], threads: 1 },
    outputs: { a: 'a' },
  };
  const mistakes = (changes: Partial<Parameters<typeof exec.mistakes>[0]>) =>
    exec.mistakes({ ...config, ...changes }).map(({ code, path }) => `${code} ${path.join('.')}`);

  it.each([
    [{ command: ['p', '{inputs.x}'] }, ['unknown-placeholder command.1']],
    [{ command: ['p', '{output.a}'] }, ['unknown-placeholder command.1']],
    [{ command: ['p', '--to={outputs.a}', "{print $1} {'a': 1} {x.y}"] }, []],
    [{ outputs: { a: '../a' } }, ['outside-folder outputs.a']],
    [{ outputs: { a: 'b/../../a' } }, ['outside-folder outputs.a']],
    [{ outputs: { a: '/a' } }, ['outside-folder outputs.a']],
    [{ outputs: { a: 'a/' } }, ['outside-folder outputs.a']],
    [{ outputs: { a: 'b/../a', b: './a' } }, ['taken-path outputs.b']],
    [{ outputs: { a: 'inputs/a' } }, ['taken-path outputs.a']],
    [{ files: ['a'] }, ['taken-path outputs.a']],
    [{ files: ['../b', 'sub/b', '..b'] }, ['outside-folder files.0']],
  ])('%j', (changes, expected) => expect(mistakes(changes)).toEqual(expected));
});
