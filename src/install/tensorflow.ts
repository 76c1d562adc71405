import { existsSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import { packageFile } from '../core/package-file.ts';
import { addonFolder, addonPackage, findAddon, nativeFolder, tensorflowFolder } from '../engine/tensorflow/addon.ts';
import { compilerArguments, isKernelsFile, kernelsFile } from '../engine/tensorflow/kernels.ts';
import { writingTo } from '../runner/disk-error.ts';
import { Interrupted } from '../runner/execute.ts';
import { qpipeHome } from './home.ts';
import { findProgram, findPython } from './programs.ts';
import type { Step, StepRunner } from '../cli/steps.ts';
import { quietSteps } from '../cli/steps.ts';
import type { ProbeAnswer } from './tensorflow-probe.ts';
import { packageJson } from '../core/version.ts';

/** Where TensorFlow's library comes from: a folder, a Python that can import TensorFlow, or a wheel to download. */
export type LibrarySource =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'python'; readonly python: string }
  | { readonly kind: 'wheel' };

export interface InstallOptions {
  /** Default: the wheel. */
  readonly source?: LibrarySource;
  /** What to do with a working addon; default `keep`. A broken one is always replaced. */
  readonly existing?: 'keep' | 'replace';
  /** The folder that qpipe keeps for all pipelines; default: what the environment says. */
  readonly home?: string;
  /** Where programs are looked for, and what they see; default: the process's own. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly runSteps?: StepRunner;
}

export interface EngineInstall {
  readonly status: 'installed' | 'present';
  /** Of the npm package. */
  readonly folder: string;
  /** Of the npm package and the library. */
  readonly version: string;
  /** The version of our own kernels; null where there are none. */
  readonly kernels: string | null;
  /** Why they could not be built. The engine works without them. */
  readonly warnings: readonly Diagnostic[];
}

/** TensorFlow 2.15 is the release that the tests compare with; its wheel holds the C library and its headers. */
const wheel = { requirement: 'tensorflow-cpu==2.15.1', python: '3.11', abi: 'cp311', platform: 'manylinux2014_x86_64' };

/** Bytes, measured with tensorflow-cpu 2.15.1 and tfjs-node 4.22.0, rounded up. */
const diskSpace = { package: 0.4e9, wheel: 1.4e9 };

/**
 * Builds the native part of `@tensorflow/tfjs-node` against a TensorFlow library, for machines where npm's own install
 * cannot: no download besides the npm package, and the wheel when no library is given.
 *
 * @throws UserError with everything that is missing; Interrupted after `signal`. Neither leaves unfinished files
 * behind.
 */
