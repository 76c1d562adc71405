import { spawnSync } from 'node:child_process';

/** Whether there are pseudo-terminals, which are Python's. @param tests that are skipped without, for the line that says so */
export function findPty(tests: string): boolean {
  const found = spawnSync('python3', ['-c', 'import pty; pty.openpty()']).status === 0;
  if (!found) console.warn(`skipped: ${tests} (python3 with its module pty is not installed)`);
  return found;
}
