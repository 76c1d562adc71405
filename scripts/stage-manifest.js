// Writes dist/stage-manifest.json: for each stage kind, each engine and the reading of data a digest of the code that
// computes its numbers, so that a changed kernel trains again and a changed progress bar does not.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { fieldsRead, numericSource } from './numeric-source.js';

const stageExports = {
  import: 'importModel',
  'float-pretrain': 'floatPretrain',
  ptq: 'ptq',
  qat: 'qat',
  'save-eval-graph': 'saveEvalGraph',
  freeze: 'freeze',
  convert: 'convert',
  test: 'test',
  export: 'exportStage',
  exec: 'exec',
};

const engineModules = {
  wasm: ['wasmEngine', 'wasm/index.ts'],
  tensorflow: ['loadTensorflowEngine', 'tensorflow/index.ts'],
  reference: ['referenceEngine', 'reference.ts'],
};

/** Files that the build copies out of packages. */
const packageOfFile = { 'dist/formats/jpeg-turbo.wasm': '@cwasm/jpeg-turbo' };

/** Code to start from, by the name of the digest. */
const entries = {
  ...Object.fromEntries(
    Object.entries(stageExports).map(([kind, name]) => [
      kind,
      `import { ${name} } from './src/stages/${kind}.ts'; export const run = ${name}.run;`,
    ]),
  ),
  // The engine is handed to a stage, which may run on any, so its code has a digest of its own.
  ...Object.fromEntries(
    Object.entries(engineModules).map(([engine, [name, file]]) => [
      engine,
      `export { ${name} } from './src/engine/${file}';`,
    ]),
  ),
  data: "export { loadDataset, recipeDigest } from './src/data/load.ts';",
};

/** @param {string} root of the repository, built but for this file */
export async function writeStageManifest(root) {
  const found = await codeDigests(root, Object.keys(entries));
  const pick = (names, map) => Object.fromEntries(names.map((name) => [name, map(found[name])]));
  const manifest = {
    stages: pick(Object.keys(stageExports), (digest) => digest),
    engines: pick(Object.keys(engineModules), ({ code }) => code),
    data: found.data.code,
  };
  writeFileSync(join(root, 'dist/stage-manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * @param {string} root of a repository: its src with the assembled kernels, and package-lock.json
 * @param {readonly string[]} names of stage kinds and engines, or `data`
 * @param {Map<string, (isRead: (field: string) => boolean) => string>} parsed sources by their text, kept between calls
 * @returns {Promise<Record<string, { code: string, packages: string[] }>>} digests, and the packages that the code imports
 */
export async function codeDigests(root, names, parsed = new Map()) {
  const digest = digester(root, parsed);
  const result = {};
  for (const name of names) result[name] = await digest(entries[name]);
  return result;
}

/** Digests an entry, given as code or by the name of its file, with all that it imports or loads. */
function digester(root, parsed) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const texts = new Map();
  const sourceOf = (file, isRead) => {
    if (!texts.has(file)) texts.set(file, readFileSync(file, 'utf8'));
    const text = texts.get(file);
    if (!parsed.has(text)) parsed.set(text, numericSource(file, text));
    return parsed.get(text)(isRead);
  };

  async function digest(entry) {
    const { code, imports } = await settledBundle(entry);
    const hash = createHash('sha256').update(code);
    const files = loadedFiles(code);
    const external = [...packagesOf(imports), ...files.flatMap((file) => packageOfFile[file] ?? [])];
    for (const name of external) {
      const installed = packages[`node_modules/${name}`];
      hash.update(`\n${name}@${installed?.version}+${installed?.integrity}`);
    }
    for (const file of files.filter((name) => packageOfFile[name] === undefined)) {
      if (file.endsWith('.wasm')) hash.update(`\n${file}\n`).update(readFileSync(join(root, builtFrom(file))));
      else hash.update(`\n${file} ${(await digest({ file: builtFrom(file) })).code}`);
    }
    return { code: `sha256:${hash.digest('hex')}`, packages: external };
  }

  /**
   * A row of the op table holds more than one stage needs. Fields that the code does not read are left out, and then
   * those that only they had read.
   */
  async function settledBundle(entry) {
    const left = new Set();
    for (;;) {
      const kept = new Set();
      const bundled = await bundle(entry, (field) => !left.has(field) && kept.add(field));
      const read = fieldsRead(bundled.code);
      const unread = [...kept].filter((field) => !read.has(field));
      if (unread.length === 0) return bundled;
      for (const field of unread) left.add(field);
    }
  }

  async function bundle(entry, isRead) {
    const { outputFiles } = await build({
      ...(typeof entry === 'string'
        ? { stdin: { contents: entry, resolveDir: root, loader: 'ts' } }
        : { entryPoints: [join(root, entry.file)] }),
      absWorkingDir: root,
      ...{ bundle: true, format: 'esm', platform: 'node', legalComments: 'none' },
      ...{ minifySyntax: true, write: false, logLevel: 'error' },
      plugins: [
        {
          name: 'numeric source',
          setup({ onLoad, onResolve }) {
            // Packages stay outside, and are left out where nothing of them is used; their versions enter by name.
            onResolve({ filter: /^[^./]/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
            onLoad({ filter: /\.[jt]s$/ }, ({ path }) => ({
              contents: sourceOf(path, isRead),
              loader: path.endsWith('.ts') ? 'ts' : 'js',
            }));
          },
        },
      ],
    });
    return rename(outputFiles[0].text);
  }

  /**
   * Comments, spaces, and the names of variables do not count. In a pass of its own: esbuild chooses short names by how
   * often letters occur in its input, and the input of the first pass holds what was not used.
   */
  async function rename(contents) {
    const { outputFiles, metafile } = await build({
      stdin: { contents, loader: 'js' },
      ...{ bundle: true, format: 'esm', platform: 'node', legalComments: 'none', external: ['*'] },
      ...{ minify: true, metafile: true, write: false, logLevel: 'error' },
    });
    const [output] = Object.values(metafile.outputs);
    return { code: outputFiles[0].text, imports: output.imports.map(({ path }) => path) };
  }

  return digest;
}

/** Names of packages, without the modules in them and without Node's own. */
function packagesOf(imports) {
  const names = imports
    .filter((path) => !path.startsWith('node:'))
    .map((path) => path.split('/', path.startsWith('@') ? 2 : 1).join('/'));
  return [...new Set(names)].sort();
}

/** Files of the build that code loads while it runs, as `packageFile` names them. */
function loadedFiles(code) {
  return [...new Set([...code.matchAll(/["'`](dist\/[^"'`]*)["'`]/g)].map(([, file]) => file))].sort();
}

/** Where the build takes such a file from. One that this does not know must not go by without a digest. */
function builtFrom(file) {
  const source = file.replace(/^dist\//, 'src/');
  if (/\.wasm$|\/worker\.js$/.test(source)) return source;
  if (source.endsWith('/worker.bundle.js')) return source.replace(/\.bundle\.js$/, '.ts');
  throw new Error(`scripts/stage-manifest.js does not know where ${file} comes from`);
}
