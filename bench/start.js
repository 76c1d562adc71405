/**
 * `npm run bench:start`: how long the command line takes to start, beside `node -e 0`. Every number is from processes of
 * their own, and all commands run once in each round. Then what the runner takes for a stage. Arguments: rounds, and the
 * pipeline to run.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { measureStages } from './stages.js';
import { median } from './statistics.js';

const rounds = Number(process.argv[2] ?? 20);
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(os.tmpdir(), 'qpipe-start-'));
const pipeline = join(root, process.argv[3] ?? 'pipelines/quickstart.yaml');
const qpipe = join(root, 'bin/qpipe.js');
const stored = ['--runs', join(folder, 'runs'), '--store', join(folder, 'store')];
/** @type {Readonly<Record<string, readonly string[]>>} */
const commands = {
  'node -e 0': ['-e', '0'],
  'qpipe --version': [qpipe, '--version'],
  'qpipe --help': [qpipe, '--help'],
  'qpipe validate': [qpipe, 'validate', pipeline],
  'qpipe run, all stages stored': [qpipe, 'run', pipeline, ...stored],
};
const trivial = 1000;

/** @type {(args: readonly string[]) => number} */
function milliseconds(args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${stderr}`);
  return performance.now() - start;
}

try {
  milliseconds([qpipe, 'run', pipeline, ...stored]);
  /** @type {Record<string, number>[]} */
  const times = [];
  for (let round = 0; round < rounds; round++) {
    times.push(Object.fromEntries(Object.entries(commands).map(([name, args]) => [name, milliseconds(args)])));
  }
  console.log(`${os.cpus()[0]?.model.trim()}, Node ${process.version}, ${rounds} rounds; medians, ratios by round`);
  for (const name of Object.keys(commands)) {
    const own = times.map((round) => round[name] ?? NaN);
    const ratios = times.map((round) => (round[name] ?? NaN) / (round['node -e 0'] ?? NaN));
    console.log(
      `${name.padEnd(30)} ${median(own).toFixed(0).padStart(5)} ms ${median(ratios).toFixed(2).padStart(6)} x`,
    );
  }
  const { cold, stored: again } = await measureStages(trivial);
  console.log(
    `${trivial} stages of one line: ${(cold / trivial).toFixed(1)} ms each, stored ${again.toFixed(0)} ms in all`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
