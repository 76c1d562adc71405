// Builds dist/: AssemblyScript kernels -> kernels.wasm, TypeScript -> JavaScript and types, then the stage manifest
// (digest of each stage's numeric code, part of every cache key) and the `qpipe` link that `npx qpipe` finds.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { writeStageManifest } from './stage-manifest.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const run = (file, ...args) =>
  execFileSync(process.execPath, [path.join(root, 'node_modules', file), ...args], { cwd: root, stdio: 'inherit' });

const wasm = 'src/engine/wasm/kernels.wasm';
run(
  'assemblyscript/bin/asc.js',
  'src/engine/wasm/assembly/index.ts',
  ...['--outFile', wasm, '-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--sharedMemory'],
  // The memory is sized by the plan; these are only the limits that an importer must stay within.
  ...['--initialMemory', '1', '--maximumMemory', '65536', '--enable', 'simd,threads'],
);
run('typescript/bin/tsc', '-p', 'tsconfig.json');
mkdirSync(path.join(root, 'dist/engine/wasm'), { recursive: true });
cpSync(path.join(root, wasm), path.join(root, 'dist/engine/wasm/kernels.wasm'));
await writeStageManifest(root);

// npm 11 answers `npx qpipe` inside the package's own checkout only from node_modules/.bin (docs/decisions/0002).
const link = path.join(root, 'node_modules/.bin/qpipe');
if (process.platform !== 'win32' && existsSync(path.dirname(link))) {
  rmSync(link, { force: true });
  symlinkSync('../../bin/qpipe.js', link);
}
