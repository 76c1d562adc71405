/** The whole way: npm package, compiler, library of the oracle. Under a minute, but it downloads 300 MB. */
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { installTensorflow } from '../../src/install/tensorflow.ts';
import { findAddon, nativeFolder, tensorflowFolder } from '../../src/engine/tensorflow/addon.ts';
import { kernelsFile } from '../../src/engine/tensorflow/kernels.ts';
import { hasOracle } from '../oracle/oracle.ts';

describe.skipIf(!hasOracle)('the install of the tensorflow engine', () => {
  const home = mkdtempSync(join(tmpdir(), 'qpipe-home-'));
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  const python = join(import.meta.dirname, '../../.oracle/bin/python');

  it(
    'makes an addon and kernels that compute, says for which Node, and is kept the next time',
    { timeout: 300_000 },
    async () => {
      const first = await installTensorflow({ home, source: { kind: 'python', python } });
      expect(first).toMatchObject({ status: 'installed', folder: findAddon(home) });
      expect(first.kernels).toMatch(/^[0-9a-f]{8}$/);
      expect(first.version).toMatch(/^tfjs-node 4\.\d+\.\d+, TensorFlow 2\.15\.1$/);
      expect(readdirSync(dirname(tensorflowFolder(home)))).toEqual(['tensorflow']);
      const record: unknown = JSON.parse(readFileSync(join(tensorflowFolder(home), 'engine.json'), 'utf8'));
      expect(record).toMatchObject({ nodeApi: 8, builtWith: { modules: process.versions.modules } });

      expect(await installTensorflow({ home })).toEqual({ ...first, status: 'present' });

      // A new qpipe has other kernels: they alone are built.
      const kernels = kernelsFile(nativeFolder(first.folder)!);
      renameSync(kernels, join(dirname(kernels), 'qpipe-kernels-00000000.node'));
      expect(await installTensorflow({ home })).toEqual(first);
      expect(readdirSync(dirname(kernels)).sort()).toEqual([basename(kernels), 'tfjs_binding.node']);
    },
  );
});
