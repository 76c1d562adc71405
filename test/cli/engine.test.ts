import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libraryIn } from '../../src/install/library.ts';
import type { InstallOptions } from '../../src/install/tensorflow.ts';
import { installTensorflow } from '../../src/install/tensorflow.ts';
import type { Tools } from '../../src/install/tools.ts';
import { missingTools } from '../../src/install/tools.ts';
import { qpipeHome } from '../../src/install/home.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Diagnostic } from '../../src/core/diagnostic.ts';
import { kernelsFile } from '../../src/engine/tensorflow/kernels.ts';
import { Interrupted } from '../../src/runner/execute.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'qpipe-engine-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, content = ''): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

/** Programs of a machine of which only these exist, each a shell script. */
function machine(scripts: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  for (const [name, script] of Object.entries(scripts))
    chmodSync(write(`bin/${name}`, `#!/bin/sh\n${script}\n`), 0o755);
  return { PATH: join(folder, 'bin'), HOME: folder };
}

const codes = (diagnostics: readonly Diagnostic[]): string[] => diagnostics.map(({ code }) => code);

async function refusal(options: InstallOptions): Promise<readonly Diagnostic[]> {
  const error = await installTensorflow({ home: join(folder, 'home'), ...options }).catch((reason: unknown) => reason);
  if (!(error instanceof UserError)) throw error;
  return error.diagnostics;
}

function fakeLibrary(): string {
  write('tf/libtensorflow_cc.so.2');
  write('tf/libtensorflow_framework.so.2');
  write('tf/include/tensorflow/c/eager/c_api.h');
  return join(folder, 'tf');
}

