/** The steps that make an addon: the library and the package come, the addon and our kernels are built. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { packageJson } from '../core/version.ts';
import { addonFolder, addonPackage, nativeFolder } from '../engine/tensorflow/addon.ts';
import { compilerArguments, isKernelsFile, kernelsFile } from '../engine/tensorflow/kernels.ts';
import type { Library } from './library.ts';
import { wheel } from './library.ts';
import type { Surroundings } from './run-program.ts';
import { runProgram } from './run-program.ts';
import type { Step } from './steps.ts';
import { findCompiler } from './tools.ts';

/** What all steps use. */
export interface Build extends Surroundings {
  /** The folder that becomes the engine's when all is done. */
  readonly work: string;
  readonly python: string;
  readonly library: Library;
}

export function downloadStep(build: Build): Step {
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

export function fetchStep(build: Build): Step {
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

export function buildStep(build: Build): Step {
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
export function kernelsStep(surroundings: Surroundings, addon: string, warnings: Diagnostic[]): Step {
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
