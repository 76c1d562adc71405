// Builds dist/: AssemblyScript kernels -> .wasm, TypeScript -> JavaScript and types, then the stage manifest
// (digest of each stage's numeric code, part of every cache key) and the `qpipe` link that `npx qpipe` finds.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { build } from 'esbuild';
import { writeStageManifest } from './stage-manifest.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const run = (file, ...args) =>
  execFileSync(process.execPath, [path.join(root, 'node_modules', file), ...args], { cwd: root, stdio: 'inherit' });

/** AssemblyScript kernels to one .wasm file beside them. */
const assemble = (folder, file) =>
  run(
    'assemblyscript/bin/asc.js',
    `${folder}/assembly/index.ts`,
    ...['--outFile', `${folder}/${file}`, '-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--sharedMemory'],
    // The memory is sized by the plan; these are only the limits that an importer must stay within.
    ...['--initialMemory', '1', '--maximumMemory', '65536', '--enable', 'simd,threads'],
  );

const engine = 'src/engine/wasm';
const interpreter = 'src/interpreter/wasm';
assemble(engine, 'kernels.wasm');
assemble(interpreter, 'integer.wasm');
// The interpreter's threads run the ops' own loops too; Node 20 starts no TypeScript, so they get one plain file.
await build({
  absWorkingDir: root,
  entryPoints: [`${interpreter}/worker.ts`],
  outfile: `${interpreter}/worker.bundle.js`,
  ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'warning' },
});
run('typescript/bin/tsc', '-p', 'tsconfig.json');
const built = [`${engine}/kernels.wasm`, `${interpreter}/integer.wasm`, `${interpreter}/worker.bundle.js`];
for (const file of built) cpSync(path.join(root, file), path.join(root, file.replace(/^src/, 'dist')));
await writeStageManifest(root);

// npm 11 answers `npx qpipe` inside the package's own checkout only from node_modules/.bin (docs/decisions/0002).
const link = path.join(root, 'node_modules/.bin/qpipe');
if (process.platform !== 'win32' && existsSync(path.dirname(link))) {
  rmSync(link, { force: true });
  symlinkSync('../../bin/qpipe.js', link);
}