describe('the home of qpipe', () => {
  it('is QPIPE_HOME, else in XDG_CACHE_HOME, else in ~/.cache; an empty variable counts as unset', () => {
    expect(qpipeHome({ QPIPE_HOME: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(qpipeHome({ QPIPE_HOME: '', XDG_CACHE_HOME: '/b' })).toBe('/b/qpipe');
    expect(qpipeHome({})).toMatch(/\/\.cache\/qpipe$/);
  });
});

describe('the search for a library', () => {
  it('takes the folder of a wheel, with the headers in it', () => {
    const tf = fakeLibrary();
    expect(libraryIn(tf)).toMatchObject({ core: `${tf}/libtensorflow_cc.so.2`, headers: `${tf}/include` });
  });

  it('takes the lib folder of a libtensorflow release, with the headers in the parent', () => {
    write('release/lib/libtensorflow.so.2');
    write('release/lib/libtensorflow_framework.so.2');
    write('release/include/tensorflow/c/eager/c_api.h');
    const release = join(folder, 'release');
    expect(libraryIn(`${release}/lib`)).toMatchObject({
      core: `${release}/lib/libtensorflow.so.2`,
      headers: `${release}/include`,
    });
  });

  it('names everything that a wrong folder lacks', () => {
    write('libtensorflow_framework.so.2');
    const found = libraryIn(folder);
    expect(found).toMatchObject({ diagnostics: [{ code: 'no-library', place: { file: folder } }] });
    expect(JSON.stringify(found)).toContain(
      'lacks libtensorflow_cc.so.2 or libtensorflow.so.2, and include/tensorflow',
    );
  });
});

describe('what the build needs', () => {
  const complete: Tools = {
    platform: 'linux',
    arch: 'x64',
    npm: '/bin/npm',
    make: '/bin/make',
    compiler: '/bin/g++',
    python: '/bin/python3',
    freeBytes: 1e12,
  };

  it('is nothing more on a complete machine', () => {
    expect(missingTools(complete, { kind: 'wheel' })).toEqual([]);
  });

  it('is named all at once, each with a remedy', () => {
    const bare: Tools = { ...complete, npm: null, make: null, compiler: null, python: null, freeBytes: 0 };
    const found = missingTools(bare, { kind: 'folder', folder });
    expect(codes(found)).toEqual(['no-npm', 'no-make', 'no-compiler', 'no-python', 'disk-full']);
    expect(found.every(({ hint }) => hint !== undefined)).toBe(true);
  });

  it('is another platform where no wheel fits, unless a library is given', () => {
    const arm: Tools = { ...complete, arch: 'arm64' };
    expect(codes(missingTools(arm, { kind: 'wheel' }))).toEqual(['no-wheel']);
    expect(missingTools(arm, { kind: 'python', python: 'python3' })).toEqual([]);
    expect(codes(missingTools({ ...complete, platform: 'darwin' }, { kind: 'wheel' }))).toEqual(['no-linux']);
  });

  it('is more space when the wheel is downloaded, too', () => {
    const little: Tools = { ...complete, freeBytes: 1e9 };
    expect(codes(missingTools(little, { kind: 'wheel' }))).toEqual(['disk-full']);
    expect(missingTools(little, { kind: 'folder', folder })).toEqual([]);
  });
});

describe('the install', () => {
  const ready = { npm: 'exit 0', make: 'exit 0', 'g++': 'exit 0', python3: 'exit 0' };

  it('refuses a PATH that lacks make together with a folder that lacks the library, and makes nothing', async () => {
    const env = machine({ npm: 'exit 0', 'g++': 'exit 0', python3: 'exit 0' });
    const found = await refusal({ env, source: { kind: 'folder', folder } });
    expect(codes(found)).toEqual(['no-make', 'no-library']);
    expect(existsSync(join(folder, 'home'))).toBe(false);
  });

  it('refuses a Python that does not run, and one without TensorFlow', async () => {
    const env = machine({ ...ready, 'python-bare': 'exit 1' });
    const from = (python: string) => refusal({ env, source: { kind: 'python', python } });
    expect(codes(await from(join(folder, 'no-such')))).toEqual(['no-python']);
    expect(codes(await from(join(folder, 'bin/python-bare')))).toEqual(['no-library']);
  });

  it('asks for a Python with pip when the wheel is wanted', async () => {
    const env = machine({ ...ready, python3: 'case "$2" in *pip*) exit 1;; esac' });
    expect(codes(await refusal({ env, source: { kind: 'wheel' } }))).toEqual(['no-python']);
  });

  it('gives the words of a program that failed, keeps its output, and leaves nothing else', async () => {
    const library = fakeLibrary();
    const env = machine({ ...ready, npm: 'echo reading; echo "npm error code ENOTFOUND" >&2; exit 1' });
    const [diagnostic, ...others] = await refusal({ env, source: { kind: 'folder', folder: library } });
    expect(others).toEqual([]);
    expect(diagnostic).toMatchObject({
      code: 'install-failed',
      message: 'could not fetch @tensorflow/tfjs-node: npm error code ENOTFOUND',
    });
    const log = diagnostic?.place.file ?? '';
    expect(readFileSync(log, 'utf8')).toBe('reading\nnpm error code ENOTFOUND\n');
    expect(readdirSync(join(folder, 'home/engines'))).toEqual([basename(log)]);
  });

  it('stops at a signal with the programs that its programs started, and leaves nothing', async () => {
    const library = fakeLibrary();
    // The inner shell holds the pipe open: only its own end lets the install go on.
    const env = machine({ ...ready, npm: `/bin/sh -c 'echo started; exec /bin/sleep 600'; echo "never reached"` });
    const abort = new AbortController();
    const install = installTensorflow({
      env,
      home: join(folder, 'home'),
      source: { kind: 'folder', folder: library },
      signal: abort.signal,
      runSteps: async (steps) => {
        for (const { run } of steps) await run(() => abort.abort());
      },
    });
    await expect(install).rejects.toBeInstanceOf(Interrupted);
    expect(readdirSync(join(folder, 'home/engines'))).toEqual([]);
  });

  describe('beside an addon that is there', () => {
    /** A package that answers the probe's product like one that works. */
    function workingAddon(): string {
      const package_ = dirname(
        write(
          'home/engines/tensorflow/node_modules/@tensorflow/tfjs-node/index.js',
          `module.exports = {
          version: { 'tfjs-node': '4.0.0' },
          tensor: (values) => values,
          backend: () => ({
            binding: { TF_Version: '2.0.0' },
            executeSingleOutput: () => ({ dataSync: () => Float32Array.of(19, 22, 43, 50) }),
          }),
        };`,
        ),
      );
      write('home/engines/tensorflow/node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node');
      return package_;
    }

    const kept = (env: NodeJS.ProcessEnv) => installTensorflow({ home: join(folder, 'home'), env });

    it('lets it do without our kernels where there is no compiler, and says so', async () => {
      workingAddon();
      const { status, kernels, warnings } = await kept(machine({}));
      expect({ status, kernels, warnings: codes(warnings) }).toEqual({
        status: 'present',
        kernels: null,
        warnings: ['no-compiler'],
      });
    });

    it('gives the words of a compiler that failed, and leaves the addon as it was', async () => {
      const native = join(workingAddon(), 'lib/napi-v8');
      write(relative(folder, join(native, 'qpipe-kernels-00000000.node')), 'older');
      const files = readdirSync(native);
      const script =
        'while [ "$1" != -o ]; do shift; done; echo half > "$2"; echo "kernel.cc:1: error: no" >&2; exit 1';
      const { status, warnings } = await kept(machine({ 'g++': script }));
      expect(status).toBe('present');
      expect(warnings).toMatchObject([
        { code: 'install-failed', message: "could not build qpipe's kernels: kernel.cc:1: error: no" },
      ]);
      expect(readdirSync(native)).toEqual(files);
    });

    it('puts the kernels beside it, in place of those from other sources', async () => {
      const native = join(workingAddon(), 'lib/napi-v8');
      write(relative(folder, join(native, 'qpipe-kernels-00000000.node')), 'older');
      const script = 'while [ "$1" != -o ]; do shift; done; echo built > "$2"';
      // What this compiler builds is no library, and that is found out.
      expect(codes(await refusal({ env: machine({ 'g++': script }) }))).toEqual(['engine-broken']);
      expect(readdirSync(native).sort()).toEqual([basename(kernelsFile(native)), 'tfjs_binding.node']);
    });
  });
});
