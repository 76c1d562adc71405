/** What `npm ci` may run and where its files come from: nothing that needs a network once the cache has them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };
const { scripts, allowScripts } = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const locked = Object.entries(packages).filter(([name]) => name !== '');

describe('npm ci', () => {
  it('takes every package by its digest, and from the cache where it is there', () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(locked.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
    expect(read('.npmrc')).toMatch(/^prefer-offline=true$/m);
  });

  it("runs no script of a package but esbuild's, which only looks for the program that another package brings", () => {
    const withScripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([name]) => name);
    expect(withScripts).toEqual(['node_modules/esbuild']);
    expect(allowScripts).toEqual({ esbuild: true });
    // That package, for the platforms that qpipe supports.
    const programs = locked.map(([name]) => name).filter((name) => name.startsWith('node_modules/@esbuild/linux-'));
    expect(programs).toEqual(
      expect.arrayContaining(['node_modules/@esbuild/linux-x64', 'node_modules/@esbuild/linux-arm64']),
    );
  });

  it('runs the build of qpipe, and nothing else of its own', () => {
    const atInstall = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
    expect(Object.entries(scripts).filter(([name]) => atInstall.includes(name))).toEqual([
      ['prepare', 'npm run build'],
    ]);
    expect(scripts['build']).toBe('node scripts/build.js');
  });

  it.each(['build', 'stage-manifest', 'standalone-check', 'source-digest', 'numeric-source'])(
    'builds without a download: scripts/%s.js has no way to the network',
    (name) => {
      expect(read(`scripts/${name}.js`)).not.toMatch(
        /\bfetch\(|node:(http|https|net|tls|dns)\b|\bcurl\b|\bwget\b|\bpip\b/,
      );
    },
  );
});
