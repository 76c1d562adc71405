/** A program that runs beside this process, with whatever it starts, until it ends, is too slow, or nobody waits for it. */
import type { ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { findProgram } from '../core/programs.ts';

export interface Command {
  /** The program and its arguments. */
  readonly line: readonly string[];
  readonly folder: string;
  /** All that it finds in its environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** Seconds; null for none. */
  readonly timeout: number | null;
  readonly signal: AbortSignal;
  /** Gets its output line by line, of a flood only the beginning and the end. */
  readonly say: (line: string) => void;
}

export interface CommandEnd {
  /** `refused`: the operating system could not start it. */
  readonly kind: 'status' | 'signal' | 'timeout' | 'refused';
  /** What to say of it: a number, the name of a signal, or the reason. */
  readonly detail: string;
  /** Its last lines. */
  readonly last: readonly string[];
}

/** From the request to end until the end by force, in milliseconds. */
const grace = 5000;

/**
 * Runs a program in a process group of its own, which ends with it: whatever it leaves behind is ended as well. When this
 * process is killed, a watcher ends the group.
 *
 * @throws the reason of `signal`, as soon as the group has ended
 */
export async function runCommand({ line, folder, variables, timeout, signal, say }: Command): Promise<CommandEnd> {
  signal.throwIfAborted();
  const [program = ''] = line;
  const refused = (detail: string): CommandEnd => ({ kind: 'refused', detail, last: [] });
  const path = program.includes('/') ? resolve(folder, program) : program;
  if (findProgram(path, variables) === null) return refused('there is no such program (ENOENT)');
  const watcher = startWatcher();
  const child = execa('/bin/sh', ['-c', waiting, 'sh', ...line], {
    ...{ cwd: folder, env: variables, extendEnv: false, stdin: 'pipe', buffer: false, reject: false, detached: true },
  });
  const log = outputLog(say);
  for (const stream of [child.stdout, child.stderr]) log.follow(stream);
  child.stdin.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) {
    watcher.dismiss();
    const { shortMessage } = await child;
    return refused(shortMessage ?? 'it could not be started');
  }
  const late = new AbortController();
  const stop = (): void => void signalGroup(pid, 'SIGTERM');
  const force = (): void => void signalGroup(pid, 'SIGKILL');
  const timers: NodeJS.Timeout[] = [];
  const end = (): void => {
    stop();
    timers.push(setTimeout(force, grace));
  };
  if (timeout !== null) {
    timers.push(
      setTimeout(() => {
        late.abort();
        end();
      }, timeout * 1000),
    );
  }
  signal.addEventListener('abort', end);
  const exit = exitOf(child);
  try {
    await watcher.watch(pid);
    child.stdin.end('go\n');
    const [exitCode, exitSignal] = await exit;
    await endGroup(pid);
    // A process that left the group may hold the output open.
    await Promise.race([child, sleep(1000, undefined, { ref: false })]);
    log.finish();
    signal.throwIfAborted();
    const last = log.last();
    if (late.signal.aborted) return { kind: 'timeout', detail: String(timeout), last };
    if (exitSignal !== null) return { kind: 'signal', detail: exitSignal, last };
    return { kind: 'status', detail: String(exitCode), last };
  } finally {
    signal.removeEventListener('abort', end);
    for (const timer of timers) clearTimeout(timer);
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
    watcher.dismiss();
  }
}

function exitOf(child: Pick<ChildProcess, 'once'>): Promise<readonly [number | null, NodeJS.Signals | null]> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
}

/** Asks what is left of the group to end, waits for it, and ends it by force. */
async function endGroup(pid: number): Promise<void> {
  const interval = 20;
  for (let waited = 0; waited < grace && signalGroup(pid, 'SIGTERM'); waited += interval) await sleep(interval);
  signalGroup(pid, 'SIGKILL');
}

/** @returns whether there was anybody to get the signal */
function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/**
 * What a shell does until the watcher knows its process group; then it becomes the program. When we are killed before, it
 * reads nothing and ends.
 */
const waiting = 'read -r go && exec "$@" </dev/null';

/** What a shell does that reads a process group from us, and then until we are done, or gone. */
const watching = `read -r group || exit; read -r end && exit; kill -s TERM -- "-$group"; sleep ${grace / 1000}; kill -s KILL -- "-$group"`;

interface Watcher {
  /** Ends the process group of this process when we are gone; resolves once it will. */
  readonly watch: (pid: number) => Promise<void>;
  readonly dismiss: () => void;
}

function startWatcher(): Watcher {
  const { stdin } = execa('/bin/sh', ['-c', watching], {
    ...{ stdin: 'pipe', stdout: 'ignore', stderr: 'ignore', reject: false, detached: true, cleanup: false },
  });
  stdin.on('error', () => undefined);
  let isWatching = false;
  return {
    watch(pid) {
      isWatching = true;
      return new Promise((done) => stdin.write(`${pid}\n`, () => done()));
    },
    // Without a group, it ends as it finds the end of what it reads.
    dismiss: () => void stdin.end(isWatching ? 'done\n' : undefined),
  };
}

const longestLine = 1000;
const firstLines = 1000;
const lastLines = 20;

/** Takes the output of a program apart into lines, and keeps little of a flood: the rest is counted. */
function outputLog(say: (line: string) => void) {
  let count = 0;
  const last: string[] = [];
  const partial: LineCutter[] = [];
  const take = (line: string): void => {
    const text = stripVTControlCharacters(line).trimEnd();
    if (text === '') return;
    count++;
    last.push(text);
    if (last.length > lastLines) last.shift();
    if (count <= firstLines) say(text);
  };
  return {
    follow(stream: Readable): void {
      const cutter = lineCutter(take);
      partial.push(cutter);
      const decoder = new TextDecoder();
      stream.on('data', (bytes: Uint8Array) => cutter.add(decoder.decode(bytes, { stream: true })));
      stream.on('error', () => undefined);
    },
    finish(): void {
      for (const cutter of partial) cutter.end();
      const left = count - firstLines;
      if (left <= 0) return;
      const shown = last.slice(-Math.min(left, lastLines));
      if (left > shown.length) say(`… ${left - shown.length} lines are left out …`);
      shown.forEach(say);
    },
    last: (): readonly string[] => last.slice(-3),
  };
}

interface LineCutter {
  readonly add: (text: string) => void;
  readonly end: () => void;
}

/** Holds one line at most, and of a long one the beginning. */
function lineCutter(take: (line: string) => void): LineCutter {
  let held = '';
  let length = 0;
  const end = (): void => {
    const cut = length - held.length;
    take(cut > 0 ? `${held} … (${cut} more characters)` : held);
    held = '';
    length = 0;
  };
  return {
    add(text) {
      // Progress bars go back to the beginning of their line.
      for (const [index, part] of text.split(/\r\n|\n|\r/).entries()) {
        if (index > 0) end();
        held += part.slice(0, longestLine - held.length);
        length += part.length;
      }
    },
    end,
  };
}
