import { existsSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import { addonFolder, addonPackage, findAddon, tensorflowFolder } from '../engine/tensorflow/addon.ts';
import { writingTo } from '../runner/disk-error.ts';
import { Interrupted } from '../runner/execute.ts';
import type { Build } from './build-steps.ts';
import { buildStep, downloadStep, fetchStep, kernelsStep } from './build-steps.ts';
import { qpipeHome } from './home.ts';
import type { Library, LibrarySource } from './library.ts';
import { givenLibrary, wheel, wheelLibrary } from './library.ts';
import type { Probed } from './probe.ts';
import { probe } from './probe.ts';
import type { StepRunner } from './steps.ts';
import { quietSteps } from './steps.ts';
import { findCompiler, findTools, missingTools, noCompiler } from './tools.ts';

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
