/** A terminal that a test can read: xterm's emulator, fed by the view itself or by what a program wrote to a pty. */
import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import xterm from '@xterm/headless';

export interface Screen {
  /** For the view under test. */
  readonly terminal: EventEmitter & { columns: number; rows: number; write(text: string): boolean };
  /** As a window manager does: the text is broken anew, then the program hears of it. */
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** What is to be seen, and what was scrolled away, without empty lines at the end. */
  readonly read: () => Promise<ScreenText>;
}

export interface ScreenText {
  readonly lines: readonly string[];
  /** Lines that the terminal had to break. */
  readonly broken: readonly string[];
  /** Lines that have left the screen at its top. */
  readonly scrolled: number;
  /** Whether a cell of the line has a colour. */
  readonly isColored: (line: number) => boolean;
}

export function openScreen(columns: number, rows: number): Screen {
  const emulator = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
  let written: Promise<void> = Promise.resolve();
  const write = (text: string): boolean => {
    written = written.then(() => new Promise<void>((done) => emulator.write(text, done)));
    return true;
  };
  const terminal = Object.assign(new EventEmitter(), {
    ...{ columns, rows },
    // What the driver of a terminal does to a line feed.
    write: (text: string) => write(text.replaceAll('\n', '\r\n')),
  });
  return {
    terminal,
    async resize(newColumns, newRows) {
      await written;
      emulator.resize(newColumns, newRows);
      Object.assign(terminal, { columns: newColumns, rows: newRows });
      terminal.emit('resize');
      await written;
    },
    async read() {
      await written;
      return readBuffer(emulator.buffer.active);
    },
  };
}

function readBuffer(buffer: xterm.IBuffer): ScreenText {
  const all = Array.from({ length: buffer.length }, (_, index) => buffer.getLine(index));
  const lines = all.map((line) => line?.translateToString(true) ?? '');
  const end = lines.findLastIndex((line) => line !== '') + 1;
  return {
    lines: lines.slice(0, end),
    broken: all.flatMap((line) => (line?.isWrapped === true ? [line.translateToString(true)] : [])),
    scrolled: buffer.baseY,
    isColored(index) {
      const line = buffer.getLine(index);
      return Array.from({ length: line?.length ?? 0 }, (_, column) => line?.getCell(column)).some(
        (cell) => cell !== undefined && (!cell.isFgDefault() || cell.isDim() !== 0),
      );
    },
  };
}

/** Arguments: columns, rows, then the command. Prints what the terminal got. */
const pty = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', int(sys.argv[2]), int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
while True:
    try: got = os.read(fd, 65536)
    except OSError: break
    if got == b'': break
    sys.stdout.buffer.write(got)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Runs a command on a terminal of that size; the screen is as it is behind the command. */
export async function onTerminal(
  size: { readonly columns: number; readonly rows: number },
  command: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<ScreenText & { readonly status: number | null; readonly bytes: string }> {
  const { NO_COLOR: _none, ...inherited } = process.env;
  const { status, stdout } = spawnSync('python3', ['-c', pty, String(size.columns), String(size.rows), ...command], {
    ...{ cwd: options.cwd, encoding: 'utf8', timeout: 60_000 },
    env: { ...inherited, TERM: 'xterm-256color', ...options.env },
  });
  const emulator = new xterm.Terminal({
    cols: size.columns,
    rows: size.rows,
    scrollback: 10_000,
    allowProposedApi: true,
  });
  await new Promise<void>((done) => emulator.write(stdout, done));
  return { ...readBuffer(emulator.buffer.active), status, bytes: stdout };
}
