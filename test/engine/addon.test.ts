import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import {
  addonFolder,
  findAddon,
  loadTensorflow,
  nativeFolder,
  tensorflowFolder,
} from '../../src/engine/tensorflow/addon.ts';
import { kernelsFile } from '../../src/engine/tensorflow/kernels.ts';

/** A folder that looks like the npm package; `native` says whether its native part was built. */
function fakePackage(home: string, source: string, native: 'built' | 'missing'): string {
  const folder = addonFolder(tensorflowFolder(home));
  mkdirSync(join(folder, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(folder, 'index.js'), source);
  if (native === 'built') writeFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), '');
  return folder;
}

async function failure(home: string): Promise<UserError> {
  const error = await loadTensorflow(home).catch((reason: unknown) => reason);
  if (!(error instanceof UserError)) throw error;
  return error;
}

describe('the loader of the tensorflow engine', () => {
  let home = '';
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'qpipe-home-'))));
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  it('says how to install the package when it is nowhere', async () => {
    const { diagnostics } = await failure(home);
    expect(diagnostics.map(({ code }) => code)).toEqual(['engine-missing']);
    expect(diagnostics[0]?.hint).toContain('qpipe engine install tensorflow');
  });

  it('does not take a package without its native part for an engine', async () => {
    fakePackage(home, 'module.exports = {};', 'missing');
    expect(findAddon(home)).toBeNull();
    expect((await failure(home)).diagnostics[0]?.code).toBe('engine-missing');
  });

  it('gives the reason when the package does not load', async () => {
    const folder = fakePackage(home, "throw new Error('libtensorflow.so.2: cannot open\\nRequire stack');", 'built');
    const { diagnostics } = await failure(home);
    expect(diagnostics).toMatchObject([{ code: 'engine-broken', place: { file: folder } }]);
    expect(diagnostics[0]?.message).toMatch(/cannot be loaded: libtensorflow\.so\.2: cannot open$/);
  });

  const working = `module.exports = {
    version: { 'tfjs-node': '4.0.0' },
    backend: () => ({ binding: { TF_Version: '2.0.0' } }),
  };`;

  it('names the versions of the package and of the library, and lets TensorFlow keep quiet', async () => {
    fakePackage(home, working, 'built');
    expect((await loadTensorflow(home)).version).toBe('tfjs-node 4.0.0, TensorFlow 2.0.0');
    expect(process.env['TF_CPP_MIN_LOG_LEVEL']).toBeDefined();
  });

  it.skipIf(process.arch !== 'x64')('switches oneDNN on where nobody has decided', async () => {
    fakePackage(home, working, 'built');
    vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', undefined);
    await loadTensorflow(home);
    expect(process.env['TF_ENABLE_ONEDNN_OPTS']).toBe('1');
    vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', '0');
    await loadTensorflow(home);
    expect(process.env['TF_ENABLE_ONEDNN_OPTS']).toBe('0');
  });

  it('does without our kernels where they were built from other sources', async () => {
    const native = nativeFolder(fakePackage(home, working, 'built'))!;
    writeFileSync(join(native, 'qpipe-kernels-00000000.node'), 'no library');
    expect((await loadTensorflow(home)).kernels).toBeNull();
  });

  it('gives the reason when our kernels do not load', async () => {
    const file = kernelsFile(nativeFolder(fakePackage(home, working, 'built'))!);
    writeFileSync(file, 'no library');
    const { diagnostics } = await failure(home);
    expect(diagnostics).toMatchObject([{ code: 'engine-broken', place: { file } }]);
    expect(diagnostics[0]?.message).toMatch(/^the kernels are installed but cannot be loaded: .*file too short$/);
  });
});
