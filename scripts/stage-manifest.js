// Writes dist/stage-manifest.json: for each stage kind a digest of the code that computes its numbers, so that a
// changed kernel trains again and a changed progress bar does not.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

/** @param {string} root of the repository */
export async function writeStageManifest(root) {
  const { stages } = await import(path.join(root, 'dist/stages/index.js'));
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const kernels = readFileSync(path.join(root, 'src/engine/wasm/kernels.wasm'));
  const integerKernels = readFileSync(path.join(root, 'src/interpreter/wasm/integer.wasm'));
  const manifest = {};
  for (const kind of Object.keys(stages).sort()) {
    const { outputFiles, metafile } = await build({
      entryPoints: [path.join(root, 'src/stages', `${kind}.ts`)],
      absWorkingDir: root,
      bundle: true,
      format: 'esm',
      platform: 'node',
      // Packages stay outside; their versions enter below. Comments and spaces do not count.
      packages: 'external',
      minifyWhitespace: true,
      legalComments: 'none',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    const hash = createHash('sha256').update(outputFiles[0].contents);
    const externals = new Set(
      Object.values(metafile.inputs).flatMap((input) => input.imports.filter((i) => i.external).map((i) => i.path)),
    );
    for (const name of [...externals].filter((name) => !name.startsWith('node:')).sort()) {
      const segments = name.split('/').slice(0, name.startsWith('@') ? 2 : 1);
      const installed = lock.packages[`node_modules/${segments.join('/')}`];
      hash.update(`\n${segments.join('/')}@${installed?.version}+${installed?.integrity}`);
    }
    // The integer kernels are read at run time, so the bundle does not hold them.
    if ('src/interpreter/wasm/index.ts' in metafile.inputs) hash.update(integerKernels);
    // The engine is handed to the stage, so its code is added to every stage that may use it.
    if (stages[kind].uses.includes('engine')) hash.update(kernels).update(engineSources(root));
    manifest[kind] = `sha256:${hash.digest('hex')}`;
  }
  writeFileSync(path.join(root, 'dist/stage-manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The compiled planner and threads: comments are gone from them. */
function engineSources(root) {
  const folder = path.join(root, 'dist/engine');
  const hash = createHash('sha256');
  for (const file of readdirSync(folder, { recursive: true }).map(String).sort()) {
    if (file.endsWith('.js')) hash.update(file).update(readFileSync(path.join(folder, file)));
  }
  return hash.digest();
}
