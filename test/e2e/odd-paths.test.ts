/** The package in a folder whose name means something in a URL does what it does in a plain one. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAddon } from '../../src/engine/tensorflow/addon.ts';
import { qpipeHome } from '../../src/install/home.ts';
import type { Outcome } from './workspace.ts';
import { npyFile, program, tinyText } from './workspace.ts';

const root = dirname(dirname(program));
/** Whoever takes a URL for a path, or a path for a URL, finds nothing in such a folder. */
const oddName = 'a space, %20 # ? ü &';

/** As npm installs it: what package.json's `files` names, beside the packages that it needs. */
function installAt(modules: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly files: readonly string[];
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const target = join(modules, 'qpipe');
  for (const file of ['package.json', ...manifest.files]) {
    cpSync(join(root, file), join(target, file), { recursive: true });
  }
  // LiteRT looks for its own files beside itself, so it has to lie there; of the others a link is enough.
  cpSync(join(root, 'node_modules/@litertjs'), join(modules, '@litertjs'), { recursive: true });
  for (const name of Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@litertjs/'))) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules', name)), join(modules, name));
  }
  return join(target, 'bin/qpipe.js');
}

interface Place {
  readonly folder: string;
  readonly qpipe: (args: readonly string[], home?: string) => Promise<Outcome>;
}

/** A fake of the addon that answers the probe, so that `engine` and `doctor` find a working one in the home. */
function placeAddon(home: string): void {
  const addon = join(home, 'engines/tensorflow/node_modules/@tensorflow/tfjs-node');
  mkdirSync(join(addon, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(addon, 'lib/napi-v8/tfjs_binding.node'), '');
  writeFileSync(
    join(addon, 'index.js'),
    `const { readFileSync } = require('node:fs');
    readFileSync(require('node:path').join(__dirname, 'index.js'));
    module.exports = {
      version: { 'tfjs-node': '4.0.0' },
      tensor: (values) => values,
      backend: () => ({
        binding: { TF_Version: '2.0.0' },
        executeSingleOutput: () => ({ dataSync: () => Float32Array.of(19, 22, 43, 50) }),
      }),
    };`,
  );
}

/** The home of qpipe, where an addon was built below it. */
const installed = findAddon(qpipeHome())?.startsWith(qpipeHome()) === true ? qpipeHome() : null;

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('a package in a folder with odd characters', () => {
  const places: Place[] = [];
  const base = mkdtempSync(join(tmpdir(), 'qpipe-odd-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  beforeAll(() => {
    for (const name of ['plain', oddName]) {
      const folder = join(base, name);
      mkdirSync(folder);
      const bin = installAt(join(folder, 'node_modules'));
      placeAddon(join(folder, 'home'));
      writeFileSync(join(folder, 'tiny.yaml'), tinyText);
      writeFileSync(
        join(folder, 'x.npy'),
        npyFile(
          '|i1',
          [2, 12, 12, 1],
          new Int8Array(288).map((_, at) => at % 100),
        ),
      );
      // No compiler on PATH: without our kernels the answer of `engine` is the same everywhere.
      const env = { PATH: '/nowhere', HOME: folder };
      places.push({
        folder,
        async qpipe(args, home = join(folder, 'home')) {
          const options = { cwd: folder, env: { ...env, QPIPE_HOME: home }, extendEnv: false, reject: false };
          const { exitCode, stdout, stderr } = await execa(process.execPath, [bin, ...args], options);
          return { code: exitCode, stdout, stderr };
        },
      });
    }
  });

  /** Answers of both places; where they name their own folder, `HERE`. */
  async function answers(...args: string[]) {
    const found = [];
    for (const { folder, qpipe } of places) {
      const { code, stdout, stderr } = await qpipe(args);
      const here = (text: string): string => text.replaceAll(folder, 'HERE');
      found.push({ code, stdout: here(stdout), stderr: here(stderr) });
    }
    return found;
  }

  it.each([
    ['doctor --json', '"status": "ok"'],
    ['validate tiny.yaml', 'is valid'],
    ['validate HERE/pipelines/quickstart.yaml --json', '"warnings": []'],
    ['validate HERE/pipelines/mnist-lenet.yaml', 'is valid'],
    ['graph tiny.yaml --level int8', 'int8[4,3,3,1]'],
    ['engine install tensorflow', 'is already installed and works'],
    ['--version', '0.1.0'],
  ])('answers `%s` as in a plain one', async (line, words) => {
    const args = line.replace('HERE', 'node_modules/qpipe').split(' ');
    const [plain, odd] = await answers(...args);
    expect(plain).toMatchObject({ code: 0 });
    expect(plain?.stdout).toContain(words);
    expect(odd).toEqual(plain);
  });

  it('lacks nothing, by `doctor`, but the kernels that nobody built and Slurm', async () => {
    const { stdout } = (await answers('doctor', '--json'))[1] ?? {};
    const { checks } = JSON.parse(stdout ?? '') as { checks: { name: string; status: string }[] };
    expect(checks.filter(({ status }) => status !== 'ok').map(({ name }) => name)).toEqual([
      "qpipe's kernels",
      'Slurm',
    ]);
  });

  it('makes the same model, report and predictions', async () => {
    for (const { code, stderr } of await answers('run', 'tiny.yaml', '--json')) {
      expect([code, stderr]).toEqual([0, '']);
    }
    for (const runtime of ['reference', 'wasm', 'litert']) {
      const model = 'runs/latest/stages/convert/model.tflite';
      const options = ['--runtime', runtime, '--input', 'x.npy', '--output', `${runtime}.npy`];
      for (const { code } of await answers('predict', model, ...options)) expect(code).toBe(0);
    }
    for (const file of ['runs/latest/stages/convert/model.tflite', 'reference.npy', 'wasm.npy', 'litert.npy']) {
      const [plain, odd] = places.map(({ folder }) => sha256(join(folder, file)));
      expect(odd, file).toBe(plain);
    }
    const [plain, odd] = await answers('run', 'tiny.yaml');
    expect(plain?.stdout).toMatch(/^test: cached/m);
    expect(odd?.stdout).toMatch(/^test: cached/m);
  });

  it.skipIf(installed === null)('trains on the tensorflow engine that lies there, to the same bytes', async () => {
    const [plain, odd] = places;
    if (plain === undefined || odd === undefined) throw new Error('two places were made');
    const home = join(odd.folder, 'real home');
    // Links of the files cost no space; where they are on another disk, they are copied.
    const copy = (flags: string) => spawnSync('cp', [flags, installed ?? '', home], { stdio: 'ignore' }).status === 0;
    if (!copy('-al')) copy('-a');
    const run = ['run', 'tiny.yaml', '--engine', 'tensorflow', '--runs', 'on tensorflow'];
    expect(await plain.qpipe(run, installed ?? '')).toMatchObject({ code: 0, stderr: '' });
    expect(await odd.qpipe(run, home)).toMatchObject({ code: 0, stderr: '' });
    const [first, second] = [plain, odd].map(({ folder }) =>
      sha256(join(folder, 'on tensorflow/latest/stages/qat/qat_model.safetensors')),
    );
    expect(second).toBe(first);
  });
});
