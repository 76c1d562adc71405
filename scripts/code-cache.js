// Writes the compiled code of the command line beside it, as it is after a run whose stages are all stored: what such a
// run needs is compiled, and the rest is compiled when it is first called.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { codeCache, runBundle } from '../bin/bundle.js';

/** The pipeline of the README on a few images. */
const settings = [
  ...['data.train=96', 'data.test=16', 'data.validation=16', 'stages.pretrain.epochs=1', 'stages.qat.epochs=1'],
  ...['stages.pretrain.batch=16', 'stages.qat.batch=16', 'stages.qat.delay=0', 'stages.test.litert=off'],
];

/** @param {string} root of the repository, whose bundle is there */
export function writeCodeCache(root) {
  const folder = mkdtempSync(join(os.tmpdir(), 'qpipe-warm-up-'));
  try {
    const pipeline = join(root, 'pipelines/quickstart.yaml');
    const options = settings.flatMap((setting) => ['--set', setting]);
    for (const _ of ['stages run', 'stages stored']) {
      const { status, stderr } = spawnSync(process.execPath, [import.meta.filename, 'run', pipeline, ...options], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, QPIPE_HOME: folder },
      });
      // 2: a gate is not met.
      if (status !== 0 && status !== 2) throw new Error(`the command line of ${root} does not run: ${stderr}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  // The second run adds to what the first has compiled.
  const script = runBundle(existsSync(codeCache) ? { cachedData: readFileSync(codeCache) } : {});
  process.on('exit', () => writeFileSync(codeCache, script.createCachedData()));
}
