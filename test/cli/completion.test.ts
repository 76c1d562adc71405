/** The scripts of `qpipe completion`, in the shells themselves. */
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.ts';
import { completionScript, shells } from '../../src/cli/completion.ts';

const program = new Command('qpipe').version('1', '--version');
for (const add of commands) add(program, () => undefined);

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;

/** What bash offers behind words, of which the last is being typed. */
function offered(...words: readonly string[]): string[] {
  const script = [
    completionScript('bash', program),
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qpipe; printf "%s\\n" "${COMPREPLY[@]}"',
  ].join('\n');
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', 'qpipe', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe.skipIf(!has('bash'))('in bash, Tab offers', () => {
  it('the commands, those that begin with what is typed', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['run', 'status', 'why', 'gc', 'completion']));
    expect(offered('sta')).toEqual(['status']);
    expect(offered('--v')).toEqual(['--version']);
  });

  it('the options of the command, and of a command of a command', () => {
    expect(offered('run', '--ke')).toEqual(['--keep-going']);
    expect(offered('run', 'lenet.yaml', '--no-')).toEqual(['--no-cache', '--no-wait']);
    expect(offered('engine', 'ins')).toEqual(['install']);
    expect(offered('status', '--keep')).toEqual([]);
  });

  it('the values of an option or an argument where there are few', () => {
    expect(offered('graph', '--level', '')).toEqual(['float', 'qat', 'eval', 'int8']);
    expect(offered('completion', 'b')).toEqual(['bash']);
  });

  it('nothing for a file, so that bash offers the files', () => {
    expect(offered('run', '--runs', '')).toEqual([]);
    expect(offered('validate', 'len')).toEqual([]);
  });
});

describe.each(shells)('the script for %s', (shell) => {
  it.skipIf(!has(shell))('has no mistake of syntax', () => {
    const { status, stderr } = spawnSync(shell, ['-n', '-c', completionScript(shell, program)], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe.skipIf(!has('fish'))('in fish, Tab offers', () => {
  it.each([
    ['qpipe sta', ['status']],
    ['qpipe graph --level ', ['eval', 'float', 'int8', 'qat']],
    ['qpipe run --keep', ['--keep-going']],
  ])('behind `%s`', (line, words) => {
    const script = `${completionScript('fish', program)}\ncomplete -C ${JSON.stringify(line)}`;
    const { stdout } = spawnSync('fish', ['-c', script], { encoding: 'utf8' });
    expect(stdout.split('\n').flatMap((each) => (each === '' ? [] : [each.split('\t')[0]]))).toEqual(words);
  });
});
