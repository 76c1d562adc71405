/** Which process a file of the store belongs to, and whether that process still lives. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

/** A process that can be told from all others, also from a later one with the same pid. */
export const ownerSchema = Type.Object({
  host: Type.String({ description: 'name of the machine, for people' }),
  boot: Type.String({ description: 'boot id of the kernel; the name of the machine where the kernel has none' }),
  pids: Type.String({ description: 'namespace that the pid is a number of: containers have their own' }),
  pid: Type.Integer({ minimum: 1 }),
  started: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'clock ticks from boot to the start of the process; null where /proc does not tell',
  }),
});
export type Owner = Static<typeof ownerSchema>;

/**
 * `stopped` is a process that lives and does not run, for example after SIGSTOP or Ctrl-Z. `unknown` is one on another
 * machine or in another container, or of a system without /proc, where a later process may have the same pid.
 */
export type Liveness = 'alive' | 'stopped' | 'gone' | 'unknown';

/** This process. */
export function thisOwner(): Owner {
  const host = os.hostname();
  return {
    host,
    boot: readText('/proc/sys/kernel/random/boot_id')?.trim() ?? host,
    pids: pidNamespace() ?? '',
    pid: process.pid,
    started: statOf(process.pid)?.started ?? null,
  };
}

/** What names of temporary files begin with: `<8 hex digits of the machine>-<pid>-<start>`. */
export function ownerName(owner: Owner): string {
  return `${machineOf(owner)}-${owner.pid}-${owner.started ?? 0}`;
}

/** @param self the process that asks */
export function livenessOf(owner: Owner, self: Owner): Liveness {
  return machineOf(owner) === machineOf(self) ? livenessHere(owner.pid, owner.started) : 'unknown';
}

/** The same for a file name that begins with `ownerName`; `unknown` for any other name. */
export function livenessOfName(name: string, self: Owner): Liveness {
  const [, machine, pid, started] = /^([0-9a-f]{8})-(\d+)-(\d+)(?:-|$)/.exec(name) ?? [];
  if (machine !== machineOf(self)) return 'unknown';
  return livenessHere(Number(pid), self.started === null ? null : Number(started));
}

function machineOf({ boot, pids }: Owner): string {
  return createHash('sha256').update(`${boot}\n${pids}`).digest('hex').slice(0, 8);
}

function livenessHere(pid: number, started: number | null): Liveness {
  const stat = statOf(pid);
  // Without /proc, and where it hides the processes of others, only a pid that is not in use proves something.
  if (stat === null) return isPidInUse(pid) ? 'unknown' : 'gone';
  if (started === null) return 'unknown';
  // A zombie has ended; only its parent has not yet asked how.
  if (stat.started !== started || stat.state === 'Z' || stat.state === 'X') return 'gone';
  return stat.state === 'T' || stat.state === 't' ? 'stopped' : 'alive';
}

/** Fields 3 and 22 of /proc/<pid>/stat; see proc_pid_stat(5). */
function statOf(pid: number): { readonly state: string; readonly started: number } | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name of the program, field 2, may hold blanks and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], Number(fields[19])];
  return state === undefined || !Number.isInteger(started) ? null : { state, started };
}

function isPidInUse(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function pidNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
