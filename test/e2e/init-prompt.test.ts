/** `qpipe init` without a folder, on a real terminal, which a pseudo-terminal of Python's is. */
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { darkAndLight, writeTree } from '../cli/example-folders.ts';
import { findPty } from './pty.ts';
import { makeWorkspace, program } from './workspace.ts';

const hasPty = findPty('the question of `qpipe init`');

/** Arguments: keys to press when the question is there, then a command. Prints what the terminal got. */
const terminal = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
def read():
    global seen
    try: got = os.read(fd, 65536)
    except OSError: return False
    seen += got
    return got != b''
while b'Where are the examples?' not in seen and read(): pass
os.write(fd, sys.argv[1].encode())
while read(): pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

describe('qpipe init without a folder', () => {
  const space = makeWorkspace();
  writeTree(space.file('photos'), darkAndLight(8));
  const inTerminal = (keys: string) =>
    execa('python3', ['-c', terminal, keys, process.execPath, program, 'init'], { cwd: space.folder, reject: false });

  it('fails where nobody can answer', async () => {
    const { code, stderr } = await space.qpipe('init', '--yes');
    expect(code).toBe(64);
    expect(stderr).toMatch(/^command line error missing-folder: no folder of examples is named/);
    expect((await space.qpipe('init')).stderr).toBe(stderr);
  });

  it.skipIf(!hasPty)('asks for it in a terminal, where Ctrl-C writes nothing', async () => {
    const stopped = await inTerminal('\u0003');
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stdout).toContain('nothing was written');
    expect(existsSync(space.file('photos.yaml'))).toBe(false);
    const answered = await inTerminal('photos\r');
    expect(answered.stdout).toContain('wrote photos.yaml (source image_folder)');
    expect(answered.exitCode).toBe(0);
    expect(space.text('photos.yaml')).toContain('path: photos');
  });
});
