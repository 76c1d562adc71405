// Writes dist/stage-manifest.json: for each stage kind and each engine a digest of the code that computes its numbers,
// so that a changed kernel trains again and a changed progress bar does not.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { build } from 'esbuild';

/** @param {string} root of the repository */
export async function writeStageManifest(root) {
  const { stages } = await import(join(root, 'dist/stages/index.js'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const kernels = readFileSync(join(root, 'src/engine/wasm/kernels.wasm'));
  const integerKernels = readFileSync(join(root, 'src/interpreter/wasm/integer.wasm'));
  const digests = {};
  for (const kind of Object.keys(stages).sort()) {
    const { outputFiles, metafile } = await build({
      entryPoints: [join(root, 'src/stages', `${kind}.ts`)],
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
    digests[kind] = `sha256:${hash.digest('hex')}`;
  }
  // The engine is handed to a stage, which may run on any, so its code has a digest of its own.
  const { engineNames } = await import(join(root, 'dist/engine/engine.js'));
  const engines = Object.fromEntries(engineNames.map((name) => [name, engineDigest(root, name, kernels)]));
  const manifest = { stages: digests, engines };
  writeFileSync(join(root, 'dist/stage-manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The compiled code of an engine, from which comments are gone: its own folder or file, and what all share. */
function engineDigest(root, name, kernels) {
  const folder = join(root, 'dist/engine');
  const hash = createHash('sha256');
  const shared = ['engine.js', 'replicas.js'];
  for (const file of readdirSync(folder, { recursive: true }).map(String).sort()) {
    const isOwn = file === `${name}.js` || file.startsWith(`${name}${sep}`);
    if (!file.endsWith('.js') || !(isOwn || shared.includes(file))) continue;
    hash.update(file).update(readFileSync(join(folder, file)));
  }
  if (name === 'wasm') hash.update(kernels);
  return `sha256:${hash.digest('hex')}`;
}
