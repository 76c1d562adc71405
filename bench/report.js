/**
 * `npm run bench:report`: how long `qpipe report RUN` takes, from the files of a run to its `report.html`, beside
 * `node -e 0`. Every number is from processes of their own, and both run once in each round. Arguments: rounds, and the
 * folder of a run; without one, the quickstart is run here and tested on 10,000 examples. The folder stays as it is.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { median } from './statistics.js';

const rounds = Number(process.argv[2] ?? 10);
const given = process.argv[3];
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(os.tmpdir(), 'qpipe-report-'));
const qpipe = join(root, 'bin/qpipe.js');

/**
 * Runs a command of Node's to its end.
 *
 * @param {readonly string[]} args
 * @returns {number} milliseconds
 */
function milliseconds(args) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${stdout}${stderr}`);
  return performance.now() - start;
}

/** @returns {string} the folder of a run that may be written to */
function prepare() {
  const run = join(folder, 'run');
  if (given === undefined) {
    const folders = ['--runs', join(folder, 'runs'), '--store', join(folder, 'store')];
    milliseconds([qpipe, 'run', join(root, 'pipelines/quickstart.yaml'), '--set', 'data.test=10000', ...folders]);
  }
  cpSync(realpathSync(given ?? join(folder, 'runs/latest')), run, { recursive: true });
  return run;
}

try {
  const run = prepare();
  const commands = {
    'node -e 0': ['-e', '0'],
    'qpipe --version': [qpipe, '--version'],
    'qpipe report': [qpipe, 'report', run],
  };
  milliseconds(commands['qpipe report']);
  const times = Array.from({ length: rounds }, () => ({
    'node -e 0': milliseconds(commands['node -e 0']),
    'qpipe --version': milliseconds(commands['qpipe --version']),
    'qpipe report': milliseconds(commands['qpipe report']),
  }));
  /** @type {{ readonly run: { readonly pipeline: string }, readonly tests: readonly { readonly metrics: { readonly n: number } }[] }} */
  const report = JSON.parse(readFileSync(join(run, 'report.json'), 'utf8'));
  const examples = report.tests.map(({ metrics }) => metrics.n).join(', ');
  const size = (statSync(join(run, 'report.html')).size / 1e3).toFixed(0);
  console.log(`${os.cpus()[0]?.model.trim()}, Node ${process.version}, ${rounds} rounds; medians, ratios by round`);
  console.log(`${report.run.pipeline}, tested on ${examples} examples: report.html has ${size} kB`);
  for (const name of /** @type {const} */ (['node -e 0', 'qpipe --version', 'qpipe report'])) {
    const own = median(times.map((round) => round[name]));
    const ratio = median(times.map((round) => round[name] / round['node -e 0']));
    const slowest = Math.max(...times.map((round) => round[name]));
    console.log(
      `${name.padEnd(16)} ${own.toFixed(0).padStart(5)} ms ${ratio.toFixed(2).padStart(6)} x, at most ${slowest.toFixed(0)} ms`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
