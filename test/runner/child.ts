/** Other processes for tests of what processes do to each other. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

export type Child = ChildProcessByStdio<null, Readable, null>;

/**
 * A program beside the tests, compiled with all that it imports before they begin. Its processes end with the tests of
 * the file.
 *
 * @returns a function that starts it
 */
export function childProgram(name: string): (...args: string[]) => Child {
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-child-'));
  const outfile = join(folder, 'program.mjs');
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  const children: Child[] = [];
  beforeAll(async () => {
    await build({
      entryPoints: [join(import.meta.dirname, name)],
      ...{ outfile, banner, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' },
    });
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return (...args) => {
    const child = spawn(process.execPath, [outfile, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
}

/** The next text that it writes. */
export async function said(child: Child): Promise<string> {
  const [text] = (await once(child.stdout, 'data')) as [Buffer]; // a stream of bytes
  return text.toString();
}

export async function ended(child: Child): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
