// Builds dist/: AssemblyScript kernels -> .wasm, TypeScript -> JavaScript and types, then the stage manifest
// (digest of each stage's numeric code, part of every cache key) and the `qpipe` link that `npx qpipe` finds.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import { build, transform } from 'esbuild';
import { writeCodeCache } from './code-cache.js';
import { sourceDigest, sourceDigestFile } from './source-digest.js';
import { writeStageManifest } from './stage-manifest.js';
import { standaloneCheck, writeStandaloneCheck } from './standalone-check.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (file, ...args) =>
  execFileSync(process.execPath, [join(root, 'node_modules', file), ...args], { cwd: root, stdio: 'inherit' });

/** AssemblyScript kernels to one .wasm file beside them. */
const assemble = (folder, file) =>
  run(
    'assemblyscript/bin/asc.js',
    `${folder}/assembly/index.ts`,
    ...['--outFile', `${folder}/${file}`, '-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--sharedMemory'],
    // The memory is sized by the plan; these are only the limits that an importer must stay within.
    ...['--initialMemory', '1', '--maximumMemory', '65536', '--enable', 'simd,threads'],
  );

/** What we did not write gets short names: less to read at each start. Our own names stay, for stack traces. */
const minifiedPackages = {
  name: 'minified-packages',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$|\.standalone\.js$/ }, async ({ path }) => ({
      contents: (await transform(readFileSync(path, 'utf8'), { minify: true, platform: 'node' })).code,
    }));
  },
};

/** Packages that are read when they are first needed, and that look for files of their own beside themselves. */
const packagesAtRunTime = ['@litertjs/core'];

/** A script cannot import packages by name; the loader of the command line gives it a function that does. */
const importedPackages = {
  name: 'imported-packages',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/]interpreter[\\/].*\.js$/ }, ({ path }) => ({
      contents: packagesAtRunTime.reduce(
        (text, name) => text.replaceAll(`import('${name}')`, `importPackage('${name}')`),
        readFileSync(path, 'utf8'),
      ),
    }));
  },
};

// Of the sources as they are now; it is written when all is built from them.
const builtFrom = sourceDigest(root);
rmSync(join(root, sourceDigestFile), { force: true });

const engine = 'src/engine/wasm';
const interpreter = 'src/interpreter/wasm';
assemble(engine, 'kernels.wasm');
assemble(interpreter, 'integer.wasm');
run('typescript/bin/tsc', '-p', 'tsconfig.json');
// Threads that run more than WebAssembly: one file, with its packages inside, starts faster than the many that hold their
// code, and is found or not found as a whole.
for (const folder of ['interpreter/wasm', 'data/decoding', 'data/ahead', 'importers/keras']) {
  await build({
    absWorkingDir: root,
    entryPoints: [`dist/${folder}/worker.js`],
    outfile: `dist/${folder}/worker.bundle.js`,
    // Optional, and large.
    external: ['h5wasm'],
    ...{ bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' },
  });
}
for (const file of [`${engine}/kernels.wasm`, `${interpreter}/integer.wasm`])
  cpSync(join(root, file), join(root, file.replace(/^src/, 'dist')));
// One file of a package: wherever the package would be installed, the code finds its copy in dist.
cpSync(join(root, 'node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm'), join(root, 'dist/formats/jpeg-turbo.wasm'));
mkdirSync(join(root, 'dist/report'), { recursive: true });
const uplot = (file) => readFileSync(join(root, 'node_modules/uplot', file), 'utf8');
// Reports hold a copy, so they hold its licence; the comment at its start has an address, which no report needs.
const uplotScript = uplot('dist/uPlot.iife.min.js').replace(/^\/\*![^]*?\*\/\s*/, '');
writeFileSync(join(root, 'dist/report/uplot.js'), `/* uPlot\n${uplot('LICENSE')}*/\n${uplotScript}`);
cpSync(join(root, 'node_modules/uplot/dist/uPlot.min.css'), join(root, 'dist/report/uplot.css'));
await writeStageManifest(root);
await writeStandaloneCheck(root);
// The command line as one script with its packages inside: many small files take longer to find than to run, and the
// compiled code of one can be kept. LiteRT looks for its own files beside itself, so it stays a package.
rmSync(join(root, 'dist/bundle'), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ['dist/cli/main.js'],
  outfile: 'dist/bundle/qpipe.cjs',
  ...{ bundle: true, platform: 'node', format: 'cjs', minifySyntax: true, logLevel: 'warning' },
  plugins: [standaloneCheck(root), minifiedPackages, importedPackages],
  define: { 'import.meta.url': 'bundleUrl' },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
});
// In ASCII, as the loader reads it: a text of one byte a character is there in a fraction of the time. What esbuild leaves
// are characters of regular expressions and templates.
const bundle = join(root, 'dist/bundle/qpipe.cjs');
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
writeFileSync(bundle, readFileSync(bundle, 'utf8').replaceAll(/[\u0080-\uffff]/g, escaped));
writeCodeCache(root);

// npm 11 answers `npx qpipe` inside the package's own checkout only from node_modules/.bin (docs/decisions/0002).
const link = join(root, 'node_modules/.bin/qpipe');
if (process.platform !== 'win32' && existsSync(dirname(link))) {
  rmSync(link, { force: true });
  symlinkSync('../../bin/qpipe.js', link);
}

writeFileSync(join(root, sourceDigestFile), builtFrom);
