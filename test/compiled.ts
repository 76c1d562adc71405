/** What the compiler says of the sources after an edit that a page of docs/ asks for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect } from 'vitest';

const root = join(import.meta.dirname, '..');

/** A source file with texts replaced; each must occur. */
export function replaced(file: string, edits: readonly (readonly [string, string])[]): string {
  return edits.reduce(
    (text, [from, to]) => {
      expect(text).toContain(from);
      return text.replace(from, to);
    },
    readFileSync(join(root, file), 'utf8'),
  );
}

/** Parsed files as they are on the disk. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler says of the sources with these in place of their own. */
export function mistakes(files: Readonly<Record<string, string>>): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options, fileNames } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const disk = ts.createCompilerHost(options);
  const placed = new Map(Object.entries(files).map(([file, text]) => [join(root, file), text]));
  const host: ts.CompilerHost = {
    ...disk,
    readFile: (path) => placed.get(path) ?? disk.readFile(path),
    fileExists: (path) => placed.has(path) || disk.fileExists(path),
    getSourceFile(path, target) {
      const text = placed.get(path);
      if (text !== undefined) return ts.createSourceFile(path, text, target);
      if (!parsed.has(path)) parsed.set(path, disk.getSourceFile(path, target));
      return parsed.get(path);
    },
  };
  const program = ts.createProgram(
    [...fileNames, ...placed.keys()],
    { ...options, noEmit: true, incremental: false },
    host,
  );
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file }) => {
    return `${file?.fileName.slice(root.length + 1) ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
