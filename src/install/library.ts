/** TensorFlow's C library: where it comes from, and its parts. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import type { Diagnostic } from '../core/diagnostic.ts';

/** Where TensorFlow's library comes from: a folder, a Python that can import TensorFlow, or a wheel to download. */
export type LibrarySource =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'python'; readonly python: string }
  | { readonly kind: 'wheel' };

/** TensorFlow 2.15 is the release that the tests compare with; its wheel holds the C library and its headers. */
export const wheel = {
  requirement: 'tensorflow-cpu==2.15.1',
  python: '3.11',
  abi: 'cp311',
  platform: 'manylinux2014_x86_64',
};

/** The files that the addon is built and linked against. */
export interface Library {
  readonly kind: 'given' | 'wheel';
  /** libtensorflow_cc.so.2 or libtensorflow.so.2. */
  readonly core: string;
  readonly framework: string;
  readonly headers: string;
}

interface NoLibrary {
  readonly diagnostics: readonly Diagnostic[];
}

export async function givenLibrary(
  source: Exclude<LibrarySource, { kind: 'wheel' }>,
  env: NodeJS.ProcessEnv,
): Promise<Library | NoLibrary> {
  if (source.kind === 'folder') return libraryIn(resolve(source.folder));
  const folder = await tensorflowOf(source.python, env);
  return typeof folder === 'string' ? libraryIn(folder) : { diagnostics: [folder] };
}

/** The library that a folder holds, or why it holds none. */
export function libraryIn(folder: string): Library | NoLibrary {
  const firstOf = (...files: string[]): string | undefined =>
    files.map((file) => join(folder, file)).find((file) => existsSync(file));
  const core = firstOf('libtensorflow_cc.so.2', 'libtensorflow.so.2');
  const framework = firstOf('libtensorflow_framework.so.2');
  const headers = ['include', '../include']
    .map((name) => join(folder, name))
    .find((name) => existsSync(join(name, 'tensorflow/c/eager/c_api.h')));
  if (core !== undefined && framework !== undefined && headers !== undefined) {
    return { kind: 'given', core, framework, headers };
  }
  const lacks = [
    ...(core === undefined ? ['libtensorflow_cc.so.2 or libtensorflow.so.2'] : []),
    ...(framework === undefined ? ['libtensorflow_framework.so.2'] : []),
    ...(headers === undefined ? ['include/tensorflow/c/eager/c_api.h (beside them, or in the parent)'] : []),
  ];
  const diagnostic = {
    code: 'no-library',
    place: { file: folder },
    message: `it lacks ${lacks.join(', and ')}`,
    hint: 'give the folder `lib` of a libtensorflow release, or `tensorflow` in the site-packages of a Python',
  };
  return { diagnostics: [diagnostic] };
}

/** The folder of Python's TensorFlow. */
async function tensorflowOf(python: string, env: NodeJS.ProcessEnv): Promise<string | Diagnostic> {
  const source = 'import importlib.util as u; s = u.find_spec("tensorflow"); print(s.submodule_search_locations[0])';
  const result = await execa(python, ['-c', source], { env, extendEnv: false, reject: false, stdin: 'ignore' });
  if (result.exitCode === 0) return result.stdout;
  const place = { file: python };
  return result.exitCode === undefined
    ? { code: 'no-python', place, message: 'it does not run', hint: 'give the path of a Python, such as python3' }
    : {
        code: 'no-library',
        place,
        message: 'it has no TensorFlow',
        hint: `\`${python} -m pip install ${wheel.requirement}\`, or leave \`--python\` out`,
      };
}

/** Where the parts of the wheel lie that are kept. */
export function wheelLibrary(work: string): Library {
  const folder = join(work, 'library');
  return {
    kind: 'wheel',
    core: join(folder, 'libtensorflow_cc.so.2'),
    framework: join(folder, 'libtensorflow_framework.so.2'),
    headers: join(folder, 'include'),
  };
}