export async function installTensorflow(options: InstallOptions = {}): Promise<EngineInstall> {
  const env = options.env ?? process.env;
  const home = options.home ?? qpipeHome(env);
  const source = options.source ?? { kind: 'wheel' };
  const signal = options.signal ?? new AbortController().signal;
  const kept = await keptInstall(home, options.existing ?? 'keep');
  if (kept !== null) {
    // npm's own install has no kernels of ours, and a new version of qpipe may have others.
    const isComplete = kept.kernels !== null || process.platform !== 'linux';
    return isComplete
      ? { status: 'present', ...kept, warnings: [] }
      : addKernels(kept, { ...options, home, env, signal });
  }

  const tools = await findTools(source, home, env);
  const found = source.kind === 'wheel' ? null : await givenLibrary(source, env);
  const lacks = found !== null && 'diagnostics' in found ? found.diagnostics : [];
  const diagnostics = [...missingTools(tools, source), ...lacks];
  if (diagnostics.length > 0) throw new UserError(diagnostics);

  const folder = tensorflowFolder(home);
  const work = await writingTo(home, 'the engine', async () => {
    await mkdir(dirname(folder), { recursive: true });
    return mkdtemp(`${folder}.part-`);
  });
  const removeNow = (): void => rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', removeNow);
  try {
    const library = found === null || 'diagnostics' in found ? wheelLibrary(work) : found;
    const python = present(tools.python, 'a Python');
    const build: Build = { work, log: `${folder}.log`, env, python, signal, library };
    let probed: Probed = { version: '', kernels: null };
    const warnings: Diagnostic[] = [];
    await (options.runSteps ?? quietSteps)([
      ...(library.kind === 'wheel' ? [downloadStep(build)] : []),
      fetchStep(build),
      buildStep(build),
      kernelsStep(build, addonFolder(work), warnings),
      {
        title: 'load it and check some numbers',
        async run() {
          probed = await probe(addonFolder(work), signal);
          await writeBuildRecord(work, probed.version, library);
        },
      },
    ]);
    signal.throwIfAborted();
    // A temporary folder is private to its user; an installed engine may be shared by a group.
    await chmod(work, 0o755);
    await replaceFolder(work, folder);
    return { status: 'installed', folder: addonFolder(folder), ...probed, warnings };
  } catch (error) {
    if (signal.aborted) throw new Interrupted({ cause: error });
    throw error;
  } finally {
    process.off('exit', removeNow);
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** An installed addon that works. */
interface Kept extends Probed {
  readonly folder: string;
}

/** The addon that is used already, if it is to stay. */
async function keptInstall(home: string, existing: 'keep' | 'replace'): Promise<Kept | null> {
  const folder = findAddon(home);
  if (folder === null) return null;
  if (existing === 'keep') {
    try {
      return { folder, ...(await probe(folder)) };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  if (folder === addonFolder(tensorflowFolder(home))) return null;
  throw userError(
    folder,
    'engine-elsewhere',
    'npm installed this addon, and it takes precedence over one that qpipe builds',
    `repair it with \`npm rebuild ${addonPackage}\`, or remove it with \`npm uninstall ${addonPackage}\``,
  );
}

async function addKernels(
  kept: Kept,
  options: InstallOptions & Required<Pick<InstallOptions, 'home' | 'env' | 'signal'>>,
): Promise<EngineInstall> {
  const { home, env, signal } = options;
  if (findCompiler(env) === null) {
    const message = `${noCompiler.message}, so qpipe's kernels are not built`;
    return { status: 'present', ...kept, warnings: [{ ...noCompiler, message }] };
  }
  const log = `${tensorflowFolder(home)}.log`;
  await writingTo(home, 'the output of the compiler', () => mkdir(dirname(log), { recursive: true }));
  const warnings: Diagnostic[] = [];
  try {
    await (options.runSteps ?? quietSteps)([kernelsStep({ log, env, signal }, kept.folder, warnings)]);
    if (warnings.length > 0) return { status: 'present', ...kept, warnings };
    return { status: 'installed', folder: kept.folder, ...(await probe(kept.folder, signal)), warnings };
  } catch (error) {
    if (signal.aborted) throw new Interrupted({ cause: error });
    throw error;
  }
}

const findCompiler = (env: NodeJS.ProcessEnv): string | null => findProgram(env['CXX'] ?? 'g++', env);

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

async function findTools(source: LibrarySource, home: string, env: NodeJS.ProcessEnv): Promise<Tools> {
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

const noCompiler: Diagnostic = {
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

async function givenLibrary(
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
function wheelLibrary(work: string): Library {
  const folder = join(work, 'library');
  return {
    kind: 'wheel',
    core: join(folder, 'libtensorflow_cc.so.2'),
    framework: join(folder, 'libtensorflow_framework.so.2'),
    headers: join(folder, 'include'),
  };
}

/** How the programs run that steps are made of. */
interface Surroundings {
  /** Where the output of a program that failed is kept. */
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** What all steps use. */
interface Build extends Surroundings {
  /** The folder that becomes the engine's when all is done. */
  readonly work: string;
  readonly python: string;
  readonly library: Library;
}

function downloadStep(build: Build): Step {
  return {
    title: `download ${wheel.requirement}`,
    async run(say) {
      const target = join(build.work, 'wheel');
      // Only the C library is used, so any Python can download a wheel for another Python.
      await runProgram(build, say, {
        file: build.python,
        args: [
          ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-compile', '--no-deps', '--target', target],
          ...['--only-binary=:all:', '--implementation=cp', `--python-version=${wheel.python}`, `--abi=${wheel.abi}`],
          ...[`--platform=${wheel.platform}`, wheel.requirement],
        ],
        cwd: build.work,
        purpose: `download ${wheel.requirement}`,
        hint: "check pip's index and network, or give a library with `--lib` or `--python`",
      });
      const { core, framework, headers } = build.library;
      await mkdir(dirname(core));
      for (const file of [core, framework, headers]) {
        await rename(join(target, 'tensorflow', basename(file)), file);
      }
      await rm(target, { recursive: true });
    },
  };
}

function fetchStep(build: Build): Step {
  return {
    title: `fetch ${addonPackage}`,
    async run(say) {
      await writeFile(join(build.work, 'package.json'), '{ "private": true }\n');
      await runProgram(build, say, {
        file: 'npm',
        args: [
          ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'],
          `${addonPackage}@${present(packageJson().peerDependencies[addonPackage], 'range of the peer dependency')}`,
        ],
        cwd: build.work,
        purpose: `fetch ${addonPackage}`,
        hint: "check npm's registry and network with `npm ping`",
      });
    },
  };
}

function buildStep(build: Build): Step {
  return {
    title: 'build the addon',
    async run(say) {
      const folder = addonFolder(build.work);
      const deps = join(folder, 'deps');
      await linkLibrary(build.library, deps);
      // Node's own headers spare node-gyp a download.
      const nodeFolder = dirname(dirname(process.execPath));
      const hasHeaders = existsSync(join(nodeFolder, 'include/node/node_api.h'));
      await runProgram(build, say, {
        file: 'npm',
        args: ['run', 'build-addon-from-source'],
        cwd: folder,
        env: { PYTHON: build.python, ...(hasHeaders ? { npm_config_nodedir: nodeFolder } : {}) },
        purpose: 'build the addon',
        hint: hasHeaders
          ? 'the compiler may be too old or too new for the library'
          : "offline, node-gyp needs Node's headers: `npm config set nodedir FOLDER`, with include/node in it",
      });
      await rm(join(folder, 'build'), { recursive: true, force: true });
      await rm(join(deps, 'include'));
      if (build.library.kind === 'wheel') await rm(build.library.headers, { recursive: true });
    },
  };
}

/**
 * @param addon folder of the npm package; kernels of other versions in it are removed
 * @param warnings receives the reason if they cannot be built; TensorFlow's own ops are used then
 */
function kernelsStep(surroundings: Surroundings, addon: string, warnings: Diagnostic[]): Step {
  return {
    title: "build qpipe's kernels",
    async run(say) {
      const folder = present(nativeFolder(addon), 'the native part of the addon');
      const part = join(folder, `kernels.part-${process.pid}`);
      try {
        await runProgram(surroundings, say, {
          file: present(findCompiler(surroundings.env), 'a compiler'),
          args: compilerArguments(part),
          cwd: folder,
          purpose: "build qpipe's kernels",
          hint: "TensorFlow's own ops are used instead, more slowly; a newer compiler or library may help",
        });
        for (const name of (await readdir(folder)).filter(isKernelsFile)) await rm(join(folder, name));
        await rename(part, kernelsFile(folder));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        warnings.push(...error.diagnostics);
      } finally {
        await rm(part, { force: true });
      }
    },
  };
}

/** Puts the library where the package's build looks for it. Links, because it is large. */
async function linkLibrary(library: Library, deps: string): Promise<void> {
  const lib = join(deps, 'lib');
  await mkdir(lib, { recursive: true });
  // The wheel moves with the folder it lies in; a library elsewhere stays where it is.
  const target = (file: string): string => (library.kind === 'wheel' ? relative(lib, file) : file);
  await symlink(library.headers, join(deps, 'include'));
  for (const name of ['libtensorflow.so', 'libtensorflow.so.2', 'libtensorflow_cc.so.2']) {
    await symlink(target(library.core), join(lib, name));
  }
  for (const name of ['libtensorflow_framework.so', 'libtensorflow_framework.so.2']) {
    await symlink(target(library.framework), join(lib, name));
  }
}

/** By hand: [[1, 2], [3, 4]] times [[5, 6], [7, 8]], and numbers rounded to multiples of 1/128 from -1 to 127/128. */
const expectedNumbers = { product: [19, 22, 43, 50], rounded: [-1, 0.5, 0.5, 0.9921875] };

/** What a working addon reports. */
export interface Probed {
  /** Of the npm package and the library. */
  readonly version: string;
  /** Of our own kernels; null where they were not built. */
  readonly kernels: string | null;
}

/**
 * Loads an addon in a process of its own and computes with it.
 *
 * @param folder of the npm package
 * @throws UserError `engine-broken`
 */
export async function probe(folder: string, signal?: AbortSignal): Promise<Probed> {
  const program = fileURLToPath(packageFile('dist/install/tensorflow-probe.js'));
  const result = await execa(process.execPath, [program, folder], {
    reject: false,
    stdin: 'ignore',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.exitCode !== 0) {
    const end = result.signal === undefined ? result.stderr.trim().split('\n').at(-1) : `it ended by ${result.signal}`;
    throw userError(folder, 'engine-broken', `the addon does not run: ${end ?? ''}`, 'try another TensorFlow library');
  }
  const answer = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as ProbeAnswer; // our own program
  if ('diagnostics' in answer) throw new UserError(answer.diagnostics);
  const { version, kernels, product, rounded } = answer;
  const wrong = (found: readonly number[], expected: readonly number[]): UserError =>
    userError(
      folder,
      'engine-broken',
      `the addon computed ${found.join(', ')}; expected ${expected.join(', ')}`,
      'try another TensorFlow library',
    );
  if (product.join() !== expectedNumbers.product.join()) throw wrong(product, expectedNumbers.product);
  if (rounded !== null && rounded.join() !== expectedNumbers.rounded.join()) {
    throw wrong(rounded, expectedNumbers.rounded);
  }
  return { version, kernels };
}

/** Records what the addon was built for. Node-API is stable, so a newer Node also loads it. */
async function writeBuildRecord(work: string, version: string, { kind, core }: Library): Promise<void> {
  const [build = ''] = await readdir(join(addonFolder(work), 'lib'));
  const record = {
    version,
    nodeApi: Number(build.replace('napi-v', '')),
    builtWith: { node: process.versions.node, modules: process.versions.modules },
    library: kind === 'wheel' ? wheel.requirement : core,
  };
  await writeFile(join(work, 'engine.json'), `${JSON.stringify(record, null, 2)}\n`);
}

/** Moves a finished folder into place. A reader finds the old folder, none, or the new one, never a part. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const old = `${from}.old`;
  if (existsSync(to)) await rename(to, old);
  await rename(from, to);
  await rm(old, { recursive: true, force: true });
}

interface ProgramCall {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Completes "could not …". */
  readonly purpose: string;
  readonly hint: string;
}

/** @throws UserError with the program's own message */
async function runProgram(
  { env, signal, log }: Surroundings,
  say: (line: string) => void,
  call: ProgramCall,
): Promise<void> {
  signal.throwIfAborted();
  const lines: string[] = [];
  const child = execa(call.file, call.args, {
    cwd: call.cwd,
    env: { ...env, ...call.env },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    // A group of its own, so that the compilers under npm and make can be ended with it.
    detached: true,
  });
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  signal.addEventListener('abort', stop);
  try {
    for await (const line of child.iterable({ from: 'all' })) {
      lines.push(line);
      if (line.trim() !== '' && !signal.aborted) say(line.trim());
    }
    await rm(log, { force: true });
  } catch (error) {
    signal.throwIfAborted();
    await writeFile(log, `${lines.join('\n')}\n`);
    const reason =
      lines.find((line) => /\b(error|ERR!)[: ]/i.test(line)) ??
      lines.at(-1) ??
      (error instanceof Error ? error.message : String(error));
    throw userError(log, 'install-failed', `could not ${call.purpose}: ${reason.trim()}`, call.hint);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
