/** Colours are for terminals, and not for those whose user has said NO_COLOR (no-color.org). */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { findPty } from './pty.ts';
import { makeWorkspace, program } from './workspace.ts';

const hasPty = findPty('tests of colours');

/** Runs a command on a pseudo-terminal and prints what that got. */
const terminal = 'import pty, sys; pty.spawn(sys.argv[1:])';

const color = /\u001b\[[0-9;]*m/;

const commands = [
  ['run', 'tiny.yaml'],
  ['ls'],
  ['status'],
  ['logs'],
  ['report', 'runs/latest'],
  ['compare', 'runs/latest', 'runs/latest'],
  ['doctor'],
  ['data', 'tiny.yaml'],
];

describe('colours', () => {
  const space = makeWorkspace();
  const inTerminal = async (args: readonly string[], env: Readonly<Record<string, string>>) =>
    (
      await execa('python3', ['-c', terminal, process.execPath, program, ...args], {
        cwd: space.folder,
        env,
        reject: false,
      })
    ).stdout;

  it.skipIf(!hasPty)('are in no output with NO_COLOR, nor without a terminal', async () => {
    for (const args of commands) {
      const colored = await inTerminal(args, { NO_COLOR: '1', TERM: 'xterm' });
      expect(color.test(colored), args.join(' ')).toBe(false);
      const { stdout, stderr } = await space.qpipe(...args);
      expect(color.test(stdout + stderr), args.join(' ')).toBe(false);
    }
    // A terminal gets them without it.
    expect(color.test(await inTerminal(['ls'], { TERM: 'xterm' }))).toBe(true);
  });
});
