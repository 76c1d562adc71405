/** The layers of docs/architecture.md: imports point down, folders of one layer are strangers, nothing is a circle. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const layers: readonly (readonly string[])[] = [
  ['core'],
  ['runner', 'formats', 'measurements', 'wasm'],
  ['ops'],
  ['graph'],
  ['models', 'data', 'passes', 'engine', 'tflite', 'graphdef', 'interpreter'],
  ['evaluation', 'importers', 'targets'],
  ['tasks', 'export', 'calibration'],
  ['training'],
  ['stages'],
  ['config', 'report', 'install'],
  ['cli'],
];

interface SourceFile {
  /** Below src/, for example `ops/relu.ts`. */
  readonly file: string;
  /** The same way; packages are left out. */
  readonly imports: readonly string[];
}

function violations(sources: readonly SourceFile[]): readonly string[] {
  const crossings = sources.flatMap(({ file, imports }) => imports.flatMap((target) => crossing(file, target)));
  return [...crossings, ...circles(sources)];
}

function crossing(file: string, target: string): readonly string[] {
  if (file === 'index.ts') return [];
  const [from, to] = [folderOf(file), folderOf(target)];
  if (from === to) return [];
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
  if (fromLayer < 0) return [`${file}: the folder ${from} is in no layer`];
  if (toLayer < 0) return [`${file} imports ${target}, which is in no layer`];
  if (toLayer > fromLayer) return [`${file} imports ${target}: up from layer ${fromLayer} to ${toLayer}`];
  if (toLayer === fromLayer) return [`${file} imports ${target}: sideways in layer ${fromLayer}`];
  return [];
}

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

const layerOf = (folder: string): number => layers.findIndex((folders) => folders.includes(folder));

/** One message for each import that closes a circle, found by a walk in depth. */
function circles(sources: readonly SourceFile[]): readonly string[] {
  const importsOf = new Map(sources.map(({ file, imports }) => [file, imports]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push(`circle: ${[...path.slice(start), file].join(' -> ')}`);
    if (start >= 0 || done.has(file)) return;
    for (const target of importsOf.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const { file } of sources) visit(file, []);
  return found;
}

/** Static, re-exporting, side-effect and dynamic imports of relative paths; types count as much as values. */
function relativeImports(file: string, text: string): readonly string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const specifiers = code.matchAll(
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  );
  return [...specifiers]
    .map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => posix.join(posix.dirname(file), specifier));
}

function readSources(): readonly SourceFile[] {
  const root = fileURLToPath(new URL('../src', import.meta.url));
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.includes('wasm/assembly/'))
    .map((file) => ({ file, imports: relativeImports(file, readFileSync(join(root, file), 'utf8')) }));
}

describe('the source tree', () => {
  it('has imports that point down only, and no circle', () => {
    const sources = readSources();
    expect(sources.find(({ file }) => file === 'ops/relu.ts')?.imports).toContain('core/affine.ts');
    expect(violations(sources)).toEqual([]);
  });
});

describe('the checker', () => {
  const oneImport = (file: string, target: string): readonly string[] =>
    violations([
      { file, imports: [target] },
      { file: target, imports: [] },
    ]);

  it('accepts imports downwards, inside a folder, and of everything by src/index.ts', () => {
    expect(oneImport('cli/main.ts', 'core/json.ts')).toEqual([]);
    expect(oneImport('ops/relu.ts', 'ops/define.ts')).toEqual([]);
    expect(oneImport('index.ts', 'cli/main.ts')).toEqual([]);
  });

  it('catches an import upwards', () => {
    expect(oneImport('ops/relu.ts', 'graph/graph.ts')).toEqual([
      'ops/relu.ts imports graph/graph.ts: up from layer 2 to 3',
    ]);
  });

  it('catches an import sideways', () => {
    expect(oneImport('tflite/write.ts', 'passes/fold.ts')).toEqual([
      'tflite/write.ts imports passes/fold.ts: sideways in layer 4',
    ]);
  });

  it('catches a folder that is in no layer, and an import of the public index', () => {
    expect(oneImport('utils/a.ts', 'core/json.ts')).toEqual(['utils/a.ts: the folder utils is in no layer']);
    expect(oneImport('cli/main.ts', 'index.ts')).toEqual(['cli/main.ts imports index.ts, which is in no layer']);
  });

  it('catches a circle inside one folder', () => {
    const circle = [
      { file: 'ops/a.ts', imports: ['ops/b.ts'] },
      { file: 'ops/b.ts', imports: ['core/x.ts', 'ops/c.ts'] },
      { file: 'ops/c.ts', imports: ['ops/b.ts'] },
      { file: 'core/x.ts', imports: [] },
    ];
    expect(violations(circle)).toEqual(['circle: ops/b.ts -> ops/c.ts -> ops/b.ts']);
  });

  it('reads every form of import, types too, and no comment', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import {\n  b,\n} from '../core/b.ts';",
      "export * from './c.ts';",
      "import './d.ts';",
      "const e = await import('./e.ts');",
      "import { f } from 'package';",
      "// import { g } from './g.ts';",
      "/* import { h } from './h.ts'; */",
    ].join('\n');
    expect(relativeImports('ops/x.ts', text)).toEqual(['ops/a.ts', 'core/b.ts', 'ops/c.ts', 'ops/d.ts', 'ops/e.ts']);
  });
});
