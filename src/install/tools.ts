/** What an install needs from the machine. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import { addonPackage } from '../engine/tensorflow/addon.ts';
import type { LibrarySource } from './library.ts';
import { wheel } from './library.ts';
import { findProgram } from '../core/programs.ts';
import { findPython } from './programs.ts';

/** Bytes, measured with tensorflow-cpu 2.15.1 and tfjs-node 4.22.0, rounded up. */
const diskSpace = { package: 0.4e9, wheel: 1.4e9 };

export const findCompiler = (env: NodeJS.ProcessEnv): string | null => findProgram(env['CXX'] ?? 'g++', env);

/** What the build needs from the machine, as far as it was found. */
export interface Tools {
  /** `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  readonly npm: string | null;
  readonly make: string | null;
  readonly compiler: string | null;
  readonly python: string | null;
  /** On the disk of qpipe's folder. */
  readonly freeBytes: number;
}

export async function findTools(source: LibrarySource, home: string, env: NodeJS.ProcessEnv): Promise<Tools> {
  let parent = home;
  while (!existsSync(parent)) parent = dirname(parent);
  const { bavail, bsize } = await statfs(parent);
  // node-gyp, which writes the makefile, is a Python program and wants 3.8.
  const check = `import sys; assert sys.version_info >= (3, 8)${source.kind === 'wheel' ? '; import pip' : ''}`;
  return {
    platform: process.platform,
    arch: process.arch,
    npm: findProgram('npm', env),
    make: findProgram('make', env),
    compiler: findCompiler(env),
    python: await findPython(check, env),
    freeBytes: bavail * bsize,
  };
}

export const noCompiler: Diagnostic = {
  code: 'no-compiler',
  place: { file: 'engine tensorflow' },
  message: 'no C++ compiler is on PATH',
  hint: 'install one, for example `apt install g++`, or set CXX',
};

/** A diagnostic for each missing requirement of the install. */
export function missingTools(tools: Tools, source: LibrarySource): Diagnostic[] {
  const found: Diagnostic[] = [];
  const missing = (code: string, message: string, hint: string): void =>
    void found.push({ code, place: { file: 'engine tensorflow' }, message, hint });
  if (tools.platform !== 'linux') {
    missing('no-linux', `this is ${tools.platform}; expected Linux`, `try npm's own: \`npm install ${addonPackage}\``);
  }
  if (tools.npm === null) missing('no-npm', 'npm is not on PATH', 'install npm; it comes with Node');
  if (tools.make === null) missing('no-make', 'make is not on PATH', 'install it, for example `apt install make`');
  if (tools.compiler === null) found.push(noCompiler);
  if (tools.python === null) {
    const wanted = source.kind === 'wheel' ? 'Python 3.8 or newer with pip' : 'Python 3.8 or newer';
    const hint = source.kind === 'wheel' ? 'install python3 and python3-pip' : 'install python3';
    missing('no-python', `${wanted} was not found on PATH, nor with pyenv`, hint);
  }
  if (source.kind === 'wheel' && tools.arch !== 'x64') {
    missing(
      'no-wheel',
      `there is no ${wheel.requirement} for ${tools.arch}`,
      'give a library with `--lib` or `--python`',
    );
  }
  const needed = diskSpace.package + (source.kind === 'wheel' ? diskSpace.wheel : 0);
  if (tools.freeBytes < needed) {
    const [free, wanted] = [tools.freeBytes, needed].map((bytes) => (bytes / 1e9).toFixed(1));
    missing('disk-full', `${free} GB are free; ${wanted} GB are needed`, 'free some space, or set QPIPE_HOME');
  }
  return found;
}
