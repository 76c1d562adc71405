/** Ctrl-C on a real terminal, which a pseudo-terminal of Python's is. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { findPty } from '../e2e/pty.ts';
import { makeWorkspace, program } from '../e2e/workspace.ts';

const hasPty = findPty('tests of Ctrl-C on a terminal');

/**
 * Arguments: milliseconds between the keys, their number, then a command. Prints what the terminal got. It waits for an
 * epoch behind the first to be drawn, so that the stage is under way; a busy machine may leave out the second. It exits as a shell does: with 128 and its number after a
 * signal, which the last key may be when the run has just ended in order.
 */
const terminal = `
import os, pty, re, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[3], sys.argv[3:])
seen = b''
def read():
    global seen
    try: got = os.read(fd, 65536)
    except OSError: return False
    seen += got
    return got != b''
while not re.search(rb'epoch ([2-9]|[1-9][0-9]+)/', seen) and read(): pass
for _ in range(int(sys.argv[2])):
    os.write(fd, b'\\x03')
    time.sleep(float(sys.argv[1]) / 1000)
while read(): pass
sys.stdout.buffer.write(seen)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
`;

const [hidden, shown] = ['\u001b[?25l', '\u001b[?25h'];

describe.skipIf(!hasPty)('Ctrl-C on a terminal', () => {
  it.each([
    ['once', '0', '1'],
    ['twice at once', '0', '2'],
    ['twice within 5 ms', '5', '2'],
    ['three times within 20 ms', '8', '3'],
    ['twice within 100 ms', '90', '2'],
  ])('%s: the cursor is shown again, and the run says how it ended', (_title, milliseconds, keys) => {
    const space = makeWorkspace();
    const run = [process.execPath, program, 'run', 'tiny.yaml', '--set', 'stages.pretrain.epochs=100000'];
    const options = { cwd: space.folder, encoding: 'utf8', timeout: 120_000 } as const;
    const { status, stdout } = spawnSync('python3', ['-c', terminal, milliseconds, keys, ...run], options);
    expect(stdout).toContain(hidden);
    expect(stdout.lastIndexOf(shown)).toBeGreaterThan(stdout.lastIndexOf(hidden));
    expect(stdout).not.toMatch(/^\s+at /m);
    expect(status).toBe(130);
    expect(space.json('runs/latest/run.json')).toMatchObject({ status: 'interrupted', stages: [] });
  });
});
